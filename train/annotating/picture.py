"""The picture of a transfer: each class's ellipse and what was drawn in it, on the circumplex. Drawing only."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from tracker.config import FACE_COLOURS
from tracker.drawing.plots import DPI, FAINT, WORDS, draw_circumplex, house_style, png, write_title
from train.annotating.transfer import Annotated
from train.annotation_transfer import Ellipses

COLOURS = ("#4d5660", *("#{:02x}{:02x}{:02x}".format(*colour) for colour in FACE_COLOURS[:6]), "#b5a000")
MARKERS = "osD^vPX*p"
"""One more than colours, so that colour and marker together tell many classes apart."""
POINTS = 700
"""Points of a class that are drawn; the first, the middle and the last alike."""
LINES = 20
"""Classes that the list beside the circumplex has room for."""


def draw_ellipses(ellipses: Ellipses, result: Annotated, spread: float, title: str, caption: str) -> bytes:
    """Ellipses of `spread` standard deviations with the points of their classes, PNG."""
    with house_style():
        figure = Figure(figsize=(11, 7.1), dpi=DPI, facecolor="white")
        circle = figure.add_axes((0.045, 0.06, 0.575, 0.82))
        draw_circumplex(circle)
        for k in range(len(ellipses.names)):
            _draw_points(circle, result.affect[result.classes == k], COLOURS[k % len(COLOURS)])
        for k in range(len(ellipses.names)):
            _draw_ellipse(circle, ellipses, k, spread)
        _list_classes(figure.add_axes((0.635, 0.06, 0.345, 0.82)), ellipses, result)
        write_title(figure, title, caption)
        return png(figure)


def _draw_points(axes: Axes, affect: np.ndarray, colour: str) -> None:
    """A dot for each point, larger where several coincide, as discrete ones do."""
    if not len(affect):
        return
    rows = np.unique(np.linspace(0, len(affect) - 1, POINTS).round().astype(int))
    points, counts = np.unique(affect[rows], axis=0, return_counts=True)
    sizes = 5 + 50 * (counts - 1) / max(counts.max() - 1, 1)
    axes.scatter(points[:, 0], points[:, 1], s=sizes, c=colour, alpha=0.35, linewidths=0, zorder=2)


def _draw_ellipse(axes: Axes, ellipses: Ellipses, k: int, spread: float) -> None:
    centre, (width, height) = ellipses.centres[k], 2 * spread * ellipses.deviations[k]
    colour = COLOURS[k % len(COLOURS)]
    axes.add_patch(Ellipse(centre, width, height, fill=False, edgecolor=colour, linewidth=1.8, zorder=3))
    _mark(axes, centre[0], centre[1], k)


def _mark(axes: Axes, x: float, y: float, k: int) -> None:
    (mark,) = axes.plot(x, y, MARKERS[k % len(MARKERS)], color=COLOURS[k % len(COLOURS)], zorder=4)
    mark.set(markersize=13 if mark.get_marker() == "*" else 9, markeredgecolor="white", markeredgewidth=1.1)


def _list_classes(axes: Axes, ellipses: Ellipses, result: Annotated) -> None:
    """Each class's mark, name, count, and mean and standard deviation of what was drawn."""
    axes.set_axis_off()
    rows = min(len(ellipses.names), LINES)
    axes.set(xlim=(0, 1), ylim=(-1.5 - max(rows, 10), 0.7))
    for x, head in ((0.43, "count"), (0.72, "valence ± s.d."), (1.0, "arousal ± s.d.")):
        axes.text(x, 0, head, ha="right", va="center", color=WORDS, fontsize=8.5)
    axes.plot((0, 1), (-0.45, -0.45), color=FAINT, linewidth=0.8)
    for k in range(rows):
        _mark(axes, 0.03, -1 - k, k)
        _list_class(axes, -1 - k, ellipses.names[k], result.affect[result.classes == k])
    if len(ellipses.names) > rows:
        axes.text(0.075, -1 - rows, f"and {len(ellipses.names) - rows} more", va="center", color=WORDS)


def _list_class(axes: Axes, y: float, name: str, affect: np.ndarray) -> None:
    axes.text(0.075, y, name[:18], va="center", fontsize=10).set_parse_math(False)
    for x, text in ((0.43, f"{len(affect):,}"), (0.72, _figure(affect[:, 0])), (1.0, _figure(affect[:, 1]))):
        axes.text(x, y, text, ha="right", va="center")


def _figure(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    return f"{values.mean().round(2) + 0:.2f} ± {values.std():.2f}".replace("-", "−")
