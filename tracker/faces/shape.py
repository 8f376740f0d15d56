"""Landmarks as the shape of an expression: without the head's turn, place and size (Mikheeva, Ek, Kjellstrom)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tracker.errors import DataError
from tracker.kernels import straightened

CHUNK = 512
"""Faces whose distances to all others are held at once."""
Points = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Layout:
    """What the points of a landmark set are; axes: x to the picture's right, y down, z away from the camera."""

    name: str
    points: int
    """How many there are."""
    rigid: tuple[int, ...]
    """Those that an expression hardly moves: the eyes' corners, the ridge of the nose."""
    reference: Points
    """Where the rigid points lie on a face that looks straight ahead, in any unit."""
    right_lid: tuple[int, ...]
    """The subject's right lower lid, whose mean is where the eye is."""
    left_lid: tuple[int, ...]
    mediapipe: tuple[int, ...] = ()
    """Of each point, its index in MediaPipe's mesh; empty for the sets of others."""

    @cached_property
    def aim(self) -> np.ndarray:
        """(N, 3): the reference about its mean in the rows of the rigid points, else 0."""
        aim, reference = np.zeros((self.points, 3)), np.array(self.reference)
        aim[list(self.rigid)] = reference - reference.mean(axis=0)
        return aim

    @cached_property
    def eyes(self) -> np.ndarray:
        """(N, 2): what makes the right and the left eye of the points."""
        eyes = np.zeros((self.points, 2))
        for side, lid in enumerate((self.right_lid, self.left_lid)):
            eyes[list(lid), side] = 1 / len(lid)
        return eyes


SUBSET = (
    33, 263, 133, 362, 160, 387, 159, 386, 158, 385, 153, 380, 145, 374, 144, 373, 70, 300, 63, 293, 105, 334, 66, 296,
    107, 336, 46, 276, 53, 283, 52, 282, 65, 295, 55, 285, 98, 327, 64, 294, 168, 6, 197, 5, 4, 1, 2, 40, 270, 37, 267,
    84, 314, 91, 321, 78, 308, 81, 311, 178, 402, 0, 17, 13, 14, 61, 291, 152, 199, 132, 361, 58, 288, 172, 397, 136,
    365, 150, 379, 149, 378, 176, 400,
)  # fmt: skip
"""Of MediaPipe's mesh, as many as BU-3DFE has: eyes, brows, nose, lips, chin and jaw, in the synthetic sets' order."""
CORNERS, RIDGE = (33, 133, 362, 263), (168, 6, 197, 5, 4, 1)
STRAIGHT: Points = (
    (-43.6, 2.9, -10.8), (-17.6, 4.3, -14.3), (17.6, 4.3, -14.3), (43.6, 2.9, -10.8), (0, 0.7, -25.4),
    (0, 6.9, -26.6), (0, 14.7, -30.7), (0, 28.5, -39.2), (0, 38.7, -45.6), (0, 43.7, -46.0),
)  # fmt: skip
"""Corners and ridge, mm: the mean of the synthetic set's neutral faces, looking straight ahead."""
RIGHT_LID, LEFT_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133), (263, 249, 390, 373, 374, 380, 381, 382, 362)


def _of_mesh(name: str, mesh: tuple[int, ...]) -> Layout:
    """The layout of the points of MediaPipe's mesh at these indices."""
    place = {index: i for i, index in enumerate(mesh)}
    rigid, right, left = (
        tuple(place[i] for i in wanted if i in place) for wanted in (CORNERS + RIDGE, RIGHT_LID, LEFT_LID)
    )
    return Layout(name, len(mesh), rigid, STRAIGHT, right, left, mesh)


MEDIAPIPE_83 = _of_mesh("mediapipe-83", SUBSET)
MEDIAPIPE_468 = _of_mesh("mediapipe-468", tuple(range(468)))
LAYOUTS = {layout.name: layout for layout in (MEDIAPIPE_83, MEDIAPIPE_468)}
"""Those that the tracker can take off a face's mesh."""


def normalised(points: np.ndarray, layout: Layout) -> np.ndarray:
    """Landmarks (..., N, 3) in any unit, turn and place as (..., N, 3) float32: turned so that the rigid points lie as
    on a face that looks straight ahead (Procrustes, no reflection), between the eyes 0, the eyes 1 apart.

    DataError where there is another number of points, one is not finite, or the eyes are at one place.
    """
    if points.shape[-2:] != (layout.points, 3):
        raise DataError(f"landmarks of shape {points.shape}; expected (..., {layout.points}, 3) as {layout.name} has")
    faces = np.ascontiguousarray(points).reshape(-1, layout.points, 3)
    shapes = straightened(faces, np.arange(layout.points), layout.aim, layout.eyes)
    if np.isnan(shapes[:, 0, 0]).any():  # what is not finite in one point is so in all
        raise DataError(_why_no_shape(faces, layout))
    return shapes.reshape(points.shape)


def medoid(shapes: np.ndarray) -> int:
    """Which of a person's calm shapes (N, P, 3) has the least summed distance to the others: the neutral face."""
    flat = shapes.reshape(len(shapes), -1).astype(np.float64)
    flat -= flat.mean(axis=0)
    sums = [_distances(flat[start : start + CHUNK], flat).sum(axis=1) for start in range(0, len(flat), CHUNK)]
    return int(np.concatenate(sums).argmin())


def _why_no_shape(faces: np.ndarray, layout: Layout) -> str:
    broken = ~np.isfinite(faces).all(axis=(1, 2))
    if not broken.any():
        return f"{layout.name} landmarks whose two eyes are at one place; expected a face's"
    return (
        f"landmarks with NaN in {int(broken.sum())} of {len(faces)} faces, the first is number {int(broken.argmax())};"
        " expected finite coordinates: leave such faces out"
    )


def _distances(some: np.ndarray, every: np.ndarray) -> np.ndarray:
    """(M, N) between some (M, D) and every (N, D)."""
    squares = (some**2).sum(axis=1)[:, None] + (every**2).sum(axis=1) - 2 * some @ every.T
    return np.sqrt(np.maximum(squares, 0))
