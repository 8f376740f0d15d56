"""Normalised landmarks: turn, place and size removed, against scipy's rotations; the medoid; what cannot be used."""

import numpy as np
import pytest
from landmark_sets import face
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from tracker import open_source
from tracker.errors import DataError
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.shape import CHUNK, LAYOUTS, MEDIAPIPE_83, MEDIAPIPE_468, SUBSET, medoid, normalised
from train.synthesis.anatomy import LANDMARKS

RNG = np.random.default_rng(5)
FACES = np.stack([face(RNG) for _ in range(20)])
LIDS = [list(MEDIAPIPE_83.right_lid), list(MEDIAPIPE_83.left_lid)]


@pytest.fixture(scope="module")
def found(sample_clip) -> np.ndarray:
    """(468, 3) px: a face as MediaPipe finds it."""
    with open_source(str(sample_clip)) as source:
        frame = next(iter(source))
    return FaceLandmarker(still=True).detect(frame.image)[0].landmarks[:468]


def test_the_subset_is_that_of_the_synthetic_sets() -> None:
    assert tuple(point.mediapipe for point in LANDMARKS) == SUBSET == MEDIAPIPE_83.mediapipe
    assert len(set(SUBSET)) == 83


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_layouts_points_are_within_it(layout) -> None:
    assert len(layout.reference) == len(layout.rigid) == 10
    assert max(*layout.rigid, *layout.right_lid, *layout.left_lid) < layout.points == len(layout.mediapipe)
    assert not set(layout.right_lid) & set(layout.left_lid)
    corners = [SUBSET.index(33), SUBSET.index(133)]
    assert layout is not MEDIAPIPE_83 or set(corners) < set(layout.right_lid)


def test_turn_place_and_size_make_no_difference() -> None:
    shapes = normalised(FACES, MEDIAPIPE_83)
    turns = Rotation.random(len(FACES), random_state=1).as_matrix()
    moved = 0.37 * FACES @ turns + RNG.normal(0, 50, (len(FACES), 1, 3))
    np.testing.assert_allclose(normalised(moved, MEDIAPIPE_83), shapes, atol=1e-5)
    assert shapes.dtype == np.float32


def test_the_eyes_are_one_apart_about_the_origin() -> None:
    right, left = (normalised(FACES, MEDIAPIPE_83)[:, lid].mean(axis=1) for lid in LIDS)
    np.testing.assert_allclose(right + left, 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(left - right, axis=1), 1, atol=1e-6)


def test_the_turn_is_scipys() -> None:
    rigid, reference = list(MEDIAPIPE_83.rigid), np.array(MEDIAPIPE_83.reference)
    for points in FACES[:5]:
        own = points[rigid] - points[rigid].mean(axis=0)
        turn, _ = Rotation.align_vectors(reference - reference.mean(axis=0), own)
        turned = turn.apply(points)
        right, left = (turned[lid].mean(axis=0) for lid in LIDS)
        expected = (turned - (left + right) / 2) / np.linalg.norm(left - right)
        np.testing.assert_allclose(normalised(points, MEDIAPIPE_83), expected, atol=1e-5)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored, shapes = normalised(FACES * [-1, 1, 1], MEDIAPIPE_83), normalised(FACES, MEDIAPIPE_83)
    assert np.abs(mirrored - shapes).max() > 0.5
    axes = [shape[[0, 30, 60]] for shape in (mirrored[0], shapes[0])]
    assert np.sign(np.linalg.det(axes[0])) == -np.sign(np.linalg.det(axes[1]))


def test_a_found_face_looks_straight_ahead(found: np.ndarray) -> None:
    for layout in (MEDIAPIPE_83, MEDIAPIPE_468):
        shape = normalised(found[list(layout.mediapipe)], layout)
        tip, lip, chin = (shape[layout.mediapipe.index(i)] for i in (1, 13, 152))
        assert -0.7 < tip[2] < -0.2, "the nose is before the eyes"
        assert 0.8 < lip[1] < chin[1] < 2.5
        assert np.abs([tip[0], lip[0], chin[0]]).max() < 0.1


def test_of_the_mesh_or_of_its_subset_a_face_is_nearly_the_same(found: np.ndarray) -> None:
    whole = normalised(found, MEDIAPIPE_468)[list(SUBSET)]
    np.testing.assert_allclose(normalised(found[list(SUBSET)], MEDIAPIPE_83), whole, atol=0.03)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        (np.zeros((68, 3)), r"landmarks of shape \(68, 3\); expected \(..., 83, 3\) as mediapipe-83 has"),
        (np.zeros((2, 83, 2)), r"landmarks of shape \(2, 83, 2\); expected"),
        (np.where(np.arange(20)[:, None, None] == 7, np.nan, FACES), "NaN in 1 of 20 faces, the first is number 7"),
        (np.full((83, 3), np.inf), "NaN in 1 of 1 faces, the first is number 0; expected finite coordinates: leave"),
        (np.ones((83, 3)), "two eyes are at one place; expected a face's"),
    ],
)
def test_what_is_no_face(points: np.ndarray, text: str) -> None:
    with pytest.raises(DataError, match=text):
        normalised(points, MEDIAPIPE_83)


def test_the_medoid_is_nearest_to_all_others() -> None:
    shapes = RNG.normal(5, 1, (CHUNK + 40, 4, 3))
    flat = shapes.reshape(len(shapes), -1)
    assert medoid(shapes) == cdist(flat, flat).sum(axis=1).argmin()
    assert medoid(shapes[:1]) == 0
