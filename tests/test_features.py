"""The stored features are the tracker's, go on after a stop, and are written anew for another model."""

import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.anclaf import Anclaf, AnclafConfig, with_quadrant_head, with_recurrence
from nets.card import ModelCard
from nets.torch_runtime import TorchRuntime
from tracker.errors import DataError, SinkError
from tracker.faces.align import Template
from train import features
from train.features import encoder_key, features_key, write_features
from train.prepared import LabelScale, Names, Prepared, create_crops, write_prepared

CONFIG = replace(
    AnclafConfig.compact(), size=32, generator_width=4, discriminator_width=4, discriminator_layers=3,
    combiner_widths=(8, 12), hidden=8
)  # fmt: skip
COUNT = 300


@pytest.fixture(scope="module")
def model() -> Anclaf:
    torch.manual_seed(0)
    model = Anclaf(CONFIG).eval()
    for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.1, 0.3)
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return random_set(tmp_path_factory.mktemp("set"), 1)


def random_set(folder: Path, seed: int, size: int = 32) -> Prepared:
    rng = np.random.default_rng(seed)
    template = Template(size=size, channels=1, margin=2)
    blots = rng.integers(0, 256, (COUNT, 6, 6, 1), np.uint8).repeat(10, axis=1).repeat(10, axis=2)
    create_crops(folder, template, COUNT)[:] = blots[:, : size + 4, : size + 4]
    columns = {
        "affect": rng.uniform(-1, 1, (COUNT, 2)),
        "found": rng.random(COUNT) > 0.1,
        "clip": np.arange(COUNT) // 30,
        "time": np.arange(COUNT) % 30 / 25.0,
        "subject": np.arange(COUNT) // 60,
    }
    names = [f"c{i}" for i in range(10)]
    return write_prepared(folder, "random", template, LabelScale(), columns, Names(names, names))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "BLOCK", 64)


def encoder_of(model: Anclaf) -> TorchRuntime:
    return TorchRuntime(model, ModelCard("m", "anclaf", model.config.to_dict(), {}, "", "", ""))


def test_they_are_what_the_tracker_computes(model: Anclaf, data: Prepared, tmp_path: Path) -> None:
    got = write_features(model, data, tmp_path)
    assert (got.feature.shape, got.affect.shape, got.quadrant.shape) == ((COUNT, 12), (COUNT, 2), (COUNT, 4))
    runtime, inner = encoder_of(model), data.crops[:, 2:34, 2:34]
    for row in np.flatnonzero(data.found)[::17]:
        feature, quadrant, affect = runtime.encode(inner[row : row + 1])[:3]
        for ours, theirs in ((got.feature, feature), (got.quadrant, quadrant), (got.affect, affect)):
            assert np.abs(ours[row] - theirs[0]).max() < 1e-4
    assert got.feature[data.found].std(axis=0).max() > 0.1
    assert not got.feature[~data.found].any()


def test_a_second_call_computes_nothing(
    model: Anclaf, data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_features(model, data, tmp_path)
    monkeypatch.setattr(TorchRuntime, "encode", lambda *_: pytest.fail("it was encoded again"))
    again = write_features(with_recurrence(model, "lstm"), data, tmp_path)
    np.testing.assert_array_equal(first.feature, again.feature)
    assert first.key == again.key


def test_it_goes_on_where_it_stopped(
    model: Anclaf, data: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_features(model, data, tmp_path / "straight")
    encode, calls = TorchRuntime.encode, []

    def stopped(self: TorchRuntime, crops: np.ndarray) -> tuple[np.ndarray, ...]:
        calls.append(len(crops))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return encode(self, crops)

    monkeypatch.setattr(TorchRuntime, "encode", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_features(model, data, tmp_path / "stopped")
    assert json.loads((tmp_path / "stopped" / "progress.json").read_text())["done"] == 192
    resumed = write_features(model, data, tmp_path / "stopped")
    assert len(calls) == 4 + 2
    np.testing.assert_array_equal(whole.feature, resumed.feature)
    np.testing.assert_array_equal(whole.quadrant, resumed.quadrant)


def test_another_model_or_set_is_encoded_anew(model: Anclaf, data: Prepared, tmp_path: Path) -> None:
    first = np.array(write_features(model, data, tmp_path).feature)
    torch.manual_seed(5)
    other = write_features(Anclaf(CONFIG).eval(), data, tmp_path)
    assert np.abs(other.feature - first).max() > 0.01
    assert features_key(model, random_set(tmp_path / "set", 2)) != features_key(model, data)


def test_a_head_on_z_makes_other_features(model: Anclaf) -> None:
    assert encoder_key(with_quadrant_head(model)) != encoder_key(model)
    assert encoder_key(with_quadrant_head(with_quadrant_head(model), False)) == encoder_key(model)


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may pass 9 kB, of the 21.7 kB that the features take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_says_so_and_keeps_what_was_written(model: Anclaf, data: Prepared, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"features\.npy cannot be written: .*File too large.* run again: it goes on"):
        write_features(model, data, tmp_path)
    assert json.loads((tmp_path / "progress.json").read_text())["done"] == 64


def test_crops_of_another_size(model: Anclaf, tmp_path: Path) -> None:
    wrong = random_set(tmp_path / "set", 1, size=48)
    with pytest.raises(DataError, match=r"crops of 48 px with 1 channel\(s\); the model expects 32 px with 1"):
        write_features(model, wrong, tmp_path)
