"""The overlay: what was measured, drawn on the frame. Drawing only: no inference, no files."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tracker.config import FACE_COLOURS
from tracker.drawing.marks import (
    LEAST_UNIT,
    MUTED,
    PAD,
    UNIT_SIDE_PX,
    Colour,
    Point,
    Rect,
    area,
    around,
    bars_size,
    blur_face,
    dial_size,
    draw_bars,
    draw_box,
    draw_dial,
    draw_label,
    draw_spread,
    draw_trail,
    label_size,
    overlap,
    rect,
)
from tracker.types import QUADRANT_WORDS, AffectSample, Face, TrackedFrame

TRAIL_S = 3.0
"""Length of the trail, and how long a face that is gone is remembered."""
TRAIL_GAP_S = 0.5
"""A longer gap breaks the trail."""
BLUR_HOLD_S = 1.0
"""A lost face's place stays blurred for so long."""
NEUTRAL_RADIUS = 0.1
"""Nearer to the circumplex's centre than this, no quadrant is named."""
FACE_PX, LEAST = 110, 0.55
"""A smaller face has smaller marks, down to a share of those of a large one."""
GAP = 9
"""Between a face and its circumplex, at unit 1."""
STAY = 0.06
"""A mark moves to another side of its face only where it covers so much less, as a share of its area."""


@dataclass
class FaceMemory:
    """What the overlay remembers of one face."""

    trail: deque[Point] = field(default_factory=deque)
    """Oldest first, at most TRAIL_S long."""
    places: dict[str, int] = field(default_factory=dict)
    """Where by the face each of its marks stood last."""
    box: Rect = (0, 0, 0, 0)
    seen: float = -math.inf


class Overlay:
    """Draws tracked frames in the order of their times; remembers the faces of the last TRAIL_S seconds.

    Without circumplexes it draws boxes and labels alone; with either, the likeliest expressions of a model that names
    any.
    """

    def __init__(self, blur_faces: bool = False, circumplexes: bool = True) -> None:
        self._blur_faces = blur_faces
        circumplex = (self._draw_circumplex,) if circumplexes else ()
        self._steps = (self._draw_face, *circumplex, self._draw_expressions)
        self._memory: dict[int, FaceMemory] = {}

    def draw(self, tracked: TrackedFrame) -> np.ndarray:
        """A copy of the frame, (H, W, 3) uint8 RGB, with the marks of each face."""
        image = tracked.frame.image.copy()
        self.draw_on(image, tracked)
        return image

    def picture(self, tracked: TrackedFrame) -> np.ndarray:
        """A copy of the frame without marks, its faces unrecognisable where that was asked for; in place of draw."""
        image = tracked.frame.image.copy()
        self._take(image, tracked)
        return image

    def draw_on(self, image: np.ndarray, tracked: TrackedFrame, margins: tuple[int, int] = (0, 0)) -> None:
        """Draw on an image (H, W, 3) uint8 RGB in which the boxes lie; its margins (x, y) px are not blurred."""
        self._take(image, tracked, margins)
        taken = [rect(face.box) for face in tracked.faces]
        for step in self._steps:
            for face, sample in zip(tracked.faces, tracked.samples, strict=True):
                taken.append(step(image, face, sample, taken))

    def reset(self) -> None:
        """Forget all faces, as for a new source."""
        self._memory.clear()

    def _take(self, image: np.ndarray, tracked: TrackedFrame, margins: tuple[int, int] = (0, 0)) -> None:
        """Remember the faces, and make them unrecognisable where that was asked for."""
        self._remember(tracked)
        self._forget(tracked.frame.time)
        if self._blur_faces:
            self._blur(image, tracked.frame.time, margins)

    def _remember(self, tracked: TrackedFrame) -> None:
        for face, sample in zip(tracked.faces, tracked.samples, strict=True):
            memory = self._memory.setdefault(sample.track_id, FaceMemory())
            memory.box, memory.seen = rect(face.box), tracked.frame.time
            if measured(sample):
                memory.trail.append((tracked.frame.time, sample.valence_smooth, sample.arousal_smooth))

    def _forget(self, now: float) -> None:
        for memory in self._memory.values():
            while memory.trail and not 0 <= now - memory.trail[0][0] <= TRAIL_S:
                memory.trail.popleft()
        self._memory = {k: memory for k, memory in self._memory.items() if 0 <= now - memory.seen <= TRAIL_S}

    def _blur(self, image: np.ndarray, now: float, margins: tuple[int, int]) -> None:
        (x, y), (height, width) = margins, image.shape[:2]
        picture = image[y : height - y, x : width - x]
        for memory in self._memory.values():
            if now - memory.seen <= BLUR_HOLD_S:
                x0, y0, x1, y1 = memory.box
                blur_face(picture, (x0 - x, y0 - y, x1 - x, y1 - y))

    def _draw_face(self, image: np.ndarray, face: Face, sample: AffectSample, taken: list[Rect]) -> Rect:
        """The box and the label; returns the label's plate."""
        box, unit, lines, colour = rect(face.box), _unit(image, face), _lines(sample), face_colour(sample)
        draw_box(image, box, colour, unit)
        places = around(image, box, label_size(lines, unit), round(PAD * unit))
        place = self._place("label", sample, places[:4], taken)
        draw_label(image, place, lines, colour, unit)
        return place

    def _draw_circumplex(self, image: np.ndarray, face: Face, sample: AffectSample, taken: list[Rect]) -> Rect:
        """The circumplex, its trail and its dot; returns its plate."""
        unit, colour = _unit(image, face), face_colour(sample)
        places = around(image, rect(face.box), dial_size(unit), round(GAP * unit))
        place = self._place("circumplex", sample, places[4:] + places[:4], taken)
        draw_dial(image, place, sample.quadrant, colour, unit)
        if measured(sample) and sample.valence_sd is not None and sample.arousal_sd is not None:
            point = sample.time, sample.valence_smooth, sample.arousal_smooth
            draw_spread(image, place, point, (sample.valence_sd, sample.arousal_sd), colour, unit)
        if runs := list(_runs(self._memory[sample.track_id].trail)):
            draw_trail(image, place, runs, colour, unit)
        return place

    def _draw_expressions(self, image: np.ndarray, face: Face, sample: AffectSample, taken: list[Rect]) -> Rect:
        """The likeliest expressions, where the model names any; returns their plate."""
        if sample.expressions is None:
            return 0, 0, 0, 0
        unit = _unit(image, face)
        places = around(image, rect(face.box), bars_size(unit), round(GAP * unit))
        place = self._place("expressions", sample, places[4:] + places[:4], taken)
        draw_bars(image, place, sample.expressions, face_colour(sample), unit)
        return place

    def _place(self, what: str, sample: AffectSample, places: list[Rect], taken: list[Rect]) -> Rect:
        """The place that covers least of what is taken; last time's, as long as no other is clearly better."""
        last = self._memory[sample.track_id].places
        cost = [sum(overlap(place, other) for other in taken) / area(place) for place in places]
        best = min(range(len(places)), key=lambda i: cost[i] - STAY * (i == last.get(what)))
        last[what] = best
        return places[best]


def affect_words(valence: float, arousal: float) -> str:
    """The quadrant of a point of the circumplex in words; "near neutral" about its centre."""
    if math.hypot(valence, arousal) < NEUTRAL_RADIUS:
        return "near neutral"
    return QUADRANT_WORDS[("p" if valence >= 0 else "n") + ("p" if arousal >= 0 else "n")]


def id_colour(track_id: int) -> Colour:
    """The colour of a face's id, RGB."""
    return FACE_COLOURS[track_id % len(FACE_COLOURS)]


def face_colour(sample: AffectSample) -> Colour:
    """The colour of a face's id, RGB; a muted grey where the quality is low."""
    return MUTED if sample.status == "low_quality" else id_colour(sample.track_id)


def signed(value: float) -> str:
    """A value of [-2, 2] with its sign and two decimals, as wide as any other; a dash where there is none."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "\N{EN DASH}"


def words(sample: AffectSample) -> str:
    """What a sample says, in words: of its quadrant, or why there is none."""
    if not measured(sample):
        return "not measured"
    low = sample.status == "low_quality"
    return "low quality" if low else affect_words(sample.valence_smooth, sample.arousal_smooth)


def measured(sample: AffectSample) -> bool:
    """Whether a sample has smoothed values."""
    return math.isfinite(sample.valence_smooth) and math.isfinite(sample.arousal_smooth)


def _unit(image: np.ndarray, face: Face) -> float:
    """The scale of a face's marks, in steps of a tenth."""
    largest = min(image.shape[:2]) / UNIT_SIDE_PX
    width = float(face.box[2] - face.box[0])
    return max(LEAST_UNIT, round(min(max(width / FACE_PX, LEAST * largest), largest), 1))


def _lines(sample: AffectSample) -> tuple[str, str]:
    """The label: the id and the smoothed values, and what they mean."""
    values = f"  V {signed(sample.valence_smooth)}  A {signed(sample.arousal_smooth)}" if measured(sample) else ""
    return f"{sample.track_id}{values}", words(sample)


def _runs(trail: deque[Point]) -> Iterator[list[Point]]:
    """The trail, parted where a gap is longer than TRAIL_GAP_S."""
    run: list[Point] = []
    for point in trail:
        if run and point[0] - run[-1][0] > TRAIL_GAP_S:
            yield run
            run = []
        run.append(point)
    if run:
        yield run
