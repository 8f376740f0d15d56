"""A table of figures: models side by side with what they are to be compared with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from train.levasa.tasks.figures import Figure

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
        lines += [_line([name, *(self._cell(each) for each in cells)]) for name, cells in self.rows.items()]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])

    def to_dict(self) -> dict[str, Any]:
        """JSON values: by row and column a number, [value, low, high], or None."""
        rows = {
            name: {column: _plain(each) for column, each in zip(self.columns, cells, strict=True)}
            for name, cells in self.rows.items()
        }
        return {"title": self.title, "rows": rows, "note": self.note}

    def _cell(self, cell: Figure | float | None) -> str:
        figure = _figure(cell)
        if not math.isfinite(figure.value):
            return "-"
        value, low, high = (f"{round(each, self.digits) + 0.0:.{self.digits}f}" for each in figure)
        return f"{value} ({low} to {high})" if math.isfinite(figure.low) else value


def _figure(cell: Figure | float | None) -> Figure:
    return cell if isinstance(cell, Figure) else Figure(math.nan if cell is None else cell)


def _plain(cell: Figure | float | None) -> float | list[float] | None:
    figure = _figure(cell)
    if not math.isfinite(figure.value):
        return None
    return list(figure) if math.isfinite(figure.low) else figure.value


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
