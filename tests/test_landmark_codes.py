"""The code of each face by a landmark VAE: against torch, beside which neutral face, and from the command line."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from landmark_sets import face as drawn_face
from scenes import WrittenFaces, face_at, scene, small_disvae, two_walkers
from scenes import shape as mesh_shape

from nets.card import ModelCard
from nets.checkpoint import save
from nets.landmark_layers import mean_layers
from nets.landmark_vae import LandmarkVae, LandmarkVaeConfig
from nets.torch_runtime import TorchRuntime
from tracker import open_source
from tracker.cli import main
from tracker.config import DEFAULT_MODEL, LiveConfig, OutputConfig, TrackerConfig
from tracker.engine import Engine, track
from tracker.errors import CheckpointError, DataError, SourceError, UsageError
from tracker.faces.neutral import EVERY_S, KEPT, CalmFaces
from tracker.faces.shape import MEDIAPIPE_83, MEDIAPIPE_468, medoid, normalised
from tracker.landmark_codes import LandmarkCoder, LandmarkCodes
from tracker.live import run_live
from tracker.live.baseline import NeutralBaseline
from tracker.live.recordings import Recordings
from tracker.live.tracking import Tracking
from tracker.neutral import neutral_faces, read_neutral
from tracker.sinks.records import DEVIATION, PROBABILITIES
from tracker.sources.live import open_live
from tracker.types import Face, Frame, TrackedFrame

SMALL = LandmarkVaeConfig(latent=4, encoder=(24, 12), decoder=(8,))
NAMES = ("z_0", "z_1", "z_2", "z_3")
TOLD = tuple(column.name for column in (*DEVIATION, *PROBABILITIES))
"""What the default model tells besides."""


def built(**changes: object) -> LandmarkVae:
    torch.manual_seed(7)
    model = LandmarkVae(replace(SMALL, **changes)).eval()
    model.average.copy_(torch.randn(model.config.width))
    return model


def saved(folder: Path, name: str = "m1", **changes: object) -> Path:
    path, model = folder / f"{name}.safetensors", built(**changes)
    save(path, model, ModelCard(name, "landmark-vae", model.config.to_dict(), {}, "none", "none", "none"))
    return path


@pytest.fixture(scope="module")
def m1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional model with random weights."""
    return saved(tmp_path_factory.mktemp("models"))


def expected_code(shapes: np.ndarray, neutral: np.ndarray | None, **changes: object) -> np.ndarray:
    """By torch: (N, K) of shapes (N, P, 3)."""
    model, told = built(**changes), None
    if neutral is not None:
        told = torch.from_numpy(neutral).reshape(1, -1).expand(len(shapes), -1)
    with torch.no_grad():
        return model.encode(torch.from_numpy(shapes).flatten(1), told).mean.numpy()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def codes_in(lines: Sequence[dict], names: Sequence[str] = NAMES) -> np.ndarray:
    """(T, K), NaN for null."""
    return np.array([[np.nan if line[name] is None else line[name] for name in names] for line in lines])


# The coder.


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("encoder", [(24, 12), (5,), (480, 240, 120, 60)])
def test_the_coder_is_torch(conditional: bool, encoder: tuple[int, ...]) -> None:
    model = built(conditional=conditional, encoder=encoder)
    shapes = np.random.default_rng(0).normal(0, 2, (6, 83, 3)).astype(np.float32)
    neutral = shapes[5] if conditional else None
    coder = LandmarkCoder(
        mean_layers({name: values.numpy() for name, values in model.state_dict().items()}), model.average.numpy()
    )
    ours = np.array([coder.code(shape, coder.beside(neutral)) for shape in shapes])
    theirs = expected_code(shapes, neutral, conditional=conditional, encoder=encoder)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert (ours.shape, ours.dtype) == ((6, 4), np.float32)


# The neutral face.


def fed(away: Sequence[float], every_s: float = EVERY_S) -> tuple[CalmFaces, np.ndarray]:
    """Calm faces that saw random shapes at these distances from calm, and the shapes (N, 83, 3)."""
    calm, shapes = CalmFaces(), np.random.default_rng(3).normal(0, 1, (len(away), 83, 3)).astype(np.float32)
    for index, (shape, each) in enumerate(zip(shapes, away, strict=True)):
        calm.add(shape, index * every_s, each)
    return calm, shapes


def test_the_neutral_face_is_the_medoid_of_the_calmest() -> None:
    away = np.random.default_rng(1).permutation(40) / 40
    calm, shapes = fed(away.tolist())
    calmest = shapes[np.sort(np.argsort(away)[:KEPT])]
    assert np.array_equal(calm.medoid(), calmest[medoid(calmest)])


def test_it_is_known_once_enough_was_seen() -> None:
    assert fed([])[0].medoid(least=1) is None
    few, _ = fed([0.1] * (KEPT - 1))
    assert few.medoid() is None and few.medoid(least=1) is not None
    assert fed([0.1] * KEPT)[0].medoid() is not None
    often, _ = fed([0.1] * 4 * (KEPT - 1), every_s=EVERY_S / 4)
    assert often.medoid() is None


def test_what_is_less_calm_changes_nothing() -> None:
    calm, _ = fed([0.1] * KEPT)
    before = calm.medoid()
    calm.add(np.ones((83, 3), np.float32), 100.0, 0.2)
    assert calm.medoid() is before
    calm.add(np.ones((83, 3), np.float32), 101.0, 0.05)
    assert len({id(shape) for shape in calm._shapes}) == KEPT and calm._shapes[-1][0, 0] == 1


def faces_over_time(count: int) -> list[Face]:
    """One face that changes its expression, in a mesh of 468 points."""
    rng, mesh = np.random.default_rng(2), np.zeros((468, 3), np.float32)
    mesh[list(MEDIAPIPE_83.mediapipe)] = drawn_face(rng)
    moved = mesh + rng.normal(0, 1, (count, 468, 3)).astype(np.float32)
    return [Face(np.zeros(4, np.float32), points, 1.0, 0) for points in moved]


def read_all(codes: LandmarkCodes, faces: Sequence[Face], away: float | None = 0.1) -> np.ndarray:
    return np.array([codes.read(face, index * 0.201, away) for index, face in enumerate(faces)])


def test_until_it_is_known_the_code_is_not(m1: Path) -> None:
    faces = faces_over_time(12)
    ours, shapes = read_all(LandmarkCodes(m1), faces), normalised(landmarks_of(faces), MEDIAPIPE_83)
    assert np.isnan(ours[: KEPT - 1]).all()
    theirs = expected_code(shapes, shapes[medoid(shapes[:KEPT])])
    np.testing.assert_allclose(ours[KEPT - 1 :], theirs[KEPT - 1 :], atol=1e-5)


def landmarks_of(faces: Sequence[Face]) -> np.ndarray:
    """(N, 83, 3)."""
    return np.array([face.landmarks for face in faces])[:, list(MEDIAPIPE_83.mediapipe)]


def test_faces_seen_badly_do_not_count(m1: Path) -> None:
    assert np.isnan(read_all(LandmarkCodes(m1), faces_over_time(12), away=None)).all()


def test_a_given_one_is_used_from_the_first_frame(m1: Path) -> None:
    faces = faces_over_time(12)
    shapes, codes = normalised(landmarks_of(faces), MEDIAPIPE_83), LandmarkCodes(m1)
    codes.given[None] = shapes[3]
    np.testing.assert_allclose(read_all(codes, faces), expected_code(shapes, shapes[3]), atol=1e-5)
    codes.given[0] = shapes[4]
    np.testing.assert_allclose(read_all(codes, faces), expected_code(shapes, shapes[4]), atol=1e-5)
    of_another = LandmarkCodes(m1)
    of_another.given = {1: shapes[4]}
    assert np.isnan(read_all(of_another, faces)[0]).all()


def test_a_face_alone_is_straightened_as_many_are(m1: Path) -> None:
    codes, faces = LandmarkCodes(m1), faces_over_time(3)
    for face in faces:
        np.testing.assert_array_equal(codes._shape(face.landmarks), codes.shapes(face.landmarks))
        assert (
            codes._shape(face.landmarks) == normalised(face.landmarks[list(MEDIAPIPE_83.mediapipe)], MEDIAPIPE_83)
        ).all()
    broken = faces[0].landmarks.copy()
    broken[MEDIAPIPE_83.mediapipe[7], 1] = np.nan
    with pytest.raises(DataError, match="landmarks with NaN in 1 of 1 faces, the first is number 0"):
        codes.read(replace(faces[0], landmarks=broken), 0.0, 0.1)


def test_a_plain_one_reads_none(tmp_path: Path) -> None:
    faces = faces_over_time(3)
    shapes = normalised(landmarks_of(faces), MEDIAPIPE_83)
    ours = read_all(LandmarkCodes(saved(tmp_path, conditional=False)), faces)
    np.testing.assert_allclose(ours, expected_code(shapes, None, conditional=False), atol=1e-5)


def test_it_reads_the_layout_of_its_card(tmp_path: Path) -> None:
    codes = LandmarkCodes(saved(tmp_path, points=468, layout="mediapipe-468", conditional=False))
    mesh = np.random.default_rng(4).normal(0, 50, (478, 3)).astype(np.float32)
    np.testing.assert_array_equal(codes.shapes(mesh), normalised(mesh[:468], MEDIAPIPE_468))


# The engine.


class TwoPersons(WrittenFaces):
    """Finds the two walkers, each with a face of its own: the larger is the one that stays."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces, in the order in which they are written."""
        return [replace(face, landmarks=self._mesh(face)) for face in super().detect(image)]

    @staticmethod
    def _mesh(face: Face) -> np.ndarray:
        side = float(face.box[2] - face.box[0])
        return face_at(*face.box[:2].tolist(), side, mesh_shape(seed=int(side > 52))).landmarks


def walked(model: Path | None, count: int = 60, faces: int = 2) -> tuple[Engine, list[TrackedFrame]]:
    # these walkers are noise, which looks like nobody: who is who goes by place alone
    config = TrackerConfig(faces=faces, landmark_model=None if model is None else str(model), remember_s=0.0)
    with Engine(TorchRuntime(*small_disvae()), config, TwoPersons()) as engine:
        return engine, list(track(two_walkers(count), engine))


def test_codes_stand_behind_what_the_model_reads(m1: Path) -> None:
    engine, frames = walked(m1)
    _, alone = walked(None)
    own = len(engine.runtime.reading_names)
    assert own == 8 and engine.reading_names == (*engine.runtime.reading_names, *NAMES)
    readings = np.array([sample.readings for frame in frames for sample in frame.samples])
    assert readings.shape[1] == own + 4 and readings.dtype == np.float32
    without = np.array([sample.readings for frame in alone for sample in frame.samples])
    np.testing.assert_array_equal(readings[:, :own], without)


def test_each_of_several_faces_has_its_own_neutral_one(m1: Path) -> None:
    engine, frames = walked(m1)
    assert engine.codes is not None
    neutrals = engine.codes.neutrals()
    assert len(neutrals) == 2
    for track_id, neutral in neutrals.items():
        for frame in frames:
            for face in frame.faces:
                differs = np.abs(engine.codes.shapes(face.landmarks) - neutral).max()
                assert (differs < 1e-5) == (face.track_id == track_id), differs
    engine.codes.given = dict.fromkeys((None, 0), next(iter(neutrals.values())))
    engine.reset()
    assert engine.codes.neutrals() == {} and list(engine.codes.given) == [None]


def test_where_one_face_is_followed_there_is_one_person(m1: Path) -> None:
    """A face that was away has another id, and the same neutral face."""
    faces = faces_over_time(24)
    times = [0.1 * index + (2.0 if index >= 12 else 0.0) for index in range(24)]
    config = TrackerConfig(landmark_model=str(m1), remember_s=0.0)
    with Engine(TorchRuntime(*small_disvae()), config, Shown(faces)) as engine:
        picture = scene(1, 0.0, []).image
        tracked = [engine.step(Frame(picture, time, index))[0] for index, time in enumerate(times)]
        assert {face.track_id for each in tracked for face in each.faces} == {0, 1}
        known = [bool(np.isfinite(each.samples[0].readings[-1])) for each in tracked]
        assert engine.codes is not None and list(engine.codes.neutrals()) == [None]
        assert known == [index >= KEPT - 1 for index in range(24)]


class Shown(WrittenFaces):
    """Finds one given face after another."""

    def __init__(self, faces: Sequence[Face]) -> None:
        super().__init__()
        self._faces = iter(faces)

    def detect(self, image: np.ndarray) -> list[Face]:
        """The next one, in the picture's middle."""
        face = next(self._faces)
        return [replace(face, landmarks=face.landmarks / 2 + [120, 60, 0], box=np.array([80, 30, 160, 130.0]))]


def test_the_sheet_tells_of_it(m1: Path) -> None:
    engine, _ = walked(m1, 1)
    told = json.loads(json.dumps(engine.meta()))["landmark_model"]
    assert (told["name"], told["kind"], len(told["sha256"])) == ("m1", "landmark-vae", 64)
    with Engine(TorchRuntime(*small_disvae()), landmarker=WrittenFaces()) as plain:
        assert "landmark_model" not in plain.meta() and plain.codes is None


# The commands.


@pytest.fixture(scope="module")
def own_run(m1: Path, sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample clip's first 3 s tracked beside its own neutral face."""
    folder = tmp_path_factory.mktemp("own")
    options = ("--landmark-model", m1, "--neutral", "own", "--end", "3", "--parquet", "--jsonl", f"{folder}/")
    result = run("track", sample_clip, *options, "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


def meshes_of(clip: Path, end: float) -> list[TrackedFrame]:
    with open_source(str(clip)) as source, Engine(config=TrackerConfig()) as engine:
        frames = (frame for frame in source if frame.time < end)
        return list(track(frames, engine))


def test_tracking_adds_them_to_json_lines_and_parquet(own_run: Path, sample_clip: Path) -> None:
    lines, table = lines_of(own_run / "sample.jsonl"), pd.read_parquet(own_run / "sample.parquet")
    assert len(lines) == len(table) == 72
    behind = len(NAMES) + len(TOLD)
    assert all(tuple(line)[-behind:] == (*NAMES, *TOLD) for line in lines)
    assert tuple(table.columns)[-behind:] == (*NAMES, *TOLD)
    np.testing.assert_allclose(table[list(NAMES)], codes_in(lines), atol=1e-6)
    assert "z_0" not in (own_run / "sample.csv").read_text(encoding="utf-8").splitlines()[0]
    sheet = json.loads((own_run / "sample.meta.json").read_text())
    assert sheet["landmark_model"]["name"] == "m1" and sheet["options"]["tracker"]["neutral"] == "own"
    assert sheet["model"]["name"] == DEFAULT_MODEL and sheet["readings"] == list(NAMES)


def test_beside_the_clips_own_neutral_face_they_are_torchs(own_run: Path, sample_clip: Path) -> None:
    frames, calm = meshes_of(sample_clip, 3.0), CalmFaces()
    shapes = normalised(landmarks_of([frame.faces[0] for frame in frames]), MEDIAPIPE_83)
    for shape, frame in zip(shapes, frames, strict=True):
        sample = frame.samples[0]
        calm.add(shape, sample.time, float(np.hypot(sample.valence_smooth, sample.arousal_smooth)))
    theirs = expected_code(shapes, calm.medoid())
    np.testing.assert_allclose(codes_in(lines_of(own_run / "sample.jsonl")), theirs, atol=1e-4)
    assert theirs.std(axis=0).min() > 5e-4


def test_what_ships_tells_a_smile_from_the_neutral_face(media: Path, tmp_path: Path) -> None:
    clip = media / "single_face.mp4"
    done = run("track", clip, "--landmark-model", "landmarks-m2", "--neutral", "own", "--jsonl", tmp_path, "--no-csv",
               "--out", tmp_path)  # fmt: skip
    assert done.exit_code == 0, done.output
    codes = codes_in(lines_of(tmp_path / "single_face.jsonl"), [f"z_{k}" for k in range(30)])
    assert codes.shape == (72, 30) and np.isfinite(codes).all()
    neutral, smile = codes[:14], codes[24:60]
    apart = np.linalg.norm(neutral.mean(axis=0) - smile.mean(axis=0))
    within = max(np.linalg.norm(each - each.mean(axis=0), axis=1).mean() for each in (neutral, smile))
    assert apart > 3 * within


def test_without_a_given_one_the_first_codes_are_null(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    options = ("--landmark-model", m1, "--end", "3", "--no-csv", "--jsonl", f"{tmp_path}/")
    assert run("track", sample_clip, *options, "-o", tmp_path).exit_code == 0
    lines = lines_of(tmp_path / "sample.jsonl")
    known = np.isfinite(codes_in(lines)).all(axis=1)
    first = lines[int(np.argmax(known))]["timestamp"]
    assert known[np.argmax(known) :].all() and (KEPT - 1) * EVERY_S <= first < 2.5


def test_a_picture_of_the_neutral_face(m1: Path, own_run: Path, sample_clip: Path, tmp_path: Path) -> None:
    frame = meshes_of(sample_clip, 0.1)[0]
    picture = tmp_path / "relaxed.png"
    cv2.imwrite(str(picture), frame.frame.image[:, :, ::-1])
    options = ("--landmark-model", m1, "--neutral", picture, "--end", "0.5", "--no-csv", "--jsonl", f"{tmp_path}/")
    assert run("track", sample_clip, *options, "-o", tmp_path).exit_code == 0
    ours = codes_in(lines_of(tmp_path / "sample.jsonl"))
    neutral = normalised(landmarks_of(frame.faces)[0], MEDIAPIPE_83)
    theirs = expected_code(neutral[None], neutral)[0]
    spread = codes_in(lines_of(own_run / "sample.jsonl")).std(axis=0)
    assert np.isfinite(ours).all() and (np.abs(ours[0] - theirs) < spread).all()


def test_resuming_looks_at_both_models(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    def again(model: Path, *further: str) -> str:
        options = ("--landmark-model", model, "--end", "0.2", "--no-csv", "--jsonl", f"{tmp_path}/", "--resume")
        return run("track", sample_clip, *options, *further, "-o", tmp_path).output

    model = saved(tmp_path)
    assert "rows in" in again(model)
    assert "is complete; --overwrite tracks it again" in again(model)
    other = built()
    other.average.add_(1.0)
    save(model, other, ModelCard("m1", "landmark-vae", other.config.to_dict(), {}, "none", "none", "none"))
    assert "--overwrite replaces it" in again(model)
    assert "rows in" in again(model, "--overwrite")


def test_a_live_run_has_them_beside_a_given_neutral_face(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    seen: list[TrackedFrame] = []
    tracker = TrackerConfig(landmark_model=str(m1), neutral=str(sample_clip))
    output = OutputConfig(folder=str(tmp_path), jsonl=f"{tmp_path}/")
    config = LiveConfig(headless=True, duration=0.6, record=True, picture=False, tracker=tracker, output=output)
    report = run_live(str(sample_clip), config, [seen.append])
    assert report.error is None
    known = [np.isfinite(sample.readings).all() for each in seen for sample in each.samples]
    assert known and all(known)
    (jsonl,) = tmp_path.glob("live-*.jsonl")
    assert np.isfinite(codes_in([line for line in lines_of(jsonl) if line["success"]])).all()


def test_relaxed_faces_give_the_neutral_one(m1: Path) -> None:
    codes, faces = LandmarkCodes(m1), faces_over_time(20)
    codes.take_relaxed({None: np.array([face.landmarks for face in faces])})
    shapes = normalised(landmarks_of(faces), MEDIAPIPE_83)
    np.testing.assert_array_equal(codes.given[None], shapes[medoid(shapes)])


def test_key_n_gives_the_neutral_face_of_a_live_run(m1: Path, sample_clip: Path) -> None:
    seen: list[TrackedFrame] = []
    tracker = TrackerConfig(landmark_model=str(m1))
    with ExitStack() as stack:
        source = stack.enter_context(open_live(str(sample_clip)))
        engine = stack.enter_context(Engine(config=tracker))
        baseline = NeutralBaseline(1.0, 1)
        live = LiveConfig(headless=True, tracker=tracker)
        recordings = Recordings(live, source.info, engine.meta(), print)
        tracking = Tracking(source, engine, [], recordings, baseline, lambda line: seen.append(tracking.newest))
        baseline.start()
        tracking.start()
        while not seen and not tracking.wait(0.05):
            pass
        tracking.stop()
    assert tracking.error is None and baseline.outcome.startswith("neutral baseline: V ")
    assert engine.codes is not None
    relaxed = baseline.relaxed[None]
    assert relaxed.shape[1:] == (468, 3) and len(relaxed) >= 10
    shapes = engine.codes.shapes(relaxed)
    np.testing.assert_array_equal(engine.codes.given[None], shapes[medoid(shapes)])


def test_models_shows_its_figures(tmp_path: Path) -> None:
    card = ModelCard("m2", "landmark-vae", SMALL.to_dict(), {}, "none", "none", "none")
    save(tmp_path / "m2.safetensors", built(), replace(card, figures={"found landmarks": {"accuracy": 0.8961}}))
    (listed,) = run("models", tmp_path).output.splitlines()[1:]
    assert listed.split()[:2] == ["m2", "landmark-vae"] and listed.endswith("found landmarks accuracy 0.896")


# What goes wrong.


def test_a_source_without_a_face_gives_no_neutral_one(m1: Path, tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((240, 320, 3), 128, np.uint8))
    with pytest.raises(SourceError) as caught:
        read_neutral(DEFAULT_MODEL, TrackerConfig(landmark_model=str(m1), neutral=str(picture)))
    assert str(caught.value) == (
        f"no neutral face: none is seen well in {picture}; expected a relaxed face, from the front"
    )


def test_a_bad_neutral_face_leaves_what_was_written(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    options = ("--landmark-model", m1, "--end", "0.2", "--no-csv", "--jsonl", f"{tmp_path}/", "-o", tmp_path)
    assert run("track", sample_clip, *options).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = run("track", sample_clip, *options, "--neutral", tmp_path / "gone.png")
    assert result.exit_code == 1 and "no neutral face: " in result.output and "gone.png does not exist" in result.output
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_neutral_clip_may_lose_its_face(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    """The face that comes again has another id."""
    config = TrackerConfig(landmark_model=str(m1))
    frames = [frame.frame for frame in meshes_of(sample_clip, 1.6)]
    with Engine(config=config) as engine:
        grey = [replace(frame, image=np.full_like(frame.image, 128)) for frame in frames[10:30]]
        found = neutral_faces(engine, [*frames[:10], *grey, *frames[30:]], least=1)
        ids = {face.track_id for each in meshes_of(sample_clip, 0.1) for face in each.faces}
    assert list(found) == [None] and ids == {0} and found[None].shape == (83, 3)


def test_resuming_sees_that_the_neutral_face_is_another(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    picture = tmp_path / "relaxed.png"
    options = ("--landmark-model", m1, "--neutral", picture, "--end", "0.2", "--no-csv", "--jsonl", f"{tmp_path}/")
    told = []
    for time in (0.1, 0.1, 8.0):
        frame = [each.frame for each in meshes_of(sample_clip, time)][-1]
        cv2.imwrite(str(picture), frame.image[:, :, ::-1])
        told.append(run("track", sample_clip, *options, "--resume", "-o", tmp_path).output)
    assert ["is complete" in each for each in told] == [False, True, False]
    assert "--overwrite replaces it" in told[2]
    assert len(json.loads((tmp_path / "sample.meta.json").read_text())["neutral"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        (
            {"landmark_model": "m", "neutral": "-"},
            "--neutral - is standard input; give a picture or a video of the relaxed face",
        ),
        ({"neutral": "own"}, "--neutral is of use to a --landmark-model alone; give that too, or leave it out"),
        (
            {"landmark_model": "m", "neutral": "a.png", "faces": 3},
            "--neutral a.png is one person's, and --faces is 3; give own, or 1",
        ),
    ],
)
def test_choices_that_do_not_go_together(choices: dict, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        TrackerConfig(**choices)
    assert str(caught.value) == text


def test_a_live_source_cannot_be_read_twice() -> None:
    with pytest.raises(UsageError, match="--neutral own reads a source twice, and a live one comes once; give a pic"):
        LiveConfig(tracker=TrackerConfig(landmark_model="m", neutral="own"))


def test_nor_can_a_pipe(m1: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    result = run("track", pipe, "--landmark-model", m1, "--neutral", "own", "--parquet", "-o", tmp_path)
    assert result.exit_code == 2 and f"reads a source twice, and {pipe} comes once" in result.output


def test_codes_that_no_output_has(m1: Path, sample_clip: Path) -> None:
    result = run("track", sample_clip, "--landmark-model", m1)
    assert result.exit_code == 2
    assert result.output == (
        "error: --landmark-model is told in JSON lines and Parquet alone; add --jsonl F or --parquet\n"
    )


def test_nor_can_standard_input(m1: Path) -> None:
    result = run("track", "-", "--landmark-model", m1, "--neutral", "own", "--parquet")
    assert result.exit_code == 2
    assert "--neutral own reads a source twice, and standard input comes once; give a picture or a vid" in result.output


def test_another_kind_of_model(sample_clip: Path, tmp_path: Path) -> None:
    result = run("track", sample_clip, "--landmark-model", "anclaf-compact", "--parquet", "-o", tmp_path / "out")
    assert result.exit_code == 1 and not (tmp_path / "out").exists()
    assert result.output == (
        "error: anclaf-compact is of kind 'anclaf'; --landmark-model takes one that `affect train landmarks` has made\n"
    )


def test_landmarks_that_the_tracker_does_not_find(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        LandmarkCodes(saved(tmp_path, layout="bu-3dfe"))
    assert str(caught.value) == (
        "m1 reads the landmarks of bu-3dfe, which the tracker does not find; expected a model of "
        "mediapipe-83 or mediapipe-468"
    )


def test_a_plain_vae_takes_no_neutral_face(sample_clip: Path, tmp_path: Path) -> None:
    model = saved(tmp_path, conditional=False)
    result = run("track", sample_clip, "--landmark-model", model, "--neutral", "own", "--parquet", "-o", tmp_path)
    assert result.exit_code == 2
    assert result.output == "error: m1 is a plain VAE, which reads no neutral face; leave --neutral out\n"


def test_a_landmark_model_in_the_other_ones_place(m1: Path, sample_clip: Path, tmp_path: Path) -> None:
    result = run("track", sample_clip, "--model", m1, "-o", tmp_path)
    assert result.exit_code == 1
    assert "m1 reads landmarks, not pictures; give it by --landmark-model" in result.output
