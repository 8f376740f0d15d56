"""The report's pictures: reconstructions, maps of the latents, circumplexes. Drawing only."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tracker.drawing.plots import DPI, GRID, draw_circumplex, house_style, png
from train.annotating.picture import COLOURS as CLASS_COLOURS
from train.annotation_transfer import spelled
from train.datasets.ferplus import EMOTIONS

COLOURS = dict(zip(EMOTIONS, CLASS_COLOURS, strict=True))
INK = "#1f242b"
UNKNOWN = "#0072b2"
"""Of faces whose emotion is not known."""
GAP = 3
"""Pixels between two faces of a grid."""
FACE_INCHES, PANEL_INCHES = 0.8, 3.1
LETTER_INCHES = 0.065
"""Width of a letter of the rows' names, about."""

Words = np.ndarray | None
"""The emotion (n,) of each face, by name; None where it is not known."""
Sizes = np.ndarray | float
"""Areas of dots, square points."""
DOT = 8.0
"""Of one that has no size of its own."""


def draw_reconstructions(rows: Mapping[str, np.ndarray], words: Words) -> bytes:
    """Faces (n, S, S, C) in [0, 1], a row under another by name, as a PNG; words stand above the columns."""
    picture = np.concatenate([_strip(faces) for faces in rows.values()])
    count, side = next(iter(rows.values())).shape[:2]
    height, width = (FACE_INCHES * length / side for length in picture.shape[:2])
    left, top = 0.3 + LETTER_INCHES * max(map(len, rows)), 0.3
    with house_style():
        figure = Figure((left + width, top + height), DPI, facecolor="white")
        axes = figure.add_axes((left / (left + width), 0, width / (left + width), height / (top + height)))
        axes.imshow(picture)
        middles = (side + GAP) * np.arange(max(count, len(rows))) + side / 2
        axes.set_yticks(middles[: len(rows)], list(rows), fontsize=9)
        axes.set_xticks(middles[:count], [""] * count if words is None else words.tolist(), fontsize=8)
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
        return png(figure)


def _strip(faces: np.ndarray) -> np.ndarray:
    """Faces (n, S, S, C) beside one another, with white between and below: (S + GAP, n (S + GAP), 3)."""
    spaced = np.pad(faces, ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1)
    strip = np.concatenate(list(spaced), axis=1)
    return np.broadcast_to(strip, (*strip.shape[:2], 3))


def draw_maps(maps: Mapping[str, Mapping[str, np.ndarray]], words: Words, sizes: Sizes = DOT) -> bytes:
    """Maps (n, 2) by latent and model, as a PNG: a row a latent, a column a model, a dot a face."""
    with house_style():
        figure, panels = _panels(len(maps), max(len(row) for row in maps.values()))
        for number, (latent, row) in enumerate(maps.items()):
            for axes, (model, points) in zip(panels[number], row.items(), strict=True):
                _draw_dots(axes, points, words, sizes)
                axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
                axes.spines[:].set(visible=True, color=GRID)
                axes.set_title(model if number == 0 else "", fontsize=10)
            panels[number, 0].set_ylabel(latent, fontsize=11)
        _draw_key(figure, words)
        return png(figure)


def draw_circumplexes(affect: Mapping[str, np.ndarray], words: Words) -> bytes:
    """Valence and arousal (n, 2) by name, the true ones first, as a PNG: a panel each, a dot a face.

    A ring marks the true mean of each emotion, and the dot that a line joins to it the mean of what is shown.
    """
    truth = next(iter(affect.values()))
    with house_style():
        figure, panels = _panels(-(-len(affect) // 3), min(3, len(affect)))
        for axes in panels.flat[len(affect) :]:
            axes.set_visible(False)
        for axes, (name, points) in zip(panels.flat, affect.items(), strict=False):
            draw_circumplex(axes)
            _draw_dots(axes, points, words)
            _draw_means(axes, points, truth, words)
            axes.set_title(name, fontsize=10)
        _draw_key(figure, words)
        return png(figure)


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """A figure with panels (rows, columns)."""
    size = (PANEL_INCHES * columns + 0.3, PANEL_INCHES * rows + 0.5)
    figure = Figure(size, DPI, facecolor="white", layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _draw_dots(axes: Axes, points: np.ndarray, words: Words, sizes: Sizes = DOT) -> None:
    """In an order at random, so that no emotion hides the others."""
    colours = np.array([UNKNOWN] * len(points) if words is None else [COLOURS[spelled(word)] for word in words])
    order = np.random.default_rng(0).permutation(len(points))
    x, y = points[order].T
    areas = np.broadcast_to(sizes, len(points))[order]
    axes.scatter(x, y, s=areas, c=colours[order], alpha=0.4 if len(points) > 2000 else 0.75, linewidth=0)


def _draw_means(axes: Axes, points: np.ndarray, truth: np.ndarray, words: Words) -> None:
    for word in [] if words is None else np.unique(words):
        own = words == word
        ends = np.stack([truth[own].mean(axis=0), points[own].mean(axis=0)])
        axes.plot(*ends.T, color=INK, linewidth=1)
        for end, face in zip(ends, ("white", COLOURS[spelled(word)]), strict=True):
            axes.plot(*end, "o", markersize=6.5, markerfacecolor=face, markeredgecolor=INK, markeredgewidth=1)


def _draw_key(figure: Figure, words: Words) -> None:
    """The colours of the emotions that occur, above the panels."""
    present = {} if words is None else {spelled(word): word for word in np.unique(words)}
    dots = [
        Line2D([], [], linestyle="", marker="o", color=colour, markersize=6, label=present[name])
        for name, colour in COLOURS.items()
        if name in present
    ]
    columns = int(figure.get_figwidth() / 1.05)
    figure.legend(handles=dots, loc="outside upper center", ncols=columns, frameon=False, handletextpad=0)
