"""Faces and their landmarks by MediaPipe 0.10.21: the only module that knows it."""

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

MIN_PRESENCE = 0.5
"""The mesh's own threshold; the score of a face that the mesh follows but the detector misses (turned away, say)."""
SCORE_EVERY = 5
"""Frames between two looks of the detector at a face that the mesh follows."""
SMALL_SIDE = 192
"""A still picture with a shorter side is enlarged to it: less is too little to find a face that fills the picture."""
BORDER = 0.25
"""Share of the side by which a still picture is padded when the face may fill it."""

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""

RECORD, FIRST, NEXT = 17, 3, 5
"""Bytes of a landmark as MediaPipe's NormalizedLandmarkList serialises it, before its x, and from x to y and y to z."""
BLANK = np.zeros((64, 64, 3), np.uint8)
"""The first picture of a new graph: its threads start, and warn, before it is answered."""


class FaceLandmarker:
    """Finds up to `config.faces` faces with 468 (478 with irises) landmarks in each picture.

    In video mode the mesh follows each face from frame to frame, so frames must come in their order; in still mode
    every picture stands alone, and small ones are enlarged and padded with their own border.
    """

    def __init__(self, config: TrackerConfig | None = None, still: bool = False) -> None:
        self.config = config or TrackerConfig()
        self.still = still
        with _native_log_off():
            self._detector = mp.solutions.face_detection.FaceDetection(model_selection=0, min_detection_confidence=0.1)
            self._detector.process(BLANK)
            self._open_mesh()

    def _open_mesh(self) -> None:
        self._mesh = mp.solutions.face_mesh.FaceMesh(
            static_image_mode=self.still,
            max_num_faces=self.config.faces,
            refine_landmarks=self.config.irises,
            min_detection_confidence=MIN_PRESENCE,
            min_tracking_confidence=MIN_PRESENCE,
        )
        self._mesh.process(BLANK)
        self._scores: list[tuple[Box, float]] = []
        self._age = 0
        self._warm = False

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, boxes and landmarks in its own pixels; without ids, largest first."""
        if not self.still:
            return self._detect_scaled(image, _video_scale(image, self.config.detection_side_px), 0)
        scale, border = _still_scale(image, self.config.detection_side_px), round(BORDER * min(image.shape[:2]))
        small = min(image.shape[:2]) < SMALL_SIDE
        return self._detect_scaled(image, scale, border if small else 0) or self._detect_scaled(
            image, scale, 0 if small else border
        )

    def reset(self) -> None:
        """Forget the faces of earlier frames."""
        self._mesh.close()
        with _native_log_off():
            self._open_mesh()

    def close(self) -> None:
        """Free MediaPipe's graphs."""
        self._mesh.close()
        self._detector.close()

    def _detect_scaled(self, image: np.ndarray, scale: float, border: int) -> list[Face]:
        """Detect in the picture padded by `border` pixels, then resized by `scale`; answer in its own pixels."""
        seen = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE) if border else image
        height, width = seen.shape[:2]
        if scale != 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            seen = cv2.resize(seen, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        seen = np.ascontiguousarray(seen)
        if self._warm:
            faces = self._faces(seen, (width, height), border)
        else:
            with _native_log_off():
                faces = self._faces(seen, (width, height), border)
            self._warm = bool(faces)
        return sorted(faces, key=lambda face: -_area(face.box))[: self.config.faces]  # MediaPipe may give one more

    def _faces(self, seen: np.ndarray, size: tuple[int, int], border: int) -> list[Face]:
        """Faces in the pixels of a picture that was padded by `border` to (width, height), then resized to `seen`."""
        meshes = self._mesh.process(seen).multi_face_landmarks or ()
        shapes = [_landmarks_px(mesh, size, border) for mesh in meshes]
        boxes = [_box(shape) for shape in shapes]
        found = zip(boxes, shapes, self._score(seen, boxes, size, border), strict=True)
        return [Face(np.array(box, np.float32), shape, score) for box, shape, score in found]

    def _score(self, seen: np.ndarray, boxes: Sequence[Box], size: tuple[int, int], border: int) -> list[float]:
        if not boxes:
            self._age = 0
            return []
        if self.still or self._age % SCORE_EVERY == 0 or len(boxes) != len(self._scores):
            self._scores = _detections(self._detector.process(seen).detections or (), size, border)
            self._scores += [(box, MIN_PRESENCE) for box in boxes if not _matches(box, self._scores)]
        self._age += 1
        scores = [max(_matches(box, self._scores), default=MIN_PRESENCE) for box in boxes]
        self._scores = list(zip(boxes, scores, strict=True))
        return scores


def _video_scale(image: np.ndarray, side: int) -> float:
    return min(1.0, side / max(image.shape[:2]))


def _still_scale(image: np.ndarray, side: int) -> float:
    return max(
        _video_scale(image, side), 1.0 if min(image.shape[:2]) >= SMALL_SIDE else SMALL_SIDE / min(image.shape[:2])
    )


def _landmarks_px(mesh: Any, size: tuple[int, int], border: int) -> np.ndarray:
    """(L, 3) float32 pixels, read from the message's bytes at once: x, y and z of each point, tagged floats."""
    width, height = size
    data = mesh.SerializeToString()
    shares: np.ndarray = np.ndarray((len(data) // RECORD, 3), "<f4", data, FIRST, (RECORD, NEXT))
    landmarks = shares * np.array([width, height, width], np.float32)
    return landmarks - np.array([border, border, 0], np.float32) if border else landmarks


def _box(landmarks: np.ndarray) -> Box:
    (x0, y0, _), (x1, y1, _) = landmarks.min(axis=0).tolist(), landmarks.max(axis=0).tolist()
    return x0, y0, x1, y1


def _area(box: np.ndarray) -> float:
    x0, y0, x1, y1 = box.tolist()
    return (x1 - x0) * (y1 - y0)


def _detections(detections: Any, size: tuple[int, int], border: int) -> list[tuple[Box, float]]:
    """Box and score of each face that the detector found, in pixels of a picture as _faces() has it."""
    width, height = size
    found = []
    for detection in detections:
        r = detection.location_data.relative_bounding_box
        x, y = r.xmin * width - border, r.ymin * height - border
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
