"""Scene cuts: frames whose picture does not go on from the one before them."""

import math
from typing import NamedTuple

import cv2
import numpy as np

SAMPLED = (128, 72)
"""Width and height of the picture that is looked at: every so many pixels of the frame."""
SMALL = (32, 18)
"""Width and height to which that is averaged."""
SHIFT = 6, 3
"""Pixels of SMALL to each side by which a camera may turn from one frame to the next."""
BLANK = 6.0
"""Spread of the grey levels, SMALL, of a picture in which nothing is seen: black, white, a flash."""
COLOURS = 8
"""Levels of each of red, green and blue in a histogram."""
FEWEST_COLOURS, LEAST_LIKENESS = 0.5, 0.57
"""A cut shares fewer of its colours with the frame before it, and is less like it however it is shifted."""
RECENT_S = 0.4
"""A picture like one of the last so many seconds is no cut: what lies between was a flash, or passed by."""

QUIET_S = 0.15
"""Seconds before a cut in which nothing has changed."""
APART_S = 0.1
"""Seconds between two of these that are kept."""


class View(NamedTuple):
    """What is kept of a frame."""

    time: float
    """Seconds."""
    grey: np.ndarray
    """SMALL, float32."""
    colours: np.ndarray
    """Histogram, shares."""


class CutDetector:
    """Tells whether a frame begins another scene. Two things must have changed: the colours, and where light and dark
    lie. A flash or a fade leaves the second as it is, a turn of the camera or fast motion most of the first.

    Cuts in every frame are no film but noise: of frames that are all unlike their neighbours the first alone is a cut.
    """

    def __init__(self) -> None:
        self._views: list[View] = []
        self._changed = -math.inf

    def update(self, image: np.ndarray, time: float) -> bool:
        """Whether the frame (H, W, 3) uint8 of a later time (s) begins another scene; the first of all does not."""
        view = _view(image, time)
        if view.grey.std() < BLANK:
            return False
        recent = [old for old in self._views[:-1] if time - old.time <= RECENT_S] + self._views[-1:]
        changed = bool(self._views) and all(_differ(old, view) for old in recent)
        cut = changed and time - self._changed > QUIET_S
        self._changed = time if changed else self._changed
        if len(recent) > 1 and recent[-1].time - recent[-2].time < APART_S:
            recent.pop()
        self._views = [view] if cut else [*recent, view]
        return cut

    def reset(self) -> None:
        """Forget every frame."""
        self._views, self._changed = [], -math.inf


def _view(image: np.ndarray, time: float) -> View:
    sampled = cv2.resize(image, SAMPLED, interpolation=cv2.INTER_NEAREST)
    grey = cv2.cvtColor(cv2.resize(sampled, SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    levels = sampled[::2, ::2] // (256 // COLOURS)
    numbers = levels @ np.array([COLOURS**2, COLOURS, 1], np.uint16)
    colours = np.bincount(numbers.ravel(), minlength=COLOURS**3)
    return View(time, grey.astype(np.float32), (colours / numbers.size).astype(np.float32))


def _differ(old: View, new: View) -> bool:
    if np.minimum(old.colours, new.colours).sum() >= FEWEST_COLOURS:
        return False
    x, y = SHIFT
    inner = np.ascontiguousarray(new.grey[y:-y, x:-x])
    return bool(cv2.matchTemplate(old.grey, inner, cv2.TM_CCOEFF_NORMED).max() < LEAST_LIKENESS)
