"""FER+ as a data set to prepare: the .npz of `ferplus.load`, or the FER+ CSV with folders of pictures.

The folder: ROOT/fer2013new.csv (Usage, Image name, neutral, ..., contempt, unknown, NF) and the pictures
ROOT/FER2013Train/ferNNNNNNN.png, FER2013Valid/..., FER2013Test/... (also beneath ROOT/data). Rows without an image name
were taken out by FER+'s authors. FER-2013's own label stands in its own fer2013.csv, row for row; where that does not
lie in ROOT, `label` is NO_LABEL and the votes stand alone.
"""

import csv
import sys
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from train.datasets.ferplus import EMOTIONS, LABEL_EMOTIONS, affect_of_votes, load, vote_shares
from train.datasets.parts import Listing, Part, blocks, checked, number, require_pictures, still_parts
from train.datasets.shots import ArrayPictures
from train.prepared import SPLITS, LabelScale

SCALE = LabelScale()
NO_LABEL = 255
USAGES = {
    "Training": ("train", "FER2013Train"),
    "PublicTest": ("validation", "FER2013Valid"),
    "PrivateTest": ("test", "FER2013Test"),
}
VOTES = (*EMOTIONS, "unknown", "NF")
EXPECTED = "the FER+ .npz, or a folder with fer2013new.csv and FER2013Train/fer0000000.png, ... (FER+)"


def read(root: Path, scale: LabelScale = SCALE) -> Listing:
    """Every face, its affect the votes times the emotions' centres (NaN without a vote); DataError where it is not
    FER+."""
    if root.is_dir():
        return _read_folder(root, scale)
    data = load(root)
    names = tuple(f"fer{row:07d}" for row in range(len(data.images)))
    labels, columns = _columns_of(data.votes, np.array(LABEL_EMOTIONS, np.uint8)[data.label], scale)
    parts = [
        Part(
            ArrayPictures(root, rows.start, rows.stop),
            labels[rows],
            names[rows],
            names[rows],
            data.split[rows],
            still=True,
            extra={key: values[rows] for key, values in columns.items()},
        )
        for rows in blocks(len(names))
    ]
    return Listing(parts, faces=1)


def _read_folder(root: Path, scale: LabelScale) -> Listing:
    table = root / "fer2013new.csv"
    if not table.is_file():
        raise DataError(f"{root} holds no fer2013new.csv; expected {EXPECTED}")
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in ("Usage", "Image name", *VOTES) if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(f"{table}: no column {', '.join(missing)} in its first row; expected {EXPECTED}")
        rows = list(reader)
    kept = [i for i, row in enumerate(rows) if row["Image name"].strip()]
    places = [_place_of(table, i, rows[i]) for i in kept]
    require_pictures((path for path, _ in places), EXPECTED)
    votes = np.array([_votes_of(table, i, rows[i]) for i in kept], np.uint8)
    labels, columns = _columns_of(votes, _own_labels(root / "fer2013.csv", len(rows))[kept], scale)
    paths, split = [path for path, _ in places], np.array([split for _, split in places], np.uint8)
    parts = still_parts(paths, labels, [path.stem for path in paths], split=split, extra=columns)
    return Listing(parts, {"left out by FER+: rows without a picture": len(rows) - len(kept)}, faces=1)


def _columns_of(votes: np.ndarray, own: np.ndarray, scale: LabelScale) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Valence and arousal (N, 2), and the further columns of FER+."""
    count = votes[:, :8].sum(axis=1)
    affect = np.where(count[:, None] > 0, affect_of_votes(votes), np.nan)
    columns = {"emotions": vote_shares(votes), "label": own.astype(np.uint8), "votes_cast": count.astype(np.uint8)}
    return checked(affect, scale, lambda row: f"face {row}"), columns


def _place_of(table: Path, i: int, row: dict[str, str]) -> tuple[Path, int]:
    """The picture's path and its split."""
    if row["Usage"] not in USAGES:
        raise DataError(f"{table}, row {i + 2}: Usage is {row['Usage'][:40]}; expected {', '.join(USAGES)}")
    split, folder = USAGES[row["Usage"]]
    inside = Path(folder, row["Image name"].strip())
    nested = table.parent / "data" / inside
    return (nested if nested.is_file() else table.parent / inside), SPLITS[split]


def _votes_of(table: Path, i: int, row: dict[str, str]) -> list[float]:
    votes = [number(row[name], f"{table}, row {i + 2}: {name}") for name in VOTES]
    if not all(0 <= vote <= 255 for vote in votes):
        raise DataError(f"{table}, row {i + 2}: votes are {votes}; expected counts from 0")
    return votes


def _own_labels(path: Path, count: int) -> np.ndarray:
    """(count,) FER-2013's labels as indices of EMOTIONS; NO_LABEL where its CSV is not there."""
    if not path.is_file():
        return np.full(count, NO_LABEL, np.uint8)
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8-sig") as file:
        own = [
            number(row.get("emotion"), f"{path}, row {i + 2}: emotion") for i, row in enumerate(csv.DictReader(file))
        ]
    if len(own) != count or not all(label in range(len(LABEL_EMOTIONS)) for label in own):
        raise DataError(f"{path} has {len(own)} rows; expected {count}, each with an emotion from 0 to 6")
    return np.array(LABEL_EMOTIONS, np.uint8)[np.array(own, int)]
