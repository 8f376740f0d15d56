"""Accuracy over the length n of the window, as figures and as a picture: the paper's finding on sequence length."""

import io
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from nets.files import write_whole
from tracker.drawing.plots import DPI, GRID, STYLE, WORDS
from tracker.errors import SinkError

PANELS = {"rmse": "RMSE", "ccc": "CCC", "trembling": "trembling"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Of the palette of Okabe and Ito."""


def curve_of(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """For each encoder's S-n and SA-n the figures, averaged over the axes, at every n; n = 1 is the single frame.

    Two models of the same kind and n on one encoder are both in it, by their label.
    """
    models = {model["label"]: model for model in report["models"]}
    rows = {row["name"]: row for row in report["rows"]}
    series: dict[str, list[dict[str, Any]]] = {}
    for row in report["rows"]:
        if row["kind"] == "recurrent":
            name = f"{models[row['model']]['kind']} on {row['encoder']}"
            first = _point(rows[row["encoder"]], 1)
            series.setdefault(name, [first]).append(_point(row, models[row["model"]]["sequence_length"]))
    return {name: sorted(points, key=lambda point: point["n"]) for name, points in series.items()}


def draw_curve(report: dict[str, Any]) -> bytes:
    """The report's curve as a PNG: one panel a figure, a line with its 95 % band for each series, filters dashed."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(12, 4.3), dpi=DPI, facecolor="white")
        figure.subplots_adjust(left=0.065, right=0.985, bottom=0.14, top=0.8, wspace=0.24)
        for place, (name, title) in enumerate(PANELS.items(), 1):
            _draw_panel(figure.add_subplot(1, len(PANELS), place), report, name, title)
        lines, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="upper right", bbox_to_anchor=(0.99, 1), ncols=2, frameon=False, fontsize=8.5)
        figure.text(0.065, 0.955, "Accuracy over the length of the window", fontsize=15, fontweight="bold", va="top")
        figure.text(0.065, 0.885, _caption(report), fontsize=9.5, color=WORDS, va="top").set_parse_math(False)
        picture = io.BytesIO()
        FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()


def write_curve(report: dict[str, Any], path: Path) -> None:
    """Write the picture whole, or not at all; SinkError if it cannot be."""
    try:
        write_whole(path, draw_curve(report))
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}; choose another file for --curve") from error


def _point(row: dict[str, Any], n: int) -> dict[str, Any]:
    figures = {name: row["figures"][name]["average"] for name in PANELS}
    intervals = {name: row["intervals"][name]["average"] for name in PANELS}
    return {"n": n, "row": row["name"], "lag_ms": row["lag_ms"] and row["lag_ms"]["median"], **figures} | {
        "intervals": intervals
    }


def _draw_panel(axes: Axes, report: dict[str, Any], name: str, title: str) -> None:
    marks = set()
    for colour, (label, points) in zip(cycle(COLOURS), report["curve"].items(), strict=False):
        kept = [point for point in points if point[name] is not None]
        lengths = [point["n"] for point in kept]
        axes.plot(lengths, [p[name] for p in kept], "o-", color=colour, markersize=4, linewidth=1.6, label=label)
        if all(point["intervals"][name][0] is not None for point in kept):
            low, high = zip(*(point["intervals"][name] for point in kept), strict=True) if kept else ((), ())
            axes.fill_between(lengths, low, high, color=colour, alpha=0.13, linewidth=0)
        marks.update(lengths)
    for dash, row in zip(cycle(("--", ":")), [row for row in report["rows"] if row["kind"] == "tuned"], strict=False):
        if (value := row["figures"][name]["average"]) is not None:
            axes.axhline(value, color=WORDS, linestyle=dash, linewidth=1.1, label=row["name"])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(marks)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="n (frames in the window)", ylabel=title)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def _caption(report: dict[str, Any]) -> str:
    facts = report["set"]
    return (
        f"{facts['name']}, {facts['part']}: {facts['frames']} frames of {facts['clips']} clips; average of valence "
        "and arousal" + ("; bands: 95 % intervals over clips" if facts["clips"] > 1 else "; no interval: one clip")
    )
