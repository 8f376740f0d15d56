"""The picture of a run: valence and arousal over time, and each face in the circumplex. Drawing only."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, MultipleLocator

from tracker.config import FACE_COLOURS
from tracker.types import QUADRANT_WORDS

DPI = 150
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": "#2f3640",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#5b6570",
    "ytick.color": "#5b6570",
    "text.color": "#1f242b",
}
FAINT, GRID, WORDS = "#c9d0d8", "#e8ebef", "#8b95a1"
DASHES = ("-", "--", "-.", ":")
PATH_COLOURS = "viridis"
AXES = {"valence": ("pleasant", "unpleasant"), "arousal": ("active", "calm")}
"""Each dimension, and how its upper and lower end look."""
PATH_INCHES = 4.6
"""Height of a row of circumplexes below the traces."""
FEW_POINTS = 40
"""A shorter curve has a dot at each point."""
MANY_POINTS = 1500
"""A longer way through the circumplex is a tangle: where the face was for how long is drawn instead."""
CELLS, BLUR = 106, 0.03
"""Of the circumplex's width, for that: cells, and the deviation of the Gaussian that smooths them, in units of VA."""
HELD = (0.5, 0.9)
"""Shares of the time that the lines in it surround."""
BAND, BAND_WORDS = 0.18, "±1 standard deviation"
"""How opaque the band about a smoothed line is, and its name."""
CLOCK_FROM_S = 120.0
LEFT = 0.065
"""Where a title and what is below it begin, as a share of the figure's width."""


@dataclass(frozen=True)
class Curve:
    """One face's points, (T, 5) or with deviations (T, 7), and how its line looks."""

    track_id: int
    points: np.ndarray

    @property
    def colour(self) -> str:
        """The colour of the face's id."""
        return "#{:02x}{:02x}{:02x}".format(*FACE_COLOURS[self.track_id % len(FACE_COLOURS)])

    @property
    def dash(self) -> str:
        """The line's dashes, which part ids of the same colour."""
        return DASHES[self.track_id // len(FACE_COLOURS) % len(DASHES)]


def draw_traces(curves: Mapping[int, np.ndarray], span: tuple[float, float], title: str, caption: str) -> bytes:
    """One picture of a run, PNG at DPI dots an inch.

    curves: a face's id to its points (T, 5): time s, valence, arousal, smoothed valence, smoothed arousal; (T, 7) with
    the standard deviations of valence and of arousal behind them. A row of NaN breaks the line. span: first and last
    time of the run, seconds.
    """
    with house_style():
        figure = _draw_figure([Curve(track_id, points) for track_id, points in curves.items()], span)
        write_title(figure, title, caption)
        return png(figure)


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib as our pictures have it, and afterwards as it was."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def png(figure: Figure) -> bytes:
    """The figure as PNG, at its own dots an inch."""
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()


def _draw_figure(curves: list[Curve], span: tuple[float, float]) -> Figure:
    rows = -(-len(curves) // 3) if len(curves) > 1 else 0
    figure = Figure(figsize=(12, 5.2 + PATH_INCHES * rows), dpi=DPI, facecolor="white")
    traces, paths = _layout(figure, len(curves), rows)
    for row, (name, ends) in enumerate(AXES.items()):
        axes = figure.add_subplot(traces[row, 0])
        draw_dimension(axes, curves, 1 + row, span)
        name_axis(axes, name, ends, last=row == 1)
    for curve, place in zip(curves, paths, strict=True):
        axes = figure.add_subplot(place)
        draw_circumplex(axes)
        axes.set_title(f"face {curve.track_id}", color="#2f3640", fontsize=10.5, pad=8)
        if len(curve.points) > MANY_POINTS:
            _draw_density(axes, curve)
        else:
            _draw_path(axes, curve, span)
    return figure


def _layout(figure: Figure, faces: int, rows: int) -> tuple[GridSpec, list[SubplotSpec]]:
    """Places of the two traces, and of each face's circumplex: beside them for one face, below them for more."""
    inch = 1 / figure.get_figheight()
    if faces == 1:
        traces = GridSpec(2, 1, figure, left=LEFT, right=0.63, bottom=0.6 * inch, top=1 - 0.95 * inch, hspace=0.16)
        path = GridSpec(1, 1, figure, left=0.7, right=0.985, bottom=0.55 * inch, top=1 - 0.85 * inch)
        return traces, [path[0, 0]]
    floor = (0.6 + PATH_INCHES * rows) * inch
    traces = GridSpec(2, 1, figure, left=LEFT, right=0.985, bottom=floor, top=1 - 0.95 * inch, hspace=0.16)
    if faces == 0:
        return traces, []
    grid = GridSpec(rows, 3, figure, left=LEFT, right=0.985, bottom=0.85 * inch, top=floor - 0.85 * inch, hspace=0.4)
    return traces, [grid[i // 3, i % 3] for i in range(faces)]


def write_title(figure: Figure, title: str, caption: str) -> None:
    """A title in the figure's upper left corner and a caption under it, in 0.65 inches."""
    inch = 1 / figure.get_figheight()
    upper = figure.text(LEFT, 1 - 0.18 * inch, _shortened(title), fontsize=15, fontweight="bold", va="top")
    lower = figure.text(LEFT, 1 - 0.51 * inch, caption, fontsize=9.5, color=WORDS, va="top")
    for text in (upper, lower):
        text.set_parse_math(False)


def _shortened(text: str, length: int = 90) -> str:
    return text if len(text) <= length else f"{text[: length // 2]}...{text[-length // 2 :]}"


def draw_dimension(axes: Axes, curves: list[Curve], column: int, span: tuple[float, float]) -> None:
    """One dimension of all faces over time: thin as the network gives it, thick smoothed, in a band of deviation."""
    for curve in curves:
        time, raw, smooth = curve.points[:, 0], curve.points[:, column], curve.points[:, column + 2]
        many = len(time) > MANY_POINTS
        axes.plot(time, raw, color=curve.colour, linewidth=0.3 if many else 0.7, alpha=0.55)
        (line,) = axes.plot(time, smooth, curve.dash, color=curve.colour, linewidth=0.8 if many else 1.9)
        line.set_label(f"face {curve.track_id}")
        if curve.points.shape[1] == 7:
            deviation = curve.points[:, column + 4]
            low, high = smooth - deviation, smooth + deviation
            axes.fill_between(time, low, high, color=curve.colour, alpha=BAND, linewidth=0, label=BAND_WORDS)
        if len(time) < FEW_POINTS:
            line.set(marker="o", markersize=3.5)
    axes.set(ylim=(-1.05, 1.05), yticks=(-1, -0.5, 0, 0.5, 1))
    mark_time(axes, span)
    axes.grid(color=GRID, linewidth=0.8)
    axes.axhline(0, color=FAINT, linewidth=1, zorder=1)
    axes.set_axisbelow(True)


def mark_time(axes: Axes, span: tuple[float, float]) -> None:
    """Limits and marks of a time axis over a span, both seconds."""
    axes.set_xlim(padded(span))
    axes.xaxis.set_major_locator(MultipleLocator(_step(span)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time, _: _clock(round(time, 6), span)))


def padded(span: tuple[float, float]) -> tuple[float, float]:
    """The ends of a time axis over a span, both seconds."""
    margin = 0.01 * (span[1] - span[0]) or 0.5
    return span[0] - margin, span[1] + margin


def _clock(time: float, span: tuple[float, float]) -> str:
    """A time in seconds; in a longer run, in minutes and seconds."""
    return f"{time:g}" if span[1] < CLOCK_FROM_S else f"{int(time) // 60}:{int(time) % 60:02d}"


def _step(span: tuple[float, float]) -> float:
    """The smallest usual step that puts at most ten marks on the time axis."""
    usual = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
    return next((step for step in usual if span[1] - span[0] <= 10 * step), (span[1] - span[0]) / 10)


def name_axis(axes: Axes, name: str, ends: tuple[str, str], last: bool) -> None:
    """Name a dimension and its ends; the last one names the time too, the others carry the legend."""
    axes.set_ylabel(name, fontsize=10.5)
    for text, height, align in ((ends[0], 0.985, "top"), (ends[1], 0.015, "bottom")):
        axes.text(0.995, height, text, transform=axes.transAxes, ha="right", va=align, color=WORDS, fontsize=8)
    axes.tick_params(labelbottom=last, length=3)
    if last:
        axes.set_xlabel("time (s)" if axes.get_xlim()[1] < CLOCK_FROM_S else "time (min:s)")
    elif axes.get_legend_handles_labels()[0]:
        legend = axes.legend(*_legend(axes), loc="lower right", ncols=8, frameon=False, borderaxespad=0)
        legend.set_bbox_to_anchor((1, 1.01), transform=axes.transAxes)
    else:
        axes.text(0.5, 0.6, "no face was measured", transform=axes.transAxes, ha="center", va="center", color=WORDS)


def _legend(axes: Axes) -> tuple[list[Any], list[str]]:
    """Each face's line, and one word on the thin ones and on the bands."""
    named = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    band = {name: named.pop(name) for name in (BAND_WORDS,) if name in named}
    named |= {"before smoothing": axes.get_lines()[0]} | band
    return list(named.values()), list(named)


def _draw_path(axes: Axes, curve: Curve, span: tuple[float, float]) -> None:
    """One face's smoothed way through the circumplex, coloured by time; a ring at its start, a dot at its end."""
    points = curve.points[:, [0, 3, 4]]
    segments = np.stack([points[:-1, 1:], points[1:, 1:]], axis=1)
    colours = Normalize(*span)
    way = LineCollection(
        list(segments), array=points[1:, 0], cmap=PATH_COLOURS, norm=colours, linewidth=1.5, alpha=0.85
    )
    way.set_capstyle("round")
    axes.add_collection(way)
    for point, face in ((points[0], "white"), (points[-1], curve.colour)):
        axes.plot(*point[1:], "o", markersize=7, markerfacecolor=face, markeredgecolor="#1f242b", markeredgewidth=1.2)
    if span[1] > span[0]:
        _draw_time_key(axes, colours, span)


def _draw_density(axes: Axes, curve: Curve) -> None:
    """Where one face was in the circumplex, smoothed: the darker the longer, lines about HELD of the time."""
    points = curve.points[np.isfinite(curve.points[:, 3]), 3:5]
    edges = np.linspace(-1.06, 1.06, CELLS + 1)
    time = np.histogram2d(points[:, 1], points[:, 0], bins=CELLS, range=[[-1.06, 1.06]] * 2)[0] / len(points)
    middles = (edges[1:] + edges[:-1]) / 2
    blur = np.exp(-(((middles[:, None] - middles) / BLUR) ** 2) / 2)
    blur /= blur.sum(0)
    time = blur @ time @ blur.T
    falling = np.sort(time, axis=None)[::-1]
    levels = falling[np.searchsorted(np.cumsum(falling), np.array(HELD) * falling.sum())]
    shades = LinearSegmentedColormap.from_list("time", [(0, "white"), (0.5, curve.colour), (1, "#1f242b")])
    shown = np.ma.masked_less(time, falling[0] / 100)
    axes.pcolormesh(edges, edges, np.sqrt(shown), cmap=shades, vmin=0, zorder=0.5)
    if levels[0] > levels[1] > 0:
        axes.contour(middles, middles, time, levels[::-1], colors="#1f242b", linewidths=(0.8, 1.4))
    words = "the darker, the longer there;\nlines about half and nine tenths of the time"
    axes.text(0.5, -0.13, words, transform=axes.transAxes, ha="center", va="top", color=WORDS, fontsize=7.5)


def draw_circumplex(axes: Axes) -> None:
    """The circle, its axes, and how an expression in each quadrant looks."""
    axes.set(xlim=(-1.06, 1.06), ylim=(-1.06, 1.06), aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor=FAINT, linewidth=1.2))
    axes.axhline(0, color=GRID, linewidth=1, zorder=0)
    axes.axvline(0, color=GRID, linewidth=1, zorder=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("valence", labelpad=1)
    axes.set_ylabel("arousal", labelpad=-4)
    for quadrant, words in QUADRANT_WORDS.items():
        x, y = (1 if sign == "p" else -1 for sign in quadrant)
        text = axes.text(1.03 * x, 1.05 * y, words.replace(", ", ",\n"), color=WORDS, fontsize=7.5)
        text.set(ha="right" if x > 0 else "left", va="top" if y > 0 else "bottom")


def _draw_time_key(axes: Axes, colours: Normalize, span: tuple[float, float]) -> None:
    """A small scale of the path's colours under the circumplex."""
    place = axes.inset_axes((0.25, -0.17, 0.5, 0.022))
    key = axes.figure.colorbar(ScalarMappable(colours, PATH_COLOURS), cax=place, orientation="horizontal")
    key.outline.set_visible(False)
    key.set_ticks(list(span), labels=[_clock(round(t, 1), span) for t in span])
    key.ax.tick_params(length=0, labelsize=7.5, pad=2)
    key.ax.set_title("time (s)" if span[1] < CLOCK_FROM_S else "time", fontsize=7.5, color=WORDS, pad=2)
