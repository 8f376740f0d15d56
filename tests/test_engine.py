"""The engine: what it composes, and how it answers to what it is given."""

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import WrittenFaces, assert_same, scene, small_runtime, two_walkers

from nets.answer import Answer
from nets.checkpoint import save
from tracker.config import QualityLimits, SmoothingConfig, TrackerConfig
from tracker.engine import FRAMES_AHEAD, Engine, track
from tracker.errors import CheckpointError, UsageError
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.pose import head_pose
from tracker.faces.quality import picture_quality
from tracker.sinks.records import rows
from tracker.sources import open_source
from tracker.types import Frame, TrackedFrame

CONFIG = TrackerConfig(faces=2)
ONE = [(80.0, 80.0, 60.0)]


def engine_for(recurrence: str = "none", config: TrackerConfig = CONFIG, **card) -> Engine:
    return Engine(small_runtime(recurrence, **card), config, WrittenFaces())


def run(engine: Engine, frames: Iterator[Frame] | list[Frame]) -> list[TrackedFrame]:
    with engine:
        return list(track(frames, engine))


def still_life(times: list[float]) -> list[Frame]:
    """One face in one place, another picture at each time."""
    return [scene(index, time, ONE) for index, time in enumerate(times)]


@pytest.mark.parametrize("recurrence", ["none", "lstm", "attention"])
def test_every_number_is_in_its_range(recurrence: str) -> None:
    for tracked in run(engine_for(recurrence), two_walkers(30)):
        assert len(tracked.faces) == len(tracked.samples)
        for face, sample in zip(tracked.faces, tracked.samples, strict=True):
            assert (sample.time, sample.track_id) == (tracked.frame.time, face.track_id)
            affect = [sample.valence, sample.arousal, sample.valence_frame, sample.arousal_frame]
            assert np.abs([*affect, sample.valence_smooth, sample.arousal_smooth]).max() <= 1.0
            assert sample.quadrant.shape == (4,)
            assert sample.quadrant.sum() == pytest.approx(1.0, abs=1e-5)
            assert 0.0 < sample.confidence <= face.score
            assert all(type(value) is float for value in [*affect, sample.valence_smooth, sample.confidence])


def test_a_single_frame_model_has_no_window() -> None:
    engine = engine_for("none", replace(CONFIG, sequence_length=16))
    assert engine.sequence_length == 1
    samples = [sample for tracked in run(engine, two_walkers(10)) for sample in tracked.samples]
    assert len(samples) == 18
    assert all((s.valence, s.arousal) == (s.valence_frame, s.arousal_frame) for s in samples)
    assert all(s.attention is None for s in samples)
    assert np.std([s.valence for s in samples]) > 0


def test_a_sequence_model_answers_over_the_window() -> None:
    runtime, frames = small_runtime("attention", length=8), still_life([0.04 * i for i in range(12)])
    template = Template.from_card(runtime.card.crop)
    found = [WrittenFaces().detect(frame.image)[0] for frame in frames]
    crops = np.stack([align(frame.image, face.landmarks, template) for frame, face in zip(frames, found, strict=True)])
    features, quadrants, alone = runtime.encode(crops)[:3]
    samples = [tracked.samples[0] for tracked in run(Engine(runtime, CONFIG, WrittenFaces()), frames)]
    for last, sample in enumerate(samples):
        valid = np.arange(8)[::-1] <= last
        window = np.where(valid[:, None], features[np.maximum(last - np.arange(8)[::-1], 0)], 0.0).astype(np.float32)
        affect, attention = runtime.combine(window[None], valid[None])
        np.testing.assert_allclose([sample.valence, sample.arousal], affect[0], atol=1e-5)
        np.testing.assert_allclose(sample.attention, attention[0], atol=1e-5)
        np.testing.assert_allclose([sample.valence_frame, sample.arousal_frame], alone[last], atol=1e-5)
        np.testing.assert_allclose(sample.quadrant, quadrants[last], atol=1e-5)
    assert samples[-1].valence != samples[-1].valence_frame


@pytest.mark.parametrize("length", [1, 2, 32])
def test_the_user_may_choose_the_window(length: int) -> None:
    engine = engine_for("attention", replace(CONFIG, sequence_length=length))
    assert engine.sequence_length == length
    assert all(s.attention.shape == (length,) for t in run(engine, two_walkers(5)) for s in t.samples)


def test_the_faces_of_a_frame_are_encoded_once_and_together(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, sizes = engine_for(), []
    encode = engine.runtime.encode
    monkeypatch.setattr(engine.runtime, "encode", lambda crops: sizes.append(crops.shape) or encode(crops))
    tracked = run(engine, two_walkers(8))
    assert [len(t.faces) for t in tracked] == [2, 2, 2, 2, 2, 0, 2, 2]
    assert sizes == [(2, 32, 32, 1)] * 7


def test_values_beyond_the_range_are_clipped(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_for("lstm")
    wild = np.array([[3.0, -7.0]], np.float32)
    encode = engine.runtime.encode
    monkeypatch.setattr(engine.runtime, "encode", lambda crops: (*encode(crops)[:2], -wild))
    monkeypatch.setattr(engine._combiner, "combine", lambda windows, valid: (wild, None))
    (sample,) = run(engine, still_life([0.0]))[0].samples
    assert (sample.valence, sample.arousal, sample.valence_frame, sample.arousal_frame) == (1.0, -1.0, -1.0, 1.0)
    assert (sample.valence_smooth, sample.arousal_smooth) == (1.0, -1.0)


@pytest.mark.parametrize(("limit", "status"), [(40.0, "ok"), (90.0, "low_quality")])
def test_confidence_is_score_times_quality(limit: float, status: str) -> None:
    drawn = {"max_blocks": 99.0, "max_upside_down": 9.0, "max_eyes_hidden": 9.0, "max_mouth_hidden": 9.0}
    config = replace(CONFIG, quality=QualityLimits(min_size_px=limit, **drawn))
    (tracked,) = run(engine_for(config=config), still_life([0.0]))
    (face,), (sample,) = tracked.faces, tracked.samples
    crop = align(tracked.frame.image, face.landmarks, Template(size=32, channels=1))
    pose, image = head_pose(face.landmarks), tracked.frame.image
    quality = picture_quality(crop, face.box, pose, config.quality, image, crop[..., 0])
    assert sample.confidence == pytest.approx(face.score * quality)
    assert sample.status == status
    assert 0 < quality < 1


def test_smoothing_follows_the_configuration() -> None:
    times = [0.04 * i for i in range(10)]
    config = replace(CONFIG, smoothing=SmoothingConfig(kind="none"))
    plain = [t.samples[0] for t in run(engine_for(config=config), still_life(times))]
    assert all((s.valence_smooth, s.arousal_smooth) == (s.valence, s.arousal) for s in plain)
    smooth = [t.samples[0] for t in run(engine_for(), still_life(times))]
    assert [s.valence for s in smooth] == [s.valence for s in plain]
    assert np.std([s.valence_smooth for s in smooth]) < np.std([s.valence for s in smooth])


@pytest.mark.parametrize(("gap", "kept"), [(0.3, True), (0.7, False)])
def test_a_face_that_was_away_too_long_is_a_new_face(gap: float, kept: bool) -> None:
    times = [0.04 * i for i in range(10)] + [0.36 + gap]
    frames = still_life(times)
    engine = engine_for("attention", replace(CONFIG, remember_s=0.0))
    tracked = run(engine, [*frames[:10], scene(50, 0.36 + gap / 2, []), replace(frames[10], index=11)])
    before, after = tracked[9].samples[0], tracked[11].samples[0]
    assert tracked[10].samples == ()
    assert after.track_id == (before.track_id if kept else before.track_id + 1)
    assert (after.valence_smooth == after.valence) is not kept
    assert bool(after.attention.any()) is kept


def brightening(rate_hz: float) -> list[Frame]:
    """A third of a second in which one picture becomes another, at a frame rate."""
    first, last = (scene(seed, 0.0, ONE, backdrop=seed).image.astype(float) for seed in (7, 8))
    times = [index / rate_hz for index in range(round(rate_hz / 3) + 1)]
    images = [(first + (last - first) * 3 * time).round().astype(np.uint8) for time in times]
    return [Frame(image, time, index) for index, (image, time) in enumerate(zip(images, times, strict=True))]


def test_a_window_means_the_same_at_24_and_60_frames_a_second() -> None:
    apart = {}
    for card_rate in (25.0, None):
        film, camera = (run(engine_for("attention", rate_hz=card_rate), brightening(hz))[-1] for hz in (24.0, 60.0))
        apart[card_rate] = abs(film.samples[0].valence - camera.samples[0].valence)
    assert apart[25.0] < apart[None] / 3


def test_frames_without_a_face_come_out_without_a_sample() -> None:
    tracked = run(engine_for(), [scene(i, i / 25, []) for i in range(4)])
    assert [(t.frame.index, t.faces, t.samples) for t in tracked] == [(i, (), ()) for i in range(4)]


@pytest.mark.parametrize("later", [0.5, 0.2, -1.0, float("nan")])
def test_times_must_rise(later: float) -> None:
    engine = engine_for()
    engine.step(scene(0, 0.5, ONE))
    with pytest.raises(UsageError, match=r"frame 1 has the time .* after 0\.5 s; expected times that rise"):
        engine.step(scene(1, later, ONE))
    engine.reset()
    assert engine.step(scene(0, 0.0, ONE))[0].faces[0].track_id == 0


def test_track_yields_as_the_frames_pass() -> None:
    taken = []

    def frames() -> Iterator[Frame]:
        for frame in two_walkers(40):
            taken.append(frame.index)
            yield frame

    stream = track(frames(), engine_for())
    assert taken == []
    assert next(stream).frame.index == 0
    time.sleep(0.3)
    assert taken == list(range(len(taken)))
    assert len(taken) <= FRAMES_AHEAD + 2


def test_track_begins_afresh_with_an_engine_in_use() -> None:
    engine = engine_for("lstm")
    first = list(track(two_walkers(12), engine))
    assert engine.in_use
    assert_same(list(track(two_walkers(12), engine)), first)
    assert engine.flush() == []


def test_the_landmarker_is_closed_even_after_an_error() -> None:
    landmarker = WrittenFaces()
    with pytest.raises(RuntimeError, match="out of paper"), Engine(small_runtime(), CONFIG, landmarker) as engine:
        engine.step(scene(0, 0.0, ONE))
        raise RuntimeError("out of paper")
    assert landmarker.closed


def test_meta_tells_what_ran() -> None:
    engine = engine_for("attention", replace(CONFIG, sequence_length=16))
    meta = json.loads(json.dumps(engine.meta()))
    assert meta["model"] == {"name": "random-attention", "kind": "anclaf", "sha256": "0" * 64, "terms": "none"}
    assert (meta["sequence_length"], meta["window_rate_hz"], meta["device"]) == (16, 25.0, "cpu")
    assert meta["runtime"] == "torch"
    assert meta["smoothing"]["kind"] == "one-euro"
    assert meta["smoothing"]["lag_ms"] == pytest.approx(engine.step_lag_ms, abs=0.1)


def test_a_checkpoint_is_loaded_by_its_path(tmp_path: Path) -> None:
    runtime = small_runtime("attention")
    card = save(tmp_path / "mine.safetensors", runtime._model, replace(runtime.card, name="mine"))
    loaded = Engine(tmp_path / "mine.safetensors", CONFIG, WrittenFaces())
    assert loaded.meta()["model"]["sha256"] == card.sha256
    assert_same(run(loaded, two_walkers(10)), run(engine_for("attention"), two_walkers(10)), 1e-6)


@pytest.mark.parametrize(
    ("model", "told"),
    [("no-such-model", "no model 'no-such-model'"), ("gone/x.safetensors", "expected a name .* or the path")],
)
def test_a_model_that_is_not_there_is_one_plain_line(model: str, told: str) -> None:
    with pytest.raises(CheckpointError, match=told) as caught:
        Engine(model, CONFIG, WrittenFaces())
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "abacus"])
def test_a_device_that_is_not_there_is_one_plain_line(tmp_path: Path, device: str) -> None:
    runtime = small_runtime()
    save(tmp_path / "mine.safetensors", runtime._model, runtime.card)
    with pytest.raises(CheckpointError, match=f"device '{device}' cannot be used"):
        Engine(tmp_path / "mine.safetensors", replace(CONFIG, device=device), WrittenFaces())


def test_a_real_clip_with_a_real_landmarker(sample_clip: Path) -> None:
    engine = Engine(small_runtime("attention"))
    assert isinstance(engine._landmarker, FaceLandmarker)
    with open_source(str(sample_clip)) as source:
        frames = [frame for frame in source if frame.index < 12]
    tracked = run(engine, frames)
    assert [len(t.faces) for t in tracked] == [1] * 12
    assert {s.track_id for t in tracked for s in t.samples} == {0}
    assert {s.status for t in tracked for s in t.samples} == {"ok"}
    assert all(s.confidence > 0.7 for t in tracked for s in t.samples)


@pytest.mark.parametrize("kind", ["none", "attention"])
def test_an_answer_that_is_no_number_is_empty_and_leaves_no_trace(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frames, faulty = list(two_walkers(12)), {0, 5}
    runtime, calls = small_runtime(kind), itertools.count()
    encode = runtime.encode

    def broken(crops: np.ndarray) -> Answer:
        answer = encode(crops)
        if next(calls) in faulty:
            answer.affect[0, 1] = np.inf
        return answer

    monkeypatch.setattr(runtime, "encode", broken)
    tracked = list(track(frames, Engine(runtime, TrackerConfig(faces=2), WrittenFaces())))
    samples = [t.samples[0] for t in tracked if t.samples]
    statuses = [sample.status for sample in samples]
    assert [statuses[k] for k in faulty] == ["model_fault"] * 2 and statuses.count("model_fault") == 2
    for sample, frame in zip(samples, (t for t in tracked if t.samples), strict=True):
        numbers = [sample.valence, sample.arousal, sample.valence_smooth, sample.arousal_frame, *sample.quadrant]
        assert np.isfinite(numbers).all() == (sample.status != "model_fault")
        assert not np.isnan(numbers).all() or sample.status == "model_fault"
        row = rows(frame)[0]
        empty = [row[name] for name in ("valence", "arousal_smooth", "quadrant", "q_pp")]
        assert (empty == [None] * 4) == (sample.status == "model_fault") == (row["success"] == 0)
    others = [t.samples[1] for t in tracked if len(t.samples) > 1]
    assert others and all(sample.status != "model_fault" for sample in others)
