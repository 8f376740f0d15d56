"""Faces and their landmarks by our own run of MediaPipe's networks: found by a detector, then followed by the mesh."""

from functools import cached_property

import cv2
import numpy as np

from tracker.config import TrackerConfig
from tracker.faces.detection import Detection, FaceDetector
from tracker.faces.graphs import MODELS, Graph
from tracker.faces.regions import LEFT_EYE, RIGHT_EYE, Region, around, cut, overlap, placed
from tracker.types import Face

MIN_PRESENCE = 0.5
"""Of a detection, and of the mesh's own flag, that a face is there."""
FOLLOWED = 0.5
"""Overlap with a followed face's region from which a detection is that face."""
TWICE = 0.1
"""Mean distance, in sides of their boxes, below which two followed faces have become one."""
LOOK_EVERY = 3
"""Frames between two looks for small faces, where fewer faces are followed than wanted."""
SMALLEST = 18
"""A face of which the full-range detector is sure is no narrower than its picture's longer side by this."""


class Sizes:
    """A picture as it is, and shrunk where less is enough."""

    def __init__(self, image: np.ndarray, detection_side: int) -> None:
        self.image = image
        self.scale = min(1.0, detection_side / max(image.shape[:2]))

    @cached_property
    def shrunk(self) -> np.ndarray:
        """The whole picture, its longer side at most the detection side."""
        return self.image if self.scale == 1.0 else _resized(self.image, self.scale)

    def cut(self, region: Region, side: int) -> np.ndarray:
        """A region as a picture (side, side, 3); a large one is averaged first, so that the warp does not alias."""
        factor = min(int(region.side / side), int(1 / self.scale))
        if factor < 2:
            return cut(self.image, region, side)
        height, width = self.image.shape[:2]
        reach = 0.75 * region.side  # beyond the corners of a turned square
        left, right = (min(max(round(region.x + d), 0), width) for d in (-reach, reach))
        top, bottom = (min(max(round(region.y + d), 0), height) for d in (-reach, reach))
        if right - left < factor or bottom - top < factor:
            return cut(self.image, region, side)
        window = self.image[top : top + (bottom - top) // factor * factor, left : left + (right - left) // factor * factor]
        there = Region(region.x - left, region.y - top, region.side, region.turn)
        return cut(_resized(window, 1 / factor), there.scaled(1 / factor), side)


class OnnxFinder:
    """Finds up to `config.faces` faces; in video mode the mesh follows each, and a detector looks for those that lack.

    What it finds is what MediaPipe's graph finds, and smaller faces besides.
    """

    def __init__(self, config: TrackerConfig, still: bool) -> None:
        self._wanted, self._still = config.faces, still
        self._detection_side, self._min_face = config.detection_side_px, config.min_face_px
        self._mesh = Graph(MODELS / "face_mesh.onnx", ("landmarks", "scores"), config.threads)
        self._short = FaceDetector("short", config.threads)
        self._full = FaceDetector("full", config.threads)
        self.reset()

    def reset(self) -> None:
        """Forget the faces of earlier frames."""
        self._followed: list[Region] = []
        self._searches = 0

    def close(self) -> None:
        """Nothing is held that must be freed."""

    def find(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, in its own pixels, without ids."""
        sizes = Sizes(image, self._detection_side)
        regions = [] if self._still else self._followed
        if len(regions) < self._wanted:
            regions = regions + self._new(sizes, regions)
        faces = []
        for region in regions:
            face = self._read(sizes, region)
            if face is not None and not any(_same(face, other) for other in faces):
                faces.append(face)
        self._followed = [_region_of(face.landmarks) for face in faces]
        return faces

    def _read(self, sizes: Sizes, region: Region) -> Face | None:
        """The face in a region; None where the mesh sees none."""
        points, (flags,) = self._mesh(sizes.cut(region, self._mesh.side)[None])
        score = float(flags[0])
        if not score > MIN_PRESENCE:
            return None
        landmarks = placed(points[0], region, self._mesh.side)
        box = np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])
        return Face(box, landmarks, score) if np.isfinite(box).all() else None

    def _new(self, sizes: Sizes, followed: list[Region]) -> list[Region]:
        """Regions of faces that are not followed yet, as many as are lacking at most."""
        lacking = self._wanted - len(followed)
        known = [region.box for region in followed]
        fresh: list[Region] = []
        for detections in self._looks(sizes):
            for detection in detections:
                box = detection.region.box
                if len(fresh) < lacking and all(overlap(box, other) <= FOLLOWED for other in known):
                    fresh.append(detection.region)
                    known.append(box)
            if len(fresh) == lacking:
                break
        return fresh

    def _looks(self, sizes: Sizes):
        yield [_scaled(each, 1 / sizes.scale) for each in self._short.find(sizes.shrunk, MIN_PRESENCE)]


def _region_of(landmarks: np.ndarray) -> Region:
    (x0, y0, _), (x1, y1, _) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
    return around((x0, y0, x1, y1), landmarks[RIGHT_EYE].tolist(), landmarks[LEFT_EYE].tolist())


def _same(face: Face, other: Face) -> bool:
    apart = np.linalg.norm(face.landmarks[::6, :2] - other.landmarks[::6, :2], axis=1).mean()
    return bool(apart < TWICE * max(face.box[2:] - face.box[:2]))


def _scaled(found: Detection, factor: float) -> Detection:
    x0, y0, x1, y1 = (factor * side for side in found.box)
    return Detection((x0, y0, x1, y1), found.region.scaled(factor), found.score)


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
