from pathlib import Path

import numpy as np
import pytest
from face_sets import sample_faces
from scipy.interpolate import LinearNDInterpolator

from train.clips.morph import LOWER_LIDS, MESH, UPPER_LIDS, Face, Mesh, Strip, blink, corners, morph, warp


@pytest.fixture(scope="module")
def faces(sample_clip: Path) -> list[Face]:
    found = sample_faces(sample_clip, every=60)
    assert len(found) == 4
    return found


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_a_face_bent_to_its_own_shape_stays(faces: list[Face]) -> None:
    face = faces[0]
    assert difference(warp(face.image, face.landmarks, face.landmarks), face.image) < 0.5
    places = Mesh.of(face.landmarks, 80).drawn(face.landmarks).places(face.landmarks)
    np.testing.assert_allclose(places, np.stack(np.meshgrid(np.arange(80), np.arange(80))), atol=0.5)


def test_places_are_linear_within_triangles(faces: list[Face]) -> None:
    """Against scipy's own interpolation on the same triangles."""
    shown, source = faces[0].landmarks, faces[2].landmarks + np.array((3, -2))
    places = Mesh.of(shown, 80).drawn(shown).places(source)
    x, y = np.meshgrid(np.arange(80), np.arange(80))
    expected = LinearNDInterpolator(corners(shown, 80), corners(source, 80))(x, y).transpose(2, 0, 1)
    error = np.abs(places - expected)
    assert np.median(error) < 1e-4 and np.quantile(error, 0.99) < 0.3


def test_what_lies_at_a_landmark_moves_with_it(faces: list[Face]) -> None:
    nose, face = 4, faces[0]
    shape = face.landmarks.copy()
    shape[list(MESH)] += (5, 3)
    y, x = np.mgrid[:80, :80]
    dot = 255 * np.exp(-((x - face.landmarks[nose, 0]) ** 2 + (y - face.landmarks[nose, 1]) ** 2) / 4)
    moved = warp(dot.astype(np.uint8), face.landmarks, shape).astype(float)
    middle = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    np.testing.assert_allclose(middle, face.landmarks[nose] + (5, 3), atol=0.3)


def test_colour_is_bent_like_grey(faces: list[Face]) -> None:
    a, b = faces[:2]
    grey = warp(a.image, a.landmarks, b.landmarks)
    colour = warp(np.stack([a.image] * 3, axis=2), a.landmarks, b.landmarks)
    np.testing.assert_array_equal(colour, np.stack([grey] * 3, axis=2))


def test_landmarks_beyond_the_crop_are_borne(faces: list[Face]) -> None:
    a = faces[0]
    far = a.landmarks * 1.8 - 32
    assert far.min() < -5 or far.max() > 85
    assert warp(a.image, a.landmarks, far).std() > 10


def test_a_morph_goes_from_one_face_to_the_other(faces: list[Face]) -> None:
    a, b = faces[0], faces[2]
    start, middle, end = (morph(a, b, level) for level in (0.0, 0.5, 1.0))
    assert difference(start.image, a.image) < 0.5 and difference(end.image, b.image) < 0.5
    np.testing.assert_allclose(middle.landmarks, (a.landmarks + b.landmarks) / 2)
    halves = [warp(f.image, f.landmarks, middle.landmarks).astype(float) for f in (a, b)]
    assert difference(middle.image, (halves[0] + halves[1]) / 2) < 1
    assert difference(middle.image, a.image) > 2


def test_a_strip_gives_the_morph_at_any_level(faces: list[Face]) -> None:
    a, b, c = faces[:3]
    strip = Strip.of((a, b, c), 9)
    assert len(strip.faces) == 17
    np.testing.assert_array_equal(strip.at(0).image, a.image)
    assert difference(strip.at(0.5).image, b.image) < 0.5
    assert difference(strip.at(1).image, c.image) < 0.5
    for way in (0.25, 0.8, 1.4):
        first, second = (a, b) if way < 1 else (b, c)
        exact = morph(first, second, way % 1)
        assert difference(strip.at(way / 2).image, exact.image) < 1.5
        np.testing.assert_allclose(strip.at(way / 2).landmarks, exact.landmarks, atol=1e-9)


def test_a_strip_of_one_face_is_that_face(faces: list[Face]) -> None:
    strip = Strip.of((faces[0],), 9)
    assert strip.at(0) is faces[0] and strip.at(0.7).image is faces[0].image


def test_a_blink_closes_the_eyes_and_nothing_else(faces: list[Face]) -> None:
    face = faces[0]
    assert difference(blink(face, 0).image, face.image) < 0.5
    shut = blink(face, 1)
    gap = np.linalg.norm(face.landmarks[list(UPPER_LIDS)] - face.landmarks[list(LOWER_LIDS)], axis=1)
    closed = np.linalg.norm(shut.landmarks[list(UPPER_LIDS)] - shut.landmarks[list(LOWER_LIDS)], axis=1)
    assert gap.max() > 1.5 and (closed < 0.03 * gap + 1e-6).all()
    changed = np.abs(shut.image.astype(int) - face.image)
    mouth = int(face.landmarks[61, 1]) - 6
    assert changed[mouth:].mean() < 0.5
    lids = face.landmarks[list(UPPER_LIDS)]
    left, top, right, bottom = (*lids.min(axis=0).astype(int), *lids.max(axis=0).astype(int) + 2)
    assert changed[top:bottom, left:right].mean() > 5
