"""The seven laws of the stream, on drawn scenes and on the sample clip."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from scenes import NoFaces, WrittenFaces, assert_same, scene, small_levasa, small_runtime, two_walkers

from nets.card import WEIGHTS, list_models
from nets.runtime import load_runtime
from nets.torch_runtime import TorchRuntime
from tracker.config import TrackerConfig
from tracker.engine import Engine, track
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from tracker.sinks import SinkContext, open_sink
from tracker.sources import open_source
from tracker.types import Frame, SourceInfo, TrackedFrame

KINDS = ["none", "lstm", "attention", "levasa"]
SHIPPED = [card.name for card in list_models(WEIGHTS) if card.kind != "landmark-vae"]
PATIENCE_S = 60.0
"""What has not ended by then hangs."""
MakeEngine = Callable[[], Engine]


def small(kind: str) -> TorchRuntime:
    """Random networks of one of KINDS: ANCLaF by its recurrence, or LeVAsa."""
    return TorchRuntime(*small_levasa()) if kind == "levasa" else small_runtime(kind)


@pytest.fixture(params=[*KINDS, "clip"])
def stream(request: pytest.FixtureRequest, sample_clip: Path) -> Iterator[tuple[MakeEngine, list[Frame]]]:
    """What makes an engine, and frames for it: drawn scenes for each kind of network, and the sample clip."""
    made: list[Engine] = []

    def make() -> Engine:
        drawn = request.param != "clip"
        runtime = small(request.param if drawn else "attention")
        made.append(Engine(runtime, TrackerConfig(faces=2), WrittenFaces() if drawn else None))
        return made[-1]

    yield make, list(two_walkers(40)) if request.param != "clip" else clip_frames(sample_clip, 20)
    for engine in made:
        engine.close()


def clip_frames(clip: Path, count: int, step: int = 1) -> list[Frame]:
    """Every step-th of the clip's frames, as many as count."""
    with open_source(str(clip)) as source:
        return list(islice(source, 0, count * step, step))


def within_patience(action: Callable[[], Any]) -> Any:
    """What the action returns or raises; fails where it does neither in time."""
    outcome: list[Any] = []

    def act() -> None:
        try:
            outcome.append((action(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it hangs"
    answer, error = outcome[0]
    if error is not None:
        raise error
    return answer


# 1. The encoders answer alike in any batch.


@pytest.mark.parametrize("model", [*KINDS, *SHIPPED])
def test_law_1_a_batch_of_1_4_and_16_is_the_same(model: str, sample_clip: Path) -> None:
    runtime = small(model) if model in KINDS else load_runtime(model)
    landmarker, template = FaceLandmarker(still=True), Template.from_card(runtime.card.crop)
    frames = clip_frames(sample_clip, 16, step=5)
    crops = np.stack([align(f.image, landmarker.detect(f.image)[0].landmarks, template) for f in frames])
    landmarker.close()
    whole = runtime.encode(crops)
    for batch in (1, 4):
        parts = [runtime.encode(crops[start : start + batch]) for start in range(0, 16, batch)]
        for name, together in whole._asdict().items():
            if together is not None:
                apart = np.concatenate([getattr(part, name) for part in parts])
                np.testing.assert_allclose(apart, together, rtol=0, atol=1e-4)
    assert whole[2].std(axis=0).min() > 1e-4


def test_law_1_faces_do_not_touch_one_another() -> None:
    frames = list(two_walkers(12))
    one_each = [[place for place in WrittenFaces().detect(f.image) if abs(place.box[1] - 32) < 12] for f in frames]
    assert sum(map(len, one_each)) == 11

    class OnlyOne(WrittenFaces):
        def detect(self, image: np.ndarray) -> list:
            return [face for face in super().detect(image) if abs(face.box[1] - 32) < 12]

    config = TrackerConfig(faces=2)
    both = list(track(frames, Engine(small_runtime("attention"), config, WrittenFaces())))
    alone = list(track(frames, Engine(small_runtime("attention"), config, OnlyOne())))
    for pair, single in zip(both, alone, strict=True):
        for sample in single.samples:
            (twin,) = [s for s, f in zip(pair.samples, pair.faces, strict=True) if abs(f.box[1] - 32) < 12]
            assert abs(twin.valence - sample.valence) < 1e-4
            assert abs(twin.valence_smooth - sample.valence_smooth) < 1e-4


# 2. The results of a prefix are the prefix of the results.


@pytest.mark.parametrize("length", [1, 13])
def test_law_2_a_prefix_gives_the_prefix(stream: tuple[MakeEngine, list[Frame]], length: int) -> None:
    make, frames = stream
    assert_same(list(track(frames[:length], make())), list(track(frames, make()))[:length])


# 3. reset() is a fresh engine.


def test_law_3_reset_is_a_fresh_engine(stream: tuple[MakeEngine, list[Frame]]) -> None:
    make, frames = stream
    used = make()
    for frame in reversed(frames[:9]):
        used.step(Frame(frame.image[:, ::-1].copy(), 100.0 - frame.time, frame.index))
    used.reset()
    fresh = make()
    assert_same([t for f in frames for t in used.step(f)], [t for f in frames for t in fresh.step(f)])


# 4. A recorded run, replayed from its file, gives the same samples.


TIME_BASE = Fraction(1, 24000)


def on_the_clock(frames: list[Frame]) -> list[Frame]:
    """The frames as a recorder stamps them: times from the first frame's, in whole ticks of its time base."""
    times = [float(round((frame.time - frames[0].time) / TIME_BASE) * TIME_BASE) for frame in frames]
    return [Frame(frame.image, time, frame.index) for frame, time in zip(frames, times, strict=True)]


def record(path: Path, frames: list[Frame]) -> None:
    """Write the frames without loss, each at its time."""
    with av.open(str(path), "w") as output:
        height, width = frames[0].image.shape[:2]
        video = output.add_stream("ffv1", rate=25, width=width, height=height, pix_fmt="bgr0")
        video.codec_context.time_base = TIME_BASE
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.image, "rgb24").reformat(format="bgr0")
            picture.pts, picture.time_base = round(frame.time / TIME_BASE), TIME_BASE
            output.mux(video.encode(picture))
        output.mux(video.encode())


def test_law_4_a_recording_gives_the_same_samples(stream: tuple[MakeEngine, list[Frame]], tmp_path: Path) -> None:
    make, frames = stream
    frames = on_the_clock(frames)
    record(tmp_path / "run.nut", frames)
    with open_source(str(tmp_path / "run.nut")) as source:
        replayed = list(track(source, make()))
    assert all(np.array_equal(a.frame.image, b.image) for a, b in zip(replayed, frames, strict=True))
    assert_same(replayed, list(track(frames, make())), tolerance=1e-4)


# 5. One record for each decoded frame and face, and one for a frame without a face.


def test_law_5_none_is_lost_and_none_repeated(stream: tuple[MakeEngine, list[Frame]]) -> None:
    make, frames = stream
    tracked = list(track(frames, make()))
    assert [t.frame.index for t in tracked] == [f.index for f in frames]
    assert all(t.frame is f for t, f in zip(tracked, frames, strict=True))
    for each in tracked:
        ids = [sample.track_id for sample in each.samples]
        assert ids == [face.track_id for face in each.faces]
        assert len(set(ids)) == len(ids)


def test_law_5_every_drawn_face_has_its_record() -> None:
    tracked = list(track(two_walkers(40), Engine(small_runtime("lstm"), TrackerConfig(faces=2), WrittenFaces())))
    assert [len(t.samples) for t in tracked] == [0 if index % 17 == 5 else 2 for index in range(40)]


def test_law_5_the_whole_clip(sample_clip: Path) -> None:
    with open_source(str(sample_clip)) as source, Engine(small_runtime(), landmarker=NoFaces()) as engine:
        indices = [t.frame.index for t in track(source, engine)]
        assert indices == list(range(216))
        assert source.report().decoded == 216


# 6. Memory is flat.


def visitors(count: int) -> Iterator[Frame]:
    """Faces that come and go: a new id every 12 frames, 8 frames a second."""
    pictures = [scene(seed, 0.0, [(80.0, 80.0, 60.0)]).image for seed in range(3)]
    empty = scene(9, 0.0, []).image
    for index in range(count):
        yield Frame(pictures[index % 3] if index % 12 < 6 else empty, index / 8, index)


def peak_of(engine: Engine, count: int) -> int:
    """Largest number of bytes in use after the first second of a run."""
    for tracked in track(visitors(count), engine):
        if tracked.frame.index == 8:
            tracemalloc.reset_peak()
    assert tracked.frame.index == count - 1
    return tracemalloc.get_traced_memory()[1]


def test_law_6_memory_is_flat_over_ten_times_the_frames() -> None:
    engine = Engine(small_runtime("lstm", length=32), TrackerConfig(faces=2, remember_s=0.0), WrittenFaces())
    tracemalloc.start()
    _, short, long = (peak_of(engine, count) for count in (36, 36, 360))
    tracemalloc.stop()
    assert engine.step(scene(0, 1000.0, [(80.0, 80.0, 60.0)]))[0].faces[0].track_id == 30
    assert long - short < 100_000


# 7. What raises ends the run with its error; nothing hangs; what was written stays readable.


class Breakdown(Exception):
    """Raised by a part of the stream in these tests."""


def failing(frames: Iterator[Frame], after: int) -> Iterator[Frame]:
    yield from islice(frames, after)
    raise Breakdown("the source broke")


def test_law_7_a_source_that_raises() -> None:
    engine, seen = Engine(small_runtime("lstm"), TrackerConfig(faces=2), WrittenFaces()), []

    def consume() -> None:
        with engine:
            seen.extend(track(failing(two_walkers(20), 7), engine))

    def one_by_one() -> None:
        for tracked in track(failing(two_walkers(20), 7), engine):
            seen.append(tracked)

    with pytest.raises(Breakdown, match="the source broke"):
        within_patience(one_by_one)
    assert [t.frame.index for t in seen] == list(range(7))
    with pytest.raises(Breakdown, match="the source broke"):
        within_patience(consume)
    assert engine._landmarker.closed


@pytest.mark.parametrize("stage", ["detect", "encode", "combine"])
def test_law_7_a_stage_that_raises(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(small_runtime("lstm"), TrackerConfig(faces=2), WrittenFaces())

    def breaks(*_: Any) -> None:
        raise Breakdown(stage)

    owners = {"detect": engine._landmarker, "encode": engine.runtime, "combine": engine._combiner}
    monkeypatch.setattr(owners[stage], stage, breaks)
    with pytest.raises(Breakdown, match=stage):
        within_patience(lambda: list(track(two_walkers(3), engine)))


def test_law_7_a_sink_that_raises(sample_clip: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    engine = Engine(small_runtime("lstm"), landmarker=NoFaces())

    def consume() -> None:
        with ExitStack() as stack:
            source = stack.enter_context(open_source(str(sample_clip)))
            sink = stack.enter_context(open_sink("csv", tmp_path / "trace.csv", context_of(source.info)))
            for tracked in track(source, stack.enter_context(engine)):
                write_until(sink.write, tracked, 5)

    with pytest.raises(Breakdown, match="disk"):
        within_patience(consume)
    assert threading.active_count() == before
    assert not (tmp_path / "trace.csv").exists()
    lines = (tmp_path / "trace.part.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["frame", "0", "1", "2", "3", "4"]


def context_of(info: SourceInfo) -> SinkContext:
    return SinkContext(info=info, source_uri=info.uri)


def write_until(write: Callable[[TrackedFrame], None], tracked: TrackedFrame, end: int) -> None:
    if tracked.frame.index == end:
        raise Breakdown("the disk is full")
    write(tracked)
