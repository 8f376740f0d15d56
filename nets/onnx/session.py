"""An encoder run by ONNX Runtime."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nets.anclaf import Anclaf
from nets.network import Answer
from nets.onnx.cache import keep, recall
from nets.onnx.encoder import encoder_file
from nets.onnx.graph import Graph
from nets.onnx.quantised import ObservedGraph, QuantisedGraph

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
"""From release 1.29 on, ONNX Runtime tells its maker of every session unless this is 1 before it is loaded."""

try:
    os.environ[TELEMETRY_OFF] = "1"
    import onnxruntime
except ImportError:
    onnxruntime = None

EXPORT = 1
"""Rises with every change of what encoder_file writes."""
TOLERANCE = 1e-4
"""How far an answer may lie from torch's."""
WHOLE_TOLERANCE = 0.02
"""How far valence and arousal by whole numbers may lie from what they were where their ranges were measured."""

Quantised = Mapping[str, Any]
"""A model card's: `export` (the EXPORT of the file), `ranges` of its nodes, `probes`: the affect (4, 2) of probes()."""


class OnnxFault(Exception):
    """ONNX Runtime cannot run the encoder; the message says why."""


class OnnxEncoder:
    """Network.encode for crops (B, S, S, C) uint8; the file's outputs are the fields of Answer named by `answers`."""

    def __init__(
        self, file: bytes, threads: int | None, name: str = "onnx", answers: Sequence[str] = Answer._fields[:3]
    ) -> None:
        self.name, self._answers = name, answers
        self.session = open_session(file, threads)

    def __call__(self, crops: np.ndarray) -> Answer:
        """Any number of crops at once."""
        outputs = self.session.run(None, {"crops": np.ascontiguousarray(crops)})
        if len(outputs) != len(self._answers):
            raise OnnxFault(f"the encoder's file has {len(outputs)} outputs; expected {', '.join(self._answers)}")
        return Answer(**dict(zip(self._answers, outputs, strict=True)))


def open_session(file: bytes, threads: int | None) -> Any:
    """ONNX Runtime's session of a file, on the CPU; None leaves it the number of threads.

    Raises OnnxFault where ONNX Runtime is missing, and whatever it raises itself.
    """
    _require()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def load_encoder(model: Anclaf, sha256: str, threads: int | None, quantised: Quantised | None = None) -> OnnxEncoder:
    """The encoder of a model without batch normalisations, by the checkpoint's SHA-256: kept from an earlier call, or
    made and compared with torch. With a card's `quantised` it works on whole numbers, and is compared with the card.

    Raises OnnxFault where ONNX Runtime is missing, a layer has no ONNX form, or the answers are not as expected.
    """
    _require()
    kind = "onnx" if quantised is None else f"int8-{_digest_of(quantised)}"
    name = f"{sha256}-{EXPORT}-{kind}-torch-{torch.__version__}-onnxruntime-{onnxruntime.__version__}"
    kept = recall(name)
    file = kept or _written(model, Graph() if quantised is None else QuantisedGraph(quantised["ranges"]))
    encoder = _opened(file, threads, kind.partition("-")[0], model.answers)
    if kept is None:
        _compare_with_torch(encoder, model) if quantised is None else _compare_with_card(encoder, model, quantised)
        keep(name, file)
    return encoder


def quantise(model: Anclaf, batches: Iterable[np.ndarray]) -> Quantised:
    """What a card's `quantised` holds, by the values that crops (B, S, S, C) uint8 give; batch normalisations folded.

    Raises OnnxFault.
    """
    _require()
    graph = ObservedGraph()
    session = _opened(_written(model, graph), None).session
    ranges = _ranges(list(graph.observed), (session.run(list(graph.observed), {"crops": crops}) for crops in batches))
    whole = _opened(_written(model, QuantisedGraph(ranges)), None, answers=model.answers)
    probes = whole(_probes_of(model)).affect.astype(float).round(4).tolist()
    return {"export": EXPORT, "ranges": ranges, "probes": probes}


def _ranges(names: list[str], answers: Iterable[list[np.ndarray]]) -> dict[str, list[float]]:
    """The least and the largest value of each node over all batches."""
    extremes = np.array([[(values.min(), values.max()) for values in batch] for batch in answers])
    low, high = extremes[..., 0].min(axis=0), extremes[..., 1].max(axis=0)
    return {name: [round(float(a), 5), round(float(b), 5)] for name, a, b in zip(names, low, high, strict=True)}


def probes(size: int, channels: int) -> np.ndarray:
    """Crops (4, S, S, C) uint8 of every contrast: noise, a faint ramp, half and half, one grey."""
    ramp = np.linspace(100, 130, size).astype(np.uint8)[:, None, None]
    noise = np.random.default_rng(0).integers(0, 256, (size, size, channels), np.uint8)
    halves = np.where(np.arange(size)[:, None, None] < size // 2, 0, 255).astype(np.uint8)
    grey = np.full((1, 1, 1), 128, np.uint8)
    return np.stack([np.broadcast_to(picture, noise.shape) for picture in (noise, ramp, halves, grey)])


def _probes_of(model: Anclaf) -> np.ndarray:
    return probes(model.config.size, model.config.channels)


def _require() -> None:
    if onnxruntime is None:
        raise OnnxFault("the Python package onnxruntime is missing (pip install 'onnxruntime<1.29')")


def _digest_of(quantised: Quantised) -> str:
    """Tells the ranges of one card from another's; OnnxFault where they are of another release."""
    if quantised.get("export") != EXPORT:
        raise OnnxFault("the card's ranges are of another release; measure them again with affect train quantise")
    return hashlib.sha256(json.dumps(dict(quantised), sort_keys=True).encode()).hexdigest()[:16]


def _written(model: Anclaf, graph: Graph) -> bytes:
    try:
        return encoder_file(model, graph)
    except TypeError as error:
        raise OnnxFault(str(error)) from error


def _opened(
    file: bytes, threads: int | None, name: str = "onnx", answers: Sequence[str] = Answer._fields[:3]
) -> OnnxEncoder:
    try:
        return OnnxEncoder(file, threads, name, answers)
    except Exception as error:
        raise OnnxFault(f"ONNX Runtime refuses the model: {' '.join(str(error).split())[:200]}") from error


@torch.inference_mode()
def _compare_with_torch(encoder: OnnxEncoder, model: Anclaf) -> None:
    crops = _probes_of(model)
    expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    pairs = [(a, b.numpy()) for a, b in zip(encoder(crops), expected, strict=True) if b is not None]
    apart = max(float(np.abs(a - b).max()) for a, b in pairs)
    if not apart <= TOLERANCE:
        raise OnnxFault(f"ONNX Runtime's answers differ from torch's by {apart:.1g}; expected at most {TOLERANCE:g}")


def _compare_with_card(encoder: OnnxEncoder, model: Anclaf, quantised: Quantised) -> None:
    apart = float(np.abs(encoder(_probes_of(model)).affect - np.array(quantised["probes"])).max())
    if not apart <= WHOLE_TOLERANCE:
        raise OnnxFault(
            f"its whole numbers give other answers here than where the card was written, by {apart:.1g}; "
            f"expected at most {WHOLE_TOLERANCE:g}"
        )
