"""A trace as `affect track` wrote it, read back: every column of the CSV, its sheet, and its events."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import DataError
from tracker.outputs import SHEET, TAKE_SUFFIXES, Sheet, read_sheet
from tracker.sinks.records import COLUMNS, DEVIATION, PROBABILITIES, RELATIVE

KNOWN = (*COLUMNS, *RELATIVE, *DEVIATION, *PROBABILITIES)
NEEDED = ("frame", "face_id", "timestamp", "status", "valence", "arousal")
WORDS = ("status", "quadrant", "source", "input", "file", "face_name")
"""Columns of text; the others are numbers."""


@dataclass(frozen=True)
class Trace:
    """The rows of one CSV, in its order."""

    path: Path
    columns: Mapping[str, np.ndarray]
    """By their names in the file, in its order: (R,) float64, NaN where a value is missing, or (R,) str."""
    names: Mapping[str, str]
    """Our name of a column to that in the file: py-feat's where the table was written so."""
    sheet: Sheet = field(default_factory=dict)
    """Empty where there is none."""
    events: tuple[dict[str, Any], ...] = ()
    """time, end (seconds; both the same for a moment) and name of each."""

    def column(self, name: str) -> np.ndarray:
        """The column of our name."""
        return self.columns[self.names[name]]


def read_trace(path: Path) -> Trace:
    """Read a CSV of `affect track`, with NAME.meta.json and NAME.events.csv where they lie beside it.

    Raises DataError for a file that cannot be read, is no such table, or lacks a column.
    """
    header, rows = _table(path)
    names: dict[str, str] = {}
    for column in KNOWN:
        there = [name for name in (column.name, column.pyfeat) if name in header]
        names |= {column.name: there[0]} if there else {}
    missing = [name for name in NEEDED if name not in names]
    if len(missing) == len(NEEDED):
        raise DataError(f"{path} is no table of affect track: its first line is {_shortened(header)}")
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; expected a CSV as affect track writes it")
    if not rows:
        raise DataError(f"{path} has no rows; expected one row a face and frame")
    columns = {
        name: np.array(cells) if name in WORDS else _numbers(path, name, cells)
        for name, cells in zip(header, zip(*rows, strict=True), strict=True)
    }
    for name in ("frame", "timestamp"):
        if np.isnan(columns[names[name]]).any():
            line = int(np.isnan(columns[names[name]]).argmax()) + 2
            raise DataError(f"{path}, line {line}: {name} is empty; expected a number in every row")
    stem = path.name.removesuffix(path.suffix)
    events = path.with_name(stem + TAKE_SUFFIXES["events"])
    return Trace(
        path, columns, names, read_sheet(path.with_name(stem + SHEET)), _events(events) if events.is_file() else ()
    )


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, as many cells each."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {(error.strerror or str(error)).lower()}; expected a CSV") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV of affect track: it is no text") from error
    except ValueError as error:
        raise DataError(f"{path} is empty; expected a CSV of affect track") from error
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, line {number} has {len(row)} cells; expected {len(header)}, as the first line")
    return header, rows


def _numbers(path: Path, name: str, cells: tuple[str, ...]) -> np.ndarray:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        line, cell = next(each for each in enumerate(cells, 2) if not _is_number(each[1]))
        raise DataError(f"{path}, line {line}: {name} is {_shortened([cell])}; expected a number") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _events(path: Path) -> tuple[dict[str, Any], ...]:
    """The events of a recording, or those that a report exported: there with a duration, seconds."""
    header, rows = _table(path)
    if not {"timestamp", "event"} <= set(header):
        raise DataError(f"{path} has no columns timestamp and event; expected events as affect live writes them")
    table = [dict(zip(header, row, strict=True)) for row in rows]
    times = _numbers(path, "timestamp", tuple(row["timestamp"] for row in table))
    lengths = np.nan_to_num(_numbers(path, "duration", tuple(row.get("duration", "0") for row in table)))
    return tuple(
        {"time": time, "end": round(time + length, 6), "name": row["event"]}
        for row, time, length in zip(table, times.tolist(), lengths.tolist(), strict=True)
    )


def _shortened(cells: list[str]) -> str:
    text = repr(",".join(cells))
    return text if len(text) <= 60 else f"{text[:56]}...'"
