"""Faces and their landmarks by our own run of MediaPipe's networks: found by a detector, then followed by the mesh."""

import math
from functools import cached_property

import cv2
import numpy as np

from tracker.config import TrackerConfig
from tracker.faces.detection import FarDetector, NearDetector
from tracker.faces.graphs import MODELS, Graph
from tracker.faces.regions import LEFT_EYE, RIGHT_EYE, WIDER, Region, around, cut, overlap, placed
from tracker.types import Face

MIN_PRESENCE = 0.5
"""Of a detection, and of the mesh's own flag, that a face is there."""
FOLLOWED = 0.5
"""Overlap with a followed face's region from which a detection is that face."""
TWICE = 0.5
"""Overlap of two faces from which they are one, followed twice."""
BESIDE = 0.1
"""Most overlap of a small face with another one: what the far detector sees in a face's hair or hand is none."""
MOST = 32_000
"""Pixels of a side that OpenCV's warp can take in."""
LOOK_EVERY = 3
"""Frames from one look for small faces to the next, where fewer are followed than wanted and the look is short."""
SEEN_PX = (10.0, 20.0)
"""Width of the smallest faces wanted as the far detector sees them, in one look and in the next: some that it misses in
one scale it finds in the other."""
SMALL_PRESENCE = 0.1
"""Of a small face's detection: the mesh decides. Of 240 faces in drawn groups 240 were found so, 236 from 0.2 on."""
SURE = 6.0
"""The mesh's logit above which a small face is one: on clips without faces it was below 4, on faces of 40 px above 10
as a rule."""


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
        height, width = self.image.shape[:2]
        factor = max(1, min(int(region.side / side), int(1 / self.scale), height, width))
        if factor == 1 and max(height, width) < MOST:
            return cut(self.image, region, side)
        reach = 0.75 * region.side  # beyond the corners of a turned square
        left, columns = _blocks(region.x - reach, region.x + reach, factor, width)
        top, rows = _blocks(region.y - reach, region.y + reach, factor, height)
        window = self.image[top : top + rows * factor, left : left + columns * factor]
        there = Region(region.x - left, region.y - top, region.side, region.turn)
        return cut(_resized(window, 1 / factor), there.scaled(1 / factor), side)


class OnnxFinder:
    """Finds up to `config.faces` faces; in video mode the mesh follows each, and a detector looks for those that lack.

    What it finds is what MediaPipe's graph finds, and smaller faces besides.
    """

    def __init__(self, config: TrackerConfig, still: bool) -> None:
        self._wanted, self._still = config.faces, still
        self._detection_side, self._min_face = config.detection_side_px, config.min_face_px
        mesh = "face_mesh_irises" if config.irises else "face_mesh"
        self._mesh = Graph(MODELS / f"{mesh}.onnx", ("landmarks", "logits"), config.threads)
        self._side = self._mesh.sides[0]
        self._near = NearDetector(config.threads)
        self._far = FarDetector(config.threads)
        self.reset()

    def reset(self) -> None:
        """Forget the faces of earlier frames."""
        self._followed: list[Region] = []
        self._looks = self._wait = 0

    def close(self) -> None:
        """Nothing is held that must be freed."""

    def find(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, in its own pixels, without ids."""
        sizes = Sizes(image, self._detection_side)
        known = [] if self._still else list(self._followed)
        lacking = len(known) < self._wanted
        faces: list[Face] = []
        for region in known:
            self._add(faces, self._read(sizes, region))
        if lacking:
            for region in self._near_regions(sizes):
                if all(overlap(region.box, other.box) <= FOLLOWED for other in known) and len(faces) < self._wanted:
                    known.append(region)
                    self._add(faces, self._read(sizes, region))
            for region in self._far_regions(image) if len(faces) < self._wanted else ():
                if not any(_within(region, other) for other in known):
                    known.append(region)
                    self._add(faces, self._confirmed(sizes, region), BESIDE)
                    if len(faces) == self._wanted:
                        break
        self._followed = [_region_of(face.landmarks) for face in faces]
        return faces

    def _read(self, sizes: Sizes, region: Region) -> Face | None:
        """The face in a region; None where the mesh sees none."""
        points, logits = self._mesh(sizes.cut(region, self._side)[None])
        logit = float(logits[0, 0])
        if not logit > 0:
            return None
        landmarks = placed(points[0], region, self._side)
        box = np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])
        return Face(box, landmarks, score_of(logit)) if np.isfinite(landmarks).all() else None

    def _confirmed(self, sizes: Sizes, region: Region) -> Face | None:
        """The face in a region of the far detector, whose regions are rough and not all of faces.

        The mesh reads there where it should read, and must be sure of what it reads then.
        """
        rough = self._read(sizes, region)
        face = rough and self._read(sizes, _region_of(rough.landmarks))
        return face if face and face.score > score_of(SURE) else None

    def _add(self, faces: list[Face], face: Face | None, most: float = TWICE) -> None:
        """Add a face that is there, and overlaps none of the others by more than `most`."""
        if face and all(overlap(tuple(face.box.tolist()), tuple(other.box.tolist())) <= most for other in faces):
            faces.append(face)

    def _near_regions(self, sizes: Sizes) -> list[Region]:
        """Faces wider than about a tenth of the picture, surest first."""
        return [found.scaled(1 / sizes.scale) for found in self._near.find(sizes.shrunk, MIN_PRESENCE)]

    def _far_regions(self, image: np.ndarray) -> list[Region]:
        """Small faces, surest first, as the far detector sees them by all scales; in a video by one of them, in turn.

        There they are looked for now and then, the more seldom the longer it takes.
        """
        height, width = image.shape[:2]
        scales = [FarDetector.scale(width, height, side / self._min_face) for side in SEEN_PX]
        if not self._still:
            if self._wait:
                self._wait -= 1
                return []
            scales = [scales[self._looks % len(scales)]]
            cost = max(1.0, scales[0] ** 2 * height * width / FarDetector.LEAST**2)
            self._looks, self._wait = self._looks + 1, round(LOOK_EVERY * cost) - 1
        return [region for scale in scales for region in self._far.find(image, scale, SMALL_PRESENCE)]


def score_of(logit: float) -> float:
    """A face's score, [0, 1], by the mesh's logit that there is one: what the near detector would say, without it.

    The line through the medians of the detector's scores over the logit, on 674 faces of eight clips, as they are and
    blurred, dark, noisy, hidden in part, turned and compressed.
    """
    return min(0.72 + 0.0085 * logit, 0.97)


def _within(region: Region, other: Region) -> bool:
    """Whether the middle of a region lies in another one's face, or the other way round."""
    apart = max(abs(region.x - other.x), abs(region.y - other.y))
    return apart < max(region.side, other.side) / (2 * WIDER)


def _region_of(landmarks: np.ndarray) -> Region:
    (x0, y0, _), (x1, y1, _) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
    return around((x0, y0, x1, y1), landmarks[RIGHT_EYE].tolist(), landmarks[LEFT_EYE].tolist())


def _blocks(start: float, end: float, factor: int, length: int) -> tuple[int, int]:
    """Where the blocks of `factor` pixels begin that cover start to end, as far as the picture goes, and how many."""
    first = min(max(math.floor(start), 0), length - factor)
    last = min(max(math.ceil(end), first + factor), length)
    return first, (last - first) // factor


def _resized(image: np.ndarray, scale: float) -> np.ndarray:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
