"""From a part of a data set to crops, by the tracker's own landmarks and alignment; runs in worker processes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tracker.config import TrackerConfig
from tracker.faces.align import Template, align, placement
from tracker.faces.landmarks import FaceLandmarker
from tracker.types import Face
from train.datasets.parts import Part
from train.datasets.shots import Fault

LANDMARKS = 468


class Aligned(NamedTuple):
    """One row of a prepared data set."""

    row: int
    time: float
    crop: np.ndarray
    """(S, S, C) uint8; zeros where no face was found."""
    landmarks: np.ndarray
    """(468, 2) float16: in the crop's pixels; NaN where no face was found."""
    found: bool
    name: str
    fault: Fault


class Finder:
    """Face landmarkers, opened when they are first needed and kept from one part to the next."""

    def __init__(self, faces: int) -> None:
        self._config = TrackerConfig(faces=faces)
        self._landmarkers: dict[bool, FaceLandmarker] = {}

    def begin(self, still: bool) -> FaceLandmarker:
        """The landmarker for pictures that stand alone, or one for a video of which it has seen no frame."""
        if still not in self._landmarkers:
            self._landmarkers[still] = FaceLandmarker(self._config, still=still)
        elif not still:
            self._landmarkers[still].reset()
        return self._landmarkers[still]

    def close(self) -> None:
        """Free the landmarkers."""
        while self._landmarkers:
            self._landmarkers.popitem()[1].close()


def align_part(part: Part, template: Template, finder: Finder) -> Iterator[Aligned]:
    """Every row of the part, in order; a picture that is not there or cannot be read is a row without a face."""
    landmarker = finder.begin(part.still)
    side = template.size + 2 * template.margin
    blank = np.zeros((side, side, template.channels), np.uint8)
    unknown = np.full((LANDMARKS, 2), np.nan, np.float16)
    for shot in part.pictures:
        face = None
        if shot.image is not None:
            box = None if part.boxes is None else part.boxes[shot.row]
            face = choose(landmarker.detect(shot.image), box, part.side, shot.image.shape[1])
        if face is None or shot.image is None:
            yield Aligned(shot.row, shot.time, blank, unknown, False, shot.name, shot.fault)
        else:
            crop = align(shot.image, face.landmarks, template)
            points = landmarks_in_crop(face.landmarks, template)
            yield Aligned(shot.row, shot.time, crop, points, True, shot.name, shot.fault)


def landmarks_in_crop(landmarks: np.ndarray, template: Template) -> np.ndarray:
    """Landmarks (468 or more, 3) in the picture's pixels to (468, 2) float16 in the crop's, margin included."""
    matrix = placement(landmarks, template)
    return (landmarks[:LANDMARKS, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float16)


def choose(faces: list[Face], box: np.ndarray | None, side: str, width: int) -> Face | None:
    """The annotated face among those found (largest first): with a box (4,), the face whose middle lies in it nearest
    to its own; with a side, the largest in that half of the picture of `width` px; else the largest. None where none
    fits."""
    if box is not None and np.isfinite(box).all():
        inside = [face for face in faces if (_middle(face) >= box[:2]).all() and (_middle(face) <= box[2:]).all()]
        return min(inside, key=lambda face: float(np.hypot(*(_middle(face) - (box[:2] + box[2:]) / 2))), default=None)
    if side:
        faces = [face for face in faces if (_middle(face)[0] < width / 2) == (side == "left")]
    return faces[0] if faces else None


def _middle(face: Face) -> np.ndarray:
    return (face.box[:2] + face.box[2:]) / 2
