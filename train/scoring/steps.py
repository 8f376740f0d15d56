"""The lag of a trace: how long after a step of the truth it passes half way between its own two levels."""

from typing import NamedTuple

import numpy as np

LEAST_FRAMES = 4
"""On each side of a step that is measured."""
LEAST_ANSWER = 0.2
"""A trace that follows less than this share of a step has no lag that could be measured."""


class Step(NamedTuple):
    """A step of the truth, with the frames around it as far as the truth stays constant."""

    rows: np.ndarray
    """(T,) rows of the set, in order of time."""
    first: int
    """Index in rows of the first frame after the step."""
    height: np.ndarray
    """(2,): by how much valence and arousal change."""


def steps_of(rows: np.ndarray, clip: np.ndarray, truth: np.ndarray) -> list[Step]:
    """The steps among rows (M,), in order of clip and time, of a set with clip (N,) and truth (N, 2)."""
    steps = []
    for each in np.split(rows, np.flatnonzero(np.diff(clip[rows])) + 1):
        change = np.flatnonzero(np.abs(np.diff(truth[each], axis=0)).max(axis=1, initial=0) > 0) + 1
        bounds = [0, *change.tolist(), len(each)]
        for start, at, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
            if min(at - start, end - at) >= LEAST_FRAMES:
                height = truth[each[at]].astype(np.float64) - truth[each[at - 1]]
                steps.append(Step(each[start:end], at - start, height))
    return steps


def lags_ms(values: np.ndarray, time: np.ndarray, steps: list[Step]) -> np.ndarray:
    """The lag (K,) of a trace (N, 2) at each of K steps, milliseconds; NaN where it does not follow.

    Trace and truth are taken along the line from the step's one level to the other, and straight between frames; the
    trace's own levels are its medians over the later half of the frames before and after. The lag is the time from
    the truth's way through the middle to the trace's first one: that of a trace that is k frames late is k frames.
    """
    return np.array([_lag_ms(values[s.rows] @ s.height / (s.height @ s.height), time[s.rows], s.first) for s in steps])


def median_lag_ms(values: np.ndarray, time: np.ndarray, steps: list[Step]) -> float:
    """The median lag over the steps that the trace follows, milliseconds; NaN where there is none."""
    lags = lags_ms(values, time, steps)
    followed = lags[np.isfinite(lags)]
    return float(np.median(followed)) if len(followed) else float("nan")


def _lag_ms(way: np.ndarray, times: np.ndarray, first: int) -> float:
    """Of a trace along the step (T,): 0 is the truth's level before, 1 the one after, beside a constant."""
    before, after = np.median(way[first // 2 : first]), np.median(way[(first + len(way)) // 2 :])
    if not after - before >= LEAST_ANSWER:
        return float("nan")
    share = (way - before) / (after - before)
    passed = np.flatnonzero(share[first:] >= 0.5)
    if len(passed) == 0:
        return float("nan")
    at = first + int(passed[0])
    part = 0.0 if share[at - 1] >= 0.5 else (0.5 - share[at - 1]) / (share[at] - share[at - 1])
    crossing = times[at - 1] + part * (times[at] - times[at - 1])
    return float(1000 * (crossing - (times[first - 1] + times[first]) / 2))
