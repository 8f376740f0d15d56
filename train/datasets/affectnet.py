"""AffectNet (Mollahosseini, Hasani and Mahoor 2019): pictures from the web, in either of its releases.

The CSV release: ROOT/training.csv and validation.csv with subDirectory_filePath, face_x, face_y, face_width,
face_height, facial_landmarks, expression, valence, arousal; the files named there lie beneath ROOT, or beneath a folder
in it such as Manually_Annotated_Images. The .npy release: ROOT/train_set/images/N.jpg with ROOT/train_set/annotations/
N_val.npy, N_aro.npy, N_exp.npy, and val_set likewise. Expressions 8 (none), 9 (uncertain) and 10 (no face) are left
out; -2 means no label. The splits are the release's own; nobody is named, so each picture is a subject of its own.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from tracker.errors import DataError
from train.datasets.parts import Listing, checked, number, require_pictures, still_parts
from train.prepared import SPLITS, LabelScale

SCALE = LabelScale()
ABSENT = -2.0
EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""By their numbers from 0."""
TABLES = {"training.csv": "train", "validation.csv": "validation"}
FOLDERS = {"train_set": "train", "val_set": "validation"}
COLUMNS = ("subDirectory_filePath", "expression", "valence", "arousal")
BOX = ("face_x", "face_y", "face_width", "face_height")
EXPECTED = "training.csv and validation.csv with the pictures, or train_set/ and val_set/ of .npy files (AffectNet)"


class _Row(NamedTuple):
    place: str
    """File and line, for messages."""
    name: str
    path: Path
    split: int
    expression: int
    label: tuple[float, float]
    box: tuple[float, float, float, float]


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every picture of an emotion; DataError where the layout is another, a label is wrong, or no picture is there."""
    rows = [row for name, split in TABLES.items() for row in _rows_of_table(root, name, split)]
    rows += [row for name, split in FOLDERS.items() for row in _rows_of_folder(root, name, split)]
    if not rows:
        raise DataError(f"{root} holds no annotation of AffectNet; expected {EXPECTED}")
    kept = [row for row in rows if 0 <= row.expression < len(EXPRESSIONS)]
    require_pictures((row.path for row in kept), EXPECTED)
    labels = checked(np.array([row.label for row in kept]), scale, lambda i: kept[i].place, ABSENT)
    parts = still_parts(
        [row.path for row in kept],
        labels,
        [row.name for row in kept],
        split=np.array([row.split for row in kept], np.uint8),
        boxes=np.array([row.box for row in kept]),
        extra={"expression": np.array([row.expression for row in kept], np.uint8)},
    )
    counts = {"left out: no emotion (expressions 8 to 10)": len(rows) - len(kept)}
    return Listing(parts, counts, classes=EXPRESSIONS)


def _rows_of_table(root: Path, name: str, split: str) -> Iterator[_Row]:
    table = next((path for path in (root / name, *sorted(root.glob(f"*/{name}"))) if path.is_file()), None)
    if table is None:
        return
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{table}: no column {', '.join(missing)} in its first row; expected {', '.join(COLUMNS)}")
        base = None
        for cells in tqdm(reader, f"reading {name}", unit="row", leave=False):
            base = base or _base_of(root, str(cells[COLUMNS[0]]))
            yield _row_of_cells(cells, f"{table}, row {reader.line_num}", base or root, SPLITS[split])


def _row_of_cells(cells: dict[str, str], place: str, base: Path, split: int) -> _Row:
    file, expression = cells[COLUMNS[0]], number(cells["expression"], f"{place}: expression")
    if not file or expression != expression:
        raise DataError(f"{place}: the path or the expression is empty")
    label = (number(cells["valence"], f"{place}: valence"), number(cells["arousal"], f"{place}: arousal"))
    x, y, width, height = (number(cells.get(column), f"{place}: {column}") for column in BOX)
    return _Row(place, file, base / file, split, int(expression), label, (x, y, x + width, y + height))


def _base_of(root: Path, file: str) -> Path | None:
    """The folder beneath which the file of a table lies; None where it is in none."""
    folders = [root, *(path for depth in ("*", "*/*") for path in sorted(root.glob(depth)) if path.suffix == "")]
    return next((folder for folder in folders if (folder / file).is_file()), None)


def _rows_of_folder(root: Path, name: str, split: str) -> Iterator[_Row]:
    notes, images = root / name / "annotations", root / name / "images"
    values = sorted(notes.glob("*_val.npy"), key=lambda path: path.name.zfill(24))
    unknown = (np.nan,) * 4
    for path in tqdm(values, f"reading {name}", unit="picture", leave=False, disable=len(values) < 1000):
        key = path.name.removesuffix("_val.npy")
        files = [notes / f"{key}_{kind}.npy" for kind in ("exp", "val", "aro")]
        expression, valence, arousal = (_scalar(file) for file in files)
        picture = next(
            (p for p in (images / f"{key}.jpg", images / f"{key}.png") if p.is_file()), images / f"{key}.jpg"
        )
        yield _Row(str(path), f"{name}/{key}", picture, SPLITS[split], int(expression), (valence, arousal), unknown)


def _scalar(path: Path) -> float:
    """The one number, often written as text, of an .npy."""
    try:
        return float(np.load(path, allow_pickle=False).reshape(-1)[0])
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected _val, _aro and _exp of every picture") from error
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path} does not hold one number: {error}") from error
