"""The landmarks that MediaPipe finds in a set's pictures: looked for once, kept in a file."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nets.files import write_whole
from tracker.errors import DataError, SinkError
from train.synthesis.checking import find, read_set
from train.synthesis.works import packed

FILE = "found.npz"


def found_landmarks(data: Path, file: Path) -> np.ndarray:
    """(N, 83, 3) pixels of a set's pictures, NaN where no face was found; from the file, else found and kept there.

    DataError where the file holds other pictures or cannot be read; SinkError where it cannot be written.
    """
    paths = [row["path"] for row in read_set(data)[0]]
    if not file.is_file():
        _keep(file, find(data, paths), paths)
    return _read(file, data, paths)


def _keep(file: Path, points: np.ndarray, paths: list[str]) -> None:
    try:
        write_whole(file, packed(points=points.astype(np.float32), paths=np.array(paths)))
    except OSError as error:
        raise SinkError(f"{file} cannot be written: {error.strerror}; choose another file with --found") from error


def _read(file: Path, data: Path, paths: list[str]) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as archive:
            points, known = archive["points"], archive["paths"].tolist()
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{file} holds no found landmarks ({error}); delete it, and they are found again") from error
    if known != paths or len(points) != len(paths):
        raise DataError(f"{file} holds landmarks of other pictures than {data}; give another file with --found")
    return points
