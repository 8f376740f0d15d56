"""Any other data set: a CSV with one row a picture, or one row a frame of a video.

Columns: `path` (a picture, standing alone), or `video` and `frame` (counted from 0); `valence` and `arousal` (empty
where there is no label); and, where wanted, `subject` (else each clip is its own), `split` (train, validation, test),
`expression` (any word; happy is happiness; empty where there is none) and `degree` (how strong it is, from 0). Paths
are relative to the CSV. The rows of a video may stand anywhere in the file.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracker.errors import DataError
from train.annotation_transfer import spelled
from train.datasets.expressions import classes_among, numbers
from train.datasets.parts import AXES, Listing, Part, checked, number, require_pictures, still_parts
from train.datasets.shots import VideoFrames
from train.prepared import SPLITS, LabelScale

SCALE = LabelScale()
EXPECTED = "a CSV with path (or video,frame), valence, arousal, and perhaps subject, split, expression and degree"

Row = tuple[str, dict[str, str | None]]
"""The row's place, for messages (the table's name and the row's number, the header being row 1), and its cells."""
MOST = 255
"""Of a degree."""


class _Columns(NamedTuple):
    """What N rows say, beside their pictures and their people."""

    labels: np.ndarray
    """(N, 2), NaN where there is none."""
    split: np.ndarray | None
    """(N,) uint8, where the table has it."""
    extra: dict[str, np.ndarray]
    """(N,) each: expression and degree, where the table has them."""

    def at(self, order: list[int]) -> "_Columns":
        """Of some rows alone, in that order."""
        split = None if self.split is None else self.split[order]
        return _Columns(self.labels[order], split, {key: values[order] for key, values in self.extra.items()})


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """All rows; DataError names the first that is wrong, and a table none of whose files is there."""
    if root.is_dir():
        raise DataError(f"{root} is a folder; expected {EXPECTED}")
    rows = read_cells(root, AXES, EXPECTED)
    header = rows[0][1].keys()
    if "path" not in header and not {"video", "frame"} <= header:
        raise DataError(f"{root}: no column path, nor video and frame, in its first row; expected {EXPECTED}")
    file, make = ("path", _pictures) if "path" in header else ("video", _videos)
    require_pictures((root.parent / _cell(row, file) for row in rows), f"paths relative to {root.name}")
    columns, classes = _columns_of(root, rows, scale)
    return Listing(make(root, rows, columns), classes=classes)


def _columns_of(root: Path, rows: list[Row], scale: LabelScale) -> tuple[_Columns, tuple[str, ...]]:
    """What the rows say, and the names of their expressions."""
    header = rows[0][1].keys()
    values = [[number(cells[axis], f"{place}: {axis}") for axis in AXES] for place, cells in rows]
    labels = checked(np.array(values), scale, lambda i: rows[i][0])
    split = np.array([_split_of(row) for row in rows], np.uint8) if "split" in header else None
    words = [spelled(cells["expression"] or "") for _, cells in rows] if "expression" in header else []
    classes = classes_among(words, f"{root.name}, column expression") if words else ()
    extra = {"expression": numbers(words, classes)} if words else {}
    extra |= {"degree": _degrees_of(rows)} if "degree" in header else {}
    return _Columns(labels, split, extra), classes


def read_cells(table: Path, required: Sequence[str], expected: str) -> list[Row]:
    """The rows of a CSV in UTF-8 that has at least the required columns and one row; DataError tells what is wrong."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{table}: no column {', '.join(missing)} in its first row; expected {','.join(required)}"
                )
            rows = [(f"{table.name}, row {reader.line_num}", row) for row in reader]
    except FileNotFoundError as error:
        raise DataError(f"{table}: no such file; expected {expected}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as a CSV in UTF-8: {error}") from error
    if not rows:
        raise DataError(f"{table} has no rows below its header; expected one picture a row")
    return rows


def _cell(row: Row, name: str) -> str:
    place, cells = row
    text = (cells[name] or "").strip()
    if not text:
        raise DataError(f"{place}: the {name} is empty")
    return text


def _degrees_of(rows: list[Row]) -> np.ndarray:
    """(N,) uint8 of whole degrees, float32 where one is a share; an empty one is 0."""
    degrees = np.nan_to_num([number(cells["degree"], f"{place}: degree") for place, cells in rows])
    wrong = np.flatnonzero((degrees < 0) | (degrees > MOST))
    if len(wrong):
        raise DataError(f"{rows[wrong[0]][0]}: degree is {degrees[wrong[0]]:g}; expected 0 to {MOST}")
    return degrees.astype(np.uint8 if (degrees % 1 == 0).all() else np.float32)


def _split_of(row: Row) -> int:
    name = _cell(row, "split")
    if name not in SPLITS:
        raise DataError(f"{row[0]}: split is {name}; expected {', '.join(SPLITS)}")
    return SPLITS[name]


def _subject_of(row: Row, clip: str) -> str:
    return _cell(row, "subject") if "subject" in row[1] else clip


def _pictures(root: Path, rows: list[Row], columns: _Columns) -> list[Part]:
    names = [_cell(row, "path") for row in rows]
    subjects = [_subject_of(row, name) for row, name in zip(rows, names, strict=True)]
    paths = [root.parent / name for name in names]
    return still_parts(paths, columns.labels, names, subjects, columns.split, extra=columns.extra)


def _videos(root: Path, rows: list[Row], columns: _Columns) -> list[Part]:
    """One part a video, in the order in which the videos first appear."""
    places: dict[str, list[tuple[int, int]]] = {}
    for i, row in enumerate(rows):
        frame = number(_cell(row, "frame"), f"{row[0]}: frame")
        if frame < 0 or frame != int(frame):
            raise DataError(f"{row[0]}: frame is {frame:g}; expected a whole number from 0")
        places.setdefault(_cell(row, "video"), []).append((int(frame), i))
    return [_video(root, name, sorted(found), rows, columns) for name, found in places.items()]


def _video(root: Path, name: str, found: list[tuple[int, int]], rows: list[Row], columns: _Columns) -> Part:
    frames, order = [frame for frame, _ in found], [i for _, i in found]
    steps = np.diff(frames)
    if (steps == 0).any():
        again = int(np.flatnonzero(steps == 0)[0]) + 1
        raise DataError(f"{rows[order[again]][0]}: frame {frames[again]} of {name} stands in the table twice")
    subjects = {_subject_of(rows[i], name) for i in order}
    if len(subjects) > 1:
        raise DataError(f"{root.name}: {name} has the subjects {', '.join(sorted(subjects))}; expected one a video")
    # a face is followed from frame to frame only where no frames lie between
    still = len(frames) == 1 or bool((steps > 1).any())
    labels, split, extra = columns.at(order)
    pictures = VideoFrames(root.parent / name, frames)
    return Part(pictures, labels, (name,), tuple(subjects), split, still=still, extra=extra)
