"""Faces and their landmarks in each picture, by our own run of MediaPipe's networks or by MediaPipe itself."""

from typing import Protocol

import cv2
import numpy as np

from tracker.config import TrackerConfig
from tracker.errors import UsageError
from tracker.faces.onnx_finder import OnnxFinder
from tracker.faces.regions import area
from tracker.types import Face

SMALL_SIDE = 192
"""A still picture with a shorter side is enlarged to it: less is too little to find a face that fills the picture."""
BORDER = 0.25
"""Share of the side by which a still picture is padded when the face may fill it."""


class Finder(Protocol):
    """What finds the faces, in still pictures or in a video's frames in their order."""

    def find(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, contiguous, in its own pixels; without ids, in any order."""

    def reset(self) -> None:
        """Forget the faces of earlier frames."""

    def close(self) -> None:
        """Free what it holds."""


class FaceLandmarker:
    """Finds up to `config.faces` faces with 468 (478 with irises) landmarks in each picture.

    In video mode the mesh follows each face from frame to frame, so frames must come in their order; in still mode
    every picture stands alone, and small ones are enlarged and padded with their own border.
    """

    def __init__(self, config: TrackerConfig | None = None, still: bool = False) -> None:
        """Raises CheckpointError where a network's file cannot be used, ModuleNotFoundError where config.landmarker is
        mediapipe and that is not installed.
        """
        self.config = config or TrackerConfig()
        self.still = still
        self._finder = _finder(self.config, still)

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, boxes and landmarks in its own pixels; without ids, largest first.

        Raises UsageError for what is no such picture.
        """
        _check(image)
        if not self.still:
            faces = self._finder.find(np.ascontiguousarray(image))
        else:
            border = round(BORDER * min(image.shape[:2]))
            small = min(image.shape[:2]) < SMALL_SIDE
            faces = self._find_padded(image, border if small else 0) or self._find_padded(image, 0 if small else border)
        return sorted(faces, key=lambda face: -area(tuple(face.box.tolist())))[: self.config.faces]

    def reset(self) -> None:
        """Forget the faces of earlier frames."""
        self._finder.reset()

    def close(self) -> None:
        """Free the networks."""
        self._finder.close()

    def _find_padded(self, image: np.ndarray, border: int) -> list[Face]:
        """Find in the picture padded by `border` pixels, and enlarged where it is small; answer in its own pixels."""
        short, long = sorted(image.shape[:2])
        scale = max(1.0, min(SMALL_SIDE / short, self.config.detection_side_px / long))
        seen = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE) if border else image
        height, width = seen.shape[:2]
        if scale > 1.0:
            seen = cv2.resize(seen, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC)
        faces = self._finder.find(np.ascontiguousarray(seen))
        if scale == 1.0 and not border:
            return faces
        x, y = width / seen.shape[1], height / seen.shape[0]
        to_own = np.array([x, y, x], np.float32)
        corner = np.array([border, border, 0], np.float32)
        return [
            Face(
                (face.box.reshape(2, 2) * to_own[:2] - corner[:2]).reshape(4),
                face.landmarks * to_own - corner,
                face.score,
            )
            for face in faces
        ]


def _finder(config: TrackerConfig, still: bool) -> Finder:
    if config.landmarker == "onnx":
        return OnnxFinder(config, still)
    from tracker.faces.mediapipe_finder import MediapipeFinder  # an extra, and slow to load

    return MediapipeFinder(config, still)


def _check(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise UsageError(
            f"a picture of shape {image.shape} and type {image.dtype}; expected (H, W, 3) uint8, RGB: "
            "grey is made so by cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), alpha is left out by image[..., :3], "
            "floats from 0 to 1 by (255 * image).round().astype('uint8')"
        )
