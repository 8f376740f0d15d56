"""Faces and their landmarks by MediaPipe 0.10.21 itself: the only module that knows it."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from tracker.config import TrackerConfig
from tracker.faces.regions import Box
from tracker.types import Face


@contextmanager
def _stand_ins(*names: str) -> Iterator[None]:
    """Empty modules in the place of those that are not loaded, for as long as the block takes."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


# For MediaPipe's drawing and its microphone, which are not used here: matplotlib takes 1 s to load, and sounddevice
# runs ldconfig and a compiler, which write to the folder of temporary files, or starts the sound system.
with _stand_ins("matplotlib", "matplotlib.pyplot", "sounddevice"):
    import mediapipe as mp

solutions = mp.solutions

MIN_PRESENCE = 0.5
"""The mesh's own threshold; the score of a face that the mesh follows but the detector misses (turned away, say)."""
SCORE_EVERY = 5
"""Frames between two looks of the detector at a face that the mesh follows."""
RECORD, FIRST, NEXT = 17, 3, 5
"""Bytes of a landmark as MediaPipe's NormalizedLandmarkList serialises it, before its x, and from x to y and y to z."""
BLANK = np.zeros((64, 64, 3), np.uint8)
"""The first picture of a new graph: its threads start, and warn, before it is answered."""


class MediapipeFinder:
    """Finds up to `config.faces` faces (MediaPipe may give one more); pictures are shrunk to the detection side."""

    def __init__(self, config: TrackerConfig, still: bool) -> None:
        self._config, self._still = config, still
        with _native_log_off():
            self._detector = solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.1)
            self._detector.process(BLANK)
            self._open_mesh()

    def _open_mesh(self) -> None:
        self._mesh = solutions.face_mesh.FaceMesh(
            static_image_mode=self._still,
            max_num_faces=self._config.faces,
            refine_landmarks=self._config.irises,
            min_detection_confidence=MIN_PRESENCE,
            min_tracking_confidence=MIN_PRESENCE,
        )
        self._mesh.process(BLANK)
        self._scores: list[tuple[Box, float]] = []
        self._age = 0
        self._warm = False

    def reset(self) -> None:
        """Forget the faces of earlier frames."""
        self._mesh.close()
        with _native_log_off():
            self._open_mesh()

    def close(self) -> None:
        """Free MediaPipe's graphs."""
        self._mesh.close()
        self._detector.close()

    def find(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, in its own pixels, without ids."""
        height, width = image.shape[:2]
        scale = min(1.0, self._config.detection_side_px / max(height, width))
        seen = image
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            seen = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if self._warm:
            return self._faces(seen, width, height)
        with _native_log_off():
            faces = self._faces(seen, width, height)
        self._warm = bool(faces)
        return faces

    def _faces(self, seen: np.ndarray, width: int, height: int) -> list[Face]:
        """Faces in the pixels of a picture of this width and height that was resized to `seen`."""
        meshes = self._mesh.process(seen).multi_face_landmarks or ()
        shapes = [_landmarks_px(mesh, width, height) for mesh in meshes]
        boxes = [_box(shape) for shape in shapes]
        found = zip(boxes, shapes, self._score(seen, boxes, width, height), strict=True)
        return [Face(np.array(box, np.float32), shape, score) for box, shape, score in found]

    def _score(self, seen: np.ndarray, boxes: Sequence[Box], width: int, height: int) -> list[float]:
        if not boxes:
            self._age = 0
            return []
        if self._still or self._age % SCORE_EVERY == 0 or len(boxes) != len(self._scores):
            self._scores = _detections(self._detector.process(seen).detections or (), width, height)
            self._scores += [(box, MIN_PRESENCE) for box in boxes if not _matches(box, self._scores)]
        self._age += 1
        scores = [max(_matches(box, self._scores), default=MIN_PRESENCE) for box in boxes]
        self._scores = list(zip(boxes, scores, strict=True))
        return scores


def _landmarks_px(mesh: Any, width: int, height: int) -> np.ndarray:
    """(L, 3) float32 pixels, read from the message's bytes at once: x, y and z of each point, tagged floats."""
    data = mesh.SerializeToString()
    shares: np.ndarray = np.ndarray((len(data) // RECORD, 3), "<f4", data, FIRST, (RECORD, NEXT))
    return shares * np.array([width, height, width], np.float32)


def _box(landmarks: np.ndarray) -> Box:
    (x0, y0, _), (x1, y1, _) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
    return x0, y0, x1, y1


def _detections(detections: Any, width: int, height: int) -> list[tuple[Box, float]]:
    """Box and score of each face that the detector found, in pixels of a picture as _faces() has it."""
    found = []
    for detection in detections:
        r = detection.location_data.relative_bounding_box
        x, y = r.xmin * width, r.ymin * height
        found.append(((x, y, x + r.width * width, y + r.height * height), min(1.0, float(detection.score[0]))))
    return found


def _matches(box: Box, known: Sequence[tuple[Box, float]]) -> list[float]:
    """Scores of the known boxes whose middle lies in the box."""
    x0, y0, x1, y1 = box
    middles = [((left + right) / 2, (top + bottom) / 2, score) for (left, top, right, bottom), score in known]
    return [score for x, y, score in middles if x0 <= x <= x1 and y0 <= y <= y1]


@contextmanager
def _native_log_off() -> Iterator[None]:
    """Nothing on file descriptor 2, where MediaPipe's native code warns until it has met its first face."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
