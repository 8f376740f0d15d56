"""From the labels of a table to valence and arousal, and back."""

from dataclasses import dataclass

import numpy as np

from tracker.errors import DataError
from train.annotating.choices import AnnotationConfig
from train.annotating.labels import affect_of, classes_of, has_votes, votes_of
from train.annotating.tables import Table
from train.annotation_transfer import NO_CLASS, STEPS, Ellipses, discrete, draw_classes, nearest, sample

DIGITS = 6
"""Decimals that are written."""


@dataclass(frozen=True)
class Annotated:
    """What came out for N pictures."""

    classes: np.ndarray
    """(N,) int: indices of the ellipses, NO_CLASS without a label."""
    affect: np.ndarray
    """(N, 2) valence and arousal in [-1, 1], NaN without a label."""
    cells: dict[str, list]
    """The new columns; None where a cell is empty."""
    answers: list
    """Of each picture: [valence, arousal], or the class; None without a label."""


def transferred(table: Table, ellipses: Ellipses, config: AnnotationConfig) -> Annotated:
    """A point for each row's class, or for one drawn by its votes, which then stands in a column of its own."""
    draw, column = config.draw, config.columns.emotion
    classes = _classes(table, ellipses, config)
    affect = sample(ellipses, classes, draw.spread, draw.shape, draw.seed).astype(np.float64)
    if draw.discrete:
        present = classes != NO_CLASS
        affect[present] = discrete(affect[present]) / STEPS
    cells: dict[str, list] = {} if column in table.header else {column: _names(ellipses, classes)}
    answers = _pairs(affect, draw.discrete)
    for axis, name in enumerate(config.columns.affect):
        cells[name] = [pair and pair[axis] for pair in answers]
    return Annotated(classes, affect, cells, answers)


def _classes(table: Table, ellipses: Ellipses, config: AnnotationConfig) -> np.ndarray:
    column = config.columns.emotion
    if column in table.header:
        return classes_of(table, column, config.words, ellipses)
    if has_votes(table):
        return draw_classes(votes_of(table, config.words, ellipses), config.draw.seed)
    raise DataError(
        f"{table.source}: no column {column}, nor columns of votes (neutral,happiness,...), in its first row"
        f" ({', '.join(table.header)[:200]}); name it with --emotion-column"
    )


def recognised(table: Table, ellipses: Ellipses, config: AnnotationConfig) -> Annotated:
    """The class that lies nearest to each row's valence and arousal."""
    affect = affect_of(table, config.columns, config.draw.discrete)
    classes = nearest(ellipses, affect, config.nearest)
    names = _names(ellipses, classes)
    return Annotated(classes, affect, {config.columns.emotion: names}, names)


def _names(ellipses: Ellipses, classes: np.ndarray) -> list[str | None]:
    return [None if k == NO_CLASS else ellipses.names[k] for k in classes.tolist()]


def _pairs(affect: np.ndarray, tenths: bool) -> list[list[float] | None]:
    present, plain = np.isfinite(affect).all(axis=1), np.nan_to_num(affect)
    pairs = np.rint(STEPS * plain).astype(int).tolist() if tenths else plain.round(DIGITS).tolist()
    return [pair if there else None for pair, there in zip(pairs, present.tolist(), strict=True)]
