"""Which faces are fit for measuring: each limit, on a real face."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from tracker.config import QualityLimits
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.pose import head_pose
from tracker.faces.quality import blockiness, is_low_quality, margins, picture_quality
from tracker.sources import open_source
from tracker.types import Face

LIMITS = QualityLimits()
BOX = np.array([10, 20, 130, 160], np.float32)
AHEAD = np.zeros(3, np.float32)
SMALL = Template(size=32, channels=1)


@pytest.fixture(scope="module", params=[(64, 1), (128, 3)], ids=["grey", "colour"])
def crop(request: pytest.FixtureRequest, sample_clip: Path) -> np.ndarray:
    """A real face, aligned as for the compact and for the paper's networks."""
    template = Template(size=request.param[0], channels=request.param[1])
    landmarker = FaceLandmarker(still=True)
    with open_source(str(sample_clip)) as source:
        image = next(iter(source)).image
    faces = landmarker.detect(image)
    landmarker.close()
    return align(image, faces[0].landmarks, template)


def test_an_ordinary_face_has_nothing_to_complain_of(crop: np.ndarray) -> None:
    assert picture_quality(crop, BOX, AHEAD, LIMITS) == 1.0
    assert len(margins(crop, BOX, AHEAD, LIMITS)) == 4
    assert min(margins(crop, BOX, AHEAD, LIMITS)) > 2


@pytest.mark.parametrize(("height", "low"), [(47, True), (49, False), (30, True)])
def test_small_faces(crop: np.ndarray, height: float, low: bool) -> None:
    box = np.array([0, 0, 90, height], np.float32)
    assert is_low_quality(picture_quality(crop, box, AHEAD, LIMITS)) is low


@pytest.mark.parametrize(("level", "low"), [(11, True), (14, False), (5, True)])
def test_dark_faces(level: float, low: bool) -> None:
    noise = np.random.default_rng(0).normal(0, 4, (64, 64, 1))
    crop = np.clip(level + noise - noise.mean(), 0, 255).round()
    crop = (crop + (level - crop.mean())).clip(0, 255).round().astype(np.uint8)
    assert abs(crop.mean() - level) < 0.9
    assert is_low_quality(picture_quality(crop, BOX, AHEAD, LIMITS)) is low


def test_blurred_faces(crop: np.ndarray) -> None:
    scale = crop.shape[0] / 64
    qualities = []
    for sigma in (0.5, 1.0, 2.0, 4.0):
        blurred = cv2.GaussianBlur(crop, (0, 0), sigma * scale).reshape(crop.shape)
        qualities.append(picture_quality(blurred, BOX, AHEAD, LIMITS))
    assert qualities == sorted(qualities, reverse=True)
    assert [is_low_quality(quality) for quality in qualities] == [False, False, True, True]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("degrees", "low"), [(44, False), (46, True), (-46, True), (-20, False)])
def test_turned_faces(crop: np.ndarray, axis: int, degrees: float, low: bool) -> None:
    pose = np.zeros(3, np.float32)
    pose[axis] = np.radians(degrees)
    assert is_low_quality(picture_quality(crop, BOX, pose, LIMITS)) is low


def test_a_tilted_head_is_no_worse(crop: np.ndarray) -> None:
    assert picture_quality(crop, BOX, np.array([0, 0, 1.2], np.float32), LIMITS) == 1.0


def test_dim_light_alone_is_not_taken_for_blur(crop: np.ndarray) -> None:
    dim = (crop * 0.25).astype(np.uint8)
    assert picture_quality(dim, BOX, AHEAD, LIMITS) > 0.9


@pytest.fixture(scope="module")
def seen(sample_clip: Path) -> Iterator[Callable[[np.ndarray], tuple[Face, float] | None]]:
    """Finds a picture's face and its quality, compression and what hides it among the limits."""
    landmarker = FaceLandmarker(still=True)

    def look(image: np.ndarray) -> tuple[Face, float] | None:
        for face in landmarker.detect(image)[:1]:
            small = align(image, face.landmarks, SMALL)
            pose = head_pose(face.landmarks)
            return face, picture_quality(small, face.box, pose, LIMITS, image, small[..., 0])
        return None

    yield look
    landmarker.close()


@pytest.fixture(scope="module")
def picture(sample_clip: Path) -> np.ndarray:
    """The first frame of the sample clip."""
    with open_source(str(sample_clip)) as source:
        return next(iter(source)).image


def test_a_face_upside_down_is_marked_and_one_on_its_side_is_righted(picture: np.ndarray, seen: Callable) -> None:
    for turn, low in (
        (cv2.ROTATE_90_CLOCKWISE, False),
        (cv2.ROTATE_180, True),
        (cv2.ROTATE_90_COUNTERCLOCKWISE, False),
    ):
        found = seen(cv2.rotate(picture, turn))
        assert found is None or is_low_quality(found[1]) is low, turn


def test_hidden_eyes_and_a_hidden_mouth_lower_the_confidence(picture: np.ndarray, seen: Callable) -> None:
    face, clear = seen(picture)
    eyes, mouth = (face.landmarks[[a, b], :2].mean(axis=0) for a, b in ((33, 263), (61, 291)))
    width = float(np.linalg.norm(face.landmarks[33, :2] - face.landmarks[263, :2]))
    skin = picture[int(face.landmarks[50, 1]), int(face.landmarks[50, 0])].tolist()
    for (x, y), size, colour in ((eyes, (0.75, 0.25), (20, 20, 22)), (mouth, (0.7, 0.4), skin)):
        covered = picture.copy()
        cv2.ellipse(covered, (int(x), int(y)), (int(width * size[0]), int(width * size[1])), 0, 0, 360, colour, -1)
        found = seen(cv2.GaussianBlur(covered, (0, 0), 1))
        assert found is None or found[1] < 0.6 * clear
    assert clear == 1.0


def test_a_face_that_compression_has_ruined_is_marked(picture: np.ndarray, seen: Callable) -> None:
    face, _ = seen(picture)
    scale = 60 / float(face.box[2] - face.box[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    steps = []
    for quality in (90, 30, 5):
        spoiled = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        steps.append(blockiness(spoiled, face.box * scale))
    assert steps == sorted(steps)
    assert steps[0] < LIMITS.max_blocks / 2
    assert steps[2] > LIMITS.max_blocks


def test_limits_are_the_callers(crop: np.ndarray) -> None:
    assert is_low_quality(picture_quality(crop, BOX, AHEAD, QualityLimits(min_size_px=200)))
    assert is_low_quality(picture_quality(crop, BOX, AHEAD, QualityLimits(min_brightness=250)))
    assert picture_quality(np.zeros_like(crop), BOX, AHEAD, LIMITS) == 0.0


def test_the_sample_clips_frames_are_ok(sample_clip: Path) -> None:
    landmarker = FaceLandmarker(still=True)
    with open_source(str(sample_clip)) as source:
        for frame in islice(source, 0, None, 30):
            face = landmarker.detect(frame.image)[0]
            crop = align(frame.image, face.landmarks, Template())
            assert picture_quality(crop, face.box, head_pose(face.landmarks), LIMITS) > 0.9
    landmarker.close()
