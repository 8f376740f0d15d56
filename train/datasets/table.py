"""Any other data set: a CSV with one row a picture, or one row a frame of a video.

Columns: `path` (a picture, standing alone), or `video` and `frame` (counted from 0); `valence` and `arousal` (empty
where there is no label); and, where wanted, `subject` (else each clip is its own) and `split` (train, validation,
test). Paths are relative to the CSV. The rows of a video may stand anywhere in the file.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from train.datasets.parts import AXES, Listing, Part, checked, number, require_pictures, still_parts
from train.datasets.shots import VideoFrames
from train.prepared import SPLITS, LabelScale

SCALE = LabelScale()
EXPECTED = "a CSV with path (or video,frame), valence, arousal, and perhaps subject and split"

Row = tuple[str, dict[str, str | None]]
"""The row's place, for messages (the table's name and the row's number, the header being row 1), and its cells."""


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """All rows; DataError names the first that is wrong, and a table none of whose files is there."""
    if root.is_dir():
        raise DataError(f"{root} is a folder; expected {EXPECTED}")
    rows = read_cells(root, AXES, EXPECTED)
    columns = rows[0][1]
    if "path" not in columns and not {"video", "frame"} <= columns.keys():
        raise DataError(f"{root}: no column path, nor video and frame, in its first row; expected {EXPECTED}")
    file = "path" if "path" in columns else "video"
    require_pictures((root.parent / _cell(row, file) for row in rows), f"paths relative to {root.name}")
    values = [[number(cells[axis], f"{place}: {axis}") for axis in AXES] for place, cells in rows]
    labels = checked(np.array(values), scale, lambda i: rows[i][0])
    split = np.array([_split_of(row) for row in rows], np.uint8) if "split" in columns else None
    if file == "path":
        return Listing(_pictures(root, rows, labels, split))
    return Listing(_videos(root, rows, labels, split))


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


def _split_of(row: Row) -> int:
    name = _cell(row, "split")
    if name not in SPLITS:
        raise DataError(f"{row[0]}: split is {name}; expected {', '.join(SPLITS)}")
    return SPLITS[name]


def _subject_of(row: Row, clip: str) -> str:
    return _cell(row, "subject") if "subject" in row[1] else clip


def _pictures(root: Path, rows: list[Row], labels: np.ndarray, split: np.ndarray | None) -> list[Part]:
    names = [_cell(row, "path") for row in rows]
    subjects = [_subject_of(row, name) for row, name in zip(rows, names, strict=True)]
    return still_parts([root.parent / name for name in names], labels, names, subjects, split)


def _videos(root: Path, rows: list[Row], labels: np.ndarray, split: np.ndarray | None) -> list[Part]:
    """One part a video, in the order in which the videos first appear."""
    places: dict[str, list[tuple[int, int]]] = {}
    for i, row in enumerate(rows):
        frame = number(_cell(row, "frame"), f"{row[0]}: frame")
        if frame < 0 or frame != int(frame):
            raise DataError(f"{row[0]}: frame is {frame:g}; expected a whole number from 0")
        places.setdefault(_cell(row, "video"), []).append((int(frame), i))
    return [_video(root, name, sorted(found), rows, labels, split) for name, found in places.items()]


def _video(
    root: Path, name: str, found: list[tuple[int, int]], rows: list[Row], labels: np.ndarray, split: np.ndarray | None
) -> Part:
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
    kind = None if split is None else split[order]
    return Part(VideoFrames(root.parent / name, frames), labels[order], (name,), tuple(subjects), kind, still=still)
