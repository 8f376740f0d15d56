"""An encoder run by ONNX Runtime."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from nets.answer import Answer

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
"""From release 1.29 on, ONNX Runtime tells its maker of every session unless this is 1 before it is loaded."""

try:
    os.environ[TELEMETRY_OFF] = "1"
    import onnxruntime
except ImportError:
    onnxruntime = None


class OnnxFault(Exception):
    """ONNX Runtime cannot run the encoder; the message says why."""


class OnnxEncoder:
    """What encodes crops (B, S, S, C) uint8; the file's outputs bear the names of Answer's fields.

    Raises OnnxFault for a file that ONNX Runtime refuses, or of other outputs.
    """

    def __init__(self, file: Path | bytes, threads: int | None, name: str = "onnx") -> None:
        """name: of what runs it, onnx or int8."""
        self.name = name
        try:
            self.session = open_session(file, threads)
        except OnnxFault:
            raise
        except Exception as error:
            raise OnnxFault(f"ONNX Runtime refuses the model: {' '.join(str(error).split())[:200]}") from error
        outputs = self.session.get_outputs()
        self._answers = [output.name for output in outputs]
        if self._answers[:3] != list(Answer._fields[:3]) or not set(self._answers) <= set(Answer._fields):
            raise OnnxFault(
                f"the encoder's outputs are {', '.join(self._answers)}; expected {', '.join(Answer._fields)}, of which "
                "the last two may be missing: make it again with affect export"
            )
        self.feature_width = int(outputs[0].shape[1])
        self.has_expressions, self.has_deviation = (name in self._answers for name in Answer._fields[3:])

    def __call__(self, crops: np.ndarray) -> Answer:
        """Any number of crops at once."""
        outputs = self.session.run(None, {"crops": np.ascontiguousarray(crops)})
        return Answer(**dict(zip(self._answers, outputs, strict=True)))


def open_session(file: Path | bytes, threads: int | None) -> Any:
    """ONNX Runtime's session of a file, on the CPU; None leaves it the number of threads.

    Raises OnnxFault where ONNX Runtime is missing, and whatever it raises itself.
    """
    if onnxruntime is None:
        raise OnnxFault("the Python package onnxruntime is missing (pip install 'onnxruntime<1.29')")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(file) if isinstance(file, Path) else file, options, providers=["CPUExecutionProvider"]
    )


def probes(size: int, channels: int) -> np.ndarray:
    """Crops (4, S, S, C) uint8 of every contrast: noise, a faint ramp, half and half, one grey."""
    ramp = np.linspace(100, 130, size).astype(np.uint8)[:, None, None]
    noise = np.random.default_rng(0).integers(0, 256, (size, size, channels), np.uint8)
    halves = np.where(np.arange(size)[:, None, None] < size // 2, 0, 255).astype(np.uint8)
    grey = np.full((1, 1, 1), 128, np.uint8)
    return np.stack([np.broadcast_to(picture, noise.shape) for picture in (noise, ramp, halves, grey)])
