"""Runs a trained model: numpy in, numpy out, by torch."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from nets.anclaf import Anclaf
from nets.checkpoint import CheckpointFault, ModelCard, load


class Runtime:
    """An ANCLaF model on a device. It holds no state between calls."""

    def __init__(self, model: Anclaf, card: ModelCard, device: str = "cpu") -> None:
        self.card = card
        self.device = torch.device(device)
        self.feature_width = model.config.feature
        self.recurrent = model.config.recurrence != "none"
        self.sequence_length = card.sequence_length
        self.window_rate_hz = card.rate_hz
        self._model = fold_batch_norms(model.eval()).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._encode = frozen_encoder(self._model) if self.device.type == "cpu" else self._model.encode

    @torch.inference_mode()
    def encode(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Crops (B, S, S, C) uint8 to feature (B, F), quadrant probabilities (B, 4) and frame affect (B, 2)."""
        batch = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2)
        feature, quadrant, affect = self._encode(batch.float())
        return _numpy(feature), _numpy(quadrant), _numpy(affect)

    @torch.inference_mode()
    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (B, n, F) float32, oldest first, and valid (B, n) bool to the newest frame's affect (B, 2).

        The second answer is the attention (B, n), or None for a model without.
        """
        rows, mask = torch.from_numpy(windows).to(self.device), torch.from_numpy(valid).to(self.device)
        affect, attention = self._model.combine(rows, mask)
        return _numpy(affect), None if attention is None else _numpy(attention)


def load_runtime(model: str | Path, device: str = "cpu", threads: int | None = None) -> Runtime:
    """A Runtime for a model that ships, by name, or for a .safetensors path; threads are torch's, process-wide.

    Raises CheckpointFault for a checkpoint that cannot be used, or a device that is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    network, card = load(model)
    if not isinstance(network, Anclaf):
        raise CheckpointFault(f"{card.name} is a model of kind {card.kind!r}; the tracker expects 'anclaf'")
    try:
        return Runtime(network, card, device)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointFault(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; try cpu") from error


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
