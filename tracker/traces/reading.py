"""Reads back what a run wrote of one source: its records, whatever their type and column names, and its sheet."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import DataError
from tracker.outputs import JSONL_SUFFIXES, SHEET, Sheet, read_sheet
from tracker.sinks.records import COLUMNS, DEVIATION, PROBABILITIES, RELATIVE

TYPES = (".csv", ".parquet", *JSONL_SUFFIXES)
"""Of the records; of several that a run wrote the first is read."""
NUMBERS = {column.name for column in (*COLUMNS, *RELATIVE, *DEVIATION, *PROBABILITIES) if column.kind != "text"}
"""Columns that hold nothing else; further ones are numbers where they can be."""
OURS = {column.pyfeat: column.name for column in (*COLUMNS, *PROBABILITIES) if column.pyfeat}
"""Our names of py-feat's columns."""
NEEDED = ("frame", "face_id", "timestamp", "status", "valence_smooth", "arousal_smooth")


@dataclass(frozen=True)
class FaceTrace:
    """One face over the T frames of its source."""

    face_id: int | None
    """None where all faces of the file are taken for one person's."""
    time: np.ndarray
    """(T,) seconds, rising."""
    status: np.ndarray
    """(T,) text: ok, low_quality, ... of the face; no_face where this face is not in the frame."""
    columns: Mapping[str, np.ndarray]
    """(T,) float64 by the name of a column, in the convention `affect`; NaN where it was not measured."""

    def __getitem__(self, name: str) -> np.ndarray:
        """(T,) float64: the column of that name, all NaN where the trace has none."""
        return self.columns[name] if name in self.columns else np.full(len(self.time), np.nan)

    def of_frames(self, chosen: np.ndarray) -> "FaceTrace":
        """The frames that a mask (T,) chooses."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return FaceTrace(self.face_id, self.time[chosen], self.status[chosen], columns)

    @property
    def good(self) -> np.ndarray:
        """(T,) bool: the face was measured and seen well."""
        return (self.status == "ok") & np.isfinite(self["valence_smooth"]) & np.isfinite(self["arousal_smooth"])


@dataclass(frozen=True)
class Trace:
    """The trace of one source: a row for every frame and face."""

    file: Path
    columns: Mapping[str, np.ndarray]
    """(R,) float64, or objects of text, by the name of a column in the convention `affect`."""
    sheet: Sheet
    """What NAME.meta.json says; empty without one."""

    @property
    def name(self) -> str:
        """The file's name without its type."""
        return self.file.stem

    @cached_property
    def time(self) -> np.ndarray:
        """(T,) seconds of every frame, rising."""
        return np.sort(self.columns["timestamp"][self._frames[1]])

    @cached_property
    def step(self) -> float:
        """Seconds from a frame to the next: their median; 0 for a single frame."""
        return float(np.median(np.diff(self.time))) if len(self.time) > 1 else 0.0

    @cached_property
    def end(self) -> float:
        """Seconds at which the last frame ends; that of a single one is taken to last a millisecond."""
        return float(self.time[-1]) + (self.step if len(self.time) > 1 else 0.001)

    @property
    def face_ids(self) -> list[int]:
        """The faces of the trace, in the order of their ids."""
        ids = self.columns["face_id"]
        return sorted({int(each) for each in ids[np.isfinite(ids)]})

    def face(self, face_id: int | None) -> FaceTrace:
        """One face over all frames; None: whichever face is in the frame, of several the one with the largest box."""
        ids = self.columns["face_id"]
        rows = np.flatnonzero(np.isfinite(ids) if face_id is None else ids == face_id)
        if face_id is None and "FaceRectWidth" in self.columns:
            rows = rows[np.argsort(self.columns["FaceRectWidth"][rows], kind="stable")]  # the last one of a frame stays
        _, firsts, place = self._frames
        count = len(firsts)
        columns = {}
        for name, values in self.columns.items():
            if values.dtype != object:
                columns[name] = np.full(count, np.nan)
                columns[name][place[rows]] = values[rows]
        status = np.full(count, "no_face", dtype=object)
        status[place[rows]] = self.columns["status"][rows]
        order = np.argsort(self.columns["timestamp"][firsts], kind="stable")
        return FaceTrace(face_id, self.columns["timestamp"][firsts], status, columns).of_frames(order)

    def faces(self, one_person: bool = False) -> list[FaceTrace]:
        """Every face of the trace; the only person where one_person is said. None where no face was found."""
        ids: list[int | None] = list(self.face_ids)
        return [self.face(each) for each in ([None] if one_person and ids else ids)]

    @cached_property
    def _frames(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The frames' numbers, the first row of each, and the place of each row's frame among them."""
        return np.unique(self.columns["frame"], return_index=True, return_inverse=True)


def read_film(file: Path) -> Trace:
    """The trace of something with a time: as read_trace, and DataError for pictures, which have none."""
    trace = read_trace(file)
    if len(trace.time) > 1 and trace.end <= trace.time[0]:
        raise DataError(f"{file} tells of pictures, which have no time; expected the trace of a film or a stream")
    return trace


def find_traces(paths: Iterable[str | Path]) -> list[Path]:
    """The records that the paths name: files, and of folders, with all below, what the sheets in them name.

    Raises DataError for what is not there or is no trace.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = [file for sheet in sorted(path.rglob(f"*{SHEET}")) if (file := _beside(sheet))]
            if not inside:
                raise DataError(f"{path} holds no trace; expected what `affect track` writes: NAME.csv and NAME{SHEET}")
            found |= dict.fromkeys(inside)
        elif not path.exists():
            raise DataError(f"there is no trace {path}; expected a file that `affect track` wrote, or its folder")
        elif path.suffix not in TYPES:
            raise DataError(f"{path} is no trace; run `affect track {path}` first, and give the CSV that it writes")
        else:
            found[path] = None
    return list(found)


def _beside(sheet: Path) -> Path | None:
    """The records that lie beside a sheet."""
    stem = sheet.name.removesuffix(SHEET)
    candidates = (sheet.with_name(f"{stem}{suffix}") for suffix in TYPES)
    return next((file for file in candidates if file.is_file()), None)


def read_trace(file: Path) -> Trace:
    """Read the records of one source (CSV, JSON lines or Parquet) and the sheet beside them.

    Raises DataError where they cannot be read, lack a column, or hold no row.
    """
    try:
        if file.suffix == ".parquet":
            from tracker.sinks.parquet import read_columns

            table = read_columns(file)
        else:
            with file.open(encoding="utf-8", newline="") as text:
                table = _csv_columns(text) if file.suffix == ".csv" else _json_columns(text)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a trace: {str(error).splitlines()[0]}") from error
    named = {OURS.get(name, name): values for name, values in table.items()}
    lacking = [name for name in NEEDED if name not in named]
    if lacking:
        raise DataError(f"{file} is no trace: it lacks {', '.join(lacking)}; expected the columns of `affect track`")
    if not named["frame"]:
        raise DataError(f"{file} holds no row; track its source again")
    try:
        columns = {name: _array(name, values) for name, values in named.items() if not _is_list(values)}
    except ValueError as error:
        raise DataError(f"{file} is no trace: {error}; expected numbers, or nothing where none was measured") from error
    sheet = read_sheet(file.with_name(f"{file.stem}{SHEET}"))
    if sheet.get("options", {}).get("output", {}).get("columns") == "openface":
        columns["frame"] = columns["frame"] - 1
    return Trace(file, columns, sheet)


def _csv_columns(text: Iterable[str]) -> dict[str, list[Any]]:
    rows = csv.reader(text)
    names = next(rows, [])
    whole = [row for row in rows if len(row) == len(names)]  # of a killed run the last line may lack its end
    return {name: [row[place] for row in whole] for place, name in enumerate(names)}


def _json_columns(text: Iterable[str]) -> dict[str, list[Any]]:
    rows = [row for row in _json_rows(text) if "event" not in row]
    return {name: [row.get(name) for row in rows] for name in (rows[0] if rows else ())}


def _json_rows(text: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in text:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("a line is not an object")
        yield row


def _is_list(values: list[Any]) -> bool:
    return any(isinstance(value, list) for value in values)


def _array(name: str, values: list[Any]) -> np.ndarray:
    """(R,) float64, or objects of text where a column is not of numbers; ValueError where it must be."""
    if name != "status":
        try:
            return np.array([np.nan if value is None or value == "" else float(value) for value in values])
        except ValueError:
            if name in NUMBERS:
                raise
    return np.array(["" if value is None else value for value in values], dtype=object)
