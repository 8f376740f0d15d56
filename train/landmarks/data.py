"""Sets of landmark shapes: who shows which expression in what degree, and everybody's neutral face."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from tracker.faces.shape import MEDIAPIPE_83, Layout, medoid, normalised
from train.landmarks.found import Seen
from train.prepared import SPLITS
from train.synthesis.checking import read_set
from train.synthesis.sets import NAME

NEUTRAL = "neutral"
TRUTH, TRACKER = "truth", "tracker"
"""Who says how far from neutral a face is."""
POSED = {"validation": 0.1, "test": 0.1}
"""Shares of BU-3DFE's persons (Section V-A); the others train."""


@dataclass(frozen=True)
class LandmarkSet:
    """N faces of a data set."""

    name: str
    """Of the data set."""
    source: str
    """Where it was read, for messages."""
    layout: Layout
    shapes: np.ndarray
    """(N, P, 3) float32: normalised landmarks."""
    neutral: np.ndarray
    """(N,) int: the row of the same person's neutral face."""
    subject: np.ndarray
    """(N,) int: index of `subjects`."""
    subjects: tuple[str, ...]
    expression: np.ndarray
    """(N,) int: index of `expressions`."""
    expressions: tuple[str, ...]
    """The first is neutral."""
    degree: np.ndarray
    """(N,) int: how strong the expression is; 0 for neutral."""
    split: np.ndarray
    """(N,) int: values of train.prepared.SPLITS, by persons."""
    rows: np.ndarray
    """(N,) int: numbers of the faces in the data set's own table, from 0; those without landmarks are left out."""
    away: Mapping[str, np.ndarray] = field(default_factory=dict)
    """By who says it (N,), [0, sqrt 2]: how far from neutral valence and arousal are; NaN where that is not told."""

    def part(self, name: str) -> np.ndarray:
        """(N,) bool: the faces of train, validation or test."""
        return self.split == SPLITS[name]

    def select(self, keep: np.ndarray) -> "LandmarkSet":
        """The faces where keep (N,) bool holds, among which everybody's neutral one must be."""
        place = np.cumsum(keep) - 1
        columns = {name: getattr(self, name)[keep] for name in ("shapes", "subject", "expression", "degree", "split")}
        away = {who: each[keep] for who, each in self.away.items()}
        return replace(self, **columns, neutral=place[self.neutral[keep]], rows=self.rows[keep], away=away)

    @property
    def flat(self) -> np.ndarray:
        """(N, 3 P): every coordinate of a face in a row."""
        return self.shapes.reshape(len(self.shapes), -1)


@dataclass(frozen=True)
class Table:
    """What a data set says of M faces, of which some may have no landmarks."""

    name: str
    source: str
    subject: np.ndarray
    """(M,) str."""
    expression: np.ndarray
    """(M,) str."""
    degree: np.ndarray
    """(M,) int."""
    split: np.ndarray | None
    """(M,) str; None: persons are drawn."""
    calm: np.ndarray
    """(M,) bool: faces of which a person's neutral one is the medoid; one alone is it."""
    shares: Mapping[str, float] = field(default_factory=lambda: POSED)
    """Of the persons that are drawn for validation and test."""


def read_synthetic(folder: Path, seen: Seen | None = None, jitter: float = 0.0, seed: int = 0) -> LandmarkSet:
    """A set of affect synth set by its known landmarks, or by those that are seen in its pictures.

    Pictures in which no face is seen are left out. jitter: standard deviation of noise that is added to every
    coordinate, in eye distances. DataError where it is no such set, or a person has no neutral face.
    """
    rows, archive = read_set(folder)
    subject, expression, degree, split = (
        np.array([row[name] for row in rows]) for name in ("subject", "expression", "degree", "split")
    )
    table = Table(NAME, str(folder), subject, expression, degree.astype(int), split, expression == NEUTRAL)
    affect = {TRUTH: np.array([[float(row["valence"]), float(row["arousal"])] for row in rows])}
    if seen is not None and seen.affect is not None:
        affect[TRACKER] = seen.affect
    faces = landmark_set(table, archive["points"] if seen is None else seen.points, MEDIAPIPE_83, jitter, seed)
    return replace(faces, away={who: np.linalg.norm(each[faces.rows], axis=1) for who, each in affect.items()})


def landmark_set(table: Table, points: np.ndarray, layout: Layout, jitter: float = 0.0, seed: int = 0) -> LandmarkSet:
    """Faces with landmarks points (M, P, 3), all NaN where there are none; see read_synthetic."""
    if len(points) != len(table.subject):
        raise DataError(f"{table.source}: landmarks of {len(points)} faces; expected {len(table.subject)}, one a row")
    rows = np.flatnonzero(~np.isnan(points).all(axis=(1, 2)))
    shapes = normalised(points[rows], layout)
    shapes += np.random.default_rng(seed).normal(0, jitter, shapes.shape)
    subjects, subject = np.unique(table.subject, return_inverse=True)
    expressions = (NEUTRAL, *sorted({*table.expression.tolist()} - {NEUTRAL}))
    neutral = neutral_rows(shapes, subject[rows], subjects, table.calm[rows], table.source)
    split = table.split if table.split is not None else drawn_split(table.source, subject, table.shares, seed)
    result = LandmarkSet(
        table.name, table.source, layout, shapes, neutral, subject[rows], tuple(subjects.tolist()),
        np.array([expressions.index(name) for name in table.expression[rows].tolist()]), expressions,
        table.degree[rows], np.array([SPLITS[name] for name in split[rows].tolist()]), rows,
    )  # fmt: skip
    _check_parts(result)
    return result


def neutral_rows(
    shapes: np.ndarray, subject: np.ndarray, names: np.ndarray, calm: np.ndarray, source: str
) -> np.ndarray:
    """(N,): the row of each face's own person's neutral face, the medoid of the person's calm (N,) bool shapes.

    subject (N,) are indices of names. DataError names the first person without a calm face.
    """
    rows = np.empty(len(subject), int)
    for person in np.unique(subject).tolist():
        own = subject == person
        candidates = np.flatnonzero(own & calm)
        if not len(candidates):
            raise DataError(
                f"{source}: {names[person]} has no neutral face with landmarks; expected one of each person:"
                " add it, or leave the person out"
            )
        rows[own] = candidates[medoid(shapes[candidates])]
    return rows


def drawn_split(source: str, subject: np.ndarray, shares: Mapping[str, float], seed: int) -> np.ndarray:
    """(N,) str: train, validation or test for each face, by persons subject (N,); at least one person each.

    DataError where there are fewer persons than parts.
    """
    persons = np.unique(subject)
    if len(persons) < len(SPLITS):
        raise DataError(
            f"{source} has {len(persons)} persons; expected {len(SPLITS)} or more, at least one each for"
            f" {', '.join(SPLITS)}"
        )
    order, start = np.random.default_rng(seed).permutation(persons), 0
    split = np.full(len(subject), "train", dtype="<U10")
    for name, share in shares.items():
        count = max(1, round(share * len(persons)))
        split[np.isin(subject, order[start : start + count])] = name
        start += count
    return split


def _check_parts(faces: LandmarkSet) -> None:
    """DataError where a part has no person, or a person is in two."""
    owners = {name: set(faces.subject[faces.part(name)].tolist()) for name in SPLITS}
    for name, persons in owners.items():
        if not persons:
            raise DataError(f"{faces.source} has no person for {name}; expected some each for {', '.join(SPLITS)}")
        for other in SPLITS:
            for person in sorted(persons & owners[other])[:1] if other != name else []:
                raise DataError(f"{faces.source}: {faces.subjects[person]} is in both {name} and {other}")
