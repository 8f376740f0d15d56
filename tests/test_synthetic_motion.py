"""Blinks, speech, turns and looks; traces for clips."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_studio import ACTIONS

from tracker.errors import DataError
from train.synthesis.config import Liveliness
from train.synthesis.motion import BLINKS_HZ, MOST_DEGREES, blinks, looks, moved, speech, turns
from train.synthesis.tracks import LEAST_MOVE, make_trace, read_trace, shown

MINUTES = np.arange(0, 600, 0.04)


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_blinks_come_as_often_as_people_blink_and_close_the_lids() -> None:
    closed = blinks(rng(), MINUTES)
    begun = int((np.diff((closed > 0).astype(int)) == 1).sum())
    assert begun / 600 == pytest.approx(BLINKS_HZ, rel=0.15)
    assert closed.max() == 1 and closed.min() == 0
    assert (closed > 0.5).mean() < 0.08
    assert not blinks(rng(), MINUTES, 0.0).any()


def test_speech_moves_the_jaw_in_syllables_and_pauses() -> None:
    jaw = speech(rng(), MINUTES, 1.0)["jawOpen"]
    peaks = int(((jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:])).sum())
    assert 1.5 < peaks / 600 < 4.5
    assert 0.2 < (jaw == 0).mean() < 0.6
    assert not any(values.any() for values in speech(rng(), MINUTES, 0.0).values())


def test_the_head_moves_smoothly_about_the_front() -> None:
    turn = turns(rng(), MINUTES, 1.0)
    assert np.abs(turn.mean(axis=0)).max() < 1.5
    assert np.abs(turn).max() <= MOST_DEGREES
    assert np.abs(np.diff(turn, axis=0)).max() < 3
    assert not turns(rng(), MINUTES, 0.0).any()


def test_both_eyes_look_the_same_way() -> None:
    look = looks(rng(), MINUTES)
    np.testing.assert_array_equal(look["eyeLookOutLeft"], look["eyeLookInRight"])
    assert not (look["eyeLookOutLeft"] * look["eyeLookInLeft"]).any()


def test_motion_is_laid_over_the_expression_and_follows_from_its_seed() -> None:
    still = np.zeros((len(MINUTES), 52))
    still[:, ACTIONS.index("mouthSmileLeft")] = 0.7
    first, again = (moved(still, ACTIONS, MINUTES, Liveliness(), (1, 2)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != moved(still, ACTIONS, MINUTES, Liveliness(), (1, 3))).any()
    assert (first[:, ACTIONS.index("mouthSmileLeft")] == 0.7).all()
    assert first[:, ACTIONS.index("eyeBlinkLeft")].max() == 1
    assert first.min() >= 0 and first.max() <= 1


def test_a_walk_rests_and_moves_where_a_face_can_follow() -> None:
    trace = make_trace(rng(), "walk", 60, 25)
    change = np.abs(np.diff(trace.affect, axis=0)).max(axis=1)
    assert len(trace.time) == 1500
    assert 0.3 < (change < 1e-9).mean() < 0.8
    assert np.ptp(trace.affect, axis=0).min() > LEAST_MOVE
    np.testing.assert_allclose(shown(trace.affect), trace.affect, atol=0.12)


def test_a_natural_trace_stays_where_a_face_can_follow() -> None:
    trace = make_trace(rng(), "natural", 10, 25)
    np.testing.assert_allclose(shown(trace.affect), trace.affect, atol=1e-6)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_trace_is_read_at_the_clips_rate(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "time,valence,arousal\n10,0,0.5\n11,0.6,0.5\n13,0.6,-0.2\n"), 10)
    assert len(trace.time) == 31 and trace.time[-1] == pytest.approx(3.0)
    np.testing.assert_allclose(trace.affect[[0, 10, 30]], [(0, 0.5), (0.6, 0.5), (0.6, -0.2)], atol=1e-12)
    assert trace.affect[:, 0].max() <= 0.6 + 1e-12


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,valence,arousal\n0,0,0\n1,1.2,0\n", r"trace.csv, row 3: valence is 1.2; expected a trace in \[-1, 1\]"),
        ("time,valence,arousal\n0,0,0\n1,0,-1.01\n", r"row 3: arousal is -1.01; expected a trace in \[-1, 1\]"),
        ("time,valence,arousal\n0,0,nan\n1,0,0\n", "row 2: arousal is nan; expected a trace"),
        ("time,valence,arousal\n0,0,0\n0,0,0\n", "row 3: time does not rise"),
        ("time,valence,arousal\n0,0,0\n", "has 1 rows below its header; expected two or more"),
        ("time,valence\n0,0\n1,0\n", "row 2: expected numbers for time, valence and arousal"),
        ("time,valence,arousal\n0,zero,0\n", "row 2: expected numbers for time, valence and arousal"),
    ],
)
def test_a_wrong_trace_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_trace(written(tmp_path, text), 25)


def test_a_missing_trace_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.csv: no such file; expected a CSV with the columns time"):
        read_trace(tmp_path / "gone.csv", 25)
