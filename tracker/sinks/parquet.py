"""Records as Parquet: typed columns, null for what was not measured, streamed in row groups."""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tracker.errors import SinkError
from tracker.sinks import Columns, Sink
from tracker.sinks.files import PartFile
from tracker.sinks.records import COLUMNS, Column, Row, column_names, rows
from tracker.types import TrackedFrame

GROUP_ROWS = 4096
RESERVE_BYTES = 2 << 20
FOOTER_BYTES = 8 << 10
"""Claimed ahead of each row group (at most 0.5 MB), and for each group's part of the footer (about 4 kB).

So a full disk still has room for the footer, without which nothing could be read.
"""


def schema(columns: Columns, extras: Iterable[Column] = ()) -> pa.Schema:
    """The table's schema: int32, float64 for the timestamp, float32 for other numbers, text; lists of float32."""
    extras = tuple(extras)
    names = column_names(columns, extras)
    return pa.schema([(name, _type(column)) for name, column in zip(names, (*COLUMNS, *extras), strict=True)])


def _type(column: Column) -> pa.DataType:
    if column.name == "timestamp":
        return pa.float64()
    return {"int": pa.int32(), "text": pa.string(), "floats": pa.list_(pa.float32())}.get(column.kind, pa.float32())


class ParquetSink(Sink):
    """Rows are held until a row group is full; finish and abort write what is held, and the footer."""

    def __init__(self, path: Path, columns: Columns, extras: Sequence[Column] = ()) -> None:
        self._choices = columns, extras
        self._schema = schema(*self._choices)
        self._rows: list[Row] = []
        self._groups = 0
        self._file = PartFile(path)
        self._writer = pq.ParquetWriter(pa.PythonFile(self._file, mode="w"), self._schema)

    def write(self, tracked: TrackedFrame) -> None:
        """Take the rows of one frame."""
        self._rows += rows(tracked, *self._choices)
        if len(self._rows) >= GROUP_ROWS:
            self._write_group()

    def finish(self) -> None:
        """Write what is held and the footer, and give the file its name."""
        self._write_group()
        self._writer.close()
        self._file.finish()

    def abort(self) -> None:
        """Write what is held and the footer as far as the disk takes them; the temporary name stays."""
        if self._file.closed:
            return
        with contextlib.suppress(SinkError):
            self._write_group()
        with contextlib.suppress(SinkError, OSError):
            self._writer.close()
        self._file.abort()

    def _write_group(self) -> None:
        if not self._rows:
            return
        self._groups += 1
        self._file.reserve(RESERVE_BYTES + FOOTER_BYTES * self._groups)
        table = pa.Table.from_pylist(self._rows, self._schema)
        self._rows = []
        self._writer.write_table(table)
