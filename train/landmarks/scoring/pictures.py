"""The report's pictures of the codes: what each dimension moves, and how expressions lie. Drawing only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tracker.drawing.plots import DPI, GRID, LEFT, WORDS, house_style, png, write_title
from train.annotation_transfer import spelled
from train.scoring.pictures import COLOURS, INK, UNKNOWN

FACE_INCHES, HEAD_INCHES, PANEL_INCHES = 1.15, 0.95, 3.3
LEAST_INCHES = 9.5
"""Width that a title and its caption need."""
WIDE, HIGH = 2.6, 2.9
"""Room of a face, in distances between its eyes."""
UNMOVED = "#8fbfe6"
LEAST_DOT, DOT = 12, 8
"""Area of the dot of a neutral face, and what each degree adds."""


Face = Sequence[np.ndarray]
"""Lines (P, 2): from the front, x to the right and y up, distances between the eyes."""


@dataclass(frozen=True)
class Traversal:
    """What one dimension of a code does to a face."""

    title: str
    faces: Sequence[Face]
    """One a step."""


def draw_traversals(rows: Sequence[Traversal], steps: Sequence[str], title: str, caption: str) -> bytes:
    """A row of faces for each dimension, PNG; under each, in blue, the face of the middle step."""
    width, height = FACE_INCHES * (len(steps) + 0.9), FACE_INCHES * HIGH / WIDE * len(rows) + HEAD_INCHES
    with house_style():
        figure = Figure((max(width, LEAST_INCHES), height), DPI, facecolor="white")
        axes = figure.add_axes((LEFT, 0.01, 1 - LEFT, 1 - HEAD_INCHES / height))
        axes.set(xlim=(-1.1 * WIDE, WIDE * len(steps)), ylim=(-HIGH * len(rows), 0), aspect="equal", anchor="W")
        axes.set_axis_off()
        for number, row in enumerate(rows):
            _draw_row(axes, row, -HIGH * (number + 0.28))
        for place, step in enumerate(steps):
            axes.text(WIDE * (place + 0.5), 0.08, step, fontsize=9, color=WORDS, ha="center", va="bottom")
        write_title(figure, title, caption)
        return png(figure)


def _draw_row(axes: Axes, row: Traversal, height: float) -> None:
    """With the eyes at a height of the axes."""
    axes.text(-1.05 * WIDE, height, row.title, fontsize=8.5, va="center")
    for place, face in enumerate(row.faces):
        eyes = np.array([WIDE * (place + 0.5), height])
        for lines, colour in ((row.faces[len(row.faces) // 2], UNMOVED), (face, INK)):
            moved = [line + eyes for line in lines]
            axes.add_collection(LineCollection(moved, colors=colour, linewidths=1.1, capstyle="round"))


def draw_space(
    panels: Mapping[str, np.ndarray], words: np.ndarray, degrees: np.ndarray, title: str, caption: str
) -> bytes:
    """Codes (N, 3) by title, three in a row, PNG; a dot a face, in the colour of its expression, words (N,), and larger
    with its degree, (N,) from 0."""
    columns, rows = 3, -(-len(panels) // 3)
    width, height = PANEL_INCHES * columns, PANEL_INCHES * rows + HEAD_INCHES + 0.2
    with house_style():
        figure = Figure((width, height), DPI, facecolor="white")
        places = figure.subplots(rows, columns, squeeze=False, subplot_kw={"projection": "3d"})
        figure.subplots_adjust(0.01, 0.01, 0.97, 1 - (HEAD_INCHES + 0.3) / height, 0.06, 0.1)
        for axes, (name, points) in zip(places.flat, panels.items(), strict=False):
            colours = [colour_of(word) for word in words.tolist()]
            axes.scatter(*points.T, s=LEAST_DOT + DOT * degrees, c=colours, alpha=0.8, linewidth=0, depthshade=False)
            axes.set_title(name, fontsize=10)
            axes.tick_params(labelsize=6, pad=-3)
            for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
                axis.set_pane_color("#fbfbfc")
                axis._axinfo["grid"]["color"] = GRID
        draw_key(figure, list(dict.fromkeys(words.tolist())), 1 - (HEAD_INCHES - 0.1) / height)
        write_title(figure, title, caption)
        return png(figure)


def colour_of(word: str) -> str:
    """Of an expression."""
    return COLOURS.get(spelled(word), UNKNOWN)


def draw_key(figure: Figure, words: Sequence[str], height: float) -> None:
    """The colours of the expressions, at a share of the figure's height."""
    dots = [Line2D([], [], linestyle="", marker="o", color=colour_of(word), markersize=6, label=word) for word in words]
    place = (0.5, height)
    figure.legend(handles=dots, loc="center", bbox_to_anchor=place, ncols=len(dots), frameon=False, handletextpad=0)
