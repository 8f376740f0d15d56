"""The picture of a run's attention: how far back each frame looks, over valence and arousal. Drawing only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from tracker.drawing.plots import (
    AXES,
    DPI,
    GRID,
    LEFT,
    WORDS,
    Curve,
    draw_dimension,
    house_style,
    mark_time,
    name_axis,
    padded,
    png,
    write_title,
)

COLOURS, BLANK = "viridis", "#eceff2"
"""Of a weight, and of where there is none: the face was away, or its window had no frame there."""
COLUMNS = 1600
"""Of a heat map, about one a pixel."""
STRIP_INCHES, STRIP_GAP_INCHES, TRACES_INCHES = 1.5, 0.45, 3.6
HEAD_INCHES, FOOT_INCHES = 0.8, 0.6
MARKS = 8
"""Most marks on the axis of how far back."""
TOP_PERCENT = 99.5
"""Of the weights, how many the scale of colours distinguishes; the rest have the colour of its end."""
NOTE = """Each column is a moment of the video;
its row k is the weight which attention
then gave the frame k places back in
the window. A rising diagonal is one
frame that stays in view. The newest
frame has no row: the network reads it
directly. Grey: no such frame. Dotted:
{equal:.3g}, if all of them weighed alike."""


@dataclass(frozen=True)
class Gaze:
    """Where one face's attention looked."""

    curve: Curve
    weights: np.ndarray
    """(T, n - 1) of the frames 1, 2, ... places back; NaN where the window had none."""
    ages: np.ndarray
    """(T, n - 1) seconds, likewise."""

    @property
    def places(self) -> int:
        """n - 1: how many frames back the window reaches."""
        return self.weights.shape[1]

    @property
    def equal(self) -> float:
        """The weight of each frame of a full window, were all alike."""
        return 1 / self.places


def draw_attention(curves: Mapping[int, np.ndarray], span: tuple[float, float], title: str, caption: str) -> bytes:
    """One picture of a run's attention, PNG at DPI dots an inch.

    curves: a face's id to its points (T, 5 + 2 n): time s, valence, arousal, smoothed valence, smoothed arousal, the
    weights of the window, oldest first, and their ages, seconds (both NaN where the window had no frame); a row of NaN
    breaks lines. span: first and last time of the run, seconds.
    """
    with house_style():
        figure = _draw_figure([_gaze(track_id, points) for track_id, points in curves.items()], span)
        write_title(figure, title, caption)
        return png(figure)


def _gaze(track_id: int, points: np.ndarray) -> Gaze:
    weights, ages = np.split(points[:, 5:], 2, axis=1)
    return Gaze(Curve(track_id, points[:, :5]), weights[:, -2::-1], ages[:, -2::-1])


def _draw_figure(gazes: list[Gaze], span: tuple[float, float]) -> Figure:
    looking = [gaze for gaze in gazes if gaze.places]
    strips = len(looking) * (STRIP_INCHES + STRIP_GAP_INCHES)
    figure = Figure(figsize=(12, HEAD_INCHES + strips + TRACES_INCHES + FOOT_INCHES), dpi=DPI, facecolor="white")
    if looking:
        _draw_strips(figure, looking, span)
    place = {"left": LEFT, "right": 0.745, "bottom": FOOT_INCHES / figure.get_figheight(), "hspace": 0.16}
    top = (FOOT_INCHES + TRACES_INCHES - 0.3) / figure.get_figheight()
    grid = GridSpec(2, 1, figure, top=top, **place)
    for row, (name, ends) in enumerate(AXES.items()):
        axes = figure.add_subplot(grid[row, 0])
        draw_dimension(axes, [gaze.curve for gaze in gazes], 1 + row, span)
        name_axis(axes, name, ends, last=row == 1)
    return figure


def _draw_strips(figure: Figure, gazes: list[Gaze], span: tuple[float, float]) -> None:
    """A heat map for each face with the mean of its rows beside it, and below these means what the colours are."""
    inch = 1 / figure.get_figheight()
    colours = Normalize(0, _top(gazes))
    for row, gaze in enumerate(gazes):
        top = 1 - inch * (HEAD_INCHES + STRIP_GAP_INCHES / 2 + row * (STRIP_INCHES + STRIP_GAP_INCHES))
        place = (top - STRIP_INCHES * inch, STRIP_INCHES * inch)
        _draw_strip(figure.add_axes((LEFT, place[0], 0.68, place[1])), gaze, colours, span)
        _draw_means(figure.add_axes((0.82, place[0], 0.165, place[1])), gaze)
    _draw_key(figure, colours, gazes[0].equal)


def _top(gazes: list[Gaze]) -> float:
    """The end of the scale of colours: almost the largest weight of a full window, at least half more than equal."""
    full = [gaze.weights[np.isfinite(gaze.weights).all(axis=1)] for gaze in gazes]
    weights = np.concatenate([rows.ravel() for rows in full])
    return min(1.0, max(1.5 * gazes[0].equal, float(np.percentile(weights, TOP_PERCENT)))) if len(weights) else 1.0


def _draw_strip(axes: Axes, gaze: Gaze, colours: Normalize, span: tuple[float, float]) -> None:
    """Time to the right, places back upwards, the weight as colour."""
    ends = padded(span)
    rows = columns_of(gaze.curve.points[:, 0], ends)
    image = np.where(rows[:, None] >= 0, gaze.weights[rows], np.nan)
    extent = (*ends, 0.5, gaze.places + 0.5)
    axes.imshow(image.T, COLOURS, colours, aspect="auto", interpolation="nearest", origin="lower", extent=extent)
    axes.set_facecolor(BLANK)
    axes.set_title(f"face {gaze.curve.track_id}", color=gaze.curve.colour, fontsize=9.5, loc="left", pad=4)
    mark_time(axes, span)
    marks = np.arange(1, gaze.places + 1, -(-gaze.places // MARKS))
    axes.set_yticks(marks)
    axes.set_ylabel("frames back", fontsize=10.5)
    axes.tick_params(labelbottom=False, length=3)
    _name_ages(axes, gaze, marks)


def _name_ages(axes: Axes, gaze: Gaze, marks: np.ndarray) -> None:
    """On the right, how long ago the rows' frames were on average."""
    twin = axes.twinx()
    ages_ms = 1000 * _means(gaze.ages)[marks - 1]
    twin.set_ylim(axes.get_ylim())
    twin.set_yticks(marks, labels=[f"{age:.0f}" if np.isfinite(age) else "" for age in ages_ms])
    twin.set_ylabel("ms back, on average", fontsize=9)
    twin.tick_params(length=3)


def _draw_means(axes: Axes, gaze: Gaze) -> None:
    """Each row's mean over the run, and the weight that each would have if all were alike."""
    places = np.arange(1, gaze.places + 1)
    means = np.nan_to_num(_means(gaze.weights))
    axes.barh(places, means, height=0.8, color=gaze.curve.colour)
    axes.axvline(gaze.equal, color="#2f3640", linewidth=1, linestyle=":")
    axes.set(xlim=(0, 1.15 * max(means.max(), gaze.equal)), ylim=(0.5, gaze.places + 0.5), yticks=[])
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=3)
    axes.set_title("mean weight", fontsize=9.5, loc="left", pad=4)


def _draw_key(figure: Figure, colours: Normalize, equal: float) -> None:
    """The scale of the colours, and how to read the picture, right of the traces."""
    inch = 1 / figure.get_figheight()
    place = figure.add_axes((0.82, (FOOT_INCHES + TRACES_INCHES - 1.1) * inch, 0.15, 0.13 * inch))
    key = figure.colorbar(ScalarMappable(colours, COLOURS), cax=place, orientation="horizontal")
    key.outline.set_visible(False)
    top = float(colours.vmax or 1.0)
    key.set_ticks([0, top], labels=["0", f"{top:.2g}" if top == 1 else f"\u2265 {top:.2g}"])
    key.ax.axvline(equal, color="white", linewidth=1.2, linestyle=":")
    key.ax.tick_params(length=3, labelsize=8)
    key.ax.set_title("attention weight", fontsize=9.5, loc="left", pad=5)
    note = NOTE.format(equal=equal)
    figure.text(0.82, (FOOT_INCHES + TRACES_INCHES - 1.65) * inch, note, fontsize=7.5, color=WORDS, va="top")


def columns_of(times: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Which row of times (T,) rising, NaN in gaps, each of COLUMNS columns between two times shows; -1 where none.

    A row fills half the way to its neighbours; beside a gap, and at the ends, half a usual step.
    """
    rows = np.flatnonzero(np.isfinite(times))
    known = times[rows]
    halves, whole = np.diff(known) / 2, np.diff(rows) == 1
    usual = float(np.median(halves[whole])) if whole.any() else (ends[1] - ends[0]) / 50
    reach = np.concatenate([[usual], np.where(whole, halves, usual), [usual]])
    at = ends[0] + (ends[1] - ends[0]) * (np.arange(COLUMNS) + 0.5) / COLUMNS
    nearest = np.searchsorted(known[:-1] + halves, at)
    away = at - known[nearest]
    shown = (away >= -reach[nearest]) & (away <= reach[nearest + 1])
    return np.where(shown, rows[nearest], -1)


def _means(values: np.ndarray) -> np.ndarray:
    """The mean of each column (T, K) over what is not NaN: (K,), NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
