"""Folds in which no subject stands twice, kept as a file; and the split that some data sets bring along."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from nets.files import write_whole
from tracker.errors import DataError, SinkError, UsageError
from train.prepared import SPLITS, Prepared, open_prepared

VALIDATION_SHARE = 0.15
"""Of the training folds' frames that validation takes, by whole subjects."""

Rows = dict[str, np.ndarray]
"""train, validation and test, (N,) bool each; no row is in two."""


@dataclass(frozen=True)
class Folds:
    """The subjects of a data set, parted; each fold is the test set once."""

    name: str
    """Of the data set."""
    folds: tuple[tuple[str, ...], ...]
    seed: int = 0
    """Of the draw, of the folds and of each fold's validation subjects."""

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(s for fold in self.folds for s in fold).items() if count > 1]
        if twice:
            where = ", ".join(str(i) for i, fold in enumerate(self.folds) if twice[0] in fold)
            raise DataError(f"subject {twice[0]!r} stands in folds {where}; expected each subject in one fold alone")
        if len(self.folds) < 2 or not all(self.folds):
            raise DataError(
                f"got {len(self.folds)} folds, some of them empty; expected two or more, each with subjects"
            )

    def rows(self, data: Prepared, fold: int) -> Rows:
        """The rows of a set when `fold` is the test fold; validation is whole subjects of the training folds.

        It is none where these have one subject, who is left to train. UsageError where there is no such fold;
        DataError where the set's subjects are not those of the folds.
        """
        if not 0 <= fold < len(self.folds):
            raise UsageError(f"fold is {fold}; expected 0 to {len(self.folds) - 1}")
        self._check_subjects(data)
        test = _of_subjects(data, self.folds[fold])
        names = [name for i, subjects in enumerate(self.folds) if i != fold for name in subjects]
        validation = _of_subjects(data, _validation_subjects(data, names, np.random.default_rng((self.seed, fold))))
        return {"train": ~test & ~validation, "validation": validation, "test": test}

    def save(self, path: Path) -> None:
        """Write them as JSON, whole or not at all; SinkError if they cannot be."""
        facts = {"name": self.name, "seed": self.seed, "folds": [list(fold) for fold in self.folds]}
        try:
            write_whole(path, json.dumps(facts, indent=1) + "\n")
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}; choose another file") from error

    @classmethod
    def load(cls, path: Path) -> "Folds":
        """The folds in a file; DataError where it holds none."""
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            folds = tuple(tuple(str(name) for name in fold) for fold in facts["folds"])
            return cls(str(facts["name"]), folds, int(facts["seed"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is not a file of folds ({error}); make one with: affect eval folds SET --out FILE"
            ) from error

    def _check_subjects(self, data: Prepared) -> None:
        known, present = {s for fold in self.folds for s in fold}, {data.subjects[i] for i in np.unique(data.subject)}
        for name in sorted(present - known)[:1]:
            raise DataError(f"subject {name!r} of {data.folder} is in none of the folds of {self.name}; make new folds")
        for name in sorted(known - present)[:1]:
            raise DataError(
                f"{data.folder} has no frame of subject {name!r} of the folds of {self.name}; make new folds"
            )


def make_folds(data: Prepared, count: int = 5, seed: int = 0) -> Folds:
    """Folds of about as many frames each: the largest subjects first, each into the smallest fold so far.

    UsageError for fewer than two folds; DataError where the set has fewer subjects than folds.
    """
    if count < 2:
        raise UsageError(f"folds: got {count}; expected 2 or more")
    frames = _frames(data)
    if len(frames) == 1:
        raise DataError(
            f"{data.folder} has one subject, and folds part subjects: there is nothing to part; to score a model on all"
            f" of it: affect eval sequences {data.folder} --split all"
        )
    if len(frames) < count:
        raise DataError(f"{data.folder} has {len(frames)} subjects; expected at least one for each of {count} folds")
    names = sorted(frames)
    np.random.default_rng(seed).shuffle(names)
    folds: list[list[str]] = [[] for _ in range(count)]
    sizes = [0] * count
    for name in sorted(names, key=lambda name: -frames[name]):
        smallest = sizes.index(min(sizes))
        folds[smallest].append(name)
        sizes[smallest] += frames[name]
    return Folds(data.name, tuple(tuple(sorted(fold)) for fold in folds), seed)


def split_rows(data: Prepared) -> Rows:
    """The rows of each part by the set's own column `split`; DataError without one, or with a subject in two parts."""
    if "split" not in data.extra:
        raise DataError(
            f"{data.folder} has no split of its own; make folds with: affect eval folds {data.folder} --out FILE"
        )
    split = data.extra["split"]
    rows = {name: split == value for name, value in SPLITS.items()}
    owners = {name: set(np.unique(data.subject[mask]).tolist()) for name, mask in rows.items()}
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        for subject in sorted(owners[one] & owners[other])[:1]:
            raise DataError(f"subject {data.subjects[subject]!r} of {data.folder} is in both {one} and {other}")
    return rows


def _frames(data: Prepared) -> Counter[str]:
    """Frames of each subject that has any."""
    indices, counts = np.unique(data.subject, return_counts=True)
    return Counter({data.subjects[i]: int(n) for i, n in zip(indices, counts, strict=True)})


def _of_subjects(data: Prepared, names: Sequence[str]) -> np.ndarray:
    wanted = set(names)
    return np.array([name in wanted for name in data.subjects])[data.subject]


def _validation_subjects(data: Prepared, names: list[str], rng: np.random.Generator) -> list[str]:
    """Subjects drawn from the training folds' until their frames reach the share; at least one, and not all."""
    if len(names) < 2:
        return []
    frames, chosen = _frames(data), list[str]()
    room = VALIDATION_SHARE * sum(frames[name] for name in names)
    for name in rng.permutation(sorted(names)).tolist():
        if frames[name] <= room:
            chosen.append(name)
            room -= frames[name]
    return chosen or [min(names, key=lambda name: frames[name])]


@click.command("folds")
@click.argument("folder", metavar="PREPARED", type=Path)
@click.option("--out", type=Path, required=True, help="The file of folds to write.")
@click.option("--count", type=click.IntRange(2, 100), default=5, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def write_folds(folder: Path, out: Path, count: int, seed: int) -> None:
    """Part the subjects of a prepared set into folds of about as many frames each, as a file."""
    data = open_prepared(folder)
    folds = make_folds(data, count, seed)
    folds.save(out)
    frames = _frames(data)
    for number, names in enumerate(folds.folds):
        click.echo(f"fold {number}  {len(names):5} subjects  {sum(frames[name] for name in names):7} frames")
    click.echo(f"wrote {out}")
