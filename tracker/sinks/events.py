"""Events: what a user noted while a recording went on, one row each."""

from pathlib import Path

from tracker.sinks import Columns
from tracker.sinks.files import PartFile
from tracker.sinks.records import csv_lines, first_frame
from tracker.types import Event

COLUMNS = ("frame", "timestamp", "event")
"""Frame and timestamp are those of the records: frame counts from 1 with OpenFace's columns."""


class EventLog:
    """Comma-separated values, UTF-8, a header line; a row is in the file when write returns. Raises SinkError."""

    def __init__(self, path: Path, columns: Columns = "affect") -> None:
        self._first = first_frame(columns)
        self._file = PartFile(path, csv_lines([COLUMNS]))

    def write(self, event: Event) -> None:
        """Add an event."""
        self._file.write(csv_lines([(event.index + self._first, round(event.time, 6), event.name)]))

    def finish(self) -> None:
        """Give the file its name."""
        self._file.finish()

    def abort(self) -> None:
        """Leave the rows written so far under the temporary name."""
        self._file.abort()
