"""The neutral baseline: what it takes, of whom, and what it leaves alone."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from tracked import sample_at, tracked, without_face

from tracker.live.baseline import NeutralBaseline
from tracker.types import AffectSample, TrackedFrame


def faces_at(time: float, affect: dict[int, Sequence[float]], **choices: object) -> TrackedFrame:
    """A frame with a face for each id, whose smoothed values these are."""
    samples = [sample_at(time, track_id, each, **choices) for track_id, each in affect.items()]
    return tracked(round(time * 25), time, samples=samples, size=(2, 2))


def feed(baseline: NeutralBaseline, frames: Iterable[TrackedFrame]) -> list[TrackedFrame]:
    return [baseline.update(frame) for frame in frames]


def still(affect: dict[int, Sequence[float]], begin: float = 0.0, end: float = 2.0) -> list[TrackedFrame]:
    """25 frames a second of the same faces, from begin to end, both included."""
    return [faces_at(k / 25, affect) for k in range(round(begin * 25), round(end * 25) + 1)]


def relative(frame: TrackedFrame) -> dict[int, tuple[float, float]]:
    return {s.track_id: (round(s.valence_rel, 6), round(s.arousal_rel, 6)) for s in frame.samples}


def test_without_one_nothing_changes() -> None:
    baseline, frame = NeutralBaseline(2.0, 1), faces_at(0.0, {0: (0.5, 0.25)})
    assert baseline.update(frame) is frame
    assert math.isnan(frame.samples[0].valence_rel) and math.isnan(frame.samples[0].arousal_rel)
    assert (baseline.progress, baseline.outcome, baseline.has(0)) == (None, "", False)


def test_later_values_are_told_from_the_median() -> None:
    baseline = NeutralBaseline(2.0, 1)
    baseline.start()
    affect = [(-0.1, 0.2)] * 30 + [(0.9, -0.9)] * 21
    feed(baseline, [faces_at(k / 25, {0: each}) for k, each in enumerate(affect)])
    assert baseline.outcome == "neutral baseline: V -0.10, A +0.20 (51 samples)"
    after = baseline.update(faces_at(3.0, {0: (0.25, 0.0)}))
    assert relative(after) == {0: (0.35, -0.2)}


def test_no_other_value_is_changed() -> None:
    baseline = NeutralBaseline(1.0, 1)
    baseline.start()
    feed(baseline, still({0: (0.1, 0.1)}, end=1.0))
    frame = faces_at(1.04, {0: (0.3, 0.3)}, status="low_quality")
    after = baseline.update(frame)
    assert after.frame is frame.frame and after.faces is frame.faces
    names = [f.name for f in fields(AffectSample) if not f.name.endswith("_rel")]
    for name in names:
        assert np.array_equal(getattr(after.samples[0], name), getattr(frame.samples[0], name)), name
    assert relative(after) == {0: (0.2, 0.2)}


def test_it_takes_the_seconds_of_the_frames_from_the_first_one() -> None:
    baseline = NeutralBaseline(2.0, 1)
    baseline.start()
    assert baseline.progress == 0.0
    seen = []
    for frame in still({0: (0.0, 0.0)}, begin=7.0, end=9.0):
        baseline.update(frame)
        seen.append(baseline.progress)
    assert seen[0] == 0.0 and seen[25] == pytest.approx(0.5) and seen[-2] == pytest.approx(0.98)
    assert seen[-1] is None and baseline.has(0)


def test_only_samples_of_good_quality_count() -> None:
    baseline = NeutralBaseline(2.0, 1)
    baseline.start()
    poor = [faces_at(k / 25, {0: (0.9, 0.9)}, status="low_quality") for k in range(20)]
    feed(baseline, [*poor, *still({0: (0.1, -0.1)}, begin=0.8)])
    assert baseline.outcome == "neutral baseline: V +0.10, A -0.10 (31 samples)"


def test_a_face_seen_for_less_than_half_has_none() -> None:
    baseline = NeutralBaseline(2.0, 1)
    baseline.start()
    feed(baseline, [*still({0: (0.1, 0.1)}, end=0.8), *(without_face(k, k / 25) for k in range(21, 51))])
    assert baseline.outcome == "no neutral baseline: seen well for 0.8 of 2 s; try again"
    assert not baseline.has(0) and baseline.progress is None


def test_nobody_seen_is_said() -> None:
    baseline = NeutralBaseline(1.0, 4)
    baseline.start()
    feed(baseline, (without_face(k, k / 25) for k in range(26)))
    assert baseline.outcome == "no neutral baseline: no face was seen well; look at the camera, try again"


def test_a_stall_is_no_time_in_which_a_face_was_seen() -> None:
    baseline = NeutralBaseline(4.0, 1)
    baseline.start()
    feed(baseline, [*still({0: (0.1, 0.1)}, end=1.0), faces_at(9.0, {0: (0.1, 0.1)})])
    assert baseline.outcome == "no neutral baseline: seen well for 1.5 of 4 s; try again"


def test_one_participant_keeps_it_under_another_id() -> None:
    baseline = NeutralBaseline(2.0, 1)
    baseline.start()
    feed(baseline, [*still({3: (0.2, 0.0)}, end=1.0), *still({4: (0.2, 0.0)}, begin=1.04)])
    assert baseline.outcome == "neutral baseline: V +0.20, A +0.00 (51 samples)"
    assert baseline.has(9)
    assert relative(baseline.update(faces_at(5.0, {9: (0.3, 0.1)}))) == {9: (0.1, 0.1)}


def test_of_several_each_has_its_own() -> None:
    baseline = NeutralBaseline(2.0, 3)
    baseline.start()
    frames = still({0: (0.2, 0.1), 2: (-0.4, 0.0)})
    late = [replace(f, faces=f.faces[:1], samples=f.samples[:1]) for f in frames[20:]]
    feed(baseline, [*frames[:20], *late])
    assert baseline.outcome == (
        "neutral baseline of face 0: V +0.20, A +0.10 (51 samples); "
        "no neutral baseline of face 2: seen well for 0.8 of 2 s; try again"
    )
    assert [baseline.has(track_id) for track_id in (0, 1, 2)] == [True, False, False]
    after = baseline.update(faces_at(3.0, {0: (0.2, 0.2), 2: (0.0, 0.0)}))
    assert relative(after)[0] == (0.0, 0.1)
    assert math.isnan(after.samples[1].valence_rel)


def test_a_second_one_replaces_the_first_only_when_it_is_there() -> None:
    baseline = NeutralBaseline(1.0, 1)
    baseline.start()
    feed(baseline, still({0: (0.1, 0.1)}, end=1.0))
    baseline.start()
    assert baseline.outcome == ""
    during = feed(baseline, still({0: (0.3, 0.3)}, begin=2.0, end=3.0))
    assert relative(during[3]) == {0: (0.2, 0.2)}
    assert relative(during[-1]) == {0: (0.0, 0.0)}
    baseline.start()
    feed(baseline, (without_face(k, k / 25) for k in range(100, 126)))
    assert baseline.outcome.startswith("no neutral baseline") and baseline.has(0)
