"""The networks that find faces and their landmarks, run by ONNX Runtime: the files in tracker/faces/models."""

from pathlib import Path

import numpy as np

from nets.onnx.session import open_session
from tracker.errors import CheckpointError

MODELS = Path(__file__).parent / "models"
INPUT = "pictures"


class Graph:
    """One network: pictures (N, H, W, 3) uint8 RGB in, its two outputs out."""

    def __init__(self, path: Path, outputs: tuple[str, str], threads: int | None = 1) -> None:
        """Opens the file; `outputs` are the names that it must have. Raises CheckpointError where it is not that."""
        try:
            self._session = open_session(path.read_bytes(), threads)
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
