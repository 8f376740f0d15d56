"""The faces that are to be changed, as the tracker sees them."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from tracker.config import SourceOptions, TrackerConfig
from tracker.errors import DataError, UsageError
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from tracker.sources import find_pictures, open_source

MOST = 8
"""Faces looked for in a picture, of which the largest counts."""


def read_face(file: str, template: Template, at: float | None = None) -> np.ndarray:
    """The crop (S, S, C) uint8 of the largest face in a picture, or in the frame of a video at a time, seconds.

    Raises SourceError where nothing can be read, DataError where no face is found, UsageError for several pictures and
    for a time in a picture.
    """
    return read_faces((file,), template, at)[0]


def read_faces(files: Sequence[str], template: Template, at: float | None = None) -> np.ndarray:
    """read_face of N files, (N, S, S, C) uint8; a time holds for the videos among them, and there must be one."""
    stills = [bool(find_pictures(file)) for file in files]
    times = [None if still and not all(stills) else at for still in stills]
    images = [_image(file, time) for file, time in zip(files, times, strict=True)]
    places = [file if still else f"{file} at {at or 0.0:g} s" for file, still in zip(files, stills, strict=True)]
    with closing(FaceLandmarker(TrackerConfig(faces=MOST), still=True)) as landmarker:
        return np.stack([_crop(landmarker, *each, template) for each in zip(images, places, strict=True)])


def _image(file: str, at: float | None) -> np.ndarray:
    """(H, W, 3) uint8: a picture, or the frame of a video."""
    pictures = find_pictures(file)
    if len(pictures) > 1:
        raise UsageError(f"{file} holds {len(pictures)} pictures; expected one picture, or a video")
    if pictures and at is not None:
        raise UsageError(f"{file} is a picture, which has no frame at {at:g} s; leave --at out")
    with open_source(file, SourceOptions(start=at, read_ahead=1)) as source:
        return next(iter(source)).image


def _crop(landmarker: FaceLandmarker, image: np.ndarray, place: str, template: Template) -> np.ndarray:
    faces = landmarker.detect(image)
    if not faces:
        raise DataError(f"no face was found in {place}; expected one that looks about into the camera")
    return align(image, faces[0].landmarks, template)
