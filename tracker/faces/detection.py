"""Where faces are: MediaPipe's two detectors, its anchors and its weighted non-maximum suppression."""

import math

import cv2
import numpy as np

from tracker.faces.graphs import MODELS, Graph
from tracker.faces.regions import Region, around, overlap

SAME = 0.3
"""Overlap from which two boxes are of one face."""
GRIDS = ((16, 2), (8, 6))
"""Of the near detector's anchors: cells in a row, and anchors in a cell."""
CELL = 4
"""Pixels of a cell of the far detector, which has one anchor in each."""
STEP = 32
"""The sides of what the far detector looks at are multiples of it."""

OUTPUTS = ("boxes", "logits")


class NearDetector:
    """Finds faces wider than about a tenth of a picture, by MediaPipe's short-range network."""

    def __init__(self, threads: int | None = 1) -> None:
        self._graph = Graph(MODELS / "face_detection_short.onnx", OUTPUTS, threads)
        side = self._graph.sides[0]
        self._middles = np.concatenate([_middles(cells, cells, side / cells, each) for cells, each in GRIDS])

    def find(self, image: np.ndarray, least: float) -> list[Region]:
        """Regions of the faces in image (H, W, 3) uint8 RGB with a score above `least`; surest first."""
        side = self._graph.sides[0]
        height, width = image.shape[:2]
        scale = side / max(height, width)
        left, top = (side - scale * width) / 2, (side - scale * height) / 2
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        boxes, logits = self._graph(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)[None])
        return _regions(boxes[0], logits[0], self._middles - (left, top), scale, least)


class FarDetector:
    """Finds faces from about 10 pixels on in pictures of any size, by MediaPipe's full-range network.

    MediaPipe shows it squares of 192 pixels; it is made of convolutions alone, so that a larger picture serves as well.
    """

    LEAST, MOST = 192, 2048
    """Pixels of the longer side of what it is shown."""

    def __init__(self, threads: int | None = 1) -> None:
        self._graph = Graph(MODELS / "face_detection_full.onnx", OUTPUTS, threads)

    @classmethod
    def scale(cls, width: int, height: int, wanted: float) -> float:
        """What a picture is shrunk by, at most 1: as wanted, as far as LEAST and MOST allow it."""
        longer = max(width, height)
        return min(1.0, max(wanted, cls.LEAST / longer), cls.MOST / longer)

    def find(self, image: np.ndarray, scale: float, least: float) -> list[Region]:
        """Regions of the faces in image (H, W, 3) uint8 RGB, looked at by this scale, with a score above `least`."""
        height, width = (max(1, round(scale * side)) for side in image.shape[:2])
        small = image if scale == 1.0 else cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        rows, columns = -(-height // STEP) * STEP, -(-width // STEP) * STEP
        seen = np.zeros((1, rows, columns, 3), np.uint8)
        seen[0, :height, :width] = small
        boxes, logits = self._graph(seen)
        return _regions(boxes[0], logits[0], _middles(rows // CELL, columns // CELL, CELL, 1), scale, least)


def _middles(rows: int, columns: int, cell: float, each: int) -> np.ndarray:
    """(rows * columns * each, 2): x and y of the middle of each anchor's cell, pixels, row by row."""
    y, x = np.mgrid[:rows, :columns] + 0.5
    return cell * np.stack([x.ravel(), y.ravel()], axis=1).repeat(each, axis=0)


def _regions(boxes: np.ndarray, logits: np.ndarray, middles: np.ndarray, scale: float, least: float) -> list[Region]:
    """The faces with a score above `least`, surest first, by what a network says of its anchors (A, 16) and (A,).

    Of each it says how far the middle of its box lies from the anchor's, then width and height, then how far six points
    lie from it, of which the right and the left eye come first; all in pixels of what it saw, `scale` of the picture's.
    """
    (likely,) = np.nonzero(logits > math.log(least / (1 - least)))
    if not len(likely):
        return []
    likely = likely[np.argsort(-logits[likely], kind="stable")]
    found, anchors = boxes[likely].astype(float), middles[likely]
    middle, half, eyes = found[:, :2] + anchors, found[:, 2:4] / 2, found[:, 4:8] + np.tile(anchors, 2)
    rows = np.hstack([middle - half, middle + half, eyes]) / scale
    weights = 1 / (1 + np.exp(-logits[likely].astype(float)))
    return [around((x0, y0, x1, y1), eyes[:2], eyes[2:]) for x0, y0, x1, y1, *eyes in _merged(rows, weights)]


def _merged(rows: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """Of rows (N, 8), box and eyes, surest first: one of each face, the weighted mean of all that overlap its first."""
    faces, left = [], list(range(len(rows)))
    while left:
        best = tuple(rows[left[0], :4])
        same = [i for i in left if overlap(best, tuple(rows[i, :4])) > SAME] or left[:1]
        faces.append(np.average(rows[same], axis=0, weights=weights[same]).tolist())
        left = [i for i in left if i not in same]
    return faces
