"""The networks that find faces and their landmarks, run by ONNX Runtime: the files in tracker/faces/models."""

import os
from pathlib import Path

import numpy as np

from tracker.errors import CheckpointError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.29 on it tells its maker of every session, unless this comes first
import onnxruntime

MODELS = Path(__file__).parent / "models"
INPUT = "pictures"


class Graph:
    """One network: pictures (N, H, W, 3) uint8 RGB in, its two outputs out."""

    def __init__(self, path: Path, outputs: tuple[str, str], threads: int | None = 1) -> None:
        """Opens the file; `outputs` are the names that it must have. Raises CheckpointError where it is not that."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            data = path.read_bytes()
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except OSError as error:
            raise _unusable(path, f"it cannot be read ({error.strerror})") from error
        except Exception as error:
            raise _unusable(path, f"ONNX Runtime refuses it: {' '.join(str(error).split())[:200]}") from error
        inputs = [(each.name, each.type, len(each.shape)) for each in self._session.get_inputs()]
        names = tuple(each.name for each in self._session.get_outputs())
        if inputs != [(INPUT, "tensor(uint8)", 4)] or names != outputs:
            raise _unusable(path, f"it is of another kind (its outputs are {', '.join(names)})")
        self.sides: tuple[int, int] = tuple(self._session.get_inputs()[0].shape[1:3])
        """H and W, pixels; their names where any will do."""

    def __call__(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The outputs, in the order of their names."""
        first, second = self._session.run(None, {INPUT: pictures})
        return first, second


def _unusable(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"the landmark model {path} cannot be used: {why}; install affect-tracker again")
