"""How the head is turned, from the mesh's three-dimensional landmarks."""

import math

import numpy as np

AXES = np.array([33, 263, 10, 152])
"""Mesh points that span the head's axes: the outer corners of the subject's right and left eye, hairline and chin."""

Vector = tuple[float, float, float]


def head_pose(landmarks: np.ndarray) -> np.ndarray:
    """Rotation (3,) float32 about x, y and z, radians, of landmarks (L, 3) whose z towards the camera is negative.

    OpenFace's convention, R = Rx Ry Rz with x right, y down and z away from the camera: positive Rx looks down,
    positive Ry turns to the subject's right (the picture's left), positive Rz tilts clockwise in the picture. At zero
    the eye line and the line from hairline to chin lie in the picture's plane. Angles are to the line of sight.
    """
    right, down, back = head_axes(landmarks)
    x, z = math.atan2(-back[1], back[2]), math.atan2(-down[0], right[0])
    return np.array([x, math.asin(max(-1.0, min(back[0], 1.0))), z], np.float32)


def head_axes(landmarks: np.ndarray) -> tuple[Vector, Vector, Vector]:
    """Unit vectors to the subject's left, the chin and the back of the head: the columns of the head's rotation."""
    right_eye, left_eye, forehead, chin = landmarks[AXES].tolist()
    right, profile = _unit(_between(right_eye, left_eye)), _between(forehead, chin)
    along = sum(p * r for p, r in zip(profile, right, strict=True))
    down = _unit((profile[0] - along * right[0], profile[1] - along * right[1], profile[2] - along * right[2]))
    return right, down, _cross(right, down)


def _between(a: Vector, b: Vector) -> Vector:
    return b[0] - a[0], b[1] - a[1], b[2] - a[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(vector: Vector) -> Vector:
    length = max(math.hypot(*vector), 1e-9)
    return vector[0] / length, vector[1] / length, vector[2] / length
