"""From a face's landmarks to the crop that the networks see: a similarity transform onto a template."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

ANCHORS = ((33, 133), (362, 263), (1,), (61,), (291,))
"""Mesh landmarks whose means are the anchor points: the two eyes, the tip of the nose, the corners of the mouth."""


@dataclass(frozen=True)
class Template:
    """Where the five anchor points lie in a crop; stands in the model card of the weights trained with it."""

    size: int = 64
    """Pixels: crops are square."""
    channels: int = 1
    """1 (grey) or 3 (RGB)."""
    points: tuple[tuple[float, float], ...] = ((0.32, 0.37), (0.68, 0.37), (0.5, 0.607), (0.35, 0.757), (0.65, 0.757))
    """(5, 2): x and y of the anchor points as shares of the size."""
    margin: int = 0
    """Pixels added on each side at the same scale: training keeps some, to rotate and shift without a border."""

    @classmethod
    def from_card(cls, crop: Mapping[str, Any]) -> "Template":
        """The template that a model card's `crop` entry describes."""
        return cls(size=crop["size"], channels=crop["channels"], points=tuple((x, y) for x, y in crop["points"]))

    def card(self) -> dict[str, Any]:
        """The model card's `crop` entry."""
        return {key: value for key, value in asdict(self).items() if key != "margin"}


def align(image: np.ndarray, landmarks: np.ndarray, template: Template) -> np.ndarray:
    """The crop (S, S, C) uint8 of image (H, W, 3) uint8 whose face has the landmarks (L, 2 or 3), in pixels.

    S is the template's size plus its margins. Beyond the picture's edge its border is repeated.
    """
    matrix = placement(landmarks, template)
    side = template.size + 2 * template.margin
    image, matrix = _shrunk(image, matrix, side)
    crop = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop if template.channels == 3 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None]


def placement(landmarks: np.ndarray, template: Template) -> np.ndarray:
    """The (2, 3) transform from the picture's pixels to the crop's, margin included, for landmarks (L, 2 or 3)."""
    points = np.stack([landmarks[list(anchor), :2].mean(axis=0) for anchor in ANCHORS])
    target = np.array(template.points) * template.size + template.margin - 0.5
    return similarity(points, target)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The (2, 3) rotation, scale and shift that take source (N, 2) nearest to target (N, 2); Umeyama 1991."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    s, t = source - source_mean, target - target_mean
    spread = max(float((s**2).sum()), 1e-6)
    a, b = float((s * t).sum()) / spread, float((s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum()) / spread
    rotation = np.array([[a, -b], [b, a]])
    return np.column_stack([rotation, target_mean - rotation @ source_mean])


def _shrunk(image: np.ndarray, matrix: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A large face's neighbourhood, averaged down to about the crop's scale so that the warp does not alias."""
    factor = int(0.75 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6))
    if factor < 2:
        return image, matrix
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[-1, -1], [side, -1], [side, side], [-1, side]]) @ inverse[:, :2].T + inverse[:, 2]
    height, width = image.shape[:2]
    x0, y0 = np.clip(
        np.floor(corners.min(axis=0)).astype(int) - factor, 0, (max(0, width - factor), max(0, height - factor))
    )
    x1, y1 = np.clip(np.ceil(corners.max(axis=0)).astype(int) + factor, (x0 + factor, y0 + factor), (width, height))
    size = (max(1, (x1 - x0) // factor), max(1, (y1 - y0) // factor))
    small = cv2.resize(
        image[y0 : y0 + size[1] * factor, x0 : x0 + size[0] * factor], size, interpolation=cv2.INTER_AREA
    )
    # pixel centres: full = factor * small + (factor - 1) / 2 + corner
    shift = np.array([x0, y0]) + (factor - 1) / 2
    return small, np.column_stack([matrix[:, :2] * factor, matrix[:, 2] + matrix[:, :2] @ shift])
