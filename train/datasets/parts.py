"""What a data set's reader hands on: labels, names and where the pictures are, none of which is read yet."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tracker.errors import DataError
from train.datasets.shots import PictureFiles, Pictures
from train.prepared import LabelScale

AXES = ("valence", "arousal")
BLOCK = 256
"""Pictures that stand alone are handed on in parts of so many."""


@dataclass(frozen=True)
class Part:
    """T rows that are aligned together: one clip in order of time, or pictures that stand alone."""

    pictures: Pictures
    labels: np.ndarray
    """(T, 2) valence and arousal in the data set's unit; NaN where there is none."""
    clips: Sequence[str]
    """The clip's name, or the name of each of the T pictures that stand alone."""
    subjects: Sequence[str]
    """Who is seen, of the same length as `clips`."""
    split: np.ndarray | None = None
    """(T,) uint8: values of train.prepared.SPLITS."""
    boxes: np.ndarray | None = None
    """(T, 4) x0, y0, x1, y1 in pixels: where the annotated face is; NaN where that is not known."""
    side: Literal["", "left", "right"] = ""
    """The half of the picture in which the annotated face is, where the data set tells no more."""
    still: bool = False
    """Each picture is looked at by itself, small and tightly cropped ones too; else as frames of a video."""
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further columns (T, ...); the same in all parts of a data set."""

    @property
    def alone(self) -> bool:
        """Every row is a clip of its own."""
        return len(self.clips) == len(self.pictures)


@dataclass(frozen=True)
class Listing:
    """A data set as it lies on disk."""

    parts: Sequence[Part]
    counts: Mapping[str, int] = field(default_factory=dict)
    """What the reader left out or could not match, for the report."""
    faces: int = 8
    """Faces looked for in a picture."""
    classes: Sequence[str] = ()
    """What the values of the parts' column `expression` are called, where they have one."""


def blocks(count: int) -> list[slice]:
    """Slices of at most BLOCK that cover `count` rows."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


def still_parts(
    paths: Sequence[Path],
    labels: np.ndarray,
    names: Sequence[str],
    subjects: Sequence[str] | None = None,
    split: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
) -> list[Part]:
    """Pictures that stand alone, in parts of BLOCK; each is its own subject where none are given."""

    def part(rows: slice) -> Part:
        files, own = PictureFiles(tuple(paths[rows])), tuple(names[rows])
        kind, box = (None if values is None else values[rows] for values in (split, boxes))
        further = {key: values[rows] for key, values in (extra or {}).items()}
        who = tuple((subjects or names)[rows])
        return Part(files, labels[rows], own, who, kind, box, still=True, extra=further)

    return [part(rows) for rows in blocks(len(paths))]


def number(text: object, place: str) -> float:
    """The number that a cell holds, NaN for an empty one; DataError where it is something else."""
    if text is None or str(text).strip().lower() in ("", "nan"):
        return math.nan
    try:
        return float(str(text))
    except ValueError as error:
        raise DataError(f"{place} is {str(text).strip()[:40]}; expected a number") from error


def checked(
    labels: np.ndarray, scale: LabelScale, place: Callable[[int], str], absent: float | None = None
) -> np.ndarray:
    """Labels (T, 2) float64, both NaN where either is NaN or `absent`; DataError for the first one out of range."""
    labels = np.array(labels, np.float64).reshape(-1, 2)
    labels[np.isnan(labels).any(axis=1) | (labels == absent).any(axis=1)] = np.nan
    wrong = np.argwhere((labels < scale.low) | (labels > scale.high))
    if len(wrong):
        row, axis = wrong[0]
        raise DataError(
            f"{place(int(row))}: {AXES[axis]} is {labels[row, axis]:g}; expected {scale.low:g} to {scale.high:g}"
            " (--low and --high set the range)"
        )
    return labels


def require_pictures(paths: Iterable[Path], expected: str) -> None:
    """DataError unless at least one of the files is there; `expected` tells the layout."""
    annotated = list(paths)
    if annotated and not any(path.is_file() for path in annotated):
        raise DataError(
            f"none of the {len(annotated)} annotated files is there (the first: {annotated[0]}); expected {expected}"
        )


def walk_files(root: Path, suffixes: Sequence[str], skip: Sequence[str] = ()) -> dict[str, Path]:
    """The files beneath a folder with one of the suffixes, by their name without it; folders named in skip are not
    entered."""
    found: dict[str, Path] = {}
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if name not in skip)
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() in suffixes:
                found.setdefault(path.stem, path)
    return found
