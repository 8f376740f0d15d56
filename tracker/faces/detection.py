"""Where faces are: MediaPipe's two detectors, its anchors and its weighted non-maximum suppression."""

import math

import cv2
import numpy as np

from tracker.faces.graphs import MODELS, Graph
from tracker.faces.regions import Region, around, overlap

SAME = 0.3
"""Overlap from which two boxes are of one face."""


class FaceDetector:
    """One detector: "short" finds faces wider than about a tenth of the picture, "full" down to about a twentieth."""

    def __init__(self, reach: str, threads: int | None = 1) -> None:
        self._graph = Graph(MODELS / f"face_detection_{reach}.onnx", ("boxes", "logits"), threads)
        grids = [(16, 2), (8, 6)] if reach == "short" else [(48, 1)]
        self._anchors = np.concatenate([_anchors(cells, each) for cells, each in grids])

    @property
    def side(self) -> int:
        """Pixels of the square that a picture is fitted into."""
        return self._graph.side

    def find(self, image: np.ndarray, least: float) -> list[Region]:
        """Regions of the faces in image (H, W, 3) uint8 RGB with a score above `least`; surest first."""
        side = self._graph.side
        height, width = image.shape[:2]
        scale = side / max(height, width)
        left, top = (side - scale * width) / 2, (side - scale * height) / 2
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        boxes, logits = self._graph(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)[None])
        (likely,) = np.nonzero(logits[0] > math.log(least / (1 - least)))
        if not len(likely):
            return []
        likely = likely[np.argsort(-logits[0, likely], kind="stable")]
        scores = 1 / (1 + np.exp(-logits[0, likely].astype(float)))
        # x and y of the middle, width and height, then x and y of six points: right and left eye come first
        found = boxes[0, likely].astype(float)
        shift = self._anchors[likely] * side - (left, top)
        middle, size, points = found[:, :2] + shift, found[:, 2:4], found[:, 4:8].reshape(-1, 2, 2) + shift[:, None]
        rows = np.hstack([middle - size / 2, middle + size / 2, points.reshape(-1, 4)]) / scale
        return [around(tuple(box), eyes[:2], eyes[2:]) for box, eyes in _merged(rows, scores)]


def _anchors(cells: int, each: int) -> np.ndarray:
    """(cells * cells * each, 2): x and y of the cells' middles as shares of the side, row by row."""
    middles = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1).repeat(each, axis=0)


def _merged(rows: np.ndarray, scores: np.ndarray) -> list[tuple[list[float], list[float]]]:
    """Of rows (N, 8), box and eyes, surest first: those of each face, the mean of its rows by their scores."""
    faces, left = [], list(range(len(rows)))
    while left:
        best = tuple(rows[left[0], :4])
        same = [i for i in left if overlap(best, tuple(rows[i, :4])) > SAME] or left[:1]
        row = np.average(rows[same], axis=0, weights=scores[same]).tolist()
        faces.append((row[:4], row[4:]))
        left = [i for i in left if i not in same]
    return faces
