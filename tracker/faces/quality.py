"""How fit a face's picture is for measuring: its size, light, sharpness and turn."""

import math

import cv2
import numpy as np

from tracker.config import QualityLimits

SIDE = 64
"""Sharpness is measured at this size, so that a limit means the same for every model's crops."""
PASSABLE = 0.5
"""Quality at the limits: below it a face is low_quality."""


def picture_quality(crop: np.ndarray, box: np.ndarray, pose: np.ndarray, limits: QualityLimits) -> float:
    """Quality [0, 1] of a face with crop (S, S, C) uint8, box (4,) px and pose (3,) rad.

    Half of the worst of the four margins: below PASSABLE a limit is passed; 1 is twice as good as every limit asks.
    """
    return min(PASSABLE * min(margins(crop, box, pose, limits)), 1.0)


def is_low_quality(quality: float) -> bool:
    """Whether a face of this picture quality passes one of the limits."""
    return quality < PASSABLE


def margins(crop: np.ndarray, box: np.ndarray, pose: np.ndarray, limits: QualityLimits) -> list[float]:
    """Size, brightness, sharpness and turn, each as how many times better it is than its limit; none is below 0."""
    grey = _grey(crop)
    (x0, y0, x1, y1), (x, y, _) = box.tolist(), pose.tolist()
    return [
        max(0.0, min(x1 - x0, y1 - y0)) / limits.min_size_px,
        cv2.mean(grey)[0] / limits.min_brightness,
        sharpness(grey) / limits.min_sharpness,
        limits.max_turn_deg / max(math.degrees(max(abs(x), abs(y))), 1e-6),
    ]


def sharpness(grey: np.ndarray) -> float:
    """Standard deviation of the Laplacian of a grey crop (S, S) uint8, grey levels."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    return float(deviation[0, 0])


def _grey(crop: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.shape[2] == 3 else np.ascontiguousarray(crop[..., 0])
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA) if grey.shape[0] > SIDE else grey
