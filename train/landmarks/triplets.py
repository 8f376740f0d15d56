"""Triplets: of three faces, which of two is more like the first (Mikheeva, Ek, Kjellstrom, Sections IV and V-A)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import DataError, UsageError
from train.datasets.parts import number
from train.datasets.table import read_cells
from train.landmarks.data import LandmarkSet
from train.prepared import SPLITS

COLUMNS = ("reference", "nearer", "farther", "weight")
"""Of a file of triplets: three numbers of rows of the data set's table, from 0, and the weight."""
LEFT_OUT = -1
"""The rank of a face that a rule does not compare."""


@dataclass(frozen=True)
class Triplets:
    """T judgements that the second of three faces is more like the first than the third is."""

    rows: np.ndarray
    """(T, 3) int: rows of the set: reference, nearer, farther."""
    weights: np.ndarray
    """(T,) float32: 1, or how sure people were."""


Rule = Callable[[LandmarkSet, int], np.ndarray]
"""Ranks (N,) of all faces by how unlike a face they are; LEFT_OUT: not compared."""


def by_class(faces: LandmarkSet, reference: int) -> np.ndarray:
    """The same class is closer than another."""
    return (faces.expression != faces.expression[reference]).astype(int)


def by_degree(faces: LandmarkSet, reference: int) -> np.ndarray:
    """Within a class, a closer degree is closer."""
    away = np.abs(faces.degree - faces.degree[reference])
    return np.where(faces.expression == faces.expression[reference], away, LEFT_OUT)


def by_neutral(faces: LandmarkSet, reference: int) -> np.ndarray:
    """Neutral is closer than another class that is not neutral."""
    other = faces.expression != faces.expression[reference]
    return np.where(faces.expression == 0, 0, np.where(other, 1, LEFT_OUT))


RULES: tuple[Rule, ...] = (by_class, by_degree, by_neutral)


def artificial(faces: LandmarkSet, counts: Mapping[str, int], seed: int) -> dict[str, Triplets]:
    """For each part as many triplets as counts has, by the paper's three rules in turn, none across parts.

    The faces are references in turn, so that each is in one triplet at least. UsageError where a part has more faces
    than triplets; DataError where its faces cannot be compared.
    """
    return {name: _drawn(faces, name, counts[name], np.random.default_rng((seed, SPLITS[name]))) for name in SPLITS}


def _drawn(faces: LandmarkSet, part: str, count: int, rng: np.random.Generator) -> Triplets:
    inside = faces.part(part)
    if count < inside.sum():
        raise UsageError(
            f"{count} triplets for the {inside.sum()} faces of {part}; expected as many at least, so that each is in"
            f" one: --set triplets.{part}={inside.sum()}"
        )
    references = np.resize(rng.permutation(np.flatnonzero(inside)), count)
    rows = [_triplet(faces, reference, RULES[i % len(RULES)], inside, rng) for i, reference in enumerate(references)]
    return Triplets(np.array(rows), np.ones(count, np.float32))


def _triplet(
    faces: LandmarkSet, reference: int, rule: Rule, inside: np.ndarray, rng: np.random.Generator
) -> tuple[int, int, int]:
    """By the rule, or by the classes, where it compares no two faces with this one; one alone of its class is farther
    from others than they are from their like."""
    for each in (rule, by_class):
        ranks = np.where(inside, each(faces, reference), LEFT_OUT)
        ranks[reference] = LEFT_OUT
        nearer = np.flatnonzero((ranks > LEFT_OUT) & (ranks < ranks.max()))
        if len(nearer):
            near = int(rng.choice(nearer))
            return reference, near, int(rng.choice(np.flatnonzero(ranks > ranks[near])))
    return _with_farther(faces, reference, inside, rng)


def _with_farther(faces: LandmarkSet, lone: int, inside: np.ndarray, rng: np.random.Generator) -> tuple[int, int, int]:
    others = np.flatnonzero(inside & (faces.expression != faces.expression[lone]))
    for other in rng.permutation(others).tolist():
        alike = others[(faces.expression[others] == faces.expression[other]) & (others != other)]
        if len(alike):
            return other, int(rng.choice(alike)), lone
    raise DataError(
        f"{faces.source}: nothing to compare row {faces.rows[lone]} with; expected two classes or more, and two faces"
        " or more of one, in each of train, validation and test"
    )


def read_triplets(file: Path, faces: LandmarkSet) -> dict[str, Triplets]:
    """The triplets of a CSV with COLUMNS, by the part that they lie in.

    DataError where it is no such file, rows are named that the set has not, a triplet lies across parts, or none in
    train or validation.
    """
    cells = read_cells(file, COLUMNS, f"a CSV with {','.join(COLUMNS)}")
    values = np.array([[number(row[name] or "", f"{place}: {name}") for name in COLUMNS] for place, row in cells])
    rows = _rows_of(file, values[:, :3], faces)
    parts = faces.split[rows]
    for i in np.flatnonzero((parts != parts[:, :1]).any(axis=1)).tolist()[:1]:
        raise DataError(f"{cells[i][0]}: its faces are of different parts; expected three of train, validation or test")
    weights = values[:, 3].astype(np.float32)
    for i in np.flatnonzero(~(weights >= 0)).tolist()[:1]:
        raise DataError(f"{cells[i][0]}: weight is {weights[i]:g}; expected 0 or more")
    for name in [name for name in ("train", "validation") if SPLITS[name] not in parts]:
        raise DataError(f"{file} has no triplet of {name}; expected some of train and of validation")
    inside = {name: parts[:, 0] == value for name, value in SPLITS.items()}
    return {name: Triplets(rows[keep], weights[keep]) for name, keep in inside.items()}


def _rows_of(file: Path, numbers: np.ndarray, faces: LandmarkSet) -> np.ndarray:
    """The places in the set of rows of its table; DataError names those that it has not."""
    place = {row: i for i, row in enumerate(faces.rows.tolist())}
    missing = sorted({value for value in numbers.ravel().tolist() if value not in place})
    if missing:
        named = ", ".join(f"{value:g}" for value in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{file} names {len(missing)} rows that {faces.source} has no landmarks for: {named}; expected rows 0 to"
            f" {faces.rows.max()} of its table"
        )
    return np.array([[place[value] for value in row] for row in numbers.tolist()])
