"""Runs a trained model by torch: numpy in, numpy out."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval, fuse_linear_bn_eval

from nets.card import CheckpointFault, ModelCard
from nets.checkpoint import load
from nets.landmark_vae import LandmarkVae
from nets.network import Answer, Network
from nets.recurrent import RecurrentWeights, recurrent_weights

Net = TypeVar("Net", bound=nn.Module)


class TorchRuntime:
    """A model of any kind on a device; it has no state."""

    kind = "torch"

    def __init__(self, model: Network, card: ModelCard, device: str = "cpu") -> None:
        self.card = card
        self.device = torch.device(device)
        self.feature_width = self.row_width = model.config.feature
        self.recurrent = model.recurrence is not None
        self.has_expressions, self.has_deviation = model.has_expressions, model.has_deviation
        self.reading_names = model.reading_names
        self.sequence_length = card.sequence_length
        self.window_rate_hz = card.rate_hz
        self._model = fold_batch_norms(model.eval()).to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._encode = frozen_encoder(self._model) if self.device.type == "cpu" else self._model.encode

    @torch.inference_mode()
    def encode(self, crops: np.ndarray) -> Answer:
        """What the model says of crops (B, S, S, C) uint8, each by itself."""
        batch = torch.from_numpy(np.ascontiguousarray(crops)).to(self.device).permute(0, 3, 1, 2)
        return Answer(*(None if part is None else _numpy(part) for part in self._encode(batch.float())))

    def rows(self, features: np.ndarray) -> np.ndarray:
        """What combine() reads of features (B, F): themselves."""
        return features

    def recurrent_weights(self) -> RecurrentWeights | None:
        """The weights with which combine() can be done without torch; None for a model that does not let it."""
        recurrence = self._model.recurrence
        if recurrence is None:
            return None
        return recurrent_weights({name: _numpy(values) for name, values in recurrence.state_dict().items()}, "")

    @torch.inference_mode()
    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (B, n, F) float32, oldest first, and valid (B, n) bool to the newest frame's affect (B, 2).

        The second answer is the attention (B, n), or None for a model without.
        """
        rows, mask = torch.from_numpy(windows).to(self.device), torch.from_numpy(valid).to(self.device)
        affect, attention = self._model.combine(rows, mask)
        return _numpy(affect), None if attention is None else _numpy(attention)


def load_torch(model: str | Path, device: str = "cpu", threads: int | None = None) -> TorchRuntime:
    """A runtime for a model that ships, by name, or for a path; torch's threads are process-wide.

    Raises CheckpointFault for a checkpoint that cannot be used, or a device that is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    network, card = load_network(model)
    try:
        return TorchRuntime(network, card, device)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointFault(f"device {device!r} cannot be used: {str(error).splitlines()[0]}; try cpu") from error


def load_network(model: str | Path) -> tuple[Network, ModelCard]:
    """A model that tells valence and arousal, and its card; by the name of one that ships, or a path.

    Raises CheckpointFault for a checkpoint that cannot be used, or is not such a model.
    """
    network, card = load(model)
    if isinstance(network, Network) and network.has_affect:
        return network, card
    if isinstance(network, LandmarkVae):
        raise CheckpointFault(f"{card.name} reads landmarks, not pictures; give it by --landmark-model")
    raise CheckpointFault(
        f"{card.name} (of kind {card.kind!r}) has no heads of valence and arousal, so it tells neither; expected a "
        f"model that was trained with them; what this one can do is scored by: affect eval {card.kind}"
    )


def fold_batch_norms(model: Net) -> Net:
    """A copy in which each batch normalisation is part of the layer before it: the same function, fewer calls."""
    model = deepcopy(model)
    for block in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        for name, layer, after in zip(list(block._modules), list(block), list(block)[1:], strict=False):
            if isinstance(after, nn.BatchNorm1d | nn.BatchNorm2d) and (fused := _fused(layer, after)) is not None:
                block._modules[name] = fused
                block._modules[_next(block, name)] = nn.Identity()
    return model


def _fused(layer: nn.Module, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> nn.Module | None:
    """The layer with the normalisation in it; None for a layer that cannot take it in."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return fuse_conv_bn_eval(layer, norm, isinstance(layer, nn.ConvTranspose2d))
    return fuse_linear_bn_eval(layer, norm) if isinstance(layer, nn.Linear) else None


class _Encoder(nn.Module):
    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """What encode() gives and no None, which a traced program cannot have."""
        return tuple(part for part in self.model.encode(crops) if part is not None)


@torch.no_grad()
def frozen_encoder(model: Network) -> Callable[[Tensor], Answer]:
    """encode() as one traced program for float crops (B, C, S, S): the same values, a fifth less time on a CPU."""
    config = model.config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = torch.zeros(1, config.channels, config.size, config.size)
        program = torch.jit.freeze(torch.jit.trace(_Encoder(model).eval(), example, check_trace=False))
    return lambda crops: Answer(**dict(zip(model.answers, program(crops), strict=True)))


def _next(block: nn.Sequential, name: str) -> str:
    names = list(block._modules)
    return names[names.index(name) + 1]


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().numpy()
