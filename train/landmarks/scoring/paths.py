"""The picture of the code's path along clips, over valence and arousal. Drawing only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tracker.drawing.plots import DPI, FAINT, GRID, WORDS, house_style, mark_time, png, write_title
from train.landmarks.scoring.pictures import colour_of, draw_key

LINES = (("#1f242b", "-"), ("#5b6570", "--"), ("#8b95a1", "-."))
"""Colours and dashes, without the colours of the expressions."""
RIBBON = 0.09
"""Height of the ribbon of expressions, as a share of the panel's."""


@dataclass(frozen=True)
class Path:
    """A clip's code over T frames."""

    name: str
    time: np.ndarray
    """(T,) seconds."""
    components: np.ndarray
    """(T, 3): along the principal components of the training codes."""
    nearest: np.ndarray
    """(T,) str: the expression whose mean training code lies nearest."""
    affect: np.ndarray
    """(T, 2): valence and arousal."""
    affect_is: str
    """Where they are from."""


def draw_paths(paths: Sequence[Path], expressions: Sequence[str], title: str, caption: str) -> bytes:
    """A column a clip, PNG: above the code along three components with the nearest expression, below the affect."""
    width, height = max(9.0, 6 * len(paths)), 6.6
    with house_style():
        figure = Figure((width, height), DPI, facecolor="white")
        places = figure.subplots(2, len(paths), squeeze=False, sharex="col", sharey="row")
        figure.subplots_adjust(0.65 / width, 0.09, 0.985, 1 - 1.75 / height, 0.06, 0.12)
        for (above, below), path in zip(places.T, paths, strict=True):
            _draw_code(above, path)
            _draw_affect(below, path)
            above.set_title(path.name, fontsize=10.5, pad=8)
        places[0, 0].set_ylabel("code")
        places[0, 0].margins(y=2 * RIBBON)
        places[1, 0].set_ylabel("valence, arousal")
        draw_key(figure, expressions, 1 - 1.15 / height)
        write_title(figure, title, caption)
        return png(figure)


def _draw_code(axes: Axes, path: Path) -> None:
    _draw_lines(axes, path, {f"component {number}": values for number, values in enumerate(path.components.T, 1)})
    _draw_ribbon(axes, path)


def _draw_affect(axes: Axes, path: Path) -> None:
    names = (f"{axis}, {path.affect_is}" for axis in ("valence", "arousal"))
    _draw_lines(axes, path, dict(zip(names, path.affect.T, strict=True)))
    axes.set_ylim(-1.05, 1.05)
    axes.set_xlabel("time (s)")


def _draw_ribbon(axes: Axes, path: Path) -> None:
    """The nearest expression of each frame, by its colour, along the panel's foot."""
    ends = np.append(path.time, 2 * path.time[-1] - path.time[-2] if len(path.time) > 1 else path.time[-1] + 1)
    changes = np.flatnonzero(np.append(True, path.nearest[1:] != path.nearest[:-1]))
    for start, stop in zip(changes, np.append(changes[1:], len(path.time)), strict=True):
        colour = colour_of(str(path.nearest[start]))
        axes.axvspan(ends[start], ends[stop], 0, RIBBON, color=colour, linewidth=0)


def _draw_lines(axes: Axes, path: Path, lines: Mapping[str, np.ndarray]) -> None:
    """Values (T,) over time by their name."""
    for (colour, dash), (name, values) in zip(LINES, lines.items(), strict=False):
        axes.plot(path.time, values, dash, color=colour, linewidth=1.4, label=name)
    mark_time(axes, (float(path.time[0]), float(path.time[-1])))
    axes.grid(color=GRID, linewidth=0.8)
    axes.axhline(0, color=FAINT, linewidth=1, zorder=1)
    axes.set_axisbelow(True)
    axes.legend(loc="upper right", ncols=3, frameon=False, fontsize=8, labelcolor=WORDS)
