"""What is to be annotated: rows of a CSV, keys of a JSON object, or pictures in a folder with one folder a class."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.errors import DataError, UsageError
from tracker.sources import PICTURE, natural_order
from train.annotating.choices import Columns
from train.datasets.table import Row, read_cells

EXPECTED = "a .csv, a .json with an object of keys, or a folder with one folder of pictures a class"
SHOWN = 60
"""Characters of a wrong value that a message shows."""


@dataclass(frozen=True)
class Table:
    """N pictures, each with its cells by column; at least one."""

    source: Path
    rows: list[Row]

    @property
    def header(self) -> list[str]:
        """The columns' names."""
        return list(self.rows[0][1])

    @property
    def folder(self) -> Path:
        """Where the paths of the rows begin."""
        return self.source if self.source.is_dir() else self.source.parent

    def require(self, **named: str) -> None:
        """DataError for the first column that is not there; named: the option that names a column, and its name."""
        for option, name in named.items():
            if name not in self.header:
                raise DataError(
                    f"{self.source}: no column {name} in its first row ({', '.join(self.header)[:200]});"
                    f" name it with --{option}-column"
                )


def read_table(source: Path, columns: Columns, reverse: bool = False) -> Table:
    """What the source lists; DataError where it cannot be read. reverse: a JSON's values are [valence, arousal]."""
    if not source.exists():
        raise DataError(f"{source}: no such file or folder; expected {EXPECTED}")
    if source.is_dir() and reverse:
        raise UsageError(f"{source} is a folder; --reverse reads valence and arousal from a .csv or a .json")
    if source.is_dir():
        return Table(source, _read_folder(source, columns))
    if source.suffix.lower() == ".csv":
        return read_csv(source)
    if source.suffix.lower() == ".json":
        return Table(source, _read_json(source, columns, reverse))
    raise UsageError(f"{source} is of another kind; expected {EXPECTED}")


def read_csv(source: Path) -> Table:
    """The rows of a CSV; DataError for a column that stands there twice, and a row with more cells than the header."""
    rows = read_cells(source, (), EXPECTED)
    with source.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file))
    if len(set(header)) < len(header):
        twice = Counter(header).most_common(1)[0][0]
        raise DataError(f"{source}: the column {twice} stands twice in its first row; give each its own name")
    long = next((place for place, cells in rows if None in cells), None)
    if long:
        raise DataError(f"{long} has more cells than the header; expected {len(header)}")
    return Table(source, rows)


def _read_json(source: Path, columns: Columns, reverse: bool) -> list[Row]:
    values = load_object(source)
    cells_of = _affect_cells if reverse else _label_cells
    places = ((f"{source.name}, key '{key}'", key, value) for key, value in values.items())
    return [(place, {columns.path: key, **cells_of(place, value, columns)}) for place, key, value in places]


def load_object(source: Path) -> dict[str, Any]:
    """The object in a JSON file; DataError where it is none, is empty, or has a key twice."""
    try:
        values = json.loads(source.read_text(encoding="utf-8-sig"), object_pairs_hook=lambda p: _unique(source, p))
    except (OSError, ValueError) as error:
        raise DataError(f"{source} cannot be read as JSON in UTF-8: {error}") from error
    if not isinstance(values, dict) or not values:
        shown = json.dumps(values)[:SHOWN]
        raise DataError(f'{source} holds {shown}; expected an object of keys, as {{"1.jpg": "happy", ...}}')
    return values


def _unique(source: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        first = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise DataError(
            f"{source}: {len(pairs) - len(values)} of its {len(pairs)} keys stand there again, such as '{first}';"
            " all but the last would be lost: make the keys differ, or write a CSV"
        )
    return values


def _label_cells(place: str, value: Any, columns: Columns) -> dict[str, str | None]:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise DataError(
            f'{place}: got {json.dumps(value)[:SHOWN]}; expected a label such as "happy"'
            " (--reverse reads [valence, arousal])"
        )
    return {columns.emotion: None if value is None else str(value)}


def _affect_cells(place: str, value: Any, columns: Columns) -> dict[str, str | None]:
    if value is None:
        return dict.fromkeys(columns.affect)
    if not (isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)):
        raise DataError(f"{place}: got {json.dumps(value)[:SHOWN]}; expected [valence, arousal], such as [0.6, 0.1]")
    return dict(zip(columns.affect, map(str, value), strict=True))


def _read_folder(source: Path, columns: Columns) -> list[Row]:
    folders = [path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if not folders:
        raise DataError(
            f"{source} holds no folders; expected one folder of pictures a class, such as {source / 'happy'}"
        )
    rows: list[Row] = []
    for folder in sorted(folders):
        paths = [f"{folder.name}/{name}" for name in _pictures(folder)]
        rows += [(path, {columns.path: path, columns.emotion: folder.name}) for path in paths]
    return rows


def _pictures(folder: Path) -> list[str]:
    """The pictures beneath a class's folder, as paths from there."""
    found = [path for path in folder.rglob("*") if PICTURE.fullmatch(path.suffix) and not path.name.startswith(".")]
    if not found:
        raise DataError(f"{folder} holds no picture; put the class's pictures there (.jpg, .png, ...), or delete it")
    return sorted((path.relative_to(folder).as_posix() for path in found), key=natural_order)
