"""Records as Parquet: typed columns, null for what was not measured, with a journal that survives a killed process."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tracker.errors import SinkError
from tracker.sinks import Columns, Sink
from tracker.sinks.files import JOURNAL, PartFile
from tracker.sinks.records import COLUMNS, Column, Row, column_names, rows
from tracker.types import TrackedFrame
from tracker.words import counted

BATCH_S, BATCH_ROWS = 0.5, 4096
"""Rows go to the journal so often, whichever comes first: a killed process loses no more."""
GROUP_ROWS = 1 << 16


def schema(columns: Columns, extras: Iterable[Column] = ()) -> pa.Schema:
    """The table's schema: int32, float64 for the timestamp, float32 for other numbers, text; lists of float32."""
    extras = tuple(extras)
    names = column_names(columns, extras)
    return pa.schema([(name, type_of(column)) for name, column in zip(names, (*COLUMNS, *extras), strict=True)])


def type_of(column: Column) -> pa.DataType:
    """The type of a column in Parquet."""
    if column.name == "timestamp":
        return pa.float64()
    kinds = {
        "int": pa.int32(),
        "text": pa.string(),
        "source": pa.string(),
        "file": pa.string(),
        "floats": pa.list_(pa.float32()),
    }
    return kinds.get(column.kind, pa.float32())


class ParquetSink(Sink):
    """Rows go to a journal, NAME.part.arrows; finish and abort make the Parquet file of it.

    A Parquet file is nothing without its end, so one that a killed process was writing could not be read.
    """

    def __init__(self, path: Path, columns: Columns, extras: Sequence[Column] = ()) -> None:
        self._path = path
        self._choices = columns, extras
        self._schema = schema(*self._choices)
        self._rows: list[Row] = []
        self._due = time.monotonic() + BATCH_S
        self._count = 0
        PartFile(path, hidden=True).discard()  # says at once what cannot be written
        self._journal = PartFile(path.with_suffix(JOURNAL), self._schema.serialize().to_pybytes())

    def write(self, tracked: TrackedFrame) -> None:
        """Take the rows of one frame."""
        self._rows += rows(tracked, *self._choices)
        if len(self._rows) >= BATCH_ROWS or time.monotonic() >= self._due:
            self._write_batch()

    def finish(self) -> None:
        """Write what is held, make the file of the journal under its own name, and remove the journal.

        Raises SinkError, and then makes no file of that name, unless every row is in it.
        """
        self._write_batch()
        try:
            table, count = write_table(Path(self._journal.name), self._path)
        except SinkError as error:
            raise SinkError(f"{error}; its rows are in {self._journal.name}, and `affect repair` reads them") from error
        if count != self._count:
            table.discard()
            told = f"of {counted(self._count, 'row')} in {self._journal.name} only {count} can be read"
            raise SinkError(f"cannot write {self._path}: {told}; run it again")
        table.finish()
        self._journal.discard()

    def abort(self) -> None:
        """Make the file under a temporary name; the journal stays where the disk has no room for that."""
        if self._journal.closed:
            return
        try:
            with contextlib.suppress(SinkError):
                self._write_batch()
            write_table(Path(self._journal.name), self._path)[0].abort()
        except Exception:
            self._journal.abort()
        else:
            self._journal.discard()

    def _write_batch(self) -> None:
        self._due = time.monotonic() + BATCH_S
        if self._rows:
            batch = pa.RecordBatch.from_pylist(self._rows, self._schema)
            self._rows = []
            self._journal.write(batch.serialize().to_pybytes())
            self._count += len(batch)


def _read(file: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    """The whole batches of a journal, up to where it breaks off; before them an empty one, which has the schema."""
    try:
        reader = pa.ipc.open_stream(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise SinkError("it is no journal, or breaks off within its first bytes; expected that of a run") from error
    yield pa.RecordBatch.from_pylist([], reader.schema)
    with contextlib.suppress(pa.ArrowInvalid, OSError, StopIteration):
        while True:
            yield reader.read_next_batch()


def write_table(journal: Path, path: Path) -> tuple[PartFile, int]:
    """The table of a journal, whole and hidden still, and its rows. Raises SinkError, and then leaves no file."""
    part, count = PartFile(path, hidden=True), 0
    try:
        with pa.OSFile(str(journal)) as file:
            found = _read(file)
            held = [next(found)]
            with pq.ParquetWriter(pa.PythonFile(part, mode="w"), held[0].schema) as writer:
                for batch in found:
                    held.append(batch)
                    count += len(batch)
                    if sum(map(len, held)) >= GROUP_ROWS:
                        writer.write_table(pa.Table.from_batches(held))
                        held = [held[0].slice(0, 0)]
                writer.write_table(pa.Table.from_batches(held))
        if part.fault is not None:
            raise part.fault
    except BaseException:
        part.discard()
        raise
    return part, count


def repair_journal(journal: Path) -> tuple[Path, int]:
    """Make the Parquet file of what a killed run left: NAME.part.arrows to NAME.part.parquet; the file and its rows.

    Raises SinkError where the journal has no rows to read, or the file cannot be written; the journal stays then.
    """
    name = journal.name.rpartition(".part")[0]
    part, count = write_table(journal, journal.with_name(f"{name}.parquet"))
    part.show()
    part.abort()
    journal.unlink()
    return part.part, count


def read_columns(path: Path) -> dict[str, list[Any]]:
    """The columns of a Parquet table by name, None for what is null. Raises ValueError where it is none."""
    return pq.read_table(path).to_pydict()


def fill_columns(path: Path, filled: Callable[[Row], Row]) -> None:
    """Give columns of a Parquet table other values: filled() takes a row and tells these by name. Raises SinkError."""
    table = pq.read_table(path)
    flat = [field.name for field in table.schema if not pa.types.is_list(field.type)]
    made = [filled(row) for row in table.select(flat).to_pylist()]
    for name in made[0] if made else ():
        place = table.schema.get_field_index(name)
        column = pa.array([row[name] for row in made], table.schema.field(place).type)
        table = table.set_column(place, table.schema.field(place), column)
    file = PartFile(path)
    try:
        pq.write_table(table, pa.PythonFile(file, mode="w"), row_group_size=GROUP_ROWS)
        file.finish()
    finally:
        file.abort()
