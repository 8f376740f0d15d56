"""Runs a trained model: numpy in, numpy out, by ONNX Runtime where its encoder was exported, else by torch."""

import logging
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from nets.answer import Answer
from nets.card import (
    ENCODERS,
    CheckpointFault,
    ModelCard,
    checked_bytes,
    encoder_path,
    find,
    open_own,
    read_arrays,
    read_card,
)
from nets.onnx import own
from nets.onnx.own import OwnConfig, OwnEncoder
from nets.onnx.session import OnnxEncoder, OnnxFault
from nets.recurrent import RecurrentWeights, recurrent_weights

Kind = Literal["auto", "torch", "onnx", "int8"]
"""onnx and int8 are ONNX Runtime on a CPU, int8 on whole numbers; both need what `affect export` writes. auto is the
fastest that there is."""

log = logging.getLogger(__name__)


class Runtime(Protocol):
    """What the tracker asks of a model, whatever runs it; it has no state."""

    card: ModelCard
    feature_width: int
    row_width: int
    """Of what combine() reads of a frame."""
    recurrent: bool
    has_expressions: bool
    has_deviation: bool
    reading_names: tuple[str, ...]
    """What the feature's columns are called, where they are worth recording."""
    sequence_length: int
    window_rate_hz: float | None

    @property
    def device(self) -> Any:
        """Where it runs; str() of it is torch's name of a device."""

    @property
    def kind(self) -> str:
        """What runs the encoder: torch, onnx or int8."""

    def encode(self, crops: np.ndarray) -> Answer:
        """What the model says of crops (B, S, S, C) uint8, each by itself."""

    def rows(self, features: np.ndarray) -> np.ndarray:
        """What combine() reads of features (B, F)."""

    def recurrent_weights(self) -> RecurrentWeights | None:
        """The weights of the recurrence, for what does combine() by itself; None where it cannot be done so."""

    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Windows (B, n, F), valid (B, n) to the newest frame's affect (B, 2) and attention (B, n) or None."""


class OnnxRuntime:
    """An exported model, or an encoder of the user's own, by ONNX Runtime on the CPU; it needs no torch."""

    device = "cpu"

    def __init__(self, card: ModelCard, encoder: OnnxEncoder | OwnEncoder, weights: RecurrentWeights | None) -> None:
        self.card = card
        self.feature_width = self.row_width = encoder.feature_width
        self.recurrent = weights is not None
        self.has_expressions, self.has_deviation = encoder.has_expressions, encoder.has_deviation
        self.reading_names: tuple[str, ...] = tuple(card.artefact.get("readings", ()))
        self.sequence_length = card.sequence_length
        self.window_rate_hz = card.rate_hz
        self._encoder, self._weights = encoder, weights

    @property
    def kind(self) -> str:
        """What runs the encoder: onnx or int8."""
        return self._encoder.name

    def encode(self, crops: np.ndarray) -> Answer:
        """What the model says of crops (B, S, S, C) uint8, each by itself."""
        return self._encoder(crops)

    def rows(self, features: np.ndarray) -> np.ndarray:
        """What combine() would read of features (B, F): themselves."""
        return features

    def recurrent_weights(self) -> RecurrentWeights | None:
        """The weights of the recurrence; None for a model that answers for each frame alone."""
        return self._weights

    def combine(self, windows: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Not here: it is done with recurrent_weights()."""
        raise NotImplementedError("an exported model's windows are read with its recurrent_weights()")


def load_runtime(model: str | Path, device: str = "cpu", threads: int | None = None, runtime: Kind = "auto") -> Runtime:
    """A runtime for a model that ships, by name, or for a path. torch is loaded where nothing else can run it.

    Raises CheckpointFault for a checkpoint that cannot be used, or a device or a runtime that is not there.
    """
    path = find(model)
    on_cpu = device == "cpu"
    if path.suffix == own.SUFFIX:
        _check_own(path.stem, device, runtime)
        encoder, card = open_own(path, threads)
        return OnnxRuntime(card, encoder, None)
    card = read_card(path)
    if card.kind == own.KIND:
        _check_own(card.name, device, runtime)
        return _behind_own(path, threads)
    exported = [kind for kind in ENCODERS if kind in card.artefact.get("sha256", {}) and runtime in ("auto", kind)]
    if on_cpu and exported:
        return _exported(path, exported[0], threads)
    if runtime in ENCODERS:
        raise CheckpointFault(
            f"runtime {runtime!r} cannot be used: {_why_not(card, runtime, on_cpu)}; try auto or torch"
        )
    try:
        from nets.torch_runtime import load_torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        wanted = "was not exported" if runtime == "auto" and on_cpu else f"is asked to run on {device} by torch"
        raise CheckpointFault(
            f"{card.name} {wanted}, and the Python package torch is missing: pip install 'affect-tracker[train]'"
        ) from error
    loaded = load_torch(path, device, threads)
    if runtime == "auto" and on_cpu:
        say_once(f"{card.name} was not exported and runs by torch; `affect export {path}` makes it faster")
    return loaded


def _exported(path: Path, kind: str, threads: int | None) -> OnnxRuntime:
    """An exported model, each of whose files is what its card says."""
    arrays, card = read_arrays(path)
    file = encoder_path(path, kind)
    checked_bytes(file, card.artefact["sha256"][kind])
    weights = recurrent_weights(arrays)
    try:
        return OnnxRuntime(card, OnnxEncoder(file, threads, kind), weights)
    except OnnxFault as fault:
        raise CheckpointFault(f"{file} cannot be used: {fault}") from fault


def _behind_own(path: Path, threads: int | None) -> OnnxRuntime:
    """A recurrence behind an encoder of the user's own."""
    arrays, card = read_arrays(path)
    try:
        config = OwnConfig(**card.config)
        return OnnxRuntime(
            card, OwnEncoder(own.file_of(config, path.parent), config.own, threads), recurrent_weights(arrays)
        )
    except OnnxFault as fault:
        raise CheckpointFault(f"{path}: {fault}") from fault
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointFault(f"{path}: the card's config is not one of {card.kind!r}: {error}") from error


def _check_own(name: str, device: str, runtime: Kind) -> None:
    if runtime not in ("auto", "onnx") or device != "cpu":
        raise CheckpointFault(
            f"{name} is an ONNX file: it runs by onnx on the device cpu, not by {runtime} on {device}"
        )


def _why_not(card: ModelCard, runtime: str, on_cpu: bool) -> str:
    if not on_cpu:
        return "it runs on the device cpu alone"
    if runtime == "int8" and "onnx" in card.artefact.get("sha256", {}):
        return f"the card of {card.name} has no ranges; measure them with affect train quantise"
    return f"{card.name} was not exported; export it with affect export"


@cache
def say_once(line: str) -> None:
    """Warn, once in a process."""
    log.warning(line)
