"""Statistics of classes from the user's own file, measured there or given there, and their writing."""

import csv
import io
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from train.annotating.choices import Columns, Words
from train.annotating.labels import affect_of
from train.annotating.tables import Table, read_csv
from train.annotation_transfer import Ellipses, measured, spelled
from train.datasets.parts import number

USUAL = Columns()
DEVIATIONS = ("valence_sd", "arousal_sd")
"""Columns of a file that gives one row of statistics a class."""


def read_ellipses(file: Path, columns: Columns, words: Words) -> Ellipses:
    """The statistics of an anchor set, a CSV with the emotion, valence and arousal of N faces; or, where it has the
    columns valence_sd and arousal_sd too, those that it gives, one class a row. DataError for fewer than two classes.

    Its columns are emotion, valence and arousal, else those that `columns` names.
    """
    table = read_csv(file)
    columns = USUAL if {USUAL.emotion, *USUAL.affect} <= set(table.header) else columns
    table, names = _labelled(table, columns, words)
    affect, deviations = affect_of(table, columns), _deviations(table)
    try:
        if deviations is not None:
            return Ellipses(tuple(names), affect, deviations)
        return measured(affect, *_numbered(names))
    except DataError as error:
        raise DataError(f"{file.name}: {error}") from error


def _labelled(table: Table, columns: Columns, words: Words) -> tuple[Table, list[str]]:
    """The rows that have a label, and their classes."""
    table.require(emotion=columns.emotion, valence=columns.valence, arousal=columns.arousal)
    names = [words.read(cells[columns.emotion], place) for place, cells in table.rows]
    classes = list(dict.fromkeys(spelled(name) for name in names if name))
    if len(classes) < 2:
        found = f"one class only, '{classes[0]}'" if classes else "no class"
        raise DataError(
            f"{table.source.name} has {found}; expected at least two: a single one leaves nothing to tell apart"
        )
    rows = [row for row, name in zip(table.rows, names, strict=True) if name]
    return Table(table.source, rows), [name for name in names if name]


def _numbered(names: list[str]) -> tuple[np.ndarray, list[str]]:
    """(N,) the class of each row, and the classes as they are first spelled."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(spelled(name), name)
    order = list(first)
    return np.array([order.index(spelled(name)) for name in names]), list(first.values())


def _deviations(table: Table) -> np.ndarray | None:
    """(K, 2) the standard deviations that the table gives; None where it gives none."""
    if not set(DEVIATIONS) <= set(table.header):
        return None
    return np.array([[number(cells[c], f"{place}: {c}") for c in DEVIATIONS] for place, cells in table.rows])


def ellipses_csv(ellipses: Ellipses) -> str:
    """The statistics as a CSV that read_ellipses reads."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow((USUAL.emotion, *USUAL.affect, *DEVIATIONS))
    values = np.column_stack([ellipses.centres, ellipses.deviations]).tolist()
    lines.writerows((name, *row) for name, row in zip(ellipses.names, values, strict=True))
    return text.getvalue()
