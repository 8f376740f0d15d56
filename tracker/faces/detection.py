"""Where faces are: MediaPipe's two detectors, its anchors and its weighted non-maximum suppression."""

from typing import NamedTuple

import cv2
import numpy as np

from tracker.faces.graphs import MODELS, Graph
from tracker.faces.regions import Box, Region, around, overlap

SAME = 0.3
"""Overlap from which two boxes are of one face."""


class Detection(NamedTuple):
    """A face that a detector has found."""

    box: Box
    region: Region
    score: float
    """[0, 1]."""


class FaceDetector:
    """One detector: "short" finds faces wider than about a tenth of the picture, "full" down to about a twentieth."""

    def __init__(self, reach: str, threads: int | None = 1) -> None:
        self._graph = Graph(MODELS / f"face_detection_{reach}.onnx", ("boxes", "scores"), threads)
        grids = [(16, 2), (8, 6)] if reach == "short" else [(48, 1)]
        self._anchors = np.concatenate([_anchors(cells, each) for cells, each in grids])

    def find(self, image: np.ndarray, least: float) -> list[Detection]:
        """Faces in image (H, W, 3) uint8 RGB with a score above `least`, in its own pixels; surest first."""
        side = self._graph.side
        height, width = image.shape[:2]
        scale = side / max(height, width)
        left, top = (side - scale * width) / 2, (side - scale * height) / 2
        matrix = np.array([[scale, 0, left], [0, scale, top]])
        boxes, scores = self._graph(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)[None])
        (likely,) = np.nonzero(scores[0] > least)
        if not len(likely):
            return []
        likely = likely[np.argsort(-scores[0, likely], kind="stable")]
        # x and y of the middle, width and height, then x and y of six points: right and left eye come first
        found = boxes[0, likely].astype(float)
        shift = self._anchors[likely] * side - (left, top)
        middle, size, points = found[:, :2] + shift, found[:, 2:4], found[:, 4:8].reshape(-1, 2, 2) + shift[:, None]
        rows = np.hstack([middle - size / 2, middle + size / 2, points.reshape(-1, 4)]) / scale
        return [_detection(row, score) for row, score in _merged(rows, scores[0, likely])]


def _anchors(cells: int, each: int) -> np.ndarray:
    """(cells * cells * each, 2): x and y of the cells' middles as shares of the side, row by row."""
    middles = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(middles, middles)
    return np.stack([x.ravel(), y.ravel()], axis=1).repeat(each, axis=0)


def _merged(rows: np.ndarray, scores: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Of rows (N, 8) whose first four are a box, surest first: one for each face, the mean by the score of its rows."""
    faces, left = [], list(range(len(rows)))
    while left:
        best = tuple(rows[left[0], :4])
        same = [i for i in left if overlap(best, tuple(rows[i, :4])) > SAME] or left[:1]
        faces.append((np.average(rows[same], axis=0, weights=scores[same]), float(scores[left[0]])))
        left = [i for i in left if i not in same]
    return faces


def _detection(row: np.ndarray, score: float) -> Detection:
    x0, y0, x1, y1, *eyes = row.tolist()
    return Detection((x0, y0, x1, y1), around((x0, y0, x1, y1), eyes[:2], eyes[2:]), score)
