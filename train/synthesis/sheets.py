"""A contact sheet: a row a person, a column an expression at its highest degree, or at each degree."""

from pathlib import Path

import cv2
import numpy as np

from nets.files import write_whole
from tracker.errors import DataError, SinkError
from train.synthesis.checking import read_set

SIDE = 128
"""Pixels of a picture on the sheet."""


def sheet_of(folder: Path, persons: int, degree: int) -> np.ndarray:
    """(H, W, 3) uint8 BGR: the first persons of a set, neutral and every expression at a degree of 1 to 4."""
    rows, _ = read_set(folder)
    wanted = [row for row in rows if row["degree"] in ("0", str(degree))]
    subjects = list(dict.fromkeys(row["subject"] for row in rows))[:persons]
    return np.vstack([np.hstack([_small(folder / r["path"]) for r in wanted if r["subject"] == s]) for s in subjects])


def write_sheet(folder: Path, file: Path, persons: int, degree: int) -> None:
    """Write the sheet as a PNG; DataError for what is no set, SinkError where the file cannot be written."""
    coded = cv2.imencode(".png", sheet_of(folder, persons, degree), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    try:
        write_whole(file, coded.tobytes())
    except OSError as error:
        raise SinkError(f"{file} cannot be written: {error.strerror}; choose another --out") from error


def _small(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    if image is None:
        raise DataError(f"{path} is missing or no picture")
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
