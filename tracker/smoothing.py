"""Causal filters of the affect trace, by real time: One-Euro, exponential, none.

A filter takes a number, or an array whose elements it filters side by side.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from tracker.config import SmoothingConfig
from tracker.errors import UsageError

Value = TypeVar("Value", float, np.ndarray)

STEP_RATE_HZ = 30.0
"""Frame rate at which the lag is measured."""
LAG_STEP = 0.2
"""Step of valence by which the lag is measured: a change one can just see. One-Euro follows greater ones sooner."""


class Smoother(Protocol):
    """A filter of valence or of arousal; the first value after a reset passes unchanged."""

    def step(self, value: Value, time: float) -> Value:
        """The filtered value after the value of a later time, seconds."""

    def reset(self) -> None:
        """Forget every value."""


class OneEuro:
    """The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, algorithm 1).

    A low pass whose cut-off rises with the speed of the signal: steady at rest, quick in a change.
    """

    _value: Any
    _speed: Any
    _time: float

    def __init__(self, config: SmoothingConfig) -> None:
        self._config = config
        self.reset()

    def step(self, value: Value, time: float) -> Value:
        """The filtered value after the value of a later time, seconds."""
        if self._value is None:
            self._value, self._time = value, time
            return value
        interval, self._time = time - self._time, time
        speed = (value - self._value) / interval
        weight = _low_pass_weight(self._config.derivative_cutoff_hz, interval)
        self._speed = self._speed + weight * (speed - self._speed)
        cutoff = self._config.min_cutoff_hz + self._config.beta * abs(self._speed)
        self._value = self._value + _low_pass_weight(cutoff, interval) * (value - self._value)
        return self._value

    def reset(self) -> None:
        """Forget every value."""
        self._value, self._speed, self._time = None, 0.0, 0.0


class ExponentialAverage:
    """A first-order low pass with a time constant, the same at any frame rate."""

    _value: Any
    _time: float

    def __init__(self, config: SmoothingConfig) -> None:
        self._time_constant = config.time_constant_s
        self.reset()

    def step(self, value: Any, time: float) -> Any:
        """The filtered value after the value of a later time, seconds."""
        before = value if self._value is None else self._value
        weight = -math.expm1(-(time - self._time) / self._time_constant)
        self._value, self._time = before + weight * (value - before), time
        return self._value

    def reset(self) -> None:
        """Forget every value."""
        self._value, self._time = None, 0.0


class Unsmoothed:
    """No filter: every value passes."""

    def step(self, value: Value, time: float) -> Value:
        """The value itself."""
        return value

    def reset(self) -> None:
        """There is nothing to forget."""


SMOOTHERS: dict[str, Callable[[SmoothingConfig], Smoother]] = {
    "one-euro": OneEuro,
    "ema": ExponentialAverage,
    "none": lambda config: Unsmoothed(),
}


def make_smoother(config: SmoothingConfig) -> Smoother:
    """A new filter of the kind that the configuration names; raises UsageError for another kind."""
    if config.kind not in SMOOTHERS:
        raise UsageError(f"smoothing is {config.kind!r}; expected {', '.join(SMOOTHERS)}")
    return SMOOTHERS[config.kind](config)


def step_lag_ms(config: SmoothingConfig) -> float:
    """Milliseconds from a step of LAG_STEP until the filter's answer passes half of it, measured at 30 Hz."""
    smoother = make_smoother(config)
    smoother.step(0.0, 0.0)
    before, frame = 0.0, 0
    while (after := smoother.step(LAG_STEP, (frame + 1) / STEP_RATE_HZ) / LAG_STEP) < 0.5:
        before, frame = after, frame + 1
    return 0.0 if frame == 0 else 1000.0 * (frame - 1 + (0.5 - before) / (after - before)) / STEP_RATE_HZ


def _low_pass_weight(cutoff_hz: Value, interval: float) -> Value:
    """Share of the new value in a first-order low pass, (0, 1)."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * interval))
