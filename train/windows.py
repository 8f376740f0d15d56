"""The windows that the tracker's ring would give, of a whole data set at once: for training and for evaluation."""

import numpy as np

from tracker.kernels import nearest_rows
from tracker.ring import DENSEST_HZ, RingBuffer
from train.prepared import Prepared


def clip_windows(
    times: np.ndarray, length: int, rate_hz: float | None, max_gap_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """The window of every frame of one clip: picks (T, length) int64 and valid (T, length) bool, oldest first.

    times (T,) float64, seconds, rising. picks are rows of 0..T-1, 0 where not valid: the rows that RingBuffer.window()
    holds after the frame of that row was pushed.
    """
    times = np.ascontiguousarray(times, np.float64)
    if rate_hz and (np.diff(times) < 1.0 / DENSEST_HZ).any():
        picks = _thinned(times, length, rate_hz, max_gap_s)
    elif rate_hz:
        picks = _nearest(times, _starts(times, max_gap_s), length, 1.0 / rate_hz)
    else:
        picks = np.arange(len(times))[:, None] - np.arange(length)[::-1]
        picks[picks < _starts(times, max_gap_s)[:, None]] = -1
    valid = picks >= 0
    return np.where(valid, picks, 0), valid


def set_windows(
    data: Prepared, keep: np.ndarray, length: int, rate_hz: float | None, max_gap_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The windows of the M frames of a set that are kept (N,) bool and usable, over the frames with a face.

    Returns rows (M,), picks (M, length) into the N frames and valid (M, length) bool. A frame without annotation may
    stand in the window of another.
    """
    rows, picks, valid = [], [], []
    wanted = keep & data.usable
    for clip in data.rows_of_clips():
        seen = clip[data.found[clip]]
        if not wanted[seen].any():
            continue
        inner, mask = clip_windows(data.time[seen], length, rate_hz, max_gap_s)
        kept = wanted[seen]
        rows.append(seen[kept])
        picks.append(np.where(mask[kept], seen[inner[kept]], 0))
        valid.append(mask[kept])
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, length), np.int64), np.zeros((0, length), bool)
    return np.concatenate(rows), np.concatenate(picks), np.concatenate(valid)


def _starts(times: np.ndarray, max_gap_s: float) -> np.ndarray:
    """For each row (T,) the first row of its stretch without a gap."""
    fresh = np.diff(times, prepend=-np.inf) > max_gap_s
    return np.maximum.accumulate(np.where(fresh, np.arange(len(times)), 0))


def _nearest(times: np.ndarray, starts: np.ndarray, length: int, period: float) -> np.ndarray:
    """The ring's rows (T, length), -1 where there is none, of rows that all stay in it."""
    picks = np.empty((len(times), length), np.int64)
    for row, start in enumerate(starts.tolist()):
        picks[row] = nearest_rows(times, row, row + 1 - start, period, length)
    return picks


def _thinned(times: np.ndarray, length: int, rate_hz: float, max_gap_s: float) -> np.ndarray:
    """The same by a ring itself, each row with its own number for a feature: rows closer than it keeps drop out."""
    ring = RingBuffer(length, 1, rate_hz, max_gap_s)
    picks = np.empty((len(times), length), np.int64)
    for row, time in enumerate(times):
        ring.push(time, np.array([row]))
        window, valid = ring.window()
        picks[row] = np.where(valid, window[:, 0], -1)
    return picks
