"""One Parquet table of all that runs wrote to a folder: each row of (source, frame, face_id) once, none missing."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from tracker.errors import DataError, UsageError
from tracker.manifest import read_manifest
from tracker.outputs import SHEET, Sheet, read_sheet
from tracker.sinks.files import PartFile
from tracker.sinks.parquet import GROUP_ROWS, type_of
from tracker.sinks.records import COLUMNS, EXTRAS, Column, column_names

NAMED = 3
"""Sources that are named where several are at fault."""


def merge_tables(folder: Path, target: Path, manifest: Path | None = None, overwrite: bool = False) -> tuple[int, int]:
    """Write one table of all tables below a folder, its first column `source`; the numbers of its sources and rows.

    Tables are read one at a time, as Parquet where a run wrote that, else as CSV. With a manifest, every source that it
    has as done must be there, and as many as its run has.
    Raises UsageError for a target that is there, and DataError, before anything is written under the target's name, for
    a source that is not complete, rows that are missing or there twice, and tables of different columns.
    """
    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists; --overwrite replaces it, -o keeps both")
    found = {path: sheet for path in sorted(folder.rglob(f"*{SHEET}")) if (sheet := read_sheet(path))}
    if not found:
        raise DataError(f"{folder} holds no outputs; expected the folder that `affect track -o` wrote to")
    unfinished = [path.name.removesuffix(SHEET) for path, sheet in found.items() if not sheet.get("complete")]
    if unfinished:
        told = f"{len(unfinished)} of {len(found)} sources are not complete ({_first(unfinished)})"
        raise DataError(f"{told}; see `affect status {folder}`, and give the same `affect track` again")
    sources: dict[str, Path] = {}
    for path, sheet in found.items():
        source = sheet["source"].get("path") or f"{sheet['source'].get('uri')} ({path})"
        if source in sources:
            raise DataError(f"{source} is there twice, as {sources[source]} and {path}; remove one with its tables")
        sources[source] = path
    if manifest:
        run, lines = read_manifest(manifest)
        missing = [source for source, line in lines.items() if line["state"] == "done" and source not in sources]
        if missing or len(sources) < run.get("sources", 0):
            lacking = _first(missing) or f"{len(sources)} of {run['sources']} are there"
            raise DataError(f"{folder} lacks sources of {manifest} ({lacking}); give the same `affect track` again")
    part, rows = PartFile(target, hidden=True), 0
    try:
        tables = (_table(path, found[path], source) for source, path in sources.items())
        first = next(tables)
        with pq.ParquetWriter(pa.PythonFile(part, mode="w"), first.schema) as writer:
            for group in _groups(first, tables, list(sources)):
                writer.write_table(group)
                rows += len(group)
        part.finish()
    finally:
        part.discard()
    return len(sources), rows


def _groups(first: pa.Table, others: Iterator[pa.Table], names: list[str]) -> Iterator[pa.Table]:
    """The tables, put together to groups of GROUP_ROWS or more, so that many small ones are read as fast as one."""
    held = [first]
    for name, table in zip(names[1:], others, strict=True):
        if table.schema != first.schema:
            other = sorted(set(table.schema.names) ^ set(first.schema.names)) or ["their types"]
            raise DataError(f"{name} and {names[0]} differ in columns ({_first(other)}); merge folders of one run each")
        held.append(table)
        if sum(map(len, held)) >= GROUP_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _table(sheet_path: Path, sheet: Sheet, source: str) -> pa.Table:
    """The table of one source behind its column `source`. Raises DataError where a row is missing or there twice."""
    stem = sheet_path.name.removesuffix(SHEET)
    parquet, text = (sheet_path.with_name(f"{stem}{suffix}") for suffix in (".parquet", ".csv"))
    convention = sheet["options"]["output"]["columns"]
    frame, face = column_names(convention)[:2]
    try:
        table = pq.read_table(parquet) if parquet.is_file() else _read_csv(text, convention)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{stem} has neither Parquet nor CSV that can be read: {reason}; track it again") from error
    frames = table[frame].to_numpy()
    ids = table[face].fill_null(-1).to_numpy()
    pairs = np.unique(np.stack([frames, ids], axis=1), axis=0)
    if len(pairs) < len(table):
        raise DataError(f"{source} has {len(table) - len(pairs)} rows of a frame and face twice; track it again")
    gaps = sheet["source"].get("kind") != "stills" and np.any(np.diff(np.unique(frames)) != 1)
    if gaps or len(table) != sheet["rows"]:
        raise DataError(f"{source} has {len(table)} rows, and not all {sheet['rows']} of its run; track it again")
    table = table.drop_columns([name for name in ("source", "input") if name in table.schema.names])
    column = pa.array([source] * len(table), pa.string())
    return table.add_column(0, pa.field("source", pa.string()), column).replace_schema_metadata(None)


def _read_csv(path: Path, convention: str) -> pa.Table:
    """A CSV with the types that its Parquet would have."""
    extras = [*(column for columns in EXTRAS.values() for column in columns)]
    extras += [Column("source", "source", pyfeat="input"), Column("file", "file")]
    names = column_names(convention, extras)  # type: ignore[arg-type]
    types = {name: type_of(column) for name, column in zip(names, (*COLUMNS, *extras), strict=True)}
    options = arrow_csv.ConvertOptions(column_types=types, null_values=["", "NaN"], strings_can_be_null=True)
    return arrow_csv.read_csv(path, convert_options=options)


def _first(names: list[str]) -> str:
    return ", ".join(islice(names, NAMED)) + (", ..." if len(names) > NAMED else "")
