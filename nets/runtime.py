"""Runs a trained model: numpy in, numpy out, by torch or by ONNX Runtime."""

import logging
import warnings
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from nets.anclaf import Anclaf
from nets.checkpoint import CheckpointFault, ModelCard, load
from nets.onnx.session import Answer, OnnxEncoder, OnnxFault, load_encoder
from nets.recurrent import RecurrentWeights, recurrent_weights

Kind = Literal["auto", "torch", "onnx"]
"""auto is ONNX Runtime on a CPU: what ships takes 0.5 of torch's time for one face, 0.7 for four, 0.9 for 64."""

log = logging.getLogger(__name__)


class TorchEncoder:
    """Anclaf.encode for crops (B, S, S, C) uint8: feature (B, F), quadrant probabilities (B, 4) and affect (B, 2)."""

    name = "torch"

    def __init__(self, model: Anclaf, device: torch.device) -> None:
        self._device = device
        self._encode = frozen_encoder(model) if device.type == "cpu" else model.encode

    @torch.inference_mode()
    def __call__(self, crops: np.ndarray) -> Answer:
        """Any number of crops at once."""
        batch = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device).permute(0, 3, 1, 2)
        feature, quadrant, affect = self._encode(batch.float())
        return _numpy(feature), _numpy(quadrant), _numpy(affect)


class Runtime:
    """An ANCLaF model on a device; its encoder runs by torch, or on a CPU by ONNX Runtime. It holds no state."""

    def __init__(
        self, model: Anclaf, card: ModelCard, device: str = "cpu", kind: Kind = "torch", threads: int | None = None
    ) -> None:
        self.card = card
        self.device = torch.device(device)
        self.feature_width = self.row_width = model.config.feature
        self.recurrent = model.config.recurrence != "none"
        self.sequence_length = card.sequence_length
        self.window_rate_hz = card.rate_hz
        self._model = fold_batch_norms(model.eval()).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._encoder = self._choose(kind, threads)

    @property
    def kind(self) -> str:
        """What runs the encoder: torch or onnx."""
        return self._encoder.name

    def encode(self, crops: np.ndarray) -> Answer:
        """Crops (B, S, S, C) uint8 to feature (B, F), quadrant probabilities (B, 4) and frame affect (B, 2)."""
        return self._encoder(crops)

    def rows(self, features: np.ndarray) -> np.ndarray:
        """What combine() reads of features (B, F): themselves."""
        return features

    def recurrent_weights(self) -> RecurrentWeights | None:
        """The weights with which combine() can be done without torch; None for a model that does not let it."""
        recurrence = self._model.combiner.recurrence
        return None if recurrence is None else recurrent_weights(recurrence)

    @torch.inference_mode()
    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (B, n, F) float32, oldest first, and valid (B, n) bool to the newest frame's affect (B, 2).

        The second answer is the attention (B, n), or None for a model without.
        """
        rows, mask = torch.from_numpy(windows).to(self.device), torch.from_numpy(valid).to(self.device)
        affect, attention = self._model.combine(rows, mask)
        return _numpy(affect), None if attention is None else _numpy(attention)

    def _choose(self, kind: Kind, threads: int | None) -> TorchEncoder | OnnxEncoder:
        """The encoder of a kind; on a CPU the faster one, which is ONNX Runtime's, where it is not said."""
        if kind == "torch" or (kind == "auto" and self.device.type != "cpu"):
            return TorchEncoder(self._model, self.device)
        try:
            return self._by_onnx(threads)
        except OnnxFault as fault:
            if kind == "onnx":
                raise CheckpointFault(f"runtime 'onnx' cannot be used: {fault}; try auto or torch") from fault
            say_once(f"{fault}; torch is used in its place, which is slower")
            return TorchEncoder(self._model, self.device)

    def _by_onnx(self, threads: int | None) -> OnnxEncoder:
        if self.device.type != "cpu":
            raise OnnxFault(f"it runs on the device cpu alone, not on {self.device}")
        return load_encoder(self._model, self.card.sha256, threads)


def load_runtime(model: str | Path, device: str = "cpu", threads: int | None = None, runtime: Kind = "auto") -> Runtime:
    """A Runtime for a model that ships, by name, or for a .safetensors path; torch's threads are process-wide.

    runtime is what runs the encoder; auto takes the faster: ONNX Runtime on a CPU where it is installed, else torch.
    Raises CheckpointFault for a checkpoint that cannot be used, or a device or a runtime that is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    network, card = load(model)
    if not isinstance(network, Anclaf):
        raise CheckpointFault(f"{card.name} is a model of kind {card.kind!r}; the tracker expects 'anclaf'")
    try:
        return Runtime(network, card, device, runtime, threads)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointFault(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; try cpu") from error


@cache
def say_once(line: str) -> None:
    """Warn, once in a process."""
    log.warning(line)


def fold_batch_norms(model: Anclaf) -> Anclaf:
    """A copy in which each batch normalisation is part of the convolution before it: the same function, fewer calls."""
    model = deepcopy(model)
    for block in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        for name, layer, after in zip(list(block._modules), list(block), list(block)[1:], strict=False):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(after, nn.BatchNorm2d):
                block._modules[name] = fuse_conv_bn_eval(layer, after, isinstance(layer, nn.ConvTranspose2d))
                block._modules[_next(block, name)] = nn.Identity()
    return model


class _Encoder(nn.Module):
    def __init__(self, model: Anclaf) -> None:
        super().__init__()
        self.model = model

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.model.encode(crops)


@torch.no_grad()
def frozen_encoder(model: Anclaf) -> Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]:
    """Anclaf.encode as one traced program for float crops (B, C, S, S): the same values, a fifth less time on a CPU."""
    config = model.config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, config.channels, config.size, config.size)
        return torch.jit.freeze(torch.jit.trace(_Encoder(model).eval(), example, check_trace=False))


def _next(block: nn.Sequential, name: str) -> str:
    names = list(block._modules)
    return names[names.index(name) + 1]


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
