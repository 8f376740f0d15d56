"""Faces and their landmarks by MediaPipe 0.10.21: the only module that knows it."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mediapipe as mp
import numpy as np

from tracker.config import TrackerConfig
from tracker.types import Face

MIN_PRESENCE = 0.5
"""The mesh's own threshold; the score of a face that the mesh follows but the detector misses (turned away, say)."""
SCORE_EVERY = 5
"""Frames between two looks of the detector at a face that the mesh follows."""
SMALL_SIDE = 192
"""A still picture with a shorter side is enlarged to it: less is too little to find a face that fills the picture."""
BORDER = 0.25
"""Share of the side by which a still picture is padded when the face may fill it."""

LANDMARK = np.dtype([("head", "V3"), ("x", "<f4"), ("tag_y", "V1"), ("y", "<f4"), ("tag_z", "V1"), ("z", "<f4")])
"""A landmark as MediaPipe's NormalizedLandmarkList serialises it, 17 bytes: read at once, not object by object."""
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
        self._scores: list[tuple[np.ndarray, float]] = []
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
            shapes, scores = self._shapes_and_scores(seen, (width, height))
        else:
            with _native_log_off():
                shapes, scores = self._shapes_and_scores(seen, (width, height))
            self._warm = bool(shapes)
        faces = [_face(shape - (border, border, 0), score) for shape, score in zip(shapes, scores, strict=True)]
        return sorted(faces, key=lambda face: -_area(face.box))[: self.config.faces]  # MediaPipe may give one more

    def _shapes_and_scores(self, seen: np.ndarray, size: tuple[int, int]) -> tuple[list[np.ndarray], list[float]]:
        """Landmarks and score of each face; `size` is the width and height that the landmarks' unit stands for."""
        meshes = self._mesh.process(seen).multi_face_landmarks or ()
        shapes = [_landmarks_px(mesh, *size) for mesh in meshes]
        return shapes, self._score(seen, shapes, size)

    def _score(self, seen: np.ndarray, shapes: Sequence[np.ndarray], size: tuple[int, int]) -> list[float]:
        if not shapes:
            self._age = 0
            return []
        if self.still or self._age % SCORE_EVERY == 0 or len(shapes) != len(self._scores):
            self._scores = _detections(self._detector.process(seen).detections or (), size)
            self._scores += [(_box(shape), MIN_PRESENCE) for shape in shapes if not _matches(_box(shape), self._scores)]
        self._age += 1
        matched = [_matches(_box(shape), self._scores) for shape in shapes]
        scores = [max(found, default=MIN_PRESENCE) for found in matched]
        self._scores = [(_box(shape), score) for shape, score in zip(shapes, scores, strict=True)]
        return scores


def _video_scale(image: np.ndarray, side: int) -> float:
    return min(1.0, side / max(image.shape[:2]))


def _still_scale(image: np.ndarray, side: int) -> float:
    return max(
        _video_scale(image, side), 1.0 if min(image.shape[:2]) >= SMALL_SIDE else SMALL_SIDE / min(image.shape[:2])
    )


def _landmarks_px(mesh: Any, width: int, height: int) -> np.ndarray:
    """(L, 3) pixels, read from the message's bytes: a field for each point that holds x, y and z as tagged floats."""
    records = np.frombuffer(mesh.SerializeToString(), LANDMARK)
    return np.stack([records["x"] * width, records["y"] * height, records["z"] * width], axis=1)


def _box(landmarks: np.ndarray) -> np.ndarray:
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)]).astype(np.float32)


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _face(landmarks: np.ndarray, score: float) -> Face:
    return Face(box=_box(landmarks), landmarks=landmarks.astype(np.float32), score=score)


def _detections(detections: Any, size: tuple[int, int]) -> list[tuple[np.ndarray, float]]:
    """Box and score of each face that the detector found, in pixels of a picture of (width, height)."""
    width, height = size
    found = []
    for detection in detections:
        r = detection.location_data.relative_bounding_box
        box = np.array([r.xmin * width, r.ymin * height, (r.xmin + r.width) * width, (r.ymin + r.height) * height])
        found.append((box.astype(np.float32), min(1.0, float(detection.score[0]))))
    return found


def _matches(box: np.ndarray, known: Sequence[tuple[np.ndarray, float]]) -> list[float]:
    """Scores of the known boxes whose middle lies in the box."""
    middles = [((other[:2] + other[2:]) / 2, score) for other, score in known]
    return [score for middle, score in middles if (middle >= box[:2]).all() and (middle <= box[2:]).all()]


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
