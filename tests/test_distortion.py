"""Augmentation and distortion: shapes, ranges, strength, and that every one of them does something."""

import pytest
import torch

from train import distortion

CROPS = torch.nn.functional.interpolate(torch.rand(16, 1, 10, 10, generator=torch.Generator().manual_seed(0)) * 255, 80)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_augment_gives_the_size_and_grey_levels() -> None:
    out = distortion.augment(CROPS.byte(), 64)
    assert out.shape == (16, 1, 64, 64)
    assert out.min() >= 0
    assert out.max() <= 255
    assert len({tuple(crop.flatten()[:50].tolist()) for crop in out}) == 16


def test_move_is_about_the_middle() -> None:
    picture = torch.zeros(64, 1, 80, 80)
    picture[:, :, 36:44, 36:44] = 255
    moved = distortion.move(picture, 64)
    at = torch.arange(64.0)
    mass = moved.sum(dim=(1, 2, 3))
    centre = (moved.sum(dim=(1, 2)) * at).sum(1) / mass - 31.5
    assert centre.abs().max() < 0.16 * 32 + 1
    assert abs(float(centre.mean())) < 1.5
    assert (mass / (255 * 64)).min() > 0.6
    assert (mass / (255 * 64)).max() < 1.6


def test_half_of_the_batch_is_flipped() -> None:
    picture = torch.zeros(200, 1, 80, 80)
    picture[..., :40] = 255
    left = distortion.move(picture, 64)[..., :32].mean(dim=(1, 2, 3)) > 127
    assert 70 < int(left.sum()) < 130


@pytest.mark.parametrize("change", [change for _, change in distortion.DISTORTIONS], ids=lambda change: change.__name__)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_distortion_changes_every_picture(change: distortion.Callable, channels: int) -> None:
    image = CROPS[:, :, :64, :64].repeat(1, channels, 1, 1)
    out = change(image)
    assert out.shape == image.shape
    assert torch.isfinite(out).all()
    assert ((out - image).abs().mean(dim=(1, 2, 3)) > 0.01).all()


def test_distort_strikes_a_share() -> None:
    image = CROPS[:, :, :64, :64].repeat(32, 1, 1, 1)
    out = distortion.distort(image)
    untouched = ((out - image).abs().amax(dim=(1, 2, 3)) == 0).float().mean()
    expected = 1.0
    for share, _ in distortion.DISTORTIONS:
        expected *= 1 - share
    # two of the seven distort their pictures as one group, so the share itself still holds picture by picture
    assert abs(float(untouched) - expected) < 0.08
    assert out.min() >= 0
    assert out.max() <= 255


def test_blur_takes_detail_and_low_resolution_more() -> None:
    image = CROPS[:, :, :64, :64]
    detail = lambda x: (x[..., 1:] - x[..., :-1]).abs().mean()  # noqa: E731
    assert detail(distortion.blur(image)) < detail(image)
    assert detail(distortion.low_resolution(image)) < detail(image)


def test_seeds_repeat() -> None:
    runs = []
    for _ in range(2):
        torch.manual_seed(3)
        runs.append(distortion.distort(distortion.augment(CROPS, 64)))
    assert torch.equal(*runs)


def test_a_smaller_share_leaves_more_as_it_is() -> None:
    image = CROPS[:, :, :64, :64].repeat(32, 1, 1, 1)
    untouched = [
        ((distortion.distort(image, share) - image) == 0).all(dim=(1, 2, 3)).float().mean() for share in (1, 0.4)
    ]
    assert untouched[1] > untouched[0] + 0.3
