"""From a face's landmarks to the crop that the networks see: a similarity transform onto a template."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from nets.templates import ANCLAF
from tracker.kernels import block_means

ANCHORS = np.array([(33, 133), (362, 263), (1, 1), (61, 61), (291, 291)])
"""Mesh landmarks whose means are the anchor points: the two eyes, the tip of the nose, the corners of the mouth."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Template:
    """Where the five anchor points lie in a crop; stands in the model card of the weights trained with it."""

    size: int = 64
    """Pixels: crops are square."""
    channels: int = 1
    """1 (grey) or 3 (RGB)."""
    points: tuple[tuple[float, float], ...] = ANCLAF
    """(5, 2): x and y of the anchor points as shares of the size."""
    box: float | None = None
    """In place of the points: the upright square about the landmarks' box, its side this share of the box's longer side
    longer at each end."""
    margin: int = 0
    """Pixels added on each side at the same scale: training keeps some, to rotate and shift without a border."""

    @property
    def side(self) -> int:
        """Pixels of a crop with its margins."""
        return self.size + 2 * self.margin

    @cached_property
    def anchors(self) -> list[Point]:
        """Where the five anchor points lie in a crop with its margins: x and y, pixels."""
        shift = self.margin - 0.5
        return [(x * self.size + shift, y * self.size + shift) for x, y in self.points]

    @classmethod
    def from_card(cls, crop: Mapping[str, Any]) -> "Template":
        """The template that a model card's `crop` entry describes."""
        size, channels = crop["size"], crop["channels"]
        if crop.get("box") is not None:
            return cls(size, channels, box=crop["box"])
        return cls(size, channels, tuple((x, y) for x, y in crop["points"]))

    def card(self) -> dict[str, Any]:
        """The model card's `crop` entry."""
        left_out = ("margin", "box" if self.box is None else "points")
        return {key: value for key, value in asdict(self).items() if key not in left_out}


def align(image: np.ndarray, landmarks: np.ndarray, template: Template) -> np.ndarray:
    """The crop (S, S, C) uint8 of image (H, W, 3) uint8 whose face has the landmarks (L, 2 or 3), in pixels.

    S is the template's size plus its margins. Beyond the picture's edge its border is repeated.
    """
    crop = warp(image, placement(landmarks, template), template.side)
    return crop if template.channels == 3 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None]


def warp(image: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """The square (side, side, C) of image (H, W, C) uint8 whose pixels matrix (2, 3), a similarity, finds."""
    image, matrix = _shrunk(image, matrix, side)
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def placement(landmarks: np.ndarray, template: Template) -> np.ndarray:
    """The (2, 3) transform from the picture's pixels to the crop's, margin included, for landmarks (L, 2 or 3)."""
    if template.box is not None:
        return _about_box(landmarks, template)
    pairs = landmarks[ANCHORS, :2].tolist()
    return similarity([((x0 + x1) / 2, (y0 + y1) / 2) for (x0, y0), (x1, y1) in pairs], template.anchors)


def _about_box(landmarks: np.ndarray, template: Template) -> np.ndarray:
    (x0, y0), (x1, y1) = landmarks[:, :2].min(axis=0).tolist(), landmarks[:, :2].max(axis=0).tolist()
    scale = template.size / max(max(x1 - x0, y1 - y0) * (1 + 2 * (template.box or 0.0)), 1e-6)
    middle = (template.side - 1) / 2
    return np.array([[scale, 0, middle - scale * (x0 + x1) / 2], [0, scale, middle - scale * (y0 + y1) / 2]])


def similarity(source: Sequence[Point], target: Sequence[Point]) -> np.ndarray:
    """The (2, 3) rotation, scale and shift that take the points of source nearest to those of target; Umeyama 1991."""
    (sx, sy), (tx, ty) = _mean(source), _mean(target)
    spread, along, across = 1e-6, 0.0, 0.0
    for (x, y), (u, v) in zip(source, target, strict=True):
        x, y = x - sx, y - sy
        spread, along, across = spread + x * x + y * y, along + x * u + y * v, across + x * v - y * u
    a, b = along / spread, across / spread
    return np.array([[a, -b, tx - a * sx + b * sy], [b, a, ty - b * sx - a * sy]])


def _mean(points: Sequence[Point]) -> Point:
    x, y = map(sum, zip(*points, strict=True))
    return x / len(points), y / len(points)


def _shrunk(image: np.ndarray, matrix: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A large face's neighbourhood, averaged down to about the crop's scale so that the warp does not alias."""
    (a, _, c), (b, _, d) = matrix.tolist()
    square, (height, width) = max(a * a + b * b, 1e-12), image.shape[:2]
    factor = min(int(0.75 / math.sqrt(square)), height, width)
    if factor < 2:
        return image, matrix
    # the crop's middle and the reach of its corners, in the picture
    x, y = (side - 1) / 2 - c, (side - 1) / 2 - d
    reach = (side + 1) / 2 * (abs(a) + abs(b)) / square
    left, columns = _blocks((a * x + b * y) / square, reach, factor, width)
    top, rows = _blocks((a * y - b * x) / square, reach, factor, height)
    small = np.empty((rows, columns, image.shape[2]), np.uint8)
    block_means(np.ascontiguousarray(image), left, top, factor, small)
    # pixel centres: full = factor * small + (factor - 1) / 2 + corner
    x, y = left + (factor - 1) / 2, top + (factor - 1) / 2
    return small, np.array([[a * factor, -b * factor, c + a * x - b * y], [b * factor, a * factor, d + b * x + a * y]])


def _blocks(middle: float, reach: float, factor: int, length: int) -> tuple[int, int]:
    """Start and number of the blocks of `factor` pixels that cover middle -/+ reach in an axis of the picture."""
    start = min(max(math.floor(middle - reach) - factor, 0), length - factor)
    end = min(max(math.ceil(middle + reach) + factor, start + factor), length)
    return start, (end - start) // factor
