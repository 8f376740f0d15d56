"""How fit a face's picture is for measuring: its size, light, sharpness and turn, and whether anything covers it.

docs/identity.md has what each limit means for valence and arousal.
"""

import math

import cv2
import numpy as np

from tracker.config import QualityLimits
from tracker.faces.hidden import hidden

SIDE = 64
"""Sharpness is measured at this size, so that a limit means the same for every model's crops."""
CONTRAST, LEAST_CONTRAST = 50.0, 4.0
"""Standard deviation of an ordinary crop's grey levels, and the least that counts: networks make all crops alike."""
PASSABLE = 0.5
"""Quality at the limits: below it a face is low_quality."""
STEP = 0.1
"""A face is twice as good as a limit on what is hidden where it is this much below it."""
COVERED = 0.3
"""Margin of a face of which all is hidden that can be: a guess is left."""
BLOCK, ROWS = 8, 64
"""Side of the blocks of JPEG and its like, pixels; rows of a face in which their edges are looked for."""


def picture_quality(
    crop: np.ndarray,
    box: np.ndarray,
    pose: np.ndarray,
    limits: QualityLimits,
    image: np.ndarray | None = None,
    small: np.ndarray | None = None,
) -> float:
    """Quality [0, 1] of a face with crop (S, S, C) uint8, box (4,) px and pose (3,) rad.

    With the whole image (H, W, 3) traces of compression count too, with a crop of tracker.faces.hidden, small, whatever
    covers the face. Half of the worst margin: below PASSABLE a limit is passed; 1 is twice as good as every limit asks.
    """
    worst = min(margins(crop, box, pose, limits))
    if image is not None:
        worst = min(worst, limits.max_blocks / max(blockiness(image, box), 1e-6))
    if small is not None:
        most = np.array([limits.max_upside_down, limits.max_eyes_hidden, limits.max_mouth_hidden])
        worst = min(worst, max(1.0 + float((most - hidden(small)).min()) / STEP, COVERED))
    return min(PASSABLE * worst, 1.0)


def is_low_quality(quality: float) -> bool:
    """Whether a face of this picture quality passes one of the limits."""
    return quality < PASSABLE


def margins(crop: np.ndarray, box: np.ndarray, pose: np.ndarray, limits: QualityLimits) -> list[float]:
    """Size, brightness, sharpness and turn, each as how many times better it is than its limit; none is below 0."""
    grey = shrunk(crop, SIDE)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    (x0, y0, x1, y1), (x, y, _) = box.tolist(), pose.tolist()
    return [
        max(0.0, min(x1 - x0, y1 - y0)) / limits.min_size_px,
        mean / limits.min_brightness,
        sharpness(grey) * CONTRAST / max(deviation, LEAST_CONTRAST) / limits.min_sharpness,
        limits.max_turn_deg / max(math.degrees(max(abs(x), abs(y))), 1e-6),
    ]


def blockiness(image: np.ndarray, box: np.ndarray) -> float:
    """Grey levels by which steps at the edges of blocks exceed those within them, by pixel of the box's width."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (int(value) for value in box.tolist())
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if right - left < 2 * BLOCK or bottom - top < BLOCK:
        return 0.0
    rows = image[top : bottom : max(1, (bottom - top) // ROWS), left:right, 1]
    steps = cv2.absdiff(np.ascontiguousarray(rows[:, 1:]), np.ascontiguousarray(rows[:, :-1])).mean(axis=0)
    first = -(left + 1) % BLOCK
    edges, within = steps[first::BLOCK].mean(), steps[(first + BLOCK // 2) % BLOCK :: BLOCK].mean()
    return max(0.0, float(edges - within)) / (x1 - x0)


def sharpness(grey: np.ndarray) -> float:
    """Standard deviation of the Laplacian of a grey crop (S, S) uint8, grey levels."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0])


def shrunk(crop: np.ndarray, side: int) -> np.ndarray:
    """A crop (S, S, C) in grey, at most `side` pixels wide."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.shape[2] == 3 else np.ascontiguousarray(crop[..., 0])
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA) if grey.shape[0] > side else grey
