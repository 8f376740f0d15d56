"""The filters of the trace: known answers, real time, lag."""

import math

import numpy as np
import pytest

from tracker.config import SmoothingConfig
from tracker.errors import UsageError
from tracker.smoothing import make_smoother, step_lag_ms

KINDS = ["one-euro", "ema", "none"]


def one_euro_by_the_book(xs: list[float], times: list[float], config: SmoothingConfig) -> list[float]:
    """Algorithm 1 of the paper for one axis, by rate (1/s) as the paper has it."""

    def alpha(rate: float, cutoff: float) -> float:
        return 1.0 / (1.0 + rate / (2.0 * math.pi * cutoff))

    answers, slope = [xs[0]], 0.0
    for x, before, now in zip(xs[1:], times, times[1:], strict=False):
        rate = 1.0 / (now - before)
        a = alpha(rate, config.derivative_cutoff_hz)
        slope = a * (x - answers[-1]) * rate + (1.0 - a) * slope
        a = alpha(rate, config.min_cutoff_hz + config.beta * abs(slope))
        answers.append(a * x + (1.0 - a) * answers[-1])
    return answers


def trace(config: SmoothingConfig, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What the filter makes of values (T, 2)."""
    smoother = make_smoother(config)
    return np.stack([smoother.step(value, time) for value, time in zip(values, times, strict=True)])


@pytest.fixture
def walk() -> tuple[np.ndarray, np.ndarray]:
    """Uneven times (T,) and a noisy trace (T, 2) in [-1, 1]."""
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.01, 0.12, 200))
    return times, np.clip(np.sin(times)[:, None] * (0.8, -0.5) + rng.normal(0, 0.1, (200, 2)), -1, 1)


@pytest.mark.parametrize("beta", [0.0, 0.7, 5.0])
def test_one_euro_is_the_papers_algorithm(beta: float, walk: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = walk
    config = SmoothingConfig(beta=beta, min_cutoff_hz=0.9, derivative_cutoff_hz=1.3)
    ours = trace(config, times, values)
    for axis in (0, 1):
        expected = one_euro_by_the_book(values[:, axis].tolist(), times.tolist(), config)
        np.testing.assert_allclose(ours[:, axis], expected, atol=1e-12)


@pytest.mark.parametrize("rate_hz", [10.0, 60.0, 240.0])
def test_ema_follows_a_step_to_63_percent_in_its_time_constant(rate_hz: float) -> None:
    times = np.arange(round(0.5 * rate_hz) + 1) / rate_hz
    values = np.ones((len(times), 2))
    values[0] = 0
    ours = trace(SmoothingConfig(kind="ema", time_constant_s=0.5), times, values)
    np.testing.assert_allclose(ours[-1], 1 - math.exp(-1), atol=1e-9)


def test_none_changes_nothing(walk: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(trace(SmoothingConfig(kind="none"), *walk), walk[1])


@pytest.mark.parametrize("kind", KINDS)
def test_filters_are_causal_bounded_and_pass_the_first_value(kind: str, walk: tuple[np.ndarray, np.ndarray]) -> None:
    times, values = walk
    ours = trace(SmoothingConfig(kind=kind), times, values)
    np.testing.assert_array_equal(ours[0], values[0])
    np.testing.assert_array_equal(trace(SmoothingConfig(kind=kind), times[:77], values[:77]), ours[:77])
    assert np.abs(ours).max() <= 1.0


@pytest.mark.parametrize("kind", ["one-euro", "ema"])
def test_filters_steady_a_trace_at_rest(kind: str) -> None:
    times = np.arange(300) / 30
    values = np.random.default_rng(0).normal(0, 0.05, (300, 2))
    assert trace(SmoothingConfig(kind=kind), times, values)[30:].std() < 0.5 * values.std()


@pytest.mark.parametrize("kind", KINDS)
def test_reset_is_a_new_filter(kind: str, walk: tuple[np.ndarray, np.ndarray]) -> None:
    smoother = make_smoother(SmoothingConfig(kind=kind))
    for time, value in zip(*walk, strict=True):
        smoother.step(value, time)
    smoother.reset()
    np.testing.assert_array_equal(smoother.step(np.array([0.3, -0.2]), 0.0), [0.3, -0.2])
    again = smoother.step(np.array([0.5, -0.2]), 0.1)
    fresh = trace(SmoothingConfig(kind=kind), np.array([0.0, 0.1]), np.array([[0.3, -0.2], [0.5, -0.2]]))
    np.testing.assert_array_equal(again, fresh[-1])


def test_lag_of_a_step() -> None:
    assert step_lag_ms(SmoothingConfig(kind="none")) == 0.0
    half = 1000 * 0.25 * math.log(2)
    assert half - 1000 / 30 - 2 < step_lag_ms(SmoothingConfig(kind="ema", time_constant_s=0.25)) <= half
    quick, slow = SmoothingConfig(min_cutoff_hz=2.0), SmoothingConfig(min_cutoff_hz=0.2)
    assert 0 < step_lag_ms(quick) < step_lag_ms(SmoothingConfig()) < step_lag_ms(slow) < 300


def test_bad_configurations_are_refused() -> None:
    with pytest.raises(UsageError, match="smoothing is 'kalman'; expected one-euro, ema, none"):
        make_smoother(SmoothingConfig(kind="kalman"))
    with pytest.raises(UsageError, match="time constant"):
        SmoothingConfig(time_constant_s=0.0)
    with pytest.raises(UsageError, match="cut-off"):
        SmoothingConfig(min_cutoff_hz=-1.0)
