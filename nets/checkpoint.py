"""Checkpoints by torch: writes and loads what nets.card describes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from nets.anclaf import Anclaf, AnclafConfig, parameter_count
from nets.card import (
    BASE,
    Base,
    CheckpointFault,
    ModelCard,
    find,
    first_line,
    open_own,
    other_weights,
    read_arrays,
    write_card,
)
from nets.disvae import Disvae, DisvaeConfig
from nets.files import write_whole
from nets.landmark_vae import LandmarkVae, LandmarkVaeConfig
from nets.levasa import Levasa, LevasaConfig
from nets.onnx import own
from nets.onnx.own_network import OwnNetwork
from nets.onnx.session import OnnxFault

KINDS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "anclaf": lambda config: Anclaf(AnclafConfig.from_dict(config)),
    "disvae": lambda config: Disvae(DisvaeConfig.from_dict(config)),
    "levasa": lambda config: Levasa(LevasaConfig.from_dict(config)),
    "landmark-vae": lambda config: LandmarkVae(LandmarkVaeConfig.from_dict(config)),
    own.KIND: lambda config: OwnNetwork(own.OwnConfig(**config)),
}
"""What builds a model of each kind from its card's config."""


def save(path: Path | str, model: nn.Module, card: ModelCard, precision: torch.dtype = torch.float32) -> ModelCard:
    """Write weights and card, each atomically; returns the card with its parameters and SHA-256 filled in.

    precision float16 halves the file; the loaded model computes in float32 either way. A weight that is too large for
    it is written as it is.
    """
    tensors = {name: _stored(value, precision) for name, value in model.state_dict().items()}
    return save_weights(path, tensors, replace(card, parameters=parameter_count(model)))


def _stored(values: Tensor, precision: torch.dtype) -> Tensor:
    if not values.is_floating_point():
        return values.contiguous()
    stored = values.to(precision)
    return (stored if torch.isfinite(stored).all() else values.float()).contiguous()


def save_weights(path: Path | str, tensors: dict[str, Tensor], card: ModelCard, base: Base | None = None) -> ModelCard:
    """Write tensors as they are, all that there are or what base has not, and the card; returns it with its SHA-256.

    What was exported of earlier weights is no longer the card's.
    """
    path, metadata = Path(path), {BASE: json.dumps(base._asdict())} if base else None
    payload = save_tensors(tensors, metadata)
    card = replace(card, sha256=hashlib.sha256(payload).hexdigest(), artefact={})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, payload)
    write_card(path, card)
    return card


def load(model: str | Path) -> tuple[nn.Module, ModelCard]:
    """The model, in evaluation mode and float32, and its card; by the name of one that ships, or by its path.

    Raises CheckpointFault where it is missing, damaged, of an unknown kind, or not what its card says.
    """
    path = find(model)
    if path.suffix == own.SUFFIX:
        encoder, card = open_own(path)
        return OwnNetwork(own.OwnConfig(**card.config), path.read_bytes(), encoder).eval(), card
    tensors, card = read_weights(path)
    _check_count(path, card, tensors)
    network = _build(path, card)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise other_weights(path, error) from error
    return network.float().eval(), card


def read_weights(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """As read_arrays, as tensors."""
    arrays, card = read_arrays(path)
    return {name: torch.from_numpy(values) for name, values in arrays.items()}, card


def _check_count(path: Path, card: ModelCard, tensors: dict[str, Tensor]) -> None:
    """See that there are weights for all that a card describes before memory is taken for it."""
    if card.kind == own.KIND:
        return
    with torch.device("meta"):
        described = parameter_count(_build(path, card))
    held = sum(tensor.numel() for tensor in tensors.values())
    if described > held:
        raise other_weights(path, ValueError(f"it has {held:,} numbers for {described:,} parameters"))


def _build(path: Path, card: ModelCard) -> nn.Module:
    if card.kind not in KINDS:
        raise CheckpointFault(f"{path} is a model of kind {card.kind!r}; expected {', '.join(KINDS)}")
    try:
        network = KINDS[card.kind](card.config)
        if isinstance(network, OwnNetwork):
            return OwnNetwork(network.config, own.file_of(network.config, path.parent))
        return network
    except OnnxFault as error:
        raise CheckpointFault(f"{path}: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointFault(f"{path}: the card's config is not one of {card.kind!r}: {first_line(error)}") from error
