"""The picture of the live window: the video, the circumplex, the traces and how the run goes. Drawing only."""

from dataclasses import replace

import cv2
import numpy as np

from tracker.drawing.captions import Captions
from tracker.drawing.gauges import GROUND, SPAN_S, Dial, Trace, draw_panel
from tracker.drawing.history import History
from tracker.drawing.layout import SIZE, layout
from tracker.drawing.marks import Rect
from tracker.drawing.overlay import Overlay
from tracker.types import LiveStatus, TrackedFrame

MUCH = 1.5
"""A picture that is shrunk by more than this is averaged."""


class Dashboard:
    """Draws the window; remembers the last SPAN_S seconds of each face.

    size is (width, height) in pixels, at least 960 x 540 (UsageError). blur_faces makes the faces unrecognisable.
    """

    def __init__(self, size: tuple[int, int] = SIZE, blur_faces: bool = False) -> None:
        self._at = layout(*size)
        self._overlay = Overlay(blur_faces=blur_faces, circumplexes=False)
        self._captions = Captions(self._at)
        self._gauges = (
            Dial(self._at.dial, self._at.unit),
            Trace(self._at.valence, self._at.unit, 0),
            Trace(self._at.arousal, self._at.unit, 1),
        )
        self._history = History(SPAN_S)
        self._tracked: TrackedFrame | None = None
        self._empty = self._ground(size)
        self._scene = self._empty.copy()

    def draw(self, tracked: TrackedFrame | None, status: LiveStatus) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a tracked frame, the same or a later one at each call; None before the first."""
        if tracked is not None and tracked is not self._tracked:
            self._tracked = tracked
            self._draw_scene(tracked)
        image = self._scene.copy()
        if self._tracked is None:
            self._captions.waiting(image, status)
        self._captions.head(image, status)
        self._captions.foot(image, status)
        if status.help:
            self._captions.help(image)
        return image

    def _ground(self, size: tuple[int, int]) -> np.ndarray:
        """What never changes."""
        image = np.full((size[1], size[0], 3), GROUND, np.uint8)
        draw_panel(image, self._at.view, self._at.unit)
        self._captions.empty_table(image)
        for gauge in self._gauges:
            gauge.draw_empty(image)
        return image

    def _draw_scene(self, tracked: TrackedFrame) -> None:
        """All but what the status says."""
        np.copyto(self._scene, self._empty)
        self._history.add(tracked)
        x0, y0, x1, y1 = self._at.view
        view = self._scene[y0:y1, x0:x1]
        self._overlay.draw_on(view, *seen_in(view, tracked))
        for gauge in self._gauges:
            gauge.draw(self._scene, self._history, tracked.samples)
        self._captions.table(self._scene, tracked.samples)


def seen_in(view: np.ndarray, tracked: TrackedFrame) -> tuple[TrackedFrame, tuple[int, int]]:
    """Fit the picture into a view (H, W, 3); returns the same with its boxes there, and the margins (x, y) px left."""
    (height, width), (high, wide) = tracked.frame.image.shape[:2], view.shape[:2]
    x0, y0, x1, y1 = _place(width, height, (wide, high))
    _resize(tracked.frame.image, view[y0:y1, x0:x1])
    scale = np.array([(x1 - x0) / width, (y1 - y0) / height] * 2, np.float32)
    corner = np.array([x0, y0, x0, y0], np.float32)
    faces = tuple(replace(face, box=face.box * scale + corner) for face in tracked.faces)
    return replace(tracked, faces=faces), (x0, y0)


def _place(width: int, height: int, size: tuple[int, int]) -> Rect:
    """Where a picture lies in the middle of a size, as large as it can be."""
    scale = min(size[0] / width, size[1] / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = (size[0] - w) // 2, (size[1] - h) // 2
    return x, y, x + w, y + h


def _resize(image: np.ndarray, place: np.ndarray) -> None:
    """Fill a place (H, W, 3) of another picture with the image."""
    way = cv2.INTER_AREA if place.shape[1] * MUCH < image.shape[1] else cv2.INTER_LINEAR
    cv2.resize(image, (place.shape[1], place.shape[0]), dst=place, interpolation=way)
