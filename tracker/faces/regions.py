"""The turned square about a face that its mesh is read from, as MediaPipe's graph has it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

RIGHT_EYE, LEFT_EYE = 33, 263
"""Mesh points that tell how a face is turned: the outer corners of the subject's eyes."""
WIDER = 1.5
"""Side of the square, by the longer side of the landmarks' box."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""


class Region(NamedTuple):
    """A square in a picture; a pixel's corner counts as its place."""

    x: float
    """Of its middle, pixels."""
    y: float
    side: float
    """Pixels."""
    turn: float
    """Radians, clockwise in the picture; at 0 it is upright."""

    @property
    def box(self) -> Box:
        """The square as if it were upright."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    def scaled(self, factor: float) -> "Region":
        """The same square in the same picture at another size."""
        return Region(self.x * factor, self.y * factor, self.side * factor, self.turn)


def around(box: Box, right_eye: Sequence[float], left_eye: Sequence[float]) -> Region:
    """The square about a face with this box and these eyes (x, y)."""
    x0, y0, x1, y1 = box
    turn = math.atan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0])
    return Region((x0 + x1) / 2, (y0 + y1) / 2, WIDER * max(x1 - x0, y1 - y0), turn)


def cut(image: np.ndarray, region: Region, side: int) -> np.ndarray:
    """The region of image (H, W, 3) as a picture (side, side, 3); beyond the picture's edge its border is repeated."""
    scale = side / max(region.side, 1e-3)
    a, b = scale * math.cos(region.turn), scale * math.sin(region.turn)
    x, y = side / 2 - a * region.x - b * region.y, side / 2 + b * region.x - a * region.y
    matrix = np.array([[a, b, x], [-b, a, y]])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def placed(points: np.ndarray, region: Region, side: int) -> np.ndarray:
    """Points (L, 3) float32 of the region's picture, in the pixels of the picture that it was cut from; z likewise."""
    scale = region.side / side
    a, b = scale * math.cos(region.turn), scale * math.sin(region.turn)
    turned = points @ np.array([[a, b, 0], [-b, a, 0], [0, 0, scale]], np.float32)
    half = side / 2
    return turned + np.array([region.x - half * (a - b), region.y - half * (a + b), 0], np.float32)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union, [0, 1]."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(area(a) + area(b) - shared, 1e-9)


def area(box: Box) -> float:
    """Square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])
