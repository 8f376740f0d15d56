"""The checkpoints that `affect eval sequences` compares, by the encoder that several of them share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch

from nets.card import CheckpointFault, ModelCard
from nets.checkpoint import load
from nets.network import Network
from nets.torch_runtime import load_network
from tracker.errors import CheckpointError, DataError, UsageError
from train.features import encoder_key
from train.prepared import Prepared

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Windows (B, n, F) float32, oldest first, and valid (B, n) bool to the newest frame's affect (B, 2), unbounded."""
Kind = Literal["single", "S", "SA"]
N = TypeVar("N", bound=Network)
KINDS: dict[str, Kind] = {"none": "single", "lstm": "S", "attention": "SA"}


@dataclass(frozen=True)
class Model:
    """A checkpoint that is compared."""

    label: str
    sha256: str
    encoder: str
    """The same for models that share what makes the features: of ANCLaF G, D and the convolutions of C."""
    kind: Kind
    score: str
    """Of the attention; empty for a kind that has none."""
    length: int
    """Frames in its window."""
    rate_hz: float | None
    """At which the window's rows stand."""
    combine: Combine


def open_models(names: Sequence[str], data: Prepared) -> tuple[list[Model], dict[str, Network]]:
    """The models by name or path, and a network for each encoder among them.

    CheckpointError where one cannot be used; DataError where its crops are not the set's; UsageError for one twice.
    """
    opened = [open_network(name) for name in names]
    titles = [card.name for _, card in opened]
    models: list[Model] = []
    networks: dict[str, Network] = {}
    for name, (network, card) in zip(names, opened, strict=True):
        check_crops(card.name, card.crop, data)
        label = card.name if titles.count(card.name) == 1 else name
        if label in [model.label for model in models]:
            raise UsageError(f"model {label} was given twice; expected each once")
        encoder = encoder_key(network)
        networks.setdefault(encoder, network)
        models.append(_model(label, card, network, encoder))
    return models, networks


def _model(label: str, card: ModelCard, network: Network, encoder: str) -> Model:
    kind = KINDS[card.config.get("recurrence", "none")]

    @torch.inference_mode()
    def combine(windows: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return network.combine(torch.from_numpy(windows), torch.from_numpy(valid))[0].numpy()

    length = 1 if kind == "single" else card.sequence_length
    return Model(label, card.sha256, encoder, kind, card.config.get("score", ""), length, card.rate_hz, combine)


def check_crops(label: str, crop: dict[str, Any], data: Prepared) -> None:
    """DataError where a model's crops (of its card) are not those of the set, its margin aside."""
    held = json.loads(json.dumps(data.template.card()))
    differing = [key for key in held if held[key] != json.loads(json.dumps(crop)).get(key)]
    if differing:
        key = differing[0]
        raise DataError(
            f"{label} expects crops with {key} {crop.get(key)}, {data.folder} holds crops with {key} {held[key]}; "
            "prepare the set again for this model"
        )


def open_kind(name: str, kind: type[N], called: str) -> tuple[N, ModelCard]:
    """A model of one kind by name or path, and its card; CheckpointError where it cannot be used or is of another."""
    try:
        network, card = load(name)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(network, kind):
        raise CheckpointError(f"{card.name} is a model of kind {card.kind!r}; expected {called!r}")
    return network, card


def open_network(name: str) -> tuple[Network, ModelCard]:
    """A model by name or path, and its card; CheckpointError where it cannot be used."""
    try:
        return load_network(name)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
