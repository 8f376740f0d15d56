"""The tracker's filters over whole clips at once: tuned on training sequences, or set to a given lag.

They run by the very classes of tracker.smoothing, with one column for each stretch of frames without a gap.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from tracker.config import SmoothingConfig
from tracker.smoothing import ExponentialAverage, OneEuro

Kind = Literal["ema", "one-euro"]
Error = Callable[[SmoothingConfig], float]
Measure = Callable[[SmoothingConfig], float]

TIME_CONSTANTS_S = tuple(np.geomspace(0.01, 3, 30).tolist())
CUTOFFS_HZ = tuple(np.geomspace(0.05, 10, 10).tolist())
BETAS = (0.0, 0.03, 0.1, 0.25, 0.6, 1.5, 4.0, 10.0)
FINER = (0.65, 0.8, 1.0, 1.25, 1.55)
DERIVATIVE_CUTOFFS_HZ = (0.3, 1.0, 3.0)
BISECTIONS = 13
FASTEST_S, SLOWEST_S = 0.001, 20.0
"""Time constants between which the bisection looks."""
LAG_TOLERANCE_MS = 2.0
"""A filter within it has the lag that was asked for."""


@dataclass(frozen=True)
class Stretches:
    """G stretches of frames of a face without a gap, side by side."""

    rows: np.ndarray
    """(L, G) int64: rows of the set; a stretch that has ended repeats its last one."""
    times: np.ndarray
    """(L, G) float64 seconds, rising."""
    inside: np.ndarray
    """(L, G) bool: the stretch has not ended yet."""


def stretches_of(rows: np.ndarray, clip: np.ndarray, time: np.ndarray, max_gap_s: float) -> Stretches:
    """The stretches of rows (M,), in order of clip and time, of a set with clip (N,) and time (N,); M > 0.

    As in the tracker, a gap longer than max_gap_s, or a new clip, begins with a new filter.
    """
    fresh = (np.diff(clip[rows], prepend=-1) != 0) | (np.diff(time[rows], prepend=-np.inf) > max_gap_s)
    starts = np.flatnonzero(fresh)
    lengths = np.diff(starts, append=len(rows))
    ages = np.arange(lengths.max())[:, None]
    over = np.maximum(ages - (lengths - 1), 0)
    picks = rows[starts + ages - over]
    return Stretches(picks, time[picks] + over, over == 0)


class _OneEuros(OneEuro):
    """One-Euro on values (G, 2) of times (G, 1)."""

    def __init__(self, config: SmoothingConfig, count: int) -> None:
        self._count = count
        super().__init__(config)

    def reset(self) -> None:
        """Forget every value."""
        super().reset()
        self._speed = np.zeros((self._count, 2))


class _Averages(ExponentialAverage):
    """The exponential average on values (G, 2) of times (G, 1)."""

    def step(self, value: np.ndarray, time: Any) -> np.ndarray:
        """The filtered values (G, 2)."""
        before = value if self._value is None else self._value
        weight = -np.expm1(-(time - self._time) / self._time_constant)
        self._value, self._time = before + weight * (value - before), time
        return self._value


def filtered(config: SmoothingConfig, values: np.ndarray, stretches: Stretches) -> np.ndarray:
    """What the filter makes of values (N, 2) in the rows of the stretches; (N, 2), NaN in other rows."""
    smoother: Any = _Averages(config) if config.kind == "ema" else _OneEuros(config, stretches.rows.shape[1])
    columns = values[stretches.rows].astype(np.float64)
    times = stretches.times[..., None]
    answers = np.stack([smoother.step(value, time) for value, time in zip(columns, times, strict=True)])
    out = np.full(values.shape, np.nan)
    out[stretches.rows[stretches.inside]] = answers[stretches.inside]
    return out


def filter_clip(config: SmoothingConfig, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What the filter makes of one clip: values (T, 2) at rising times (T,) to (T, 2)."""
    rows = np.arange(len(times))
    return filtered(config, values, stretches_of(rows, np.zeros(len(times), int), times, np.inf))


def training_error(values: np.ndarray, target: np.ndarray, scored: np.ndarray, stretches: Stretches) -> Error:
    """The RMSE, mean of valence and arousal, that a filter of values (N, 2) has against target (N, 2) where scored."""
    true = target[scored].astype(np.float64)

    def error(config: SmoothingConfig) -> float:
        squares = (filtered(config, values, stretches)[scored] - true) ** 2
        return float(np.sqrt(squares.mean(axis=0)).mean())

    return error


def tune(kind: Kind, error: Error) -> SmoothingConfig:
    """The setting with the least error: a search on a coarse grid, then on a finer one around its best."""
    if kind == "ema":
        coarse = [_ema(seconds) for seconds in TIME_CONSTANTS_S]
        best = min(coarse, key=error)
        return min([_ema(best.time_constant_s * factor) for factor in FINER], key=error)
    coarse = [_one_euro(cutoff, beta, 1.0) for cutoff, beta in product(CUTOFFS_HZ, BETAS)]
    best = min(coarse, key=error)
    finer = product(FINER, FINER if best.beta else (1.0,), DERIVATIVE_CUTOFFS_HZ)
    return min([_one_euro(best.min_cutoff_hz * x, best.beta * y, speed) for x, y, speed in finer], key=error)


def at_lag(kind: Kind, lag_ms: float, measure: Measure, error: Error) -> SmoothingConfig:
    """The setting whose lag by `measure` (ms; it rises with the filter's slowness) is lag_ms, or the nearest there is.

    Of One-Euro's settings with that lag, one for each speed-up beta, the one with the least error.
    """
    families = [_ema] if kind == "ema" else [_cutoff_of(beta) for beta in BETAS]
    found = [_bisected(family, lag_ms, measure) for family in families]
    misses = [abs(_finite(measure(config)) - lag_ms) for config in found]
    bound = max(LAG_TOLERANCE_MS, min(misses))
    return min((config for config, miss in zip(found, misses, strict=True) if miss <= bound), key=error)


def _bisected(family: Callable[[float], SmoothingConfig], lag_ms: float, measure: Measure) -> SmoothingConfig:
    """The member of a family, by its time constant in seconds, that has the lag; its end where none has."""
    low, high = FASTEST_S, SLOWEST_S
    if _finite(measure(family(low))) >= lag_ms:
        return family(low)
    if _finite(measure(family(high))) <= lag_ms:
        return family(high)
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        slow = _finite(measure(family(middle))) > lag_ms
        low, high = (low, middle) if slow else (middle, high)
    return family(low)


def _finite(lag_ms: float) -> float:
    """A filter so slow that it never passes half of the step has no lag that could be measured: it is endless."""
    return lag_ms if np.isfinite(lag_ms) else 1e9


def _ema(seconds: float) -> SmoothingConfig:
    return SmoothingConfig(kind="ema", time_constant_s=seconds)


def _one_euro(cutoff_hz: float, beta: float, speed_hz: float) -> SmoothingConfig:
    return SmoothingConfig(kind="one-euro", min_cutoff_hz=cutoff_hz, beta=beta, derivative_cutoff_hz=speed_hz)


def _cutoff_of(beta: float) -> Callable[[float], SmoothingConfig]:
    return lambda seconds: _one_euro(1 / (2 * math.pi * seconds), beta, 1.0)
