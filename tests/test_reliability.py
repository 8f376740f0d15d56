"""The interval of a mean, against series whose true mean and correlation are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from tracker.traces.reliability import reliability

MEMORY = 12.0
"""Frames after which the correlation has fallen to 1/e."""


def wandering(count: int, length: int, seed: int) -> np.ndarray:
    """(count, length): first order autoregressions about 0 of variance 1."""
    rng = np.random.default_rng(seed)
    keep = math.exp(-1.0 / MEMORY)
    noise = rng.normal(size=(length, count))
    values = np.empty((length, count))
    values[0] = noise[0]
    for place in range(1, length):
        values[place] = keep * values[place - 1] + math.sqrt(1 - keep**2) * noise[place]
    return values.T


def smoothed(count: int, length: int, seed: int) -> np.ndarray:
    """(count, length): noise after two exponential filters, as smooth as a trace."""
    rng = np.random.default_rng(seed)
    share = 1.0 - math.exp(-2.0 / MEMORY)
    first, second = np.zeros(count), np.zeros(count)
    values = []
    for _ in range(length + round(6 * MEMORY)):
        first += share * (rng.normal(size=count) - first)
        second += share * (first - second)
        values.append(second.copy())
    return np.array(values[-length:]).T


def jumping(count: int, length: int, seed: int) -> np.ndarray:
    """(count, length): -1 or 1, changing at random."""
    rng = np.random.default_rng(seed)
    change = rng.random((count, length)) < 0.5 / MEMORY
    return np.where(rng.random((count, 1)) < 0.5, 1.0, -1.0) * np.where(np.cumsum(change, axis=1) % 2, -1.0, 1.0)


def with_gaps(series: np.ndarray) -> np.ndarray:
    """The series without a sixth of the frames in a row, and without every seventh."""
    length = series.shape[1]
    lost = series.copy()
    lost[:, length // 3 : length // 3 + length // 6] = np.nan
    lost[:, ::7] = np.nan
    return lost


@pytest.mark.slow
@pytest.mark.parametrize("process", [wandering, smoothed, jumping])
@pytest.mark.parametrize(("memories", "least"), [(5, 0.65), (10, 0.79), (20, 0.90), (40, 0.92), (100, 0.93)])
def test_the_table_of_the_guide(process: Callable[[int, int, int], np.ndarray], memories: int, least: float) -> None:
    series = process(1000, round(memories * MEMORY), 3)
    for name, values in (("whole", series), ("with gaps", with_gaps(series))):
        found = [each for each in map(reliability, values) if math.isfinite(each.low)]
        held = np.mean([each.low <= 0 <= each.high for each in found])
        true = series.var() / series.mean(axis=1).var()
        print(f"{process.__name__}, {name}: {true:.1f} effective samples, {len(found)} intervals, {held:.3f} hold")
        assert held >= least


@pytest.mark.parametrize("gaps", [False, True])
def test_the_interval_holds_as_often_as_it_says(gaps: bool) -> None:
    series = wandering(400, 480, seed=5)
    series = with_gaps(series) if gaps else series
    found = [reliability(values) for values in series]
    held = np.mean([each.low <= 0 <= each.high for each in found])
    assert 0.91 <= held <= 0.985
    naive = np.nanstd(series, axis=1) / np.sqrt(np.isfinite(series).sum(1)) * 1.96
    assert np.mean(np.abs(np.nanmean(series, axis=1)) <= naive) < 0.5, "frames are not independent"


def test_effective_samples_are_those_of_the_correlation() -> None:
    series = wandering(200, 1200, seed=6)
    true = 1 / series.mean(axis=1).var()
    told = np.median([reliability(values).effective for values in series])
    assert 0.75 * true < told < 1.33 * true
    assert true == pytest.approx(1200 / (2 * MEMORY), rel=0.2)


def test_independent_frames_count_for_nearly_themselves() -> None:
    noise = np.random.default_rng(7).normal(size=(50, 300))
    assert 200 < np.median([reliability(values).effective for values in noise]) <= 300


def test_the_same_values_give_the_same_answer_and_the_mean_lies_within() -> None:
    values = wandering(1, 500, seed=8)[0] + 0.3
    first = reliability(values)
    assert first == reliability(values)
    assert first.low < values.mean() < first.high


def test_what_cannot_be_told_is_not_told() -> None:
    for few in (np.arange(5.0), np.full(100, np.nan)):
        assert math.isnan(reliability(few).low) and math.isnan(reliability(few).effective)
    constant = reliability(np.full(50, 0.25))
    assert constant.low == constant.high == 0.25
    rising = reliability(np.linspace(-1, 1, 200))
    assert math.isnan(rising.low) and rising.effective < 3, "a single rise is two states, not 200 frames"
