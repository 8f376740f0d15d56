"""Any labelled pictures: a CSV with the column path and people's valence and arousal, expression, or shares of them."""

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
from train.annotation_transfer import spelled
from train.datasets.ferplus import CENTRES, EMOTIONS
from train.datasets.table import read_cells

AXES = ("valence", "arousal")
SHARES = tuple(f"p_{name}" for name in EMOTIONS)
EXPECTED = f"a CSV with path and any of valence,arousal, expression, and {SHARES[0]} ... {SHARES[-1]}"
MAX_FACES = 8
"""Faces looked for in one picture, of which the largest counts."""

Cells = dict[str, str | None]


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
    expression: int | None
    """Index of EMOTIONS; None where the table has neither expression nor shares."""


@dataclass(frozen=True)
class PictureTable:
    """The labelled pictures of a CSV."""

    rows: list[PictureRow]
    source: str
    """Where valence and arousal come from, for the reader of a report."""


def read_table(table: Path) -> PictureTable:
    """The rows of the table, paths relative to its folder; DataError names the first row that is wrong."""
    cells = read_cells(table, ("path",), EXPECTED)
    header = cells[0][1].keys()
    for names in (AXES, SHARES):
        missing = [name for name in names if name not in header]
        if missing and len(missing) < len(names):
            raise DataError(f"{table}: no column {', '.join(missing)} in its first row; expected {', '.join(names)}")
    rated, named, shared = (name in header for name in (AXES[0], "expression", SHARES[0]))
    if not (rated or named or shared):
        raise DataError(f"{table}: no column with people's labels in its first row; expected {EXPECTED}")

    rows = []
    for place, row in cells:
        if not row["path"]:
            raise DataError(f"{place}: the path is empty")
        shares = _shares_of(place, row) if shared else None
        expression = None if shares is None else int(shares.argmax())
        if named:
            expression = _expression_of(place, row["expression"])
        if rated:
            valence, arousal = (_number_of(place, axis, row[axis], -1) for axis in AXES)
        elif shares is not None:
            valence, arousal = (shares @ CENTRES).tolist()
        else:
            valence, arousal = CENTRES[expression].tolist()
        rows.append(PictureRow(place, table.parent / row["path"], valence, arousal, expression))
    _check_present(rows)
    if rated:
        return PictureTable(rows, "the table's")
    centres = "people's shares of the expressions times the classes' centres" if shared else "the classes' centres"
    return PictureTable(rows, f"{centres} (the table has no valence and arousal)")


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


def _shares_of(place: str, row: Cells) -> np.ndarray:
    """(8,) float64: what people said, as shares that sum to 1."""
    shares = np.array([_number_of(place, name, row[name], 0, math.inf) for name in SHARES])
    if not shares.sum() > 0:
        raise DataError(f"{place}: {SHARES[0]} to {SHARES[-1]} are all 0; expected people's shares, or their votes")
    return shares / shares.sum()


def _expression_of(place: str, text: str | None) -> int:
    name = spelled(text or "")
    if name not in EMOTIONS:
        raise DataError(f"{place}: expression is {(text or '').strip() or 'empty'}; expected {', '.join(EMOTIONS)}")
    return EMOTIONS.index(name)


def _number_of(place: str, name: str, text: str | None, low: float, high: float = 1) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (low <= value <= high and math.isfinite(value)):
        span = f"from {low:g} to {high:g}" if math.isfinite(high) else f"from {low:g}"
        raise DataError(f"{place}: {name} is {text or 'empty'}; expected a number {span}")
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
