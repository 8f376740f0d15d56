"""Faces bent by their landmarks: a morph between two of them, and a blink.

All on single crops (S, S) or (S, S, C) uint8 with MediaPipe's 468 mesh landmarks (468, 2) in the crop's pixels. A mesh
of triangles between some of the landmarks and points around the crop stays the same while its corners move.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from scipy.spatial import Delaunay

UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
"""Of the right and the left eye, from the outer to the inner corner."""
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
"""What lies below each of UPPER_LIDS."""
EYE_CORNERS = (33, 133, 263, 362)
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""The lips' inner edge."""
NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 64, 294, 129, 358)
OVAL = (10, 297, 284, 389, 454, 361, 397, 379, 400, 152, 176, 150, 172, 132, 234, 162, 54, 67)
CHEEKS = (50, 280, 205, 425, 151, 187, 411, 18, 199)
MESH = (*UPPER_LIDS, *LOWER_LIDS, *EYE_CORNERS, *BROWS, *LIPS, *MOUTH, *NOSE, *OVAL, *CHEEKS)
"""The landmarks between which a face is bent."""
AROUND = 24
"""Pixels between the crop and the still points around it: landmarks of large faces lie beyond the crop."""
_SHIFT = 4
"""Bits of a pixel's fraction that OpenCV draws with."""
_FLAT = 1e-3
"""Twice the area of a triangle, in square pixels, below which nothing of it is seen."""
_RIM = 0.5
"""Pixels by which a pixel's place may lie outside of its triangle."""


@dataclass(frozen=True)
class Mesh:
    """Triangles between the corners that `corners` gives for any face in a crop of `side` pixels."""

    side: int
    triangles: np.ndarray
    """(K, 3) int: indices of corners."""

    @classmethod
    def of(cls, landmarks: np.ndarray, side: int) -> "Mesh":
        """Delaunay's triangles for landmarks (468, 2), best the mean of all shapes that are to be bent."""
        return cls(side, Delaunay(corners(landmarks, side)).simplices)

    def drawn(self, shown: np.ndarray) -> "Drawn":
        """The triangles in the pixels of a face with landmarks `shown` (468, 2)."""
        to = corners(shown, self.side)[self.triangles]
        solid = np.abs(_doubled_area(to)) > _FLAT
        pictured = np.zeros((self.side, self.side), np.int32)
        for index, triangle in zip(np.flatnonzero(solid).tolist(), _drawable(to[solid]), strict=True):
            cv2.fillConvexPoly(pictured, triangle, index, cv2.LINE_8, _SHIFT)
        inverse = np.zeros((len(to), 3, 3))
        inverse[solid] = np.linalg.inv(np.concatenate([to[solid], np.ones((int(solid.sum()), 3, 1))], axis=2))
        return Drawn(self, pictured, inverse)


@dataclass(frozen=True)
class Drawn:
    """The triangles of a mesh as a picture."""

    mesh: Mesh
    pictured: np.ndarray
    """(S, S) int32: the triangle of each pixel."""
    inverse: np.ndarray
    """(K, 3, 3): from a pixel's x, y, 1 to the shares of its triangle's corners."""

    def places(self, source: np.ndarray) -> np.ndarray:
        """(2, S, S) float32: for each pixel, its place x, y in a face with landmarks `source` (468, 2)."""
        of = corners(source, self.mesh.side)[self.mesh.triangles]
        a = (self.inverse @ of).astype(np.float32).transpose(2, 1, 0)[:, :, self.pictured]
        at = np.arange(self.mesh.side, dtype=np.float32)
        places = a[:, 0] * at[None, :] + a[:, 1] * at[:, None] + a[:, 2]
        # a pixel on the rim of a thin triangle would be sought far outside of it
        low, high = of.min(axis=1) - _RIM, of.max(axis=1) + _RIM
        low, high = (bound.T.astype(np.float32)[:, self.pictured] for bound in (low, high))
        return np.minimum(np.maximum(places, low, out=places), high, out=places)

    def bend(self, face: "Face") -> np.ndarray:
        """(S, S, ...) uint8: the face's picture, bent to the shape drawn."""
        x, y = self.places(face.landmarks)
        return cv2.remap(face.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(face.image.shape)


def corners(landmarks: np.ndarray, side: int) -> np.ndarray:
    """(M, 2) float64: the landmarks of MESH, then still points around the crop."""
    low, middle, high = -AROUND, (side - 1) / 2, side - 1 + AROUND
    around = [(x, y) for x in (low, middle, high) for y in (low, middle, high) if (x, y) != (middle, middle)]
    return np.concatenate([np.clip(landmarks[list(MESH)], low + 1, high - 1), around])


def warp(image: np.ndarray, landmarks_from: np.ndarray, landmarks_to: np.ndarray) -> np.ndarray:
    """The face of the image bent so that its landmarks come to lie at `landmarks_to`; linear within each triangle."""
    mesh = Mesh.of((landmarks_from + landmarks_to) / 2, image.shape[0])
    return mesh.drawn(landmarks_to).bend(Face(image, landmarks_from))


@dataclass(frozen=True)
class Face:
    """A crop with its landmarks."""

    image: np.ndarray
    """(S, S) uint8."""
    landmarks: np.ndarray
    """(468, 2) float: pixels of the crop."""


def morph(a: Face, b: Face, level: float, mesh: Mesh | None = None) -> Face:
    """Between two faces: both bent to the shape at the level (0 is a, 1 is b), and blended."""
    shape = (1 - level) * a.landmarks + level * b.landmarks
    mesh = mesh or Mesh.of((a.landmarks + b.landmarks) / 2, a.image.shape[0])
    drawn = mesh.drawn(shape)
    images = [drawn.bend(face) for face in (a, b)]
    return Face(cv2.addWeighted(images[0], 1 - level, images[1], level, 0), shape)


@dataclass(frozen=True)
class Strip:
    """A morph rendered once at evenly spaced levels; what lies between two of them is blended."""

    faces: tuple[Face, ...]

    @classmethod
    def of(cls, faces: tuple[Face, ...], levels: int) -> "Strip":
        """Through all faces in turn, `levels` pictures from one to the next, both included."""
        strip = [faces[0]]
        for a, b in pairwise(faces):
            mesh = Mesh.of((a.landmarks + b.landmarks) / 2, a.image.shape[0])
            strip += [morph(a, b, level, mesh) for level in np.linspace(0, 1, levels)[1:]]
        return cls(tuple(strip))

    def at(self, share: float) -> Face:
        """The face at a share of the whole way, 0 to 1."""
        place = share * (len(self.faces) - 1)
        index = min(int(place), max(len(self.faces) - 2, 0))
        weight = place - index
        if weight == 0:
            return self.faces[index]
        a, b = self.faces[index], self.faces[index + 1]
        image = cv2.addWeighted(a.image, 1 - weight, b.image, weight, 0)
        return Face(image, (1 - weight) * a.landmarks + weight * b.landmarks)


def blink(face: Face, closure: float) -> Face:
    """The face with its upper lids moved down to the lower ones: 0 as they are, 1 closed."""
    shape = face.landmarks.copy()
    upper, lower = list(UPPER_LIDS), list(LOWER_LIDS)
    shape[upper] += 0.98 * closure * (shape[lower] - shape[upper])
    mesh = Mesh.of(face.landmarks, face.image.shape[0])
    return Face(mesh.drawn(shape).bend(face), shape)


def _drawable(triangles: np.ndarray) -> np.ndarray:
    return np.round(triangles * (1 << _SHIFT)).astype(np.int32)


def _doubled_area(triangles: np.ndarray) -> np.ndarray:
    """(K,) signed, of (K, 3, 2)."""
    u, v = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
