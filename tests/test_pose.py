"""The head's rotation: known rotations of a real mesh, and signs on a real clip."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.pose import head_axes, head_pose
from tracker.sources import open_source


@pytest.fixture(scope="module")
def meshes(sample_clip: Path) -> np.ndarray:
    """Landmarks (T, 468, 3) of every seventh frame of the sample clip."""
    landmarker = FaceLandmarker(still=True)
    with open_source(str(sample_clip)) as source:
        found = [landmarker.detect(frame.image) for frame in islice(source, 0, None, 7)]
    landmarker.close()
    return np.stack([faces[0].landmarks for faces in found if faces]).astype(np.float64)


@pytest.fixture(scope="module")
def frontal(meshes: np.ndarray) -> np.ndarray:
    """A real mesh, turned upright and straight towards the camera."""
    return meshes[0] @ np.column_stack(head_axes(meshes[0]))


@pytest.mark.parametrize("x", [-40, -10, 0, 25])
@pytest.mark.parametrize("y", [-60, -15, 0, 35])
@pytest.mark.parametrize("z", [-80, 0, 20])
def test_a_known_rotation_is_recovered(frontal: np.ndarray, x: float, y: float, z: float) -> None:
    angles = np.radians([x, y, z])
    turned = 1.7 * Rotation.from_euler("XYZ", angles).apply(frontal) + (300, 200, 5)
    pose = head_pose(turned.astype(np.float32))
    assert pose.shape == (3,)
    assert pose.dtype == np.float32
    np.testing.assert_allclose(pose, angles, atol=1e-4)


def test_the_axes_turn_with_the_head(meshes: np.ndarray) -> None:
    for mesh, turn in zip(meshes, Rotation.random(len(meshes), random_state=0), strict=True):
        axes = np.column_stack(head_axes(mesh))
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1.0)
        turned = np.column_stack(head_axes(turn.apply(mesh)))
        np.testing.assert_allclose(turned, turn.as_matrix() @ axes, atol=1e-9)


def test_signs_are_openfaces(frontal: np.ndarray) -> None:
    nose, back = frontal[1], (frontal[234] + frontal[454]) / 2
    assert nose[2] < back[2]
    down, right, tilted = (Rotation.from_euler("XYZ", 0.4 * axis).apply(frontal) for axis in np.eye(3))
    assert (down[1] - (down[234] + down[454]) / 2)[1] > (nose - back)[1]
    assert (right[1] - (right[234] + right[454]) / 2)[0] < (nose - back)[0]
    assert tilted[263, 1] > tilted[33, 1]
    assert [int(np.argmax(head_pose(mesh))) for mesh in (down, right, tilted)] == [0, 1, 2]


def test_signs_on_a_real_clip(meshes: np.ndarray) -> None:
    poses = np.stack([head_pose(mesh) for mesh in meshes])
    eyes = meshes[:, 263] - meshes[:, 33]
    roll = np.arctan2(eyes[:, 1], eyes[:, 0])
    along = eyes[:, :2] / np.linalg.norm(eyes[:, :2], axis=1, keepdims=True)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    nose = meshes[:, 1, :2] - (meshes[:, 33, :2] + meshes[:, 263, :2]) / 2
    chin = meshes[:, 152, :2] - (meshes[:, 33, :2] + meshes[:, 263, :2]) / 2
    sideways = (nose * along).sum(axis=1) / np.linalg.norm(eyes, axis=1)
    lowered = (nose * across).sum(axis=1) / (chin * across).sum(axis=1)
    assert np.ptp(roll) > 0.1
    assert np.corrcoef(poses[:, 2], roll)[0, 1] > 0.7
    assert np.corrcoef(poses[:, 1], sideways)[0, 1] < -0.7
    assert np.corrcoef(poses[:, 0], lowered)[0, 1] > 0.7
    assert np.abs(poses).max() < np.radians(45)


SEEN = {
    91: (0, +1),  # looks down
    154: (1, +1),  # turned to her right, the picture's left
    310: (0, -1),  # head thrown back
    396: (2, -1),  # tilted counter-clockwise
    459: (2, +1),  # tilted clockwise
}
"""Frames of a clip, and what was seen there by eye: the axis that is turned most and OpenFace's sign for it."""


def test_signs_are_what_the_eye_sees(media: Path) -> None:
    landmarker = FaceLandmarker(still=True)
    with open_source(str(media / "WolfgangLanger_Pexels.mp4")) as source:
        poses = {f.index: head_pose(landmarker.detect(f.image)[0].landmarks) for f in source if f.index in SEEN}
    landmarker.close()
    for index, (axis, sign) in SEEN.items():
        assert np.abs(poses[index]).argmax() == axis
        assert np.radians(10) < sign * poses[index][axis] < np.radians(40)


def test_points_in_one_place_have_no_rotation_and_no_error() -> None:
    assert np.isfinite(head_pose(np.zeros((468, 3), np.float32))).all()
