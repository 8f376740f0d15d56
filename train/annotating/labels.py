"""A table's labels: the class, the votes for classes, or the valence and arousal of each row."""

import math
from collections.abc import Iterable

import numpy as np
from tqdm import tqdm

from tracker.errors import DataError, UsageError
from train.annotating.choices import Columns, Words
from train.annotating.tables import Table
from train.annotation_transfer import NO_CLASS, PRESETS, STEPS, Ellipses, spelled
from train.datasets.parts import number
from train.datasets.table import Row

EMOTIONS = frozenset(spelled(name) for ellipses in PRESETS.values() for name in ellipses.names)
"""Words that name a column of votes."""
ABSENT = -2
"""How AffectNet writes that there is no valence or arousal."""


def classes_of(table: Table, column: str, words: Words, ellipses: Ellipses) -> np.ndarray:
    """(N,) int: each row's class, NO_CLASS without a label; DataError for a class without statistics."""
    known: dict[str | None, int] = {}
    for place, cells in _shown(table):
        if cells[column] not in known:
            known[cells[column]] = _index(words.read(cells[column], place), place, ellipses)
    return np.array([known[cells[column]] for _, cells in table.rows])


def has_votes(table: Table) -> bool:
    """Whether at least two columns bear the names of emotions."""
    return sum(spelled(name) in EMOTIONS for name in table.header) > 1


def votes_of(table: Table, words: Words, ellipses: Ellipses) -> np.ndarray:
    """(N, K) votes for each class: the columns that bear the names of emotions. An empty cell is 0.

    DataError for what is no vote, and for a column of an emotion without statistics.
    """
    known = EMOTIONS | {spelled(name) for name in ellipses.names}
    names = [name for name in table.header if spelled(name) in known and words.counts(name)]
    places = [_index(name, f"{table.source.name}, column {name}", ellipses) for name in names]
    votes = np.zeros((len(table.rows), len(ellipses.names)))
    for row, (place, cells) in enumerate(_shown(table)):
        votes[row, places] = [_vote(cells[name], f"{place}: {name}") for name in names]
    return votes


def affect_of(table: Table, columns: Columns, tenths: bool = False) -> np.ndarray:
    """(N, 2) float64 valence and arousal in [-1, 1], NaN where a cell is empty (or -2, as in AffectNet).

    tenths: the table holds whole numbers from -10 to 10. DataError for the first value that is none of these.
    """
    values = np.array([[number(cells[c], f"{place}: {c}") for c in columns.affect] for place, cells in _shown(table)])
    if not tenths:
        values[values == ABSENT] = np.nan
    values[np.isnan(values).any(axis=1)] = np.nan
    limit = STEPS if tenths else 1
    wrong = np.argwhere((np.abs(values) > limit) | (tenths & np.isfinite(values) & (np.rint(values) != values)))
    if len(wrong):
        row, axis = wrong[0]
        other = " (--reverse --discrete reads whole numbers from -10 to 10)"
        expected = "a whole number from -10 to 10" if tenths else f"-1 to 1{other}"
        raise DataError(f"{table.rows[row][0]}: {columns.affect[axis]} is {values[row, axis]:g}; expected {expected}")
    return values / limit


def _shown(table: Table) -> Iterable[Row]:
    return tqdm(table.rows, f"reading {table.source.name}", unit="row", leave=False)


def _index(name: str, place: str, ellipses: Ellipses) -> int:
    if not name:
        return NO_CLASS
    try:
        return ellipses.index(name)
    except UsageError as error:
        presets = [f"--preset {key}" for key, each in PRESETS.items() if spelled(name) in each.names]
        ways = [*presets, f"--unlabelled {name} leaves it out"]
        raise DataError(f"{place}: {error} ({', or '.join(ways)})") from error


def _vote(text: str | None, place: str) -> float:
    vote = number(text, place)
    if vote < 0 or math.isinf(vote):
        raise DataError(f"{place} is {text}; expected a number of votes from 0, or a share")
    return 0.0 if math.isnan(vote) else vote
