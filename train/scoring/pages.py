"""What a report in Markdown is made of: tables of figures, side by side with what they are to be compared with, and
pictures; and how it gets into its folder."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nets.files import write_whole
from tracker.errors import SinkError
from train.scoring.figures import Figure

REPORT = "report.md"
"""In the report's folder."""

Cells = Sequence[Figure | float | None]
"""None, or NaN, where there is no figure."""


@dataclass(frozen=True)
class Table:
    """Rows by name, each with a cell for every column."""

    title: str
    columns: tuple[str, ...]
    """Models, then baselines."""
    rows: Mapping[str, Cells]
    note: str = ""
    """Markdown below the table."""
    digits: int = 3

    def markdown(self) -> str:
        """With its title in bold and its note below."""
        lines = [f"**{self.title}**", "", _line(["", *self.columns]), _line(["---"] + ["---:"] * len(self.columns))]
        lines += [_line([name, *(shown(each, self.digits) for each in cells)]) for name, cells in self.rows.items()]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])

    def to_dict(self) -> dict[str, Any]:
        """JSON values: by row and column a number, [value, low, high], or None."""
        rows = {
            name: {column: plain(each) for column, each in zip(self.columns, cells, strict=True)}
            for name, cells in self.rows.items()
        }
        return {"title": self.title, "rows": rows, "note": self.note}


@dataclass(frozen=True)
class Outcome:
    """Of a task."""

    tables: Sequence[Table] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG by the name of its file."""


def pictures_of(outcomes: Mapping[str, Outcome]) -> dict[str, bytes]:
    """The pictures of all tasks."""
    return {name: png for each in outcomes.values() for name, png in each.pictures.items()}


def write_files(folder: Path, files: Mapping[str, bytes | str]) -> list[Path]:
    """Write files by their names into a folder, each whole or not at all; SinkError where they cannot be."""
    for name, content in files.items():
        try:
            write_whole(folder / name, content)
        except OSError as error:
            raise SinkError(
                f"{folder / name} cannot be written: {error.strerror}; choose another folder with --out"
            ) from error
    return [folder / name for name in files]


def shown(cell: Figure | float | None, digits: int = 3) -> str:
    """A figure with its interval, where it has one; - where there is no figure."""
    figure = _figure(cell)
    if not math.isfinite(figure.value):
        return "-"
    value, low, high = (f"{round(each, digits) + 0.0:.{digits}f}" for each in figure)
    return f"{value} ({low} to {high})" if math.isfinite(figure.low) else value


def plain(cell: Figure | float | None) -> float | list[float] | None:
    """As a JSON value: [value, low, high], the value alone, or None."""
    figure = _figure(cell)
    if not math.isfinite(figure.value):
        return None
    return list(figure) if math.isfinite(figure.low) else figure.value


def _figure(cell: Figure | float | None) -> Figure:
    return cell if isinstance(cell, Figure) else Figure(math.nan if cell is None else cell)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
