"""Expressions of known people: one spelling of their names, one order of a set's classes, one row a picture."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from train.annotation_transfer import spelled
from train.datasets.parts import Listing, still_parts, walk_files

NEUTRAL = "neutral"
EXPRESSIONS = (NEUTRAL, "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""All that the data sets of known people show."""
NONE = 255
"""In the column `expression`: none, or not told."""
PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
LEFT_OUT = "pictures left out by their names"
PEAK = 3
"""Frames at the end of a sequence that show its expression, as DisVAE and others take them."""
SHORTEST = PEAK + 1
"""Frames of a sequence: the first, neutral, and those."""


@dataclass(frozen=True)
class Portrait:
    """A picture of a known person with a known expression."""

    path: Path
    subject: str
    expression: str
    """One of EXPRESSIONS."""
    degree: int = 0
    """How strong, from 1; 0 for neutral, and where it is not told."""


def known(word: str, place: object) -> str:
    """The expression that a data set calls by this word, in our spelling; DataError where it is none of EXPRESSIONS."""
    if (name := spelled(word)) not in EXPRESSIONS:
        raise DataError(f"{place}: {word} is no expression that we know; expected {', '.join(EXPRESSIONS)}")
    return name


def classes_among(names: Iterable[str], place: object) -> tuple[str, ...]:
    """The classes of a set: each name once, neutral first, then by the alphabet; empty names are none. DataError where
    none is left, or too many for a column of bytes."""
    classes = tuple(sorted({*names} - {""}, key=lambda name: (name != NEUTRAL, name)))
    if not 0 < len(classes) <= NONE:
        raise DataError(f"{place}: {len(classes)} different expressions; expected 1 to {NONE}")
    return classes


def numbers(names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """(N,) uint8: the class of each name, NONE where it is empty."""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index.get(name, NONE) for name in names], np.uint8)


def rising(frames: Sequence[Path], subject: str, expression: str) -> list[Portrait]:
    """Of a sequence from neutral to an expression, of SHORTEST frames or more: the first frame and the last PEAK."""
    return [Portrait(frames[0], subject, NEUTRAL), *(Portrait(path, subject, expression) for path in frames[-PEAK:])]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; hidden files are none."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))


def named(root: Path, pattern: re.Pattern[str], words: Mapping[str, str], expected: str) -> Listing:
    """The pictures beneath a folder whose names without suffix match; the pattern's groups person and expression tell
    who and what it is, `words` what the latter's letters mean. DataError where there is none."""
    pictures = walk_files(root, PICTURES)
    matches = {path: match for name, path in pictures.items() if (match := pattern.fullmatch(name))}
    portraits = [
        Portrait(
            path, match["person"].upper(), known(words.get(match["expression"].upper(), match["expression"]), path)
        )
        for path, match in matches.items()
    ]
    return listing_of(portraits, root, expected, {LEFT_OUT: len(pictures) - len(portraits)})


def listing_of(portraits: Sequence[Portrait], root: Path, expected: str, counts: Mapping[str, int]) -> Listing:
    """The data set of portraits beneath a folder, in their order, without valence and arousal; DataError for none."""
    if not portraits:
        raise DataError(f"{root} holds no picture in the layout that we know; expected {expected}")
    names = [portrait.expression for portrait in portraits]
    classes = classes_among(names, root)
    degrees = np.array([portrait.degree for portrait in portraits], np.uint8)
    parts = still_parts(
        [portrait.path for portrait in portraits],
        np.full((len(portraits), 2), np.nan),
        [portrait.path.relative_to(root).as_posix() for portrait in portraits],
        [portrait.subject for portrait in portraits],
        extra={"expression": numbers(names, classes), "degree": degrees},
    )
    return Listing(parts, counts, classes=classes)
