"""Events: what happened during a source, read from a table, and the parts of the source that they make."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.errors import DataError
from tracker.outputs import TAKE_SUFFIXES
from tracker.traces.reading import FaceTrace, Trace

ONSETS = ("onset", "timestamp", "start", "time")
DURATIONS = ("duration",)
ENDS = ("end", "offset")
NAMES = ("trial_type", "condition", "event", "label", "name")
FILE = "file"
EXCLUDED = "excluded"
"""The name of stretches that a report's reader left out: no condition, and of no account."""
NOTHING = ("", "n/a", "nan", "NaN")


@dataclass(frozen=True)
class TimedEvent:
    """An event with its time, and its end where that is known."""

    condition: str
    start: float
    """Seconds."""
    end: float | None
    """Seconds; None for a moment, such as a marker."""


@dataclass(frozen=True)
class Part:
    """What is summarised: a whole trace, a condition, one of its trials, or a window of one of these."""

    condition: str
    """Empty for the whole trace."""
    trial: int | None
    """Counts a condition's events from 1; None for all of them together."""
    window: int | None
    """Counts from 1; None for no window."""
    spans: tuple[tuple[float, float], ...]
    """Seconds: each from its beginning to before its end."""

    def holds(self, time: np.ndarray) -> np.ndarray:
        """(T,) bool: which of the times (T,) lie in one of the spans."""
        return np.any([(time >= start) & (time < end) for start, end in self.spans], axis=0)

    @property
    def told(self) -> str:
        """In words."""
        trial = "" if self.trial is None else f" {self.trial}"
        window = "" if self.window is None else f"window {self.window}"
        return ", ".join(filter(None, (f"{self.condition}{trial}", window))) or "all"


def events_of(trace: Trace, table: str | None) -> list[TimedEvent]:
    """The events of a trace: of the table where one is given, else of NAME.events.csv beside it, else none.

    Raises DataError for a table that cannot be read.
    """
    beside = trace.file.with_name(f"{trace.name}{TAKE_SUFFIXES['events']}")
    if table is None:
        return read_events(beside, trace.name) if beside.is_file() else []
    return read_events(Path(table), trace.name)


def read_events(table: Path, name: str = "") -> list[TimedEvent]:
    """The events of a table (CSV, or TSV as BIDS has it), in the order of time; where it has a column `file`, those
    of the trace of that name.

    Raises DataError where the table is missing, its columns are unknown, or a time is no number.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, delimiter="\t" if table.suffix == ".tsv" else ",")
            header, rows = reader.fieldnames or [], list(reader)
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror.lower() if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"the events {table} cannot be read: {reason}; expected a CSV or TSV table") from error
    onset, named = _first(header, ONSETS), _first(header, NAMES)
    if onset is None or named is None:
        told = ", ".join(header) or "none"
        raise DataError(
            f"the events {table} have the columns {told}; expected onset (or timestamp, start, time), trial_type (or "
            "condition, event, label) and, for what lasts, duration (or end)"
        )
    duration, end = _first(header, DURATIONS), _first(header, ENDS)
    file = FILE if FILE in header else None
    events = []
    for number, row in enumerate(rows, 2):
        if file and Path(row[file] or "").stem not in ("", name):
            continue
        try:
            begins = float(row[onset] or "")
            ends = _number(row, end)
            lasts = _number(row, duration)
        except ValueError as error:
            raise DataError(f"the events {table}, line {number}: {error}; expected seconds") from error
        events.append(TimedEvent(row[named] or "", begins, begins + lasts if lasts else ends))
    return sorted(events, key=lambda event: event.start)


def without(face: FaceTrace, events: Iterable[TimedEvent]) -> FaceTrace:
    """The frames of a face outside the stretches that are called EXCLUDED."""
    spans = [(each.start, each.end) for each in events if each.condition == EXCLUDED and each.end is not None]
    return face.of_frames(~Part("", None, None, tuple(spans)).holds(face.time)) if spans else face


def _first(header: Sequence[str], names: Iterable[str]) -> str | None:
    return next((name for name in names if name in header), None)


def _number(row: Mapping[str, str | None], column: str | None) -> float | None:
    value = (row[column] or "") if column else ""
    return None if value in NOTHING else float(value)


def parts_of(
    trace: Trace, events: Sequence[TimedEvent], window: float | None, around: tuple[float, float] | None
) -> list[Part]:
    """The whole trace, each condition, each of its trials, and of these their windows of so many seconds.

    An event lasts as long as its table says; a moment lasts until the next event, or the end. around has every event
    begin and end so many seconds after its moment (a negative number: before). The last window may be shorter, by
    less than a frame it is none.
    Raises DataError for a window that is longer than the trace.
    """
    first, end = float(trace.time[0]), trace.end
    if window is not None and window > end - first + trace.step / 2:
        raise DataError(f"the window is {window:g} s, and {trace.file} lasts {end - first:.3g} s; give a shorter one")
    whole = Part("", None, None, ((first, end),))
    trials: list[Part] = []
    counts: Counter[str] = Counter()
    for event, after in zip(events, [*events[1:], None], strict=False):
        start, stop = event.start, event.end
        if around is not None:
            start, stop = event.start + around[0], event.start + around[1]
        elif stop is None:
            stop = after.start if after else end
        counts[event.condition] += 1
        trials.append(Part(event.condition, counts[event.condition], None, ((start, min(stop, end)),)))
    conditions = [
        Part(name, None, None, tuple(span for part in trials if part.condition == name for span in part.spans))
        for name in counts
    ]
    parts = [whole, *conditions, *trials]
    if window is None:
        return parts
    windows = []
    for part in trials or [whole]:
        start, stop = part.spans[0]
        for number in range(max(1, math.ceil((stop - start - trace.step / 2) / window))):
            opens = start + number * window
            span = (opens, min(opens + window, stop))
            windows.append(Part(part.condition, part.trial, number + 1, (span,)))
    return parts + windows
