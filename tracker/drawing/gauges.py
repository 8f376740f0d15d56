"""The gauges of the live window: the large circumplex and the rolling traces. Drawing only, in place, on RGB arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from tracker.drawing.history import History
from tracker.drawing.marks import INK, SUBPIXEL, Colour, Rect, blend, ellipse, faded, rounded, stroke, tint, write
from tracker.drawing.overlay import TRAIL_S, id_colour, measured
from tracker.types import QUADRANT_WORDS, AffectSample

GROUND, PANEL, GRID, RULE = (13, 14, 17), (23, 25, 30), (42, 46, 53), (84, 90, 100)
"""Behind everything, behind a part, fine lines, and the lines that count."""
FAINT = (132, 138, 148)
"""Letters that name what is always the same."""
SPAN_S = 20.0
"""What a trace shows."""
TICK_S = 5
FADES, LEAST = 8, 0.12
"""Steps in which a trail fades, and the share of its colour that is left at its end."""
SMALL_PX = 11
BAND = 0.2
"""How opaque what shows a deviation is."""


@dataclass(frozen=True)
class Dial:
    """The circumplex: valence to the right, arousal upwards, each face a dot with a fading trail."""

    place: Rect
    unit: float

    @property
    def centre(self) -> tuple[float, float]:
        """Pixels."""
        return (self.place[0] + self.place[2]) / 2, (self.place[1] + self.place[3]) / 2

    @property
    def radius(self) -> float:
        """Of the unit circle, pixels."""
        return (self.place[3] - self.place[1]) / 2 - 21 * self.unit

    def draw_empty(self, image: np.ndarray) -> None:
        """What never changes."""
        draw_panel(image, self.place, self.unit)
        (x, y), r = self.centre, self.radius
        for share, colour in ((0.5, GRID), (1.0, RULE)):
            circle(image, (x, y), share * r, colour, thickness=1)
        for end in ((r, 0.0), (0.0, r)):
            line(image, np.array([[x - end[0], y - end[1]], [x + end[0], y + end[1]]]), GRID, 1)
        self._name(image)

    def draw(self, image: np.ndarray, history: History, samples: Sequence[AffectSample]) -> None:
        """The trails of the last seconds, each neutral baseline as a ring, each face of now as a dot."""
        for track_id, points, gaps in history.faces(TRAIL_S):
            steps = np.searchsorted(points[:, 0], history.now - TRAIL_S * (1 - np.arange(FADES + 1) / FADES))
            self._draw_trail(image, self._spots(points[:, 1:3]), gaps, steps, id_colour(track_id))
        for sample in filter(measured, samples):
            self._draw_face(image, sample)

    def _name(self, image: np.ndarray) -> None:
        (x, y), r, u, px = self.centre, self.radius, self.unit, text_px(SMALL_PX, self.unit)
        write(image, (x, self.place[1] + 11 * u), "arousal", px, INK, 0.5)
        write(image, (x + r + 7 * u, y), "valence", px, INK)
        for name, words in QUADRANT_WORDS.items():
            right, low = name[0] == "p", name[1] == "n"
            x, y = self.place[2 * right] + 12 * u * (1 - 2 * right), self.place[1 + 2 * low] + 14 * u * (1 - 2 * low)
            write(image, (x, y), words, px, FAINT, float(right))

    def _draw_trail(
        self, image: np.ndarray, spots: np.ndarray, gaps: np.ndarray, steps: np.ndarray, colour: Colour
    ) -> None:
        """A piece of the trail for each step of its fading, which begins at an index of the spots."""
        for step, (start, end) in enumerate(pairwise(steps), 1):
            within = gaps[(gaps > start) & (gaps <= end)] - start
            width = stroke((1.0 + 1.6 * step / FADES) * self.unit)
            line(image, spots[start : end + 1], faded(colour, step / FADES, PANEL, LEAST), width, within)

    def _draw_face(self, image: np.ndarray, sample: AffectSample) -> None:
        affect = np.array([[sample.valence_smooth, sample.arousal_smooth]])
        relative = np.array([[sample.valence_rel, sample.arousal_rel]])
        colour, (x, y) = id_colour(sample.track_id), self._spots(affect)[0]
        if sample.valence_sd is not None and sample.arousal_sd is not None:
            radii = np.array([sample.valence_sd, sample.arousal_sd]) * self.radius
            tint(image, self.place, ellipse(np.array([x, y]), radii), colour, BAND)
        if np.isfinite(relative).all():
            circle(
                image, self._spots(affect - relative)[0], 6 * self.unit, faded(colour, 0.75, PANEL, LEAST), thickness=1
            )
        circle(image, (x, y), 7.5 * self.unit, INK)
        circle(image, (x, y), 5.8 * self.unit, colour)

    def _spots(self, affect: np.ndarray) -> np.ndarray:
        """(n, 2) pixels of (n, 2) valences and arousals."""
        return np.array(self.centre) + np.clip(affect, -1, 1) * (self.radius, -self.radius)


@dataclass(frozen=True)
class Trace:
    """Valence or arousal of each face over the last SPAN_S seconds; now is at the right."""

    place: Rect
    unit: float
    dimension: int
    """0 for valence, 1 for arousal."""

    @property
    def plot(self) -> tuple[float, float, float, float]:
        """Where the curves lie: x0, y0, x1, y1 px; y0 is +1, y1 is -1."""
        (x0, y0, x1, y1), u = self.place, self.unit
        return x0 + 40 * u, y0 + 30 * u, x1 - 18 * u, y1 - 26 * u

    def draw_empty(self, image: np.ndarray) -> None:
        """What never changes."""
        draw_panel(image, self.place, self.unit)
        x0, y0, x1, y1 = self.plot
        u, px = self.unit, text_px(SMALL_PX, self.unit)
        write(image, (self.place[0] + 14 * u, self.place[1] + 15 * u), ("valence", "arousal")[self.dimension], px, INK)
        for value, name in ((1, "+1"), (0.5, ""), (0, "0"), (-0.5, ""), (-1, "−1")):
            y = (y0 + y1) / 2 - value * (y1 - y0) / 2
            line(image, np.array([[x0, y], [x1, y]]), RULE if value == 0 else GRID, 1)
            write(image, (x0 - 8 * u, y), name, px, FAINT, 1.0)
        self._draw_times(image, px)

    def draw(self, image: np.ndarray, history: History, samples: Sequence[AffectSample]) -> None:
        """The curves, each in a band of one standard deviation where the model tells it; a dot where one goes on."""
        for track_id, points, gaps in history.faces(SPAN_S):
            for run in np.split(points, gaps):
                self._draw_band(image, run, history.now, id_colour(track_id))
        for track_id, points, gaps in history.faces(SPAN_S):
            line(image, self._spots(points, history.now), id_colour(track_id), stroke(1.8 * self.unit), gaps)
        for sample in filter(measured, samples):
            now = np.array([[sample.time, sample.valence_smooth, sample.arousal_smooth]])
            circle(image, self._spots(now, history.now)[0], 4.6 * self.unit, id_colour(sample.track_id))

    def _draw_band(self, image: np.ndarray, run: np.ndarray, now: float, colour: Colour) -> None:
        """Of a run (n, 5) of points without a gap."""
        deviation = run[:, [0, 3, 4]] * (0, 1, 1)
        if np.isfinite(deviation).all():
            ends = [self._spots(run[:, :3] + sign * deviation, now) for sign in (1, -1)]
            tint(image, self.place, np.vstack([ends[0], ends[1][::-1]]), colour, BAND)

    def _draw_times(self, image: np.ndarray, px: int) -> None:
        x0, y0, x1, y1 = self.plot
        for ago in range(0, int(SPAN_S) + 1, TICK_S):
            x = x1 - ago * (x1 - x0) / SPAN_S
            line(image, np.array([[x, y0], [x, y1 + 4 * self.unit]]), GRID, 1)
            write(image, (x, y1 + 14 * self.unit), f"−{ago} s" if ago else "now", px, FAINT, 0.5)

    def _spots(self, points: np.ndarray, now: float) -> np.ndarray:
        """(n, 2) pixels of (n, 3) times, valences and arousals."""
        x0, y0, x1, y1 = self.plot
        x = x1 - (now - points[:, 0]) * (x1 - x0) / SPAN_S
        y = (y0 + y1) / 2 - np.clip(points[:, 1 + self.dimension], -1, 1) * (y1 - y0) / 2
        return np.column_stack((x, y))


def draw_panel(image: np.ndarray, place: Rect, unit: float) -> None:
    """The ground of a part: a little lighter than what is behind it, with rounded corners."""
    x0, y0, x1, y1 = place
    blend(image, place, PANEL, rounded(x1 - x0, y1 - y0, stroke(8 * unit)))


def line(
    image: np.ndarray, spots: np.ndarray, colour: Colour, thickness: int, gaps: np.ndarray | Sequence[int] = ()
) -> None:
    """A line through (n, 2) pixels, smooth, to a fraction of a pixel; parted before the indices in gaps."""
    cv2.polylines(image, np.split(_fixed(spots), gaps), False, colour, thickness, cv2.LINE_AA, SUBPIXEL)


def circle(
    image: np.ndarray, centre: Sequence[float] | np.ndarray, radius: float, colour: Colour, thickness: int = -1
) -> None:
    """A disc, or a ring of a thickness, likewise."""
    x, y = _fixed(np.array(centre)).tolist()
    cv2.circle(image, (x, y), round(radius * 2**SUBPIXEL), colour, thickness, cv2.LINE_AA, SUBPIXEL)


def text_px(px: float, unit: float) -> int:
    """The size of letters that are so large at unit 1, never too small to be read."""
    return max(8, round(px * unit))


def _fixed(spots: np.ndarray) -> np.ndarray:
    """Pixels in OpenCV's fractions."""
    return np.rint(spots * 2**SUBPIXEL).astype(np.int32)
