"""The words of the live window: the bars above and below, the table of faces, the keys. Drawing only, in place."""

import math
from collections.abc import Sequence

import numpy as np

from tracker.drawing.gauges import FAINT, GRID, PANEL, SMALL_PX, circle, draw_panel, text_px
from tracker.drawing.layout import Layout
from tracker.drawing.letters import fitted, width
from tracker.drawing.marks import INK, MUTED, Colour, Rect, blend, rounded, stroke, write
from tracker.drawing.overlay import face_colour, id_colour, signed, words
from tracker.keys import HELP, KEYS, QUIT, key_name
from tracker.types import AffectSample, LiveStatus

BODY_PX = 13
EDGE = 14
"""Between a bar's end and its words, pixels at unit 1."""
RED, AMBER, BLUE = (238, 82, 74), (236, 178, 46), (86, 180, 233)
"""Recording, paused, taking a baseline: each says so in words as well."""
ROWS = 4
"""Faces that the table has room for."""
VALENCE, AROUSAL, WORDS, VALENCE_REL, AROUSAL_REL = 98, 154, 172, 358, 406
"""Where the table's columns end (the words: begin), pixels at unit 1."""


class Captions:
    """Writes what the window says in words; everything has its place and is cut to it."""

    def __init__(self, layout: Layout) -> None:
        self._at = layout
        self._px = text_px(BODY_PX, layout.unit)
        self._small = text_px(SMALL_PX, layout.unit)

    def head(self, image: np.ndarray, status: LiveStatus) -> None:
        """The source and the model at the left, what goes on at the right, the notice between."""
        left, y, right, u = self._at.px(EDGE), self._middle(self._at.head), self._at.head[2], self._at.unit
        end = self._pills(image, status, right - self._at.px(10), y)
        source = fitted(status.source, self._px, round(0.3 * right))
        model = fitted(status.model, self._px, round(0.18 * right))
        write(image, (left, y), source, self._px, INK)
        left += width(source, self._px) + round(14 * u)
        write(image, (left, y), model, self._px, FAINT)
        left += width(model, self._px) + round(28 * u)
        notice = fitted(status.notice, self._px, end - round(14 * u) - left)
        write(image, (end - round(14 * u), y), notice, self._px, AMBER, 1.0)

    def foot(self, image: np.ndarray, status: LiveStatus) -> None:
        """The speed at the left, each figure in a place of its own; the receivers and the key for help at the right."""
        y, right, px = self._middle(self._at.foot), self._at.foot[2] - self._at.px(EDGE), self._at.px
        p50, p95 = _figure(status.latency_p50_ms), _figure(status.latency_p95_ms)
        latency = f"latency {p50} ms, p95 {p95} ms"
        if status.latency_from != "capture":
            latency = f"from {status.latency_from} {p50}, p95 {p95} ms"
        figures = f"{_figure(status.fps, 1)} fps", latency, f"{status.dropped} dropped"
        for start, text in zip((EDGE, 100, 300), figures, strict=True):
            write(image, (px(start), y), text, self._px, MUTED)
        write(image, (right, y), f"{HELP}: keys", self._px, FAINT, 1.0)
        right -= width(f"{HELP}: keys", self._px) + px(28)
        outlets = fitted("   ·   ".join(status.outlets), self._px, right - px(420))
        write(image, (right, y), outlets, self._px, MUTED, 1.0)

    def empty_table(self, image: np.ndarray) -> None:
        """The table's ground and the names of its columns."""
        draw_panel(image, self._at.table, self._at.unit)
        for x, name, align in ((28, "face", 0), (VALENCE, "V", 1), (AROUSAL, "A", 1), (WORDS, "looks", 0)):
            self._cell(image, x, 0, name, FAINT, align)

    def table(self, image: np.ndarray, samples: Sequence[AffectSample]) -> None:
        """A row for each face, by its id: its colour, its values, what they look like, and those above its baseline."""
        ordered = sorted(samples, key=lambda sample: sample.track_id)
        shown = ordered if len(ordered) <= ROWS else ordered[: ROWS - 1]
        if not samples:
            self._cell(image, 28, 1, "no face", FAINT)
        if any(math.isfinite(sample.valence_rel) for sample in shown):
            self._cell(image, VALENCE_REL, 0, "V rel.", FAINT, 1)
            self._cell(image, AROUSAL_REL, 0, "A rel.", FAINT, 1)
        for row, sample in enumerate(shown, 1):
            self._row(image, row, sample)
        if len(shown) < len(ordered):
            self._cell(image, 28, ROWS, f"{len(ordered) - len(shown)} more faces", FAINT)

    def waiting(self, image: np.ndarray, status: LiveStatus) -> None:
        """In place of the video, before its first frame."""
        x0, y0, x1, y1 = self._at.view
        x, y, most = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0 - self._at.px(60)
        told = f"loading {status.loading} for" if status.loading else "loading: waiting for the first frame of"
        write(image, (x, y - self._at.px(12)), told, self._px, FAINT, 0.5)
        source = fitted(status.source, text_px(17, self._at.unit), most)
        write(image, (x, y + self._at.px(14)), source, text_px(17, self._at.unit), INK, 0.5)

    def help(self, image: np.ndarray) -> None:
        """The keys, over the video."""
        x0, y0, x1, y1 = self._at.view
        u, height, half = self._at.unit, 30 * (len(KEYS) + 2) * self._at.unit, 215 * self._at.unit
        left, top = round((x0 + x1) / 2 - half), round((y0 + y1 - height) / 2)
        right, low = round(left + 2 * half), round(top + height)
        blend(image, (left, top, right, low), PANEL, rounded(right - left, low - top, stroke(12 * u), 0.97))
        write(image, (left + 28 * u, top + 31 * u), "keys", text_px(15, u), INK)
        for row, (key, does) in enumerate(KEYS.items()):
            self._key(image, (left + 28 * u, top + (66 + 30 * row) * u), key, does)

    def _key(self, image: np.ndarray, spot: tuple[float, float], key: str, does: str) -> None:
        name = "q, Esc" if key == QUIT else key_name(key)
        (x, y), u = spot, self._at.unit
        cap = round(x), round(y - 11 * u), round(x + 62 * u), round(y + 11 * u)
        blend(image, cap, GRID, rounded(cap[2] - cap[0], cap[3] - cap[1], stroke(5 * u)))
        write(image, (x + 31 * u, y), name, self._px, INK, 0.5)
        write(image, (x + 78 * u, y), does, self._px, MUTED)

    def _row(self, image: np.ndarray, row: int, sample: AffectSample) -> None:
        x0, y = self._at.table[0], self._line(row)
        stripe = x0 + self._at.px(14), round(y) - self._at.px(8), x0 + self._at.px(17), round(y) + self._at.px(8)
        blend(image, stripe, id_colour(sample.track_id), 1.0)
        self._cell(image, 28, row, str(sample.track_id), INK)
        self._cell(image, VALENCE, row, signed(sample.valence_smooth), INK, 1)
        self._cell(image, AROUSAL, row, signed(sample.arousal_smooth), INK, 1)
        self._cell(image, WORDS, row, words(sample), MUTED if face_colour(sample) != MUTED else FAINT)
        if math.isfinite(sample.valence_rel):
            self._cell(image, VALENCE_REL, row, signed(sample.valence_rel), MUTED, 1)
            self._cell(image, AROUSAL_REL, row, signed(sample.arousal_rel), MUTED, 1)

    def _cell(self, image: np.ndarray, x: float, row: int, text: str, colour: Colour, align: float = 0) -> None:
        spot = self._at.table[0] + x * self._at.unit, self._line(row)
        write(image, spot, text, self._px if row else self._small, colour, align)

    def _line(self, row: int) -> float:
        """The middle of a row of the table; 0 is its head."""
        return self._at.table[1] + (16 + 25 * row) * self._at.unit

    def _pills(self, image: np.ndarray, status: LiveStatus, right: int, y: float) -> int:
        """What goes on, from the right; returns where they begin."""
        if status.recorded_s is not None:
            right = self._pill(image, (right, y), f"REC {_clock(status.recorded_s)}", RED)
        if status.paused:
            right = self._pill(image, (right, y), "paused", AMBER)
        if status.baseline is not None:
            right = self._pill(image, (right, y), "neutral baseline", BLUE, status.baseline)
        return right

    def _pill(
        self, image: np.ndarray, end: tuple[int, float], text: str, colour: Colour, progress: float | None = None
    ) -> int:
        """A plate with a dot, words and, where there is progress, how much is done; returns where the next may end."""
        u, y, wide = self._at.unit, end[1], width(text, self._px) + self._at.px(40)
        place = end[0] - wide, round(y - 13 * u), end[0], round(y + 13 * u)
        shape = rounded(wide, place[3] - place[1], stroke(13 * u))
        blend(image, place, PANEL, shape)
        if progress is not None:
            blend(image, place, colour, shape * (np.arange(wide) < wide * progress) * np.float32(0.35))
        circle(image, (place[0] + 16 * u, y), 5 * u, colour)
        write(image, (place[0] + 28 * u, y), text, self._px, INK)
        return place[0] - round(8 * u)

    @staticmethod
    def _middle(place: Rect) -> float:
        return (place[1] + place[3]) / 2


def _figure(value: float, decimals: int = 0) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def _clock(seconds: float) -> str:
    """mm:ss, with hours before them where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes:02d}:{rest:02d}"
