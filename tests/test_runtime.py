"""The runtime gives what the model gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from nets.anclaf import Anclaf, AnclafConfig
from nets.card import CheckpointFault, ModelCard
from nets.checkpoint import save
from nets.runtime import load_runtime
from nets.torch_runtime import TorchRuntime, fold_batch_norms

CONFIG = replace(AnclafConfig.compact(), combiner_widths=(16, 16, 24), hidden=8)


def model_of(recurrence: str = "none") -> Anclaf:
    """Random weights, and running statistics that are not the identity."""
    torch.manual_seed(0)
    model = Anclaf(replace(CONFIG, recurrence=recurrence)).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
    return model


def card_of(model: Anclaf) -> ModelCard:
    return ModelCard("m", "anclaf", model.config.to_dict(), {"size": 64}, "", "", "", sequence_length=4, rate_hz=25.0)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 64, 64, 1), np.uint8)


def test_encode_is_the_model_s(crops: np.ndarray) -> None:
    model = model_of()
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    got = TorchRuntime(model, card_of(model)).encode(crops)
    for a, b in zip(got[:3], expected[:3], strict=True):
        assert a.dtype == np.float32
        assert np.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_batches_do_not_matter(crops: np.ndarray, batch: int) -> None:
    runtime = TorchRuntime(model := model_of(), card_of(model))
    parts = [runtime.encode(crops[i : i + batch]) for i in range(0, 16, batch)]
    for name, whole in zip(model.answers, runtime.encode(crops), strict=False):
        assert np.abs(whole - np.concatenate([getattr(part, name) for part in parts])).max() < 1e-4


@pytest.mark.parametrize("recurrence", ["none", "lstm", "attention"])
def test_combine_is_the_model_s(recurrence: str) -> None:
    model = model_of(recurrence)
    windows = np.random.default_rng(1).normal(size=(3, 4, CONFIG.feature)).astype(np.float32)
    valid = np.array([[False, True, True, True]] * 3)
    affect, attention = TorchRuntime(model, card_of(model)).combine(windows, valid)
    with torch.inference_mode():
        expected = model.combine(torch.from_numpy(windows), torch.from_numpy(valid))
    assert np.allclose(affect, expected[0], atol=1e-6)
    assert (attention is None) == (recurrence != "attention")
    if attention is not None:
        assert attention[:, 0].max() == 0
        assert np.allclose(attention.sum(axis=1), 1, atol=1e-6)


def test_no_batch_norm_is_left_and_the_model_is_not_changed() -> None:
    model = model_of()
    folded = fold_batch_norms(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_load_runtime_reads_the_card(tmp_path: Path) -> None:
    model = model_of("lstm")
    save(tmp_path / "m.safetensors", model, card_of(model))
    runtime = load_runtime(tmp_path / "m.safetensors")
    assert (runtime.sequence_length, runtime.window_rate_hz, runtime.feature_width) == (4, 25.0, CONFIG.feature)
    assert runtime.recurrent


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    model = model_of()
    save(tmp_path / "m.safetensors", model, card_of(model))
    with pytest.raises(CheckpointFault, match=r"device 'cuda' cannot be used: .*; try cpu"):
        load_runtime(tmp_path / "m.safetensors", device="cuda")
    with pytest.raises(CheckpointFault, match=r"device 'toaster' cannot be used"):
        load_runtime(tmp_path / "m.safetensors", device="toaster")
