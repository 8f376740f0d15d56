"""Any pictures with their valence and arousal: a CSV with the columns path, valence, arousal."""

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tracker.config import TrackerConfig
from tracker.errors import DataError
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from tracker.sources.images import read_picture
from train.datasets.table import read_cells

COLUMNS = ("path", "valence", "arousal")
MAX_FACES = 8
"""Faces looked for in one picture, of which the largest counts."""


@dataclass(frozen=True)
class PictureRow:
    """One row of the table."""

    place: str
    """The table's name and the row's number in it, the header being row 1."""
    path: Path
    valence: float
    """[-1, 1]."""
    arousal: float
    """[-1, 1]."""


def read_rows(table: Path) -> list[PictureRow]:
    """The rows of the table, paths relative to its folder; DataError names the first row that is wrong."""
    cells = read_cells(table, COLUMNS, f"a CSV with the columns {','.join(COLUMNS)}")
    rows = [_row_of(table, place, row) for place, row in cells]
    _check_present(rows)
    return rows


def crops_of_rows(rows: list[PictureRow], template: Template) -> tuple[np.ndarray, np.ndarray]:
    """The tracker's crop of the largest face of each picture: (N, S, S, C) uint8, zeros where none, and found (N,)."""
    crops = np.zeros((len(rows), template.size, template.size, template.channels), np.uint8)
    found = np.zeros(len(rows), bool)
    with closing(FaceLandmarker(TrackerConfig(faces=MAX_FACES), still=True)) as landmarker:
        for i, row in enumerate(tqdm(rows, "aligning", unit="picture")):
            image = _read(row)
            faces = landmarker.detect(image)
            found[i] = bool(faces)
            if faces:
                crops[i] = align(image, faces[0].landmarks, template)
    return crops, found


def _row_of(table: Path, place: str, cells: dict[str, str | None]) -> PictureRow:
    if not cells["path"]:
        raise DataError(f"{place}: the path is empty")
    valence, arousal = (_number_of(place, axis, cells[axis]) for axis in COLUMNS[1:])
    return PictureRow(place, table.parent / cells["path"], valence, arousal)


def _number_of(place: str, axis: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise DataError(f"{place}: {axis} is {text or 'empty'}; expected a number from -1 to 1")
    return value


def _check_present(rows: list[PictureRow]) -> None:
    absent = [row for row in rows if not row.path.is_file()]
    if absent:
        raise DataError(
            f"{absent[0].place}: there is no picture {absent[0].path} ({len(absent)} of {len(rows)} are missing);"
            " paths are relative to the CSV"
        )


def _read(row: PictureRow) -> np.ndarray:
    image = read_picture(str(row.path))
    if image is None:
        raise DataError(f"{row.place}: {row.path} cannot be read as a picture; replace it, or leave its row out")
    return image
