"""How the head is turned, from the mesh's three-dimensional landmarks."""

import numpy as np

RIGHT_EYE, LEFT_EYE, FOREHEAD, CHIN = 33, 263, 10, 152
"""Mesh points that span the head's axes: the outer corners of the subject's eyes, the hairline, the chin."""


def head_pose(landmarks: np.ndarray) -> np.ndarray:
    """Rotation (3,) float32 about x, y and z, radians, of landmarks (L, 3) whose z towards the camera is negative.

    OpenFace's convention, R = Rx Ry Rz with x right, y down and z away from the camera: positive Rx looks down,
    positive Ry turns to the subject's right (the picture's left), positive Rz tilts clockwise in the picture. At zero
    the eye line and the line from hairline to chin lie in the picture's plane. Angles are to the line of sight.
    """
    axes = head_axes(landmarks)
    x = np.arctan2(-axes[1, 2], axes[2, 2])
    y = np.arcsin(np.clip(axes[0, 2], -1.0, 1.0))
    z = np.arctan2(-axes[0, 1], axes[0, 0])
    return np.array([x, y, z], np.float32)


def head_axes(landmarks: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) float64; its columns point to the subject's left, the chin and the back of the head."""
    points = landmarks[[RIGHT_EYE, LEFT_EYE, FOREHEAD, CHIN]].astype(np.float64)
    right = _unit(points[1] - points[0])
    profile = points[3] - points[2]
    down = _unit(profile - (profile @ right) * right)
    return np.column_stack([right, down, np.cross(right, down)])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
