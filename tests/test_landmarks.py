"""MediaPipe behind one class: real faces, none in a cartoon, small pictures, frames of any size."""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tracker.config import TrackerConfig
from tracker.faces.landmarks import FaceLandmarker


@pytest.fixture(scope="module")
def landmarker() -> Iterator[FaceLandmarker]:
    landmarker = FaceLandmarker()
    yield landmarker
    landmarker.close()


@pytest.fixture(scope="module")
def still() -> Iterator[FaceLandmarker]:
    landmarker = FaceLandmarker(still=True)
    yield landmarker
    landmarker.close()


def frames(path: Path, count: int) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [
            frame.to_ndarray(format="rgb24") for _, frame in zip(range(count), container.decode(video=0), strict=False)
        ]


def test_a_face_in_every_frame(landmarker: FaceLandmarker, sample_clip: Path) -> None:
    landmarker.reset()
    for image in frames(sample_clip, 10):
        (face,) = landmarker.detect(image)
        x0, y0, x1, y1 = face.box
        assert face.landmarks.shape == (468, 3)
        assert 0 <= x0 < x1 <= image.shape[1]
        assert 0 <= y0 < y1 <= image.shape[0]
        assert face.score > 0.7
        left_eye, right_eye, chin = face.landmarks[33], face.landmarks[263], face.landmarks[152]
        assert left_eye[0] < right_eye[0]
        assert chin[1] > max(left_eye[1], right_eye[1])


def test_landmarks_are_in_the_frame_s_own_pixels(sample_clip: Path, still: FaceLandmarker) -> None:
    image = frames(sample_clip, 1)[0]
    small = still.detect(image)[0].landmarks
    large = still.detect(cv2.resize(image, None, fx=3, fy=3))[0].landmarks
    iod = np.linalg.norm(small[33] - small[263])
    assert np.abs(large[:, :2] / 3 - small[:, :2]).mean() < 0.03 * iod


def test_reset_forgets(landmarker: FaceLandmarker, sample_clip: Path) -> None:
    images = frames(sample_clip, 4)
    runs = []
    for _ in range(2):
        landmarker.reset()
        runs.append([landmarker.detect(image)[0].landmarks for image in images])
    assert np.array_equal(runs[0], runs[1])


@pytest.mark.parametrize("shape", [(1, 1), (37, 61), (480, 640), (2160, 3840)])
def test_no_face_in_a_flat_picture(landmarker: FaceLandmarker, still: FaceLandmarker, shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 128, np.uint8)
    assert landmarker.detect(picture) == []
    assert still.detect(picture) == []


def test_no_face_in_a_cartoon(media: Path) -> None:
    landmarker = FaceLandmarker(TrackerConfig(faces=3))
    assert not any(landmarker.detect(image) for image in frames(media / "no_face.mp4", 30))
    landmarker.close()


def test_several_faces(several_faces: Path) -> None:
    image = cv2.cvtColor(cv2.imread(str(several_faces)), cv2.COLOR_BGR2RGB)
    landmarker = FaceLandmarker(TrackerConfig(faces=8), still=True)
    faces = landmarker.detect(image)
    landmarker.close()
    sizes = [(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in faces]
    assert len(faces) >= 3
    assert sizes == sorted(sizes, reverse=True)


def test_a_face_of_48_pixels_that_fills_its_picture(sample_clip: Path, still: FaceLandmarker) -> None:
    image = frames(sample_clip, 1)[0]
    x0, y0, x1, y1 = still.detect(image)[0].box.astype(int)
    face = cv2.resize(image[y0:y1, x0:x1], (48, 48), interpolation=cv2.INTER_AREA)
    (found,) = still.detect(face)
    assert 0.25 * 48 < found.landmarks[263, 0] - found.landmarks[33, 0] < 0.9 * 48


def test_irises_on_request(sample_clip: Path) -> None:
    landmarker = FaceLandmarker(TrackerConfig(irises=True))
    assert landmarker.detect(frames(sample_clip, 1)[0])[0].landmarks.shape == (478, 3)
    landmarker.close()


def test_native_warnings_stay_off_stderr(sample_clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    landmarker = FaceLandmarker()
    landmarker.detect(frames(sample_clip, 1)[0])
    landmarker.close()
    assert capfd.readouterr().err == ""
