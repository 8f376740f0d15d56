"""The files that `affect annotate` writes, whole or not at all."""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tqdm import tqdm

from nets.files import write_whole
from tracker.errors import DataError, SinkError, UsageError
from train.annotating.choices import Columns, Outputs
from train.annotating.tables import Table
from train.annotating.transfer import Annotated
from train.evaluate import check_folder

SUFFIXES = {"--out": (".csv", ".json"), "--plot": (".png",), "--save-statistics": (".csv",)}


def check_files(inputs: Iterable[Path], outputs: Outputs) -> None:
    """UsageError for an output of another suffix, or that is an input or another output; SinkError without a folder."""
    taken = [path.resolve() for path in inputs]
    for option, file in outputs.named():
        if file.suffix.lower() not in SUFFIXES[option]:
            raise UsageError(f"{option} {file}: expected a name that ends in {' or '.join(SUFFIXES[option])}")
        if file.resolve() in taken:
            raise UsageError(f"{option} {file} is also read, or written twice; choose another name")
        check_folder(file)
        taken.append(file.resolve())


def check_new(table: Table, **named: str) -> None:
    """UsageError for a column to be added that is there; named: the option that names a column, and its name."""
    for option, name in named.items():
        if name in table.header:
            raise UsageError(
                f"{table.source} has a column {name} already; leave it out, or give the new one another name with"
                f" --{option}-column"
            )


def written(out: Path, table: Table, columns: Columns, result: Annotated) -> str:
    """The text of the output: JSON or CSV, by its name."""
    return _json(table, columns, result) if out.suffix.lower() == ".json" else _csv(out, table, columns, result)


def save(path: Path, content: bytes | str) -> None:
    """Write the file whole; SinkError where it cannot be."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}; choose another file") from error


def _csv(out: Path, table: Table, columns: Columns, result: Annotated) -> str:
    """The table's own columns and the new ones; paths are relative to the file that they now stand in."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*table.header, *result.cells])
    new = zip(*result.cells.values(), strict=True)
    way = os.path.relpath(table.folder.resolve(), out.parent.resolve())
    for (_, cells), more in zip(tqdm(table.rows, "writing", unit="row", leave=False), new, strict=True):
        own = {**cells, columns.path: _moved(cells[columns.path], way)}
        lines.writerow([*own.values(), *more])
    return text.getvalue()


def _moved(path: str | None, way: str) -> str | None:
    return path if way == "." or not path else Path(os.path.normpath(Path(way, path))).as_posix()


def _json(table: Table, columns: Columns, result: Annotated) -> str:
    """An object of the table's paths, one a line; DataError where one stands there twice."""
    keys = [cells[columns.path] or "" for _, cells in table.rows]
    key, count = Counter(keys).most_common(1)[0]
    if count > 1:
        places = [place for (place, _), each in zip(table.rows, keys, strict=True) if each == key]
        raise DataError(
            f"{places[1]}: '{key}' stands there {count} times; a JSON object would lose all but one: write a .csv"
        )
    lines = (f"{json.dumps(k)}: {json.dumps(answer)}" for k, answer in zip(keys, result.answers, strict=True))
    return "{\n" + ",\n".join(lines) + "\n}\n"
