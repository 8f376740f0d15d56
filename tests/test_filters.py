"""The filters over whole clips: step by step those of the tracker; tuned; set to a lag."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tracker.config import SmoothingConfig
from tracker.smoothing import make_smoother
from train import metrics
from train.scoring import filters
from train.scoring.filters import at_lag, filter_clip, filtered, stretches_of, training_error, tune
from train.scoring.steps import median_lag_ms, steps_of

CONFIGS = [SmoothingConfig(), SmoothingConfig(beta=5, min_cutoff_hz=0.2), SmoothingConfig("ema", time_constant_s=0.4)]


def clips(lengths: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (N, 2), clip (N,) and uneven times (N,) of clips that begin at 0."""
    rng = np.random.default_rng(seed)
    times = [np.cumsum(rng.uniform(0.01, 0.1, n)) - 0.01 for n in lengths]
    return rng.normal(0, 0.4, (sum(lengths), 2)), np.repeat(np.arange(len(lengths)), lengths), np.concatenate(times)


def step_by_step(config: SmoothingConfig, values: np.ndarray, clip: np.ndarray, time: np.ndarray, gap: float) -> list:
    """What the tracker does: a new filter for each clip and after each gap."""
    answers, smoother = [], make_smoother(config)
    for i, value in enumerate(values):
        if i and (clip[i] != clip[i - 1] or time[i] - time[i - 1] > gap):
            smoother = make_smoother(config)
        answers.append(smoother.step(value, float(time[i])))
    return answers


@pytest.mark.parametrize("config", CONFIGS)
def test_filters_are_the_trackers_step_by_step(config: SmoothingConfig) -> None:
    values, clip, time = clips((30, 1, 55, 12))
    time[clip == 2] += np.where(np.arange(55) >= 20, 0.9, 0)
    stretches = stretches_of(np.arange(len(clip)), clip, time, 0.5)
    assert stretches.rows.shape == (35, 5)
    expected = step_by_step(config, values, clip, time, 0.5)
    np.testing.assert_allclose(filtered(config, values, stretches), expected, atol=1e-12)


@pytest.mark.parametrize("config", CONFIGS)
def test_one_clip_and_rows_that_are_left_out(config: SmoothingConfig) -> None:
    values, clip, time = clips((40,))
    expected = step_by_step(config, values, clip, time, math.inf)
    np.testing.assert_allclose(filter_clip(config, values, time), expected, atol=1e-12)
    rows = np.flatnonzero(np.arange(40) % 3 > 0)
    some = filtered(config, values, stretches_of(rows, clip, time, math.inf))
    assert np.isnan(some[::3]).all()
    np.testing.assert_allclose(some[rows], filter_clip(config, values[rows], time[rows]), atol=1e-12)


def noisy_waves(noise: float, pace: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values and truth (N, 2), clip and time (N,) of 40 clips of waves with this many radians a second."""
    rng = np.random.default_rng(5)
    time, clip = np.tile(np.arange(40) / 25, 40), np.repeat(np.arange(40), 40)
    phase = rng.uniform(0, 6, 40)[clip]
    truth = 0.5 * np.stack([np.sin(pace * time + phase), np.cos(pace * time + phase)], axis=1)
    return truth + rng.normal(0, noise, truth.shape), truth, clip, time


def error_of(noise: float, pace: float) -> filters.Error:
    values, truth, clip, time = noisy_waves(noise, pace)
    stretches = stretches_of(np.arange(len(clip)), clip, time, 0.5)
    return training_error(values, truth, np.ones(len(clip), bool), stretches)


def test_training_error_is_the_rmse_of_the_scored_rows() -> None:
    values, truth, clip, time = noisy_waves(0.2, 1.0)
    scored = np.random.default_rng(0).random(len(clip)) < 0.5
    error = training_error(values, truth, scored, stretches_of(np.arange(len(clip)), clip, time, 0.5))
    config = SmoothingConfig()
    trace = np.array(step_by_step(config, values, clip, time, 0.5))
    expected = np.mean([metrics.rmse(trace[scored, i], truth[scored, i]) for i in (0, 1)])
    assert error(config) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["ema", "one-euro"])
def test_tuned_filters_are_slow_on_noise_and_fast_on_a_clean_wave(kind: filters.Kind) -> None:
    still, clean = error_of(0.2, 0.0), error_of(0.001, 4.0)
    slow, fast = tune(kind, still), tune(kind, clean)
    assert still(slow) < 0.6 * 0.2 and clean(fast) < 0.02
    assert still(slow) < still(fast) and clean(fast) < clean(slow)


def test_tuning_finds_the_best_time_constant() -> None:
    error = error_of(0.15, 2.0)
    best = tune("ema", error)
    every = [error(replace(best, time_constant_s=t)) for t in np.geomspace(0.05, 1, 60)]
    assert error(best) == pytest.approx(min(every), rel=0.002)


def test_tuned_one_euro_is_no_worse_than_any_of_its_grid_nor_the_ema() -> None:
    error = error_of(0.15, 2.0)
    best = error(tune("one-euro", error))
    assert best <= min(error(SmoothingConfig(min_cutoff_hz=c, beta=b)) for c in (1, 2, 4) for b in (0, 0.7))
    assert best < error(SmoothingConfig())


@pytest.fixture(scope="module")
def measure() -> filters.Measure:
    """The lag of a filter on steps of 0.5 at 25 frames a second."""
    truth = np.tile(np.where(np.arange(60)[:, None] < 10, -0.2, 0.3), (1, 2))
    clip, time = np.zeros(60, int), np.arange(60) / 25
    steps = steps_of(np.arange(60), clip, truth)
    stretches = stretches_of(np.arange(60), clip, time, 0.5)
    return lambda config: median_lag_ms(filtered(config, truth, stretches), time, steps)


@pytest.mark.parametrize("kind", ["ema", "one-euro"])
@pytest.mark.parametrize("lag", [20.0, 80.0, 300.0])
def test_a_filter_can_be_set_to_a_lag(kind: filters.Kind, lag: float, measure: filters.Measure) -> None:
    config = at_lag(kind, lag, measure, lambda config: 0.0)
    assert config.kind == kind
    assert measure(config) == pytest.approx(lag, abs=1.0)


def test_a_filter_cannot_be_ahead(measure: filters.Measure) -> None:
    config = at_lag("ema", -40.0, measure, lambda config: 0.0)
    assert measure(config) == pytest.approx(0.0, abs=0.5)


def test_of_one_euros_with_a_lag_the_best_on_training_is_taken(measure: filters.Measure) -> None:
    seen: list[SmoothingConfig] = []

    def error(config: SmoothingConfig) -> float:
        seen.append(config)
        return abs(config.beta - 0.1)

    best = at_lag("one-euro", 120.0, measure, error)
    assert best.beta == 0.1 and len({config.beta for config in seen}) >= 3
    assert all(abs(measure(config) - 120) < filters.LAG_TOLERANCE_MS for config in seen)
