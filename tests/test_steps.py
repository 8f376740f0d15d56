"""The lag of a trace at steps whose answer is known."""

import math

import numpy as np
import pytest

from tracker.config import SmoothingConfig
from train.scoring.filters import filter_clip
from train.scoring.steps import LEAST_FRAMES, lags_ms, median_lag_ms, steps_of

RATE_HZ = 25.0


def step_clip(length: int = 60, at: int = 25, low: tuple = (-0.3, 0.1), high: tuple = (0.4, 0.5)) -> np.ndarray:
    return np.where((np.arange(length) < at)[:, None], low, high).astype(np.float64)


def lag_of(trace: np.ndarray, truth: np.ndarray, time: np.ndarray | None = None) -> float:
    time = np.arange(len(truth)) / RATE_HZ if time is None else time
    (lag,) = lags_ms(trace, time, steps_of(np.arange(len(truth)), np.zeros(len(truth), int), truth))
    return float(lag)


@pytest.mark.parametrize("frames", [0, 1, 3, 8])
def test_a_pure_delay_of_k_frames_is_k_frames(frames: int) -> None:
    truth = step_clip()
    late = truth[np.maximum(np.arange(len(truth)) - frames, 0)]
    assert lag_of(late, truth) == pytest.approx(1000 * frames / RATE_HZ, abs=1e-9)


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.5])
def test_the_lag_of_an_average_is_the_formulas_within_a_frame(seconds: float) -> None:
    truth, time = step_clip(120, 40), np.arange(120) / RATE_HZ
    lag = lag_of(filter_clip(SmoothingConfig("ema", time_constant_s=seconds), truth, time), truth)
    assert abs(lag - 1000 * math.log(2) * seconds) < 1000 / RATE_HZ


def test_a_finer_clock_brings_the_lag_to_the_formula() -> None:
    truth, time = step_clip(4000, 1500), np.arange(4000) / 1000
    lag = lag_of(filter_clip(SmoothingConfig("ema", time_constant_s=0.25), truth, time), truth, time)
    assert lag == pytest.approx(1000 * math.log(2) * 0.25, abs=1.0)


def test_scale_and_offset_of_the_trace_do_not_matter() -> None:
    truth = step_clip()
    late = 0.4 * truth[np.maximum(np.arange(60) - 2, 0)] + (0.3, -0.2)
    assert lag_of(late, truth) == pytest.approx(80.0)


def test_half_way_is_interpolated_between_frames() -> None:
    truth = step_clip(40, 20, (0, 0), (1, 0))
    trace = truth.copy()
    trace[20, 0] = 0.2
    assert lag_of(trace, truth) == pytest.approx(1000 / RATE_HZ * (0.5 + 0.3 / 0.8))


def test_the_lag_is_by_time_not_by_frames() -> None:
    truth = step_clip(40, 20)
    time = np.cumsum(np.where(np.arange(40) == 22, 0.3, 0.04))
    late = truth[np.maximum(np.arange(40) - 2, 0)]
    assert lag_of(late, truth, time) == pytest.approx(1000 * ((time[21] + time[22]) / 2 - (time[19] + time[20]) / 2))


def test_a_trace_that_does_not_follow_has_no_lag() -> None:
    truth = step_clip()
    rng = np.random.default_rng(0)
    assert math.isnan(lag_of(np.full_like(truth, 0.2), truth))
    assert math.isnan(lag_of(-truth, truth))
    assert math.isnan(lag_of(0.05 * truth + 0.001 * rng.normal(size=truth.shape), truth))


def test_noise_leaves_the_median_lag() -> None:
    rng = np.random.default_rng(0)
    truth = np.tile(step_clip(), (50, 1))
    clip, time = np.repeat(np.arange(50), 60), np.tile(np.arange(60) / RATE_HZ, 50)
    late = np.concatenate([truth[:3], truth[:-3]])
    late[np.arange(len(late)) % 60 < 3] = step_clip()[0]
    noisy = late + rng.normal(0, 0.06, late.shape)
    assert median_lag_ms(noisy, time, steps_of(np.arange(3000), clip, truth)) == pytest.approx(120.0, abs=8.0)


def test_each_of_several_steps_counts_and_those_at_an_edge_do_not() -> None:
    levels = np.repeat([0.0, 0.5, -0.2, 0.3], [20, 15, 25, LEAST_FRAMES - 1])
    truth = np.stack([levels, 0 * levels], axis=1)
    steps = steps_of(np.arange(len(truth)), np.zeros(len(truth), int), truth)
    assert [(len(s.rows), s.first, s.height[0]) for s in steps] == [(35, 20, 0.5), (40, 15, -0.7)]
    time = np.arange(len(truth)) / RATE_HZ
    late = truth[np.maximum(np.arange(len(truth)) - 1, 0)]
    np.testing.assert_allclose(lags_ms(late, time, steps), 40.0)


def test_no_steps_no_lag() -> None:
    truth = np.zeros((30, 2))
    assert steps_of(np.arange(30), np.repeat([0, 1], 15), truth) == []
    assert steps_of(np.arange(1), np.zeros(1, int), truth) == []
    assert math.isnan(median_lag_ms(truth, np.arange(30.0), []))
