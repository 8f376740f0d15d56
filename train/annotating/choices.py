"""What a user of `affect annotate` may choose; light, so that its help is fast."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from tracker.errors import DataError, UsageError
from train.annotation_transfer import SEED, SHAPE, SPREAD, Distance, Shape, spelled

NUMBER = re.compile(r"[+-]?[0-9]+(\.0*)?")
NEAREST: Distance = "centre"


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns."""

    path: str = "path"
    emotion: str = "emotion"
    valence: str = "valence"
    arousal: str = "arousal"

    @property
    def affect(self) -> tuple[str, str]:
        """Valence's and arousal's."""
        return self.valence, self.arousal


@dataclass(frozen=True)
class Outputs:
    """The files to write."""

    out: Path
    """.csv or .json."""
    plot: Path | None = None
    """.png: the ellipses and the points."""
    save_statistics: Path | None = None
    """.csv: the classes' statistics."""

    def named(self) -> Iterator[tuple[str, Path]]:
        """Each option that was given, and its file."""
        for each in fields(self):
            if (file := getattr(self, each.name)) is not None:
                yield f"--{each.name.replace('_', '-')}", file


@dataclass(frozen=True)
class Draw:
    """How points are drawn: see train.annotation_transfer.sample."""

    spread: float = SPREAD
    shape: Shape = SHAPE
    seed: int = SEED
    discrete: bool = False
    """Whole numbers from -10 to 10 in place of [-1, 1]."""


@dataclass(frozen=True)
class Words:
    """How labels are written."""

    classes: tuple[str, ...] = ()
    """What the numbers 0, 1, 2, ... mean."""
    unlabelled: tuple[str, ...] = ()
    """Classes that count as no label."""

    def read(self, text: str | None, place: str) -> str:
        """The class that a cell names, "" for no label; DataError for a number without a meaning."""
        name = (text or "").strip()
        if NUMBER.fullmatch(name):
            name = self._of_number(int(float(name)), place)
        return name if self.counts(name) else ""

    def counts(self, name: str) -> bool:
        """Whether a class counts as a label."""
        return spelled(name) not in map(spelled, self.unlabelled)

    def _of_number(self, number: int, place: str) -> str:
        if not self.classes:
            raise DataError(
                f"{place}: the class is the number {number}; data sets count differently: say what 0, 1, 2, ... mean"
                " with --classes neutral,happy,..."
            )
        if not 0 <= number < len(self.classes):
            raise DataError(
                f"{place}: the class is {number}; expected 0 to {len(self.classes) - 1}, the names of --classes"
            )
        return self.classes[number]


@dataclass(frozen=True)
class AnnotationConfig:
    """How labels become valence and arousal, or the other way round."""

    preset: str = "affectnet"
    """A name of train.annotation_transfer.PRESETS."""
    anchor: Path | None = None
    """A CSV whose statistics take the preset's place."""
    reverse: bool = False
    """From valence and arousal to the class."""
    nearest: Distance = NEAREST
    """By which distance then."""
    draw: Draw = field(default_factory=Draw)
    words: Words = field(default_factory=Words)
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        """UsageError for choices that the direction has no use for."""
        if self.reverse and replace(self.draw, discrete=False) != Draw():
            raise UsageError(
                "--spread, --shape and --seed say how points are drawn; --reverse draws none: leave them out"
            )
        if self.reverse and self.words != Words() and self.anchor is None:
            raise UsageError(
                "--classes and --unlabelled say how labels are read; --reverse reads those of --anchor alone"
            )
        if self.nearest != NEAREST and not self.reverse:
            raise UsageError("--nearest says how a class is found; without --reverse none is: leave it out")

    @property
    def statistics(self) -> str:
        """Where the classes' statistics come from, in a word."""
        return self.anchor.name if self.anchor else self.preset
