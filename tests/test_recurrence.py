"""The compiled recurrence gives what torch gives, over any window."""

from dataclasses import replace

import numpy as np
import pytest
from scenes import WrittenFaces, assert_same, small_runtime, two_walkers

from nets.anclaf import Anclaf
from nets.card import list_models
from nets.runtime import load_runtime
from nets.torch_runtime import TorchRuntime
from tracker.config import TrackerConfig
from tracker.engine import Engine, track
from tracker.recurrence import Recurrence

SEQUENCES = [card.name for card in list_models() if card.sequence_length > 1]
NOISE = np.random.default_rng(0)


def windows(runtime: TorchRuntime, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (6, n, F) and valid (6, n): whole, filling, with holes, and nothing at all."""
    features = NOISE.normal(size=(6, length, runtime.feature_width)).astype(np.float32)
    valid = NOISE.random((6, length)) < 0.5
    valid[0], valid[1], valid[2] = True, np.arange(length) >= length // 2, np.arange(length) == length - 1
    valid[3] = False
    return features, valid


def assert_torch_s(runtime: TorchRuntime, length: int) -> None:
    recurrence = Recurrence(*runtime.recurrent_weights())
    features, valid = windows(runtime, length)
    rows = recurrence.rows(features.reshape(6 * length, -1)).reshape(6, length, -1)
    (ours, looks), (theirs, looked) = recurrence.combine(rows, valid), runtime.combine(features, valid)
    assert ours.dtype == np.float32 and rows.shape[2] == recurrence.row_width
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (looks is None) == (looked is None)
    if looks is not None:
        np.testing.assert_allclose(looks, looked, atol=1e-5)
    assert theirs.std(axis=0).min() > 1e-3


@pytest.mark.parametrize("kind", ["lstm", "attention"])
@pytest.mark.parametrize("length", [1, 2, 8, 32])
def test_it_is_torch_s_of_random_weights(kind: str, length: int) -> None:
    assert_torch_s(small_runtime(kind), length)


@pytest.mark.parametrize("name", SEQUENCES)
def test_it_is_torch_s_of_what_ships(name: str) -> None:
    assert len(SEQUENCES) >= 2
    assert_torch_s(load_runtime(name, runtime="torch"), 8)


def with_mlp_score() -> TorchRuntime:
    """Attention whose score is not linear: the kernel does not know it."""
    runtime = small_runtime("attention")
    return TorchRuntime(Anclaf(replace(runtime._model.config, score="mlp")), runtime.card)


def test_what_the_kernel_does_not_know_is_torch_s_to_read() -> None:
    assert small_runtime("none").recurrent_weights() is None
    assert with_mlp_score().recurrent_weights() is None
    tracked = list(track(two_walkers(6), Engine(with_mlp_score(), TrackerConfig(faces=2), WrittenFaces())))
    assert sum(len(t.samples) for t in tracked) == 10
    assert all(sample.attention.shape == (8,) for t in tracked for sample in t.samples)


@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_a_stream_is_the_same_by_torch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, config = list(two_walkers(20)), TrackerConfig(faces=2)
    ours = list(track(frames, Engine(small_runtime(kind), config, WrittenFaces())))
    monkeypatch.setattr(Recurrence, "combine", lambda *_: pytest.fail("the kernel was asked"))
    monkeypatch.setattr(TorchRuntime, "recurrent_weights", lambda self: None)
    assert_same(ours, list(track(frames, Engine(small_runtime(kind), config, WrittenFaces()))), 1e-5)
