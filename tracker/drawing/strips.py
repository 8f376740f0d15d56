"""Faces in rows and columns, each with its words: what a generative model makes of a face. Drawing only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tracker.drawing.plots import DPI, LEFT, WORDS, house_style, png, write_title

CELL_INCHES, GAP_INCHES, WORDS_INCHES = 1.25, 0.12, 0.24
"""Side of a picture, the gap beside it, and a line of words."""
HEAD_INCHES, FOOT_INCHES = 0.85, 0.15
LEAST_INCHES = 9.5
"""Width that the title and its caption need."""
PARTED_INCHES = 0.35
"""Between the originals and what was made of them."""
INK, FAR = "#1f242b", "#b3541e"
"""Of words, and of those of a picture that is beyond what the model was trained on."""


@dataclass(frozen=True)
class Cell:
    """A picture and its words."""

    picture: np.ndarray
    """(S, S, C) uint8, C 1 or 3."""
    above: str = ""
    below: str = ""
    far: bool = False
    """Beyond what the model was trained on, or not what was asked of it."""


def draw_strips(originals: Sequence[Cell], rows: Sequence[Sequence[Cell]], title: str, caption: str) -> bytes:
    """Rows of pictures, PNG at DPI dots an inch; left of the first row the pictures that they were made of."""
    return _drawn([originals, *[()] * (len(rows) - 1)], rows, title, caption)


def draw_grid(
    lefts: Sequence[Cell], tops: Sequence[Cell], rows: Sequence[Sequence[Cell]], title: str, caption: str
) -> bytes:
    """Rows of pictures as draw_strips() has them, each made of that at the row's left and that at the column's top."""
    return _drawn([(), *([cell] for cell in lefts)], [tops, *rows], title, caption)


def _drawn(lefts: Sequence[Sequence[Cell]], rows: Sequence[Sequence[Cell]], title: str, caption: str) -> bytes:
    """Rows of pictures, and left of each the pictures that it was made of; a first row without is a row of heads."""
    high, wide, beside = CELL_INCHES + 2 * WORDS_INCHES, CELL_INCHES + GAP_INCHES, max(map(len, lefts))
    content = (beside + len(rows[0])) * wide - GAP_INCHES + PARTED_INCHES
    width = max(LEAST_INCHES, content / (1 - 2 * LEFT))
    left, top = LEFT * width, HEAD_INCHES
    with house_style():
        figure = Figure(figsize=(width, top + len(rows) * high + FOOT_INCHES), dpi=DPI, facecolor="white")
        for number, (originals, cells) in enumerate(zip(lefts, rows, strict=True)):
            _draw_row(figure, originals, left, top + number * high)
            _draw_row(figure, cells, left + beside * wide + PARTED_INCHES, top + number * high)
        write_title(figure, title, caption)
        return png(figure)


def _draw_row(figure: Figure, cells: Sequence[Cell], left: float, top: float) -> None:
    for place, cell in enumerate(cells):
        _draw_cell(figure, cell, left + place * (CELL_INCHES + GAP_INCHES), top)


def _draw_cell(figure: Figure, cell: Cell, left: float, top: float) -> None:
    """At (left, top) inches from the figure's upper left corner."""
    width, height = figure.get_size_inches()
    floor = top + WORDS_INCHES + CELL_INCHES
    axes = figure.add_axes((left / width, 1 - floor / height, CELL_INCHES / width, CELL_INCHES / height))
    axes.imshow(cell.picture.squeeze(), "gray", vmin=0, vmax=255, interpolation="bicubic")
    axes.set_axis_off()
    middle = (left + CELL_INCHES / 2) / width
    above, below = 1 - (floor - CELL_INCHES - 0.05) / height, 1 - (floor + 0.05) / height
    _write(figure, (middle, above), cell.above, va="bottom", fontsize=9.5, color=FAR if cell.far else INK)
    _write(figure, (middle, below), cell.below, va="top", fontsize=8, color=FAR if cell.far else WORDS)


def _write(figure: Figure, place: tuple[float, float], words: str, **style: Any) -> None:
    figure.text(*place, words, ha="center", **style).set_parse_math(False)
