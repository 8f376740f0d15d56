"""Who a face may be: a small network describes its portrait, and two descriptions are compared within one run.

The network is a pupil of dlib's face recognition network: see docs/identity.md and its card, face_identity.json.
Nothing of it is stored.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import CheckpointError
from tracker.faces.align import similarity, warp
from tracker.types import Face

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on it tells its maker of every session, unless this comes first
import onnxruntime

MODEL = Path(__file__).parent / "models" / "face_identity.onnx"
SIDE = 150
"""Pixels of a portrait."""
POINTS = (33, 133, 362, 263, 2)
"""Mesh landmarks by which a portrait is placed: the corners of the eyes, and where the nose meets the lip."""
PLACES = (
    (0.12057, 0.21373),
    (0.33409, 0.22906),
    (0.64606, 0.22897),
    (0.85957, 0.2135),
    (0.49011, 0.6278),
)
"""Where dlib's get_face_chip_details expects these points in a square about the face."""
PADDING = 0.25
"""Of that square, at each side."""
TARGET = [tuple((value + PADDING) / (1 + 2 * PADDING) * SIDE - 0.5 for value in place) for place in PLACES]

GREY = np.array([4899, 9617, 1868], np.uint32)
"""Shares of red, green and blue in grey, in 1/16384, as OpenCV has them."""


class FaceIdentity:
    """Portraits of faces and their descriptions. The network is opened when it is first asked."""

    def __init__(self) -> None:
        self._session: Any = None

    def portrait(self, image: np.ndarray, face: Face) -> np.ndarray:
        """(SIDE, SIDE) uint8, grey: the face in image (H, W, 3) uint8 RGB, upright."""
        matrix = similarity(face.landmarks[list(POINTS), :2].tolist(), TARGET)  # type: ignore[arg-type]
        return (warp(image, matrix, SIDE) @ GREY >> 14).astype(np.uint8)

    def describe(self, portraits: np.ndarray) -> np.ndarray:
        """(B, 128) float32 of length 1, of portraits (B, SIDE, SIDE) uint8; their products say how alike two are.

        Raises CheckpointError where the network's file cannot be used.
        """
        self._session = self._session or _session(MODEL)
        (descriptions,) = self._session.run(None, {"portraits": np.ascontiguousarray(portraits)})
        return descriptions


def _session(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} cannot be used: {why}; install affect-tracker again, or --remember 0") from error
