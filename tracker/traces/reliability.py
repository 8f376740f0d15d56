"""How well a trace's frames tell their mean: neighbouring frames say nearly the same, so that they count for few."""

import math
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
"""Of the bootstrap: its standard error is known to 2 %."""
LEAST_DRAWS, MOST_BLOCKS = 200, 20_000_000
"""Series that fall into very many blocks are drawn less often: their standard error is known to 5 %."""
BLOCKS_AT_ONCE = 100_000
"""Are drawn together: the memory stays small."""
FIXED_B = (1.9600, 2.9694, 0.4160, -0.5324)
"""Two-sided 95 % point of a mean over its standard error where blocks are a share b of the series: a polynomial in b
(Kiefer and Vogelsang 2005, table 1, Bartlett kernel). At b = 0 it is the normal distribution's."""
FEW = 2.0
"""An interval from so many effective samples is made twice as wide, one from ten times as many a tenth wider. Set by
simulation (docs/reading.md): without it, intervals from fewer than 20 effective samples hold the mean too seldom."""
QUIET = 5
"""Lags in a run of insignificant ones."""
LEAST = 8
"""Frames below which nothing is said."""
LEAST_EFFECTIVE = 3.0
"""Effective samples below which there is no interval: it would be as wide as the scale."""


@dataclass(frozen=True)
class Reliability:
    """What is known of a mean."""

    low: float
    """End of the 95 % interval of the mean; NaN where nothing can be said."""
    high: float
    effective: float
    """So many independent frames would tell the mean as well; NaN where nothing can be said."""


def reliability(values: np.ndarray, seed: int = 0) -> Reliability:
    """The 95 % interval of the mean of values (T,) at even steps, NaN where one is missing, by moving blocks.

    It answers: how far would the mean move if the same person went on like that? The blocks are twice as long as
    Politis and White (2004) ask. The standard error is the bootstrap's or that of the autocorrelation, whichever is
    larger; both are put right for the mean being the series' own. The same values and seed give the same answer.
    """
    seen = np.isfinite(values)
    count = int(seen.sum())
    if count < LEAST:
        return Reliability(math.nan, math.nan, math.nan)
    mean, variance = float(values[seen].mean()), float(values[seen].var())
    if variance < 1e-12:
        return Reliability(mean, mean, math.nan)
    rest = np.where(seen, values - mean, 0.0)  # what is missing counts for nothing
    covariance = autocovariance(rest)
    reach = _reach(covariance / covariance[0], len(values))
    lags = np.arange(1, reach + 1)
    taper = np.minimum(1.0, 2.0 * (1.0 - lags / reach))
    sums = 2.0 * float((taper * covariance[lags]).sum())
    slope = 2.0 * float((taper * lags * covariance[lags]).sum())
    long_run = float(covariance[0]) + sums
    spent = (1.0 + 2.0 * float(taper.sum())) / len(values)
    by_correlation = long_run * len(values) / count**2 / max(1.0 - spent, 0.2)

    best = math.inf if long_run <= 0 else (1.5 * (slope / long_run) ** 2 * len(values)) ** (1.0 / 3.0)
    block = int(min(max(2.0 * math.ceil(best) if math.isfinite(best) else 1.0, 1.0), len(values) // 2))
    share = block / len(values)
    by_blocks = _draw(rest, seen, block, seed) / (1.0 - share)

    squared = max(by_blocks, by_correlation, variance / count)
    effective = (variance + squared) / squared
    if effective < LEAST_EFFECTIVE:
        return Reliability(math.nan, math.nan, effective)
    critical = float(np.polyval(FIXED_B[::-1], share)) * math.sqrt(1.0 - share) * (1.0 + FEW / effective)
    reach_of_mean = critical * math.sqrt(squared)
    return Reliability(mean - reach_of_mean, mean + reach_of_mean, min(effective, float(count)))


def autocovariance(values: np.ndarray) -> np.ndarray:
    """(T,) of values (T,) whose mean is 0, by lag; all are divided by T."""
    spectrum = np.fft.rfft(values, 2 * len(values))
    return np.fft.irfft(spectrum * spectrum.conj())[: len(values)] / len(values)


def _reach(correlation: np.ndarray, count: int) -> int:
    """Lags that count: twice the last one before a run of insignificant ones (Politis and White 2004)."""
    small = np.abs(correlation[1:]) < 2.0 * math.sqrt(math.log10(count) / count)
    quiet = np.convolve(small, np.ones(QUIET), "valid") == QUIET
    last = int(np.argmax(quiet)) if quiet.any() else count // 4
    return int(min(2 * max(last, 1), count - 1))


def _draw(rest: np.ndarray, seen: np.ndarray, block: int, seed: int) -> float:
    """The variance of the mean over series put together of blocks that are drawn from this one."""
    sums, counts = (np.concatenate([[0.0], np.cumsum(each)]) for each in (rest, seen.astype(float)))
    sums, counts = sums[block:] - sums[:-block], counts[block:] - counts[:-block]
    blocks = math.ceil(len(rest) / block)
    at_once = min(DRAWS, max(1, BLOCKS_AT_ONCE // blocks))
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(math.ceil(min(DRAWS, max(LEAST_DRAWS, MOST_BLOCKS // blocks)) / at_once)):
        chosen = rng.integers(len(sums), size=(at_once, blocks))
        drawn = counts[chosen].sum(axis=1)
        means.append(sums[chosen].sum(axis=1)[drawn > 0] / drawn[drawn > 0])
    return float(np.concatenate(means).var()) * blocks * block / len(rest)
