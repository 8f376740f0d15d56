"""Stable ids: through motion, losses, crossings and any order of detection."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import face_at, shape
from scipy.optimize import linear_sum_assignment

from tracker.config import TrackerConfig
from tracker.faces.association import FaceAssociator, assign, overlap
from tracker.faces.landmarks import FaceLandmarker
from tracker.types import Face

GAP = 0.5
Path2D = Callable[[float], tuple[float, float]]


def moved(face: Face, x: float, y: float) -> Face:
    """The face elsewhere."""
    shift = np.array([x, y], np.float32)
    return Face(face.box + np.tile(shift, 2), face.landmarks + np.append(shift, np.float32(0)), face.score)


def same(a: Face, b: Face) -> bool:
    return np.array_equal(a.landmarks, b.landmarks)


def ids_over(associator: FaceAssociator, scenes: list[tuple[float, list[Face | None]]], seed: int = 0) -> list[list]:
    """For each scene the id of each face (None where it is hidden); the faces are shown in random order."""
    rng, answers = np.random.default_rng(seed), []
    for time, faces in scenes:
        seen = [face for face in faces if face is not None]
        found = associator.update([seen[i] for i in rng.permutation(len(seen))], time)
        assert [f.track_id for f in found] == sorted(f.track_id for f in found)
        answers.append([next((f.track_id for f in found if face and same(f, face)), None) for face in faces])
    return answers


def constant(ids: list[list]) -> bool:
    """Each column has one id where it has any, and no two columns have the same."""
    columns = [{i for i in column if i is not None} for column in zip(*ids, strict=True)]
    return all(len(column) == 1 for column in columns) and len(set.union(*columns)) == len(columns)


@pytest.mark.parametrize("rate_hz", [10.0, 25.0, 60.0])
@pytest.mark.parametrize("dy", [0.0, 12.0])
def test_faces_that_cross_keep_their_ids(rate_hz: float, dy: float) -> None:
    times = np.arange(0, 2, 1 / rate_hz)
    left, right = shape(1), shape(2)
    scenes = [(t, [face_at(100 + 150 * t, 100, 60, left), face_at(400 - 150 * t, 100 + dy, 60, right)]) for t in times]
    assert constant(ids_over(FaceAssociator(GAP), scenes))


@pytest.mark.parametrize("rate_hz", [12.0, 25.0, 60.0])
def test_a_face_hidden_while_it_is_passed_keeps_its_id(rate_hz: float) -> None:
    scenes = []
    for t in np.arange(0, 2, 1 / rate_hz):
        front, behind = face_at(100 + 150 * t, 100, 60, shape(1)), face_at(400 - 150 * t, 104, 56, shape(2))
        hidden = abs(front.box[0] - behind.box[0]) < 35
        scenes.append((t, [front, None if hidden else behind]))
    assert any(faces[1] is None for _, faces in scenes)
    assert constant(ids_over(FaceAssociator(GAP), scenes))


@pytest.fixture(scope="module")
def people(several_faces: Path) -> list[Face]:
    """The faces found in a group picture."""
    image = cv2.cvtColor(cv2.imread(str(several_faces)), cv2.COLOR_BGR2RGB)
    landmarker = FaceLandmarker(TrackerConfig(faces=6), still=True)
    faces = landmarker.detect(image)
    landmarker.close()
    assert len(faces) >= 3
    return [moved(face, *(-face.landmarks[:, :2].mean(0))) for face in faces]


PATHS: dict[str, list[Path2D]] = {
    "through one another": [
        lambda t: (100 + 250 * t, 200),
        lambda t: (600 - 250 * t, 210),
        lambda t: (350, 40 + 160 * t),
    ],
    "round one another": [
        lambda t: (300 + 120 * np.cos(3 * t), 200 + 60 * np.sin(3 * t)),
        lambda t: (300 - 120 * np.cos(3 * t), 200 - 60 * np.sin(3 * t)),
        lambda t: (300, 200 + 150 * np.sin(2 * t)),
    ],
    "side by side, shaking": [
        lambda t: (200 + 15 * np.sin(20 * t), 200),
        lambda t: (310 + 15 * np.sin(23 * t), 200),
        lambda t: (420 + 15 * np.sin(17 * t), 200),
    ],
}


@pytest.mark.parametrize("name", PATHS)
def test_real_faces_that_cross_keep_their_ids(people: list[Face], name: str) -> None:
    scenes = [
        (t, [moved(face, *path(t)) for face, path in zip(people, PATHS[name], strict=False)])
        for t in np.arange(0, 2, 0.04)
    ]
    assert constant(ids_over(FaceAssociator(GAP), scenes))


@pytest.mark.parametrize(("away", "kept"), [(0.1, True), (0.48, True), (0.54, False), (3.0, False)])
def test_a_short_loss_keeps_the_id_and_a_longer_one_ends_it(away: float, kept: bool) -> None:
    associator = FaceAssociator(GAP)
    assert [f.track_id for f in associator.update([face_at(100, 100, 60)], 1.0)] == [0]
    for t in np.arange(0.04, away - 0.02, 0.04):
        assert associator.update([], 1.0 + t) == []
    assert associator.update([face_at(103, 99, 60)], 1.0 + away)[0].track_id == (0 if kept else 1)


def test_ids_are_never_used_again_and_reset_starts_from_0() -> None:
    associator, seen = FaceAssociator(GAP), []
    for visit in range(5):
        seen += [f.track_id for f in associator.update([face_at(100, 100, 60)], 2.0 * visit)]
        assert associator.alive == {visit}
        assert associator.update([], 2.0 * visit + 1.0) == []
        assert associator.alive == set()
    assert seen == [0, 1, 2, 3, 4]
    associator.reset()
    assert associator.update([face_at(100, 100, 60)], 0.0)[0].track_id == 0


@pytest.mark.parametrize("speed", [0.0, 300.0, -300.0])
def test_a_moving_face_is_expected_where_its_motion_takes_it(speed: float) -> None:
    associator = FaceAssociator(GAP)
    for index in range(10):
        associator.update([face_at(400 + speed * index / 25, 100, 60)], index / 25)
    x = 400 + speed * (9 / 25 + 0.2)
    beside = 400 + speed * 9 / 25 + (0 if speed else 45)
    found = associator.update([face_at(beside, 160, 60), face_at(x, 100, 60)], 9 / 25 + 0.2)
    assert found[0].track_id == 0
    assert found[0].landmarks[:, 0].mean() == pytest.approx(face_at(x, 100, 60).landmarks[:, 0].mean(), abs=1e-3)


@pytest.mark.parametrize("face", [face_at(300, 100, 60), face_at(100, 100, 400), face_at(100, 100, 12)])
def test_another_face_is_not_taken_for_the_one_that_left(face: Face) -> None:
    associator = FaceAssociator(GAP)
    associator.update([face_at(100, 100, 60)], 0.0)
    assert associator.update([face], 0.04)[0].track_id == 1


def test_nothing_but_the_id_is_changed() -> None:
    face = face_at(100, 100, 60)
    (found,) = FaceAssociator(GAP).update([face], 0.0)
    assert same(found, face)
    np.testing.assert_array_equal(found.box, face.box)
    assert (face.track_id, found.score) == (None, face.score)


def cheapest(costs: np.ndarray) -> tuple[int, float]:
    """How many pairs scipy makes where a cost (T, N) is finite, and their cost."""
    picks = linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6))
    taken = costs[picks][np.isfinite(costs[picks])]
    return len(taken), float(taken.sum())


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (4, 4), (3, 7), (7, 3), (0, 3), (3, 0), (20, 20)])
@pytest.mark.parametrize("reachable", [1.0, 0.5, 0.2])
def test_assignment_is_scipys(size: tuple[int, int], reachable: float) -> None:
    rng = np.random.default_rng(sum(size))
    for _ in range(30):
        costs = np.where(rng.random(size) < reachable, rng.uniform(0, 2, size), np.inf)
        pairs = assign([{int(c): float(row[c]) for c in np.flatnonzero(np.isfinite(row))} for row in costs])
        assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
        assert (len(pairs), sum(costs[pair] for pair in pairs)) == pytest.approx(cheapest(costs))
        assert pairs == sorted(pairs)


def test_as_many_pairs_are_made_as_can_be() -> None:
    assert assign([{0: 0.1, 2: 0.2}, {0: 0.1}, {}]) == [(0, 2), (1, 0)]
    assert assign([{0: 0.1, 1: 9.0}, {0: 0.1}]) == [(0, 1), (1, 0)]
    assert assign([{}, {}]) == []


@pytest.mark.parametrize(
    ("box", "share"), [((0, 0, 10, 10), 1), ((5, 0, 15, 10), 1 / 3), ((20, 20, 30, 30), 0), ((0, 0, 4, 4), 0.16)]
)
def test_overlaps_of_known_boxes(box: tuple[float, float, float, float], share: float) -> None:
    assert overlap((0, 0, 10, 10), box) == overlap(box, (0, 0, 10, 10)) == pytest.approx(share)
