"""Who is who: likeness of real faces, and ids over cuts, crossings and absences in made scenes."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.identity import Person, by_engine, person_of_clip, render, scenes
from tracker.config import TrackerConfig
from tracker.engine import Engine
from tracker.errors import CheckpointError
from tracker.faces import identity
from tracker.faces.association import OTHER, SURE
from tracker.faces.identity import SIDE, FaceIdentity
from tracker.faces.landmarks import FaceLandmarker
from tracker.sources import open_source

MODEL = "anclaf-compact"


def portraits(clip: Path, every: int) -> np.ndarray:
    """(N, SIDE, SIDE) of the first face in every so many frames of a clip."""
    landmarker, views = FaceLandmarker(still=True), []
    with open_source(str(clip)) as source:
        for frame in islice(source, 0, 5 * every, every):
            views += [FaceIdentity().portrait(frame.image, face) for face in landmarker.detect(frame.image)[:1]]
    landmarker.close()
    return np.array(views)


def test_descriptions_have_length_1_whatever_the_batch(sample_clip: Path) -> None:
    views, one = portraits(sample_clip, 20), FaceIdentity()
    together = one.describe(views)
    assert together.shape == (5, 128)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.vstack([one.describe(view[None]) for view in views]), together, atol=1e-4)


def test_one_person_is_like_and_two_are_not(sample_clip: Path, media: Path) -> None:
    files = sample_clip, media / "single_face.mp4", media / "carphone.mp4"
    persons = [FaceIdentity().describe(portraits(file, 14)) for file in files]
    for number, mine in enumerate(persons):
        assert (mine @ mine.T).min() > SURE
        assert all((mine @ other.T).max() < OTHER for other in persons[:number])


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "face_identity.onnx"
    broken.write_bytes(identity.MODEL.read_bytes()[:1000])
    monkeypatch.setattr(identity, "MODEL", broken)
    with pytest.raises(CheckpointError, match=r"face_identity\.onnx cannot be used: .*; install .*, or --remember 0"):
        FaceIdentity().describe(np.zeros((1, SIDE, SIDE), np.uint8))


@pytest.fixture(scope="module")
def cast(sample_clip: Path, media: Path) -> list[Person]:
    return [person_of_clip(sample_clip), person_of_clip(media / "single_face.mp4")]


@pytest.mark.parametrize(
    "name",
    [
        "cut to another at the same place",
        "change of sides at a cut",
        "change of sides, same background",
        "behind another for 0.3 s",
        "behind another for 0.6 s",
        "away 0.6 s, another place",
        "away 2 s, the same place",
    ],
)
def test_every_id_is_one_persons_and_every_person_has_one(cast: list[Person], name: str) -> None:
    found = by_engine(list(render(scenes()[name], cast)), MODEL)
    assert (found.switches, found.takeovers, found.new) == (0, 0, 0)


def test_after_a_cut_all_begins_as_with_a_fresh_engine(cast: list[Person]) -> None:
    scene = scenes()["cut to another at the same place"]
    frames = [frame for frame, _ in render(scene, cast)]
    after = [frame for frame in frames if frame.time >= scene.cut_s][:5]
    with Engine(MODEL) as engine, Engine(MODEL) as fresh:
        told = [engine.step(frame)[0] for frame in frames if frame.time <= after[-1].time]
        expected = [fresh.step(frame)[0] for frame in after]
    assert [tracked.frame.index for tracked in told if tracked.cut] == [after[0].index]
    for tracked, alone in zip(told[-5:], expected, strict=True):
        ((ours,), (theirs,)) = tracked.samples, alone.samples
        assert (ours.track_id, theirs.track_id) == (1, 0)
        assert abs(ours.valence_smooth - theirs.valence_smooth) < 0.05
        assert abs(ours.arousal_smooth - theirs.arousal_smooth) < 0.05


@pytest.mark.parametrize(("remember", "kept"), [(0.0, False), (1.0, False), (10.0, True)])
def test_a_person_is_remembered_for_as_long_as_is_asked(cast: list[Person], remember: float, kept: bool) -> None:
    frames = [frame for frame, _ in render(scenes()["away 2 s, the same place"], cast)]
    with Engine(MODEL, TrackerConfig(faces=2, remember_s=remember)) as engine:
        ids = [[face.track_id for face in engine.find(frame).faces] for frame in frames]
    assert ids[10] == [0, 1]
    assert len({i for each in ids for i in each}) == (2 if kept else 3)
