"""The smooth surface, cameras, and the check of landmarks."""

import numpy as np
import pytest

from train.synthesis.anatomy import LANDMARKS, of_mediapipe
from train.synthesis.checking import Found, errors_of, eye_distance, report_of, table_of
from train.synthesis.scene import Camera, draw_scene
from train.synthesis.surface import Surface

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])


def test_a_cube_is_refined_as_catmull_and_clark_say() -> None:
    """Their rules by hand: a corner goes to 5/9, the middle of an edge to (3/4, 3/4, 0), that of a face stays."""
    surface = Surface.over(CUBE, 8)
    points = surface.points(CORNERS)
    assert points.shape == (8 + 12 + 6, 3) and surface.faces.shape == (24, 4)
    np.testing.assert_allclose(points[:8], CORNERS * 5 / 9, atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(points[8:20]), axis=1), np.tile([0, 0.75, 0.75], (12, 1)), atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(points[20:]), axis=1), np.tile([0, 0, 1], (6, 1)), atol=1e-6)
    normals = surface.normals(points)
    assert ((normals * points).sum(axis=1) > 0).all() or ((normals * points).sum(axis=1) < 0).all()


def test_a_border_keeps_its_line() -> None:
    """A sheet of 2 by 2 quads: its border becomes the cubic curve of 1/8, 3/4, 1/8; flat stays flat."""
    grid = np.array([(x, y, 0) for y in range(3) for x in range(3)], float)
    quads = np.array([(i, i + 1, i + 4, i + 3) for i in (0, 1, 3, 4)])
    points = Surface.over(quads, 9).points(grid)
    np.testing.assert_allclose(points[:, 2], 0)
    np.testing.assert_allclose(points[1], (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(points[0], (0.125, 0.125, 0), atol=1e-6)
    np.testing.assert_allclose(points[4], (1, 1, 0), atol=1e-6)


def test_a_vertex_without_a_face_stays() -> None:
    points = Surface.over(CUBE, 9).points(np.vstack([CORNERS, (5, 6, 7)]))
    np.testing.assert_allclose(points[8], (5, 6, 7))


def test_a_camera_sees_left_and_up_where_they_are() -> None:
    camera = Camera(np.array([0, -1.0, 0]), np.zeros(3), 90.0)
    seen = camera.project(np.array([(0, 0, 0), (0.5, 0, 0), (0, 0, 0.5), (0, 1, 0)]), 100)
    np.testing.assert_allclose(seen, [(50, 50, 1), (75, 50, 1), (50, 25, 1), (50, 50, 2)])


def test_a_scene_follows_from_its_seed_and_keeps_the_face_amid_the_picture() -> None:
    for seed in range(20):
        scene, again = (draw_scene(np.random.default_rng(seed), 64) for _ in range(2))
        np.testing.assert_array_equal(scene.background, again.background)
        eyes = scene.camera.project(np.array([(0.031, 0, 0), (-0.031, 0, 0)]), 64)
        assert 8 < eyes[0, 0] - eyes[1, 0] < 20
        assert 16 < eyes[:, 1].mean() < 40


def test_the_landmarks_are_83_and_each_its_own() -> None:
    assert len(LANDMARKS) == len({point.vertex for point in LANDMARKS}) == 83
    assert len({point.mediapipe for point in LANDMARKS}) == 83
    assert max(point.mediapipe for point in LANDMARKS) < 468


def test_errors_are_parts_of_the_eye_distance() -> None:
    known = np.zeros((2, 83, 2))
    known[:, of_mediapipe(33, 133, 362, 263), 0] = (0, 20, 50, 70)
    assert eye_distance(known) == pytest.approx(50)
    errors = errors_of(known, known + np.array([3, 4]))
    np.testing.assert_allclose(errors, 0.1)
    found = Found(np.array([True, False]), np.where([[True], [False]], errors, np.nan))
    report = report_of(found, np.array(["fear", "anger"]), np.array([True, True]))
    assert report["found"] == report["found_frontal"] == 0.5
    assert report["error"]["lids"] == pytest.approx(0.1)
    assert report["error_by_expression"]["anger"]["chin"] is None
    assert "found     50.0% of 2 pictures, 50.0% of the 2 frontal ones" in table_of(report)
