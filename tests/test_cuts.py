"""Scene cuts are noticed; flashes, turns of the camera and fast motion are none."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.cuts import CutDetector
from tracker.sources import open_source

FRAMES = 12
Change = Callable[[np.ndarray, int], np.ndarray]
"""A picture (H, W, 3) and its number to another."""


@pytest.fixture(scope="module")
def shot(sample_clip: Path) -> list[np.ndarray]:
    """The first frames of the sample clip."""
    with open_source(str(sample_clip)) as source:
        return [frame.image for frame in islice(source, FRAMES)]


def landscape(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Soft spots of colours."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 9, 3)).astype(np.uint8)
    return cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC)


def cuts_of(pictures: list[np.ndarray]) -> list[int]:
    detector = CutDetector()
    return [index for index, picture in enumerate(pictures) if detector.update(picture, index / 25)]


def test_a_cut_is_noticed_at_its_frame_alone(shot: list[np.ndarray]) -> None:
    for seed in range(5):
        other = landscape(seed, shot[0].shape)
        assert cuts_of([*shot, *[other] * 6, *shot[:6]]) == [FRAMES, FRAMES + 6]


def test_a_cut_behind_black_frames_is_noticed(shot: list[np.ndarray]) -> None:
    black = np.zeros_like(shot[0])
    assert cuts_of([*shot, black, black, *[landscape(0, black.shape)] * 4]) == [FRAMES + 2]
    assert cuts_of([*shot[:5], black, black, *shot[5:]]) == []


def flash(picture: np.ndarray, index: int) -> np.ndarray:
    return np.clip(picture * 2.2 + 40.0, 0, 255).astype(np.uint8) if 5 <= index < 7 else picture


def lights_off(picture: np.ndarray, index: int) -> np.ndarray:
    return picture if index < 5 else (picture * 0.25).astype(np.uint8)


def pan(picture: np.ndarray, index: int) -> np.ndarray:
    wide = np.hstack([picture, picture[:, ::-1]])
    return np.ascontiguousarray(np.roll(wide, -round(0.12 * picture.shape[1]) * index, axis=1)[:, : picture.shape[1]])


def passing_by(picture: np.ndarray, index: int) -> np.ndarray:
    passed, width = picture.copy(), picture.shape[1]
    passed[:, max(0, round((0.15 * index - 0.4) * width)) : max(0, round(0.15 * index * width))] = (180, 60, 30)
    return passed


def noise(picture: np.ndarray, index: int) -> np.ndarray:
    return np.clip(picture + np.random.default_rng(index).normal(0, 25, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [flash, lights_off, pan, passing_by, noise])
def test_what_is_no_cut(shot: list[np.ndarray], change: Change) -> None:
    assert cuts_of([change(picture, index) for index, picture in enumerate(shot)]) == []


def test_frames_that_are_all_unlike_are_one_cut_at_most() -> None:
    assert len(cuts_of([landscape(seed, (90, 160, 3)) for seed in range(20)])) <= 1


def test_reset_forgets_the_scene(shot: list[np.ndarray]) -> None:
    detector = CutDetector()
    detector.update(shot[0], 0.0)
    detector.reset()
    assert not detector.update(landscape(0, shot[0].shape), 0.04)
