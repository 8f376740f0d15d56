"""Our own run of MediaPipe's face networks: as MediaPipe finds them, smaller ones besides, and what is broken told."""

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.test_landmarks import frames
from tracker.cli import main
from tracker.config import TrackerConfig
from tracker.engine import Engine
from tracker.errors import CheckpointError, UsageError
from tracker.faces import graphs, onnx_finder
from tracker.faces.detection import FarDetector, NearDetector
from tracker.faces.graphs import MODELS, Graph
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.onnx_finder import OnnxFinder
from tracker.faces.regions import Region, around, cut, overlap, placed
from tracker.types import Face, Frame

OUTPUTS = ("landmarks", "logits")


@pytest.fixture(scope="module")
def head(sample_clip: Path) -> tuple[np.ndarray, float]:
    """A head out of the sample clip with what is around it, and the width of its face."""
    image = frames(sample_clip, 1)[0]
    x0, y0, x1, y1 = FaceLandmarker(still=True).detect(image)[0].box.tolist()
    margin = 0.4 * (x1 - x0)
    return image[max(round(y0 - margin), 0) : round(y1 + margin), round(x0 - margin) : round(x1 + margin)], x1 - x0


def scene(head: tuple[np.ndarray, float], width: float, *corners: tuple[int, int], size: tuple[int, int] = (720, 1280)):
    """A plain picture with the head, its face so wide, at each of the corners (x, y)."""
    image = np.full((*size, 3), 128, np.uint8)
    small = cv2.resize(head[0], None, fx=width / head[1], fy=width / head[1], interpolation=cv2.INTER_AREA)
    for x, y in corners:
        image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return image


# as MediaPipe


@pytest.mark.parametrize("irises", [False, True])
def test_the_landmarks_are_mediapipe_s(sample_clip: Path, irises: bool) -> None:
    pytest.importorskip("mediapipe")
    apart = []
    ours, theirs = (FaceLandmarker(TrackerConfig(landmarker=name, irises=irises)) for name in ("onnx", "mediapipe"))
    for image in frames(sample_clip, 40):
        ((a,), (b,)) = ours.detect(image), theirs.detect(image)
        assert a.landmarks.shape == b.landmarks.shape == (478 if irises else 468, 3)
        eyes = np.linalg.norm(b.landmarks[33, :2] - b.landmarks[263, :2])
        apart.append(np.abs(a.landmarks - b.landmarks).mean() / eyes)
    ours.close()
    theirs.close()
    assert np.mean(apart) < 0.003


def test_a_still_picture_s_landmarks_are_mediapipe_s(sample_clip: Path) -> None:
    pytest.importorskip("mediapipe")
    image = frames(sample_clip, 1)[0]
    with (
        closing(FaceLandmarker(still=True)) as ours,
        closing(FaceLandmarker(TrackerConfig(landmarker="mediapipe"), still=True)) as theirs,
    ):
        for picture in (image, cv2.resize(image, (160, 90), interpolation=cv2.INTER_AREA)):
            ((a,), (b,)) = ours.detect(picture), theirs.detect(picture)
            eyes = np.linalg.norm(b.landmarks[33, :2] - b.landmarks[263, :2])
            assert np.abs(a.landmarks - b.landmarks).mean() < 0.001 * eyes


def test_found_and_lost_as_mediapipe_does(media: Path) -> None:
    pytest.importorskip("mediapipe")
    images = frames(media / "face_noface.mov", 90)
    ours, theirs = (FaceLandmarker(TrackerConfig(landmarker=name)) for name in ("onnx", "mediapipe"))
    counts = [(len(ours.detect(image)), len(theirs.detect(image))) for image in images]
    assert all(a == b for a, b in counts)
    assert {a for a, _ in counts} == {0, 1}


# small faces


@pytest.mark.parametrize("width", [100, 60, 40])
def test_a_small_face_in_a_large_picture(head: tuple[np.ndarray, float], width: float) -> None:
    landmarker, found = FaceLandmarker(still=True), 0
    for corner in ((60, 50), (700, 300), (1050, 500), (300, 540)):
        faces = landmarker.detect(scene(head, width, corner))
        middles = [face.box.reshape(2, 2).mean(axis=0) - corner for face in faces]
        found += len(faces) == 1 and bool((np.abs(middles[0] - 0.9 * width) < 0.5 * width).all())
        assert all(0.8 < (face.box[2] - face.box[0]) / width < 1.3 for face in faces)
    assert found == 4


def test_a_video_s_small_face_is_found_soon_and_followed(head: tuple[np.ndarray, float]) -> None:
    landmarker = FaceLandmarker()
    counts = [len(landmarker.detect(scene(head, 40, (1000 + 2 * i, 500)))) for i in range(16)]
    first = counts.index(1)
    assert first <= 9 and counts[first:] == [1] * (16 - first)


def test_many_small_faces_of_one_picture(head: tuple[np.ndarray, float]) -> None:
    corners = [(x, y) for x in (40, 340, 640, 940) for y in (60, 400)]
    faces = FaceLandmarker(TrackerConfig(faces=10), still=True).detect(scene(head, 60, *corners))
    assert len(faces) == 8
    boxes = [tuple(face.box.tolist()) for face in faces]
    assert max(overlap(a, b) for a in boxes for b in boxes if a is not b) == 0


def test_min_face_says_how_far_down_to_look(head: tuple[np.ndarray, float]) -> None:
    picture = scene(head, 30, (620, 300), size=(1080, 1920))
    large, small = (FaceLandmarker(TrackerConfig(min_face_px=px), still=True).detect(picture) for px in (200, 30))
    assert len(small) == 1 and not large


def test_a_large_picture_is_read_at_its_own_size(head: tuple[np.ndarray, float]) -> None:
    picture = scene(head, 150, (500, 300))
    (at_once,), (large,) = (
        FaceLandmarker(still=True).detect(each) for each in (picture, cv2.resize(picture, None, fx=3, fy=3))
    )
    eyes = np.linalg.norm(at_once.landmarks[33] - at_once.landmarks[263])
    assert np.abs(large.landmarks[:, :2] / 3 - at_once.landmarks[:, :2]).mean() < 0.02 * eyes


def test_without_a_lack_no_detector_runs(sample_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[type] = []
    for detector in (NearDetector, FarDetector):
        find = detector.find
        monkeypatch.setattr(
            detector, "find", lambda self, *given, find=find: looks.append(type(self)) or find(self, *given)
        )
    landmarker = FaceLandmarker()
    assert all(landmarker.detect(image) for image in frames(sample_clip, 12))
    assert looks == [NearDetector]


@pytest.mark.parametrize(
    ("size", "wanted", "shown"),
    [((1280, 720), 0.25, 320), ((640, 360), 0.25, 192), ((100, 90), 0.25, 100), ((7680, 90), 0.5, 2048)],
)
def test_how_large_the_far_detector_sees_a_picture(size: tuple[int, int], wanted: float, shown: int) -> None:
    assert round(FarDetector.scale(*size, wanted) * max(size)) == shown


# regions


def test_what_is_cut_out_is_placed_back() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3), np.uint8), (0, 0), 3)
    region = Region(150.0, 120.0, 96.0, 0.6)
    small = cut(image, region, 192)
    points = np.column_stack([rng.uniform(20, 170, (50, 2)), np.ones(50)]).astype(np.float32)
    there = placed(points, region, 192)
    assert np.allclose(there[:, 2], 0.5)
    for (x, y), (u, v, _) in zip(points[:, :2].round().astype(int), placed(points.round(), region, 192), strict=True):
        assert np.abs(small[y, x].astype(int) - image[round(float(v)), round(float(u))].astype(int)).max() < 30


def test_a_region_is_upright_to_the_face() -> None:
    region = around((0, 0, 40, 20), (10, 10), (10, 30))
    assert region == pytest.approx((20, 10, 60, np.pi / 2))


@pytest.mark.parametrize("place", [(-500.0, 50.0), (1e6, 1e6), (100.0, -90.0)])
def test_a_region_that_leaves_the_picture(sample_clip: Path, place: tuple[float, float]) -> None:
    image = frames(sample_clip, 1)[0]
    for picture in (image, cv2.resize(image, None, fx=4, fy=4)):
        finder = OnnxFinder(TrackerConfig(), still=False)
        finder._followed = [Region(*place, 900.0, 0.3)]
        finder.find(picture)
        assert len(finder.find(picture)) == 1


# what is broken


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of models of which the mesh may be broken."""
    for path in MODELS.glob("*.onnx"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(onnx_finder, "MODELS", tmp_path)
    yield tmp_path


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "it cannot be read (No such file or directory)"),
        (lambda path: path.write_bytes(path.read_bytes()[:90_000]), "ONNX Runtime refuses it: "),
        (lambda path: path.write_bytes(b"no model"), "ONNX Runtime refuses it: "),
        (
            lambda path: path.write_bytes((MODELS / "face_detection_short.onnx").read_bytes()),
            "it is of another kind (its outputs are boxes, logits)",
        ),
    ],
)
def test_a_model_s_file_that_cannot_be_used(models: Path, damage, why: str, sample_clip: Path) -> None:
    damage(models / "face_mesh.onnx")
    done = CliRunner().invoke(main, ["track", str(sample_clip), "-o", str(models / "out"), "--end", "0.1"])
    assert done.exit_code == 1
    told = [line for line in done.output.splitlines() if "face_mesh.onnx" in line]
    assert told and all(f"face_mesh.onnx cannot be used: {why}" in line for line in told)
    assert "Traceback" not in done.output


def test_an_encoder_is_no_mesh(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="of another kind"):
        Graph(MODELS / "face_mesh.onnx", ("boxes", "logits"))
    assert Graph(MODELS / "face_mesh.onnx", OUTPUTS).sides == (192, 192)
    assert graphs.INPUT == "pictures"


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((90, 160), np.uint8),
        np.zeros((90, 160, 1), np.uint8),
        np.zeros((90, 160, 4), np.uint8),
        np.zeros((90, 160, 3), np.float32),
        np.zeros((0, 160, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_told(image: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"a picture of shape .* and type .*; expected \(H, W, 3\) uint8, RGB"):
        FaceLandmarker().detect(image)


@pytest.mark.parametrize("shape", [(1, 1), (2, 8000), (8000, 2), (1, 40_000)])
@pytest.mark.parametrize("still", [False, True])
def test_pictures_of_odd_shapes_have_no_face(shape: tuple[int, int], still: bool) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert FaceLandmarker(still=still).detect(picture) == []


def test_landmarks_that_are_no_numbers_are_no_face(sample_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = frames(sample_clip, 1)[0]
    landmarker = FaceLandmarker()
    mesh = landmarker._finder._mesh  # type: ignore[attr-defined]
    broken = (np.full((1, 468, 3), np.nan, np.float32), np.full((1, 1), 20, np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(landmarker._finder, "_mesh", type("Broken", (), {"__call__": lambda *_: broken})())
        assert landmarker.detect(image) == []
    assert landmarker._finder._mesh is mesh  # type: ignore[attr-defined]
    assert len(landmarker.detect(image)) == 1


def test_a_landmarker_of_ones_own_may_fail_in_a_face(sample_clip: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FaceLandmarker):
        def detect(self, image: np.ndarray) -> list[Face]:
            faces = super().detect(image)
            return [*faces, *(replace(face, landmarks=np.full_like(face.landmarks, np.nan)) for face in faces)]

    config = TrackerConfig(faces=2)
    with Engine(config=config, landmarker=Broken(config)) as engine:
        for index, image in enumerate(frames(sample_clip, 3)):
            (tracked,) = engine.step(Frame(image, index / 24, index))
            assert len(tracked.samples) == 1 and np.isfinite(tracked.samples[0].valence)
    (line,) = caplog.messages
    assert line == "frame 0 has a face whose landmarks are not finite numbers; it is left out, as all such are"


def test_without_mediapipe_its_landmarker_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, sample_clip: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    monkeypatch.delitem(sys.modules, "tracker.faces.mediapipe_finder", raising=False)
    done = CliRunner().invoke(main, ["track", str(sample_clip), "--landmarker", "mediapipe", "--end", "0.1"])
    assert done.exit_code == 1
    assert "pip install 'affect-tracker[mediapipe]'" in done.output
