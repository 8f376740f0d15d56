"""A prepared data set: crops by the tracker's own alignment in a memory map, with labels, clips, times and subjects.

A folder with crops.npy, one .npy a column, and set.json, which is written last: a folder without it is not complete.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nets.files import write_whole
from tracker.errors import DataError, SinkError
from tracker.faces.align import Template

COLUMNS = {"affect": np.float32, "found": np.bool_, "clip": np.int32, "time": np.float64, "subject": np.int32}
MAPPED = ("landmarks",)
"""Columns too large for memory."""
SPLITS = {"train": 0, "validation": 1, "test": 2}
"""Values of the further column `split`, where the data set comes with one."""


@dataclass(frozen=True)
class LabelScale:
    """How a data set writes valence and arousal."""

    low: float = -1.0
    high: float = 1.0
    threshold: float = 0.0
    """Where its quadrants part, in its own unit; a value at it is high."""

    @property
    def half_range(self) -> float:
        """One unit of affect in [-1, 1], in the data set's unit."""
        return (self.high - self.low) / 2

    def to_affect(self, labels: np.ndarray) -> np.ndarray:
        """Labels of any shape to [-1, 1], float32; the threshold becomes `affect_threshold`."""
        return ((np.asarray(labels, np.float64) - self.low) / self.half_range - 1).astype(np.float32)

    @property
    def affect_threshold(self) -> float:
        """The threshold in [-1, 1]."""
        return float(self.to_affect(np.array(self.threshold)))


class Names(NamedTuple):
    """What the numbers in a prepared set's columns stand for."""

    clips: Sequence[str]
    subjects: Sequence[str]
    classes: Sequence[str] = ()
    """Of the column `expression`, where there is one."""


@dataclass(frozen=True)
class Prepared:
    """N frames of a data set, in the order of clip and time; pictures that stand alone are clips of one frame."""

    folder: Path
    name: str
    """Of the data set."""
    template: Template
    """Of the crops."""
    scale: LabelScale
    """Of the labels as the data set wrote them."""
    crops: np.ndarray
    """(N, S, S, C) uint8 memory map, S with the template's margins; zeros where no face was found."""
    affect: np.ndarray
    """(N, 2) float32: valence and arousal in [-1, 1]; NaN where a frame has no annotation."""
    found: np.ndarray
    """(N,) bool: a face was found."""
    clip: np.ndarray
    """(N,) int32: index of `clips`."""
    time: np.ndarray
    """(N,) float64: seconds from the clip's start."""
    subject: np.ndarray
    """(N,) int32: index of `subjects`."""
    clips: tuple[str, ...]
    subjects: tuple[str, ...]
    extra: Mapping[str, np.ndarray]
    """Further columns, (N, ...): split, emotions, expression, degree, landmarks, kind, as the data set has them."""
    classes: tuple[str, ...] = ()
    """What the values of the column `expression` are called; 255 is none of them."""

    @property
    def usable(self) -> np.ndarray:
        """(N,) bool: a face was found and it is annotated."""
        return self.found & np.isfinite(self.affect).all(axis=1)

    def rows_of_clips(self) -> list[np.ndarray]:
        """The rows of each clip, in order of time; index by clip."""
        bounds = np.searchsorted(self.clip, np.arange(len(self.clips) + 1))
        return [np.arange(*pair) for pair in pairwise(bounds)]


def create_crops(folder: Path, template: Template, count: int) -> np.ndarray:
    """The memory map crops.npy, (count, S, S, C) uint8, to be filled; one of the same shape is kept as it is."""
    side = template.size + 2 * template.margin
    shape = (count, side, side, template.channels)
    path = folder / "crops.npy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and (crops := np.load(path, mmap_mode="r+")).shape == shape:
            return crops
        return np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    except (OSError, ValueError) as error:
        raise SinkError(
            f"{path} cannot be written: {error}; free space, or choose another folder with --out"
        ) from error


def write_prepared(
    folder: Path,
    name: str,
    template: Template,
    scale: LabelScale,
    columns: Mapping[str, np.ndarray],
    names: Names,
) -> Prepared:
    """Write the columns beside crops.npy (COLUMNS, and any further ones), then set.json; returns the whole set."""
    for key, values in columns.items():
        np.save(folder / f"{key}.npy", np.asarray(values, COLUMNS.get(key)))
    facts = {
        "name": name,
        "template": asdict(template),
        "scale": asdict(scale),
        "columns": list(columns),
        **{kind: list(values) for kind, values in names._asdict().items()},
    }
    write_whole(folder / "set.json", json.dumps(facts) + "\n")
    return open_prepared(folder)


def open_prepared(folder: Path | str) -> Prepared:
    """The prepared set in a folder, crops as a read-only memory map; DataError where it is not one."""
    folder = Path(folder)
    try:
        facts: dict[str, Any] = json.loads((folder / "set.json").read_text(encoding="utf-8"))
        columns = {key: _column(folder, key) for key in facts["columns"]}
        crops = np.load(folder / "crops.npy", mmap_mode="r")
        own = {key: columns.pop(key) for key in COLUMNS}
    except FileNotFoundError as error:
        raise DataError(f"{folder} is not a prepared data set (no {Path(error.filename).name}); make it with: "
                        "affect prepare DATASET --root ... --out FOLDER") from error  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder} is a damaged prepared data set ({error}); make it again with affect prepare"
        ) from error
    lengths = {len(values) for values in (crops, *own.values(), *columns.values())}
    if len(lengths) != 1:
        raise DataError(
            f"{folder} is damaged: its columns have {sorted(lengths)} rows; make it again with affect prepare"
        )
    template = Template(**{**facts["template"], "points": tuple((x, y) for x, y in facts["template"]["points"])})
    scale, classes = LabelScale(**facts["scale"]), tuple(facts.get("classes", ()))
    clips, subjects = tuple(facts["clips"]), tuple(facts["subjects"])
    return Prepared(
        folder, facts["name"], template, scale, crops, **own,
        clips=clips, subjects=subjects, extra=columns, classes=classes,
    )  # fmt: skip


def _column(folder: Path, key: str) -> np.ndarray:
    return np.load(folder / f"{key}.npy", mmap_mode="r" if key in MAPPED else None)
