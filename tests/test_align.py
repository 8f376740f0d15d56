"""Alignment: the similarity against OpenCV's, large and small faces alike, borders, channels."""

import cv2
import numpy as np
import pytest

from tracker.faces.align import ANCHORS, Template, align, similarity

TEMPLATE = Template()


def landmarks_at(points: np.ndarray) -> np.ndarray:
    """A mesh whose five anchor points are points (5, 2)."""
    mesh = np.zeros((468, 3), np.float32)
    for anchor, point in zip(ANCHORS, points, strict=True):
        mesh[list(anchor), :2] = point
    return mesh


def smooth_picture(side: int) -> np.ndarray:
    y, x = (np.mgrid[0:side, 0:side] + 0.5) / side
    channels = [np.sin(9 * x + 3 * y), np.cos(7 * y), np.sin(5 * x * y + 1)]
    return np.uint8(np.stack([(c + 1) * 120 for c in channels], axis=2))


def test_similarity_is_opencvs() -> None:
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 100, (5, 2))
    target = source @ np.array([[0.5, 0.3], [-0.3, 0.5]]) + (4, 9)
    expected, _ = cv2.estimateAffinePartial2D(source, target)
    assert np.allclose(similarity(source, target), expected, atol=1e-4)


def test_similarity_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(1)
    source, target = rng.uniform(0, 100, (5, 2)), rng.uniform(0, 64, (5, 2))
    # x' = a x - b y + c, y' = b x + a y + d as one linear system
    rows = [[x, -y, 1, 0] for x, y in source] + [[y, x, 0, 1] for x, y in source]
    (a, b, c, d), *_ = np.linalg.lstsq(np.array(rows), np.concatenate([target[:, 0], target[:, 1]]), rcond=None)
    assert np.allclose(similarity(source, target), [[a, -b, c], [b, a, d]], atol=1e-6)


def test_points_on_the_template_are_left_where_they_are() -> None:
    picture = smooth_picture(64)
    points = np.array(TEMPLATE.points) * 64 - 0.5
    crop = align(picture, landmarks_at(points), Template(channels=3))
    assert np.abs(crop.astype(int) - picture).max() <= 1


@pytest.mark.parametrize("scale", [2, 5, 12])
def test_a_large_face_gives_the_crop_of_a_small_one(scale: int) -> None:
    points = np.array(TEMPLATE.points) * 64 * 0.8 + 6
    small = align(smooth_picture(64), landmarks_at(points), Template(channels=3)).astype(int)
    large = align(smooth_picture(64 * scale), landmarks_at((points + 0.5) * scale - 0.5), Template(channels=3))
    assert np.abs(small - large)[4:-4, 4:-4].mean() < 2


def test_large_faces_do_not_alias() -> None:
    checks = np.uint8((np.indices((900, 900)).sum(axis=0) % 2) * 255)[..., None].repeat(3, axis=2)
    points = np.array(TEMPLATE.points) * 640 + 100
    assert align(checks, landmarks_at(points), TEMPLATE).std() < 5


def test_margin_adds_pixels_and_moves_none() -> None:
    picture = smooth_picture(200)
    mesh = landmarks_at(np.array(TEMPLATE.points) * 90 + 50)
    with_margin = align(picture, mesh, Template(margin=8))
    assert with_margin.shape == (80, 80, 1)
    assert np.abs(with_margin[8:72, 8:72].astype(int) - align(picture, mesh, TEMPLATE)).max() <= 1


def test_beyond_the_edge_the_border_is_repeated() -> None:
    picture = np.full((50, 50, 3), 77, np.uint8)
    crop = align(picture, landmarks_at(np.array(TEMPLATE.points) * 60 - 40), TEMPLATE)
    assert (crop == 77).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (4320, 7680)])
def test_any_size(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    mesh = landmarks_at(np.array(TEMPLATE.points) * max(shape))
    assert align(picture, mesh, TEMPLATE).shape == (64, 64, 1)


def test_template_survives_its_card() -> None:
    assert Template.from_card(Template(size=48, channels=3, margin=8).card()) == Template(size=48, channels=3)
