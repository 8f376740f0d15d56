"""The windows of a whole set are the ring's, and those of the plain rule that the ring keeps."""

import time
from pathlib import Path

import numpy as np
import pytest

from tracker.faces.align import Template
from tracker.ring import RingBuffer
from train.prepared import LabelScale, Prepared
from train.windows import clip_windows, set_windows

GAP = 0.5


def irregular(source_hz: float, count: int, seed: int, gaps: bool = True) -> np.ndarray:
    """Times (count,) of a source whose frames come a little early or late, some lost, with pauses above GAP."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 4, count) / source_hz * rng.uniform(0.95, 1.05, count)
    if gaps:
        steps[rng.integers(5, count, 3)] += rng.uniform(0.4, 0.9, 3)
    return 3.0 + np.cumsum(steps)


def by_ring(times: np.ndarray, length: int, rate_hz: float | None) -> tuple[np.ndarray, np.ndarray]:
    """What the tracker does: push a row, ask for the window."""
    ring = RingBuffer(length, 1, rate_hz, GAP)
    windows, valid = [], []
    for row, moment in enumerate(times):
        ring.push(moment, np.array([row]))
        window, mask = ring.window()
        windows.append(window[:, 0])
        valid.append(mask)
    return np.array(windows, np.int64), np.array(valid)


def by_rule(times: np.ndarray, row: int, length: int, rate_hz: float) -> list[int]:
    """Slot k before the newest: the nearest row of its stretch to k periods ago; -1 half a period before the first."""
    start = row
    while start and times[start] - times[start - 1] <= GAP:
        start -= 1
    seen = times[start : row + 1]
    wanted = times[row] - np.arange(length)[::-1] / rate_hz
    nearest = [start + len(seen) - 1 - int(np.argmin(np.round(np.abs(seen[::-1] - w), 6))) for w in wanted]
    return [n if w >= seen[0] - 0.5 / rate_hz - 1e-6 else -1 for n, w in zip(nearest, wanted, strict=True)]


@pytest.mark.parametrize("rate_hz", [None, 12.5, 25.0, 30.0])
@pytest.mark.parametrize("source_hz", [10.0, 23.976, 30.0, 60.0, 240.0])
@pytest.mark.parametrize("length", [1, 2, 8, 32])
def test_the_windows_are_the_ring_s(source_hz: float, rate_hz: float | None, length: int) -> None:
    times = irregular(source_hz, 150, length)
    picks, valid = clip_windows(times, length, rate_hz, GAP)
    expected, mask = by_ring(times, length, rate_hz)
    np.testing.assert_array_equal(valid, mask)
    np.testing.assert_array_equal(picks, expected)
    assert (picks[:, -1] == np.arange(150)).all()


@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 30.0])
def test_the_windows_follow_the_rule(rate_hz: float) -> None:
    times = irregular(24.0, 80, 1)
    picks, valid = clip_windows(times, 8, rate_hz, GAP)
    assert not valid.all()
    np.testing.assert_array_equal(np.where(valid, picks, -1), [by_rule(times, t, 8, rate_hz) for t in range(80)])


def test_without_a_rate_a_gap_starts_afresh() -> None:
    picks, valid = clip_windows(np.array([0.0, 0.1, 0.2, 0.8, 0.9]), 3, None, GAP)
    np.testing.assert_array_equal(picks, [[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 0, 3], [0, 3, 4]])
    np.testing.assert_array_equal(valid.sum(axis=1), [1, 2, 3, 1, 2])


@pytest.mark.parametrize("rate_hz", [None, 25.0])
def test_a_clip_of_one_frame(rate_hz: float | None) -> None:
    picks, valid = clip_windows(np.array([0.0]), 4, rate_hz, GAP)
    np.testing.assert_array_equal(picks, np.zeros((1, 4)))
    np.testing.assert_array_equal(valid, [[False, False, False, True]])


def test_a_hundred_thousand_frames_take_seconds() -> None:
    times = np.arange(20_000) / 30.0
    clip_windows(times[:40], 32, 25.0, GAP)
    started = time.process_time()
    clip_windows(times, 32, 25.0, GAP)
    assert time.process_time() - started < 2.0


def prepared(found: np.ndarray, affect: np.ndarray, clip: np.ndarray) -> Prepared:
    """A set of clips at 25 Hz without pictures."""
    moment = np.concatenate([np.arange(n) for n in np.bincount(clip)]) / 25.0
    names = tuple(f"c{i}" for i in range(clip.max() + 1))
    crops = np.zeros((len(clip), 4, 4, 1), np.uint8)
    scale, template = LabelScale(), Template(size=4)
    return Prepared(Path(), "t", template, scale, crops, affect, found, clip, moment, clip, names, names, {})


def test_a_set_s_windows_stay_in_their_clip_and_pass_over_frames_without_a_face() -> None:
    clip = np.repeat([0, 1, 2], [4, 1, 5]).astype(np.int32)
    found, affect = np.ones(10, bool), np.zeros((10, 2), np.float32)
    found[6] = False
    affect[7] = np.nan
    keep = np.ones(10, bool)
    keep[0] = False
    rows, picks, valid = set_windows(prepared(found, affect, clip), keep, 3, None, GAP)
    np.testing.assert_array_equal(rows, [1, 2, 3, 4, 5, 8, 9])
    expected = [[-1, 0, 1], [0, 1, 2], [1, 2, 3], [-1, -1, 4], [-1, -1, 5], [5, 7, 8], [7, 8, 9]]
    np.testing.assert_array_equal(np.where(valid, picks, -1), expected)


def test_a_set_s_windows_by_time_are_the_ring_s_over_the_frames_with_a_face() -> None:
    clip = np.repeat([0, 1], [30, 40]).astype(np.int32)
    found = np.random.default_rng(0).random(70) > 0.3
    data = prepared(found, np.zeros((70, 2), np.float32), clip)
    rows, picks, valid = set_windows(data, np.ones(70, bool), 8, 12.5, GAP)
    np.testing.assert_array_equal(rows, np.flatnonzero(found))
    seen = np.flatnonzero(found[30:]) + 30
    expected, mask = by_ring(data.time[seen], 8, 12.5)
    np.testing.assert_array_equal(valid[rows >= 30], mask)
    np.testing.assert_array_equal(picks[rows >= 30][mask], seen[expected[mask]])


def test_nothing_kept_gives_no_window() -> None:
    data = prepared(np.ones(3, bool), np.zeros((3, 2), np.float32), np.zeros(3, np.int32))
    rows, picks, valid = set_windows(data, np.zeros(3, bool), 4, 25.0, GAP)
    assert (rows.shape, picks.shape, valid.shape) == ((0,), (0, 4), (0, 4))
