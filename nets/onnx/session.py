"""An encoder run by ONNX Runtime."""

import os

import numpy as np
import torch

from nets.anclaf import Anclaf
from nets.onnx.cache import keep, recall
from nets.onnx.encoder import encoder_file

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

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]


class OnnxFault(Exception):
    """ONNX Runtime cannot run the encoder; the message says why."""


class OnnxEncoder:
    """Crops (B, S, S, C) uint8 to feature (B, F), quadrant probabilities (B, 4) and affect (B, 2)."""

    name = "onnx"

    def __init__(self, file: bytes, threads: int | None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def __call__(self, crops: np.ndarray) -> Answer:
        """Any number of crops at once."""
        feature, quadrant, affect = self._session.run(None, {"crops": np.ascontiguousarray(crops)})
        return feature, quadrant, affect


def load_encoder(model: Anclaf, sha256: str, threads: int | None) -> OnnxEncoder:
    """The encoder of a model without batch normalisations, by the checkpoint's SHA-256: kept from an earlier call, or
    made and compared with torch.

    Raises OnnxFault where ONNX Runtime is missing, a layer has no ONNX form, or the answers are not torch's.
    """
    if onnxruntime is None:
        raise OnnxFault("the Python package onnxruntime is missing (pip install 'onnxruntime<1.29')")
    name = f"{sha256}-{EXPORT}-torch-{torch.__version__}-onnxruntime-{onnxruntime.__version__}"
    kept = recall(name)
    file = kept or _written(model)
    encoder = _opened(file, threads)
    if kept is None:
        _compare(encoder, model)
        keep(name, file)
    return encoder


def probes(size: int, channels: int) -> np.ndarray:
    """Crops (4, S, S, C) uint8 of every contrast: noise, a faint ramp, half and half, one grey."""
    ramp = np.linspace(100, 130, size).astype(np.uint8)[:, None, None]
    noise = np.random.default_rng(0).integers(0, 256, (size, size, channels), np.uint8)
    halves = np.where(np.arange(size)[:, None, None] < size // 2, 0, 255).astype(np.uint8)
    grey = np.full((1, 1, 1), 128, np.uint8)
    return np.stack([np.broadcast_to(picture, noise.shape) for picture in (noise, ramp, halves, grey)])


def _written(model: Anclaf) -> bytes:
    try:
        return encoder_file(model)
    except TypeError as error:
        raise OnnxFault(str(error)) from error


def _opened(file: bytes, threads: int | None) -> OnnxEncoder:
    try:
        return OnnxEncoder(file, threads)
    except Exception as error:
        raise OnnxFault(f"ONNX Runtime refuses the model: {' '.join(str(error).split())[:200]}") from error


@torch.inference_mode()
def _compare(encoder: OnnxEncoder, model: Anclaf) -> None:
    crops = probes(model.config.size, model.config.channels)
    expected = model.encode(torch.from_numpy(crops).permute(0, 3, 1, 2))
    apart = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(encoder(crops), expected, strict=True))
    if not apart <= TOLERANCE:
        raise OnnxFault(f"ONNX Runtime's answers differ from torch's by {apart:.1g}; expected at most {TOLERANCE:g}")
