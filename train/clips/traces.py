"""Traces of valence and arousal: as AFEW-VA's annotators move them, and livelier ones, as smooth curves over time.

Statistics of AFEW-VA (Kossaifi et al. 2017) as measured on its published labels. Label units are its whole numbers, -10
to 10. Every function draws from the generator it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

RATE_HZ = 25.0
"""Of the frames that AFEW-VA annotates."""
LENGTH = (3.774, 0.542, 10, 145)
"""Frames of a clip: mean and standard deviation of the logarithm, least and most."""
LIMITS = (-10, 9)
FROZEN_SHARE = 0.09
"""Clips that stay constant, beside those in which nothing happens by chance."""
COUPLING = 0.13
"""Chance that arousal changes in a frame in which valence does."""
START_CORRELATION = -0.25

Curve = Callable[[np.ndarray], np.ndarray]
"""Seconds (T,) to values (T,); constant before its beginning and after its end."""


@dataclass(frozen=True)
class Axis:
    """How one axis is annotated over time: a renewal process of single steps."""

    hazard: float
    """Chance of a change per frame of a clip that is not frozen, up to `plateau` frames after the last change; it
    decays from there."""
    decay: float
    """Frames."""
    rate: float
    """Mean chance of a change per frame."""
    up: float
    """Share of the changes that go up."""
    same: float
    """Chance that a change has the sign of the one before."""
    start: tuple[float, float, float]
    """First frame: mean and standard deviation where it is drawn, and share of clips that begin at 0 instead."""
    plateau: int = 12
    double: float = 0.013
    """Share of changes by 2."""

    def chance(self, age: int) -> float:
        """Of a change, `age` frames after the last one."""
        return self.hazard * float(np.exp(-max(age - self.plateau, 0) / self.decay))

    def next_sign(self, last: int, draw: float) -> int:
        """1 or -1 after the sign `last` (0: none yet); a chain of two states with the shares `up` and `same`."""
        leave = {1: (1 - self.same) / (2 * self.up), -1: (1 - self.same) / (2 * (1 - self.up))}
        if last == 0:
            return 1 if draw < self.up else -1
        return -last if draw < leave[last] else last


VALENCE = Axis(hazard=0.074, decay=13, rate=0.0485, up=0.43, same=0.52, start=(-1.10, 2.61, 0.21))
AROUSAL = Axis(hazard=0.078, decay=14, rate=0.0528, up=0.66, same=0.57, start=(2.03, 2.16, 0.04))


def draw_length(rng: np.random.Generator) -> int:
    """Frames of a clip."""
    mean, deviation, least, most = LENGTH
    return int(np.clip(round(rng.lognormal(mean, deviation)), least, most))


def simulate_labels(rng: np.random.Generator, length: int) -> np.ndarray:
    """(length, 2) int: valence and arousal of the frames of one clip at RATE_HZ, in label units."""
    labels = np.empty((length, 2), int)
    labels[:] = _start(rng)
    if rng.random() < FROZEN_SHARE:
        return labels
    draws = rng.random((length, 2, 3))
    walks = (_Walk(VALENCE, int(labels[0, 0])), _Walk(AROUSAL, int(labels[0, 1])))
    quiet = (AROUSAL.rate - VALENCE.rate * COUPLING) / (1 - VALENCE.rate)
    for t in range(1, length):
        moved = walks[0].step(draws[t, 0], 1.0)
        walks[1].step(draws[t, 1], (COUPLING if moved else quiet) / AROUSAL.rate)
        labels[t] = walks[0].value, walks[1].value
    return labels


class _Walk:
    """One axis of one clip while it is being drawn."""

    def __init__(self, axis: Axis, value: int) -> None:
        self.value = value
        self._axis, self._age, self._sign = axis, 0, 0

    def step(self, draws: np.ndarray, factor: float) -> bool:
        """Go on by a frame with three numbers from [0, 1); whether the value changed."""
        self._age += 1
        if draws[0] >= self._axis.chance(self._age) * factor:
            return False
        self._sign = self._axis.next_sign(self._sign, float(draws[1]))
        before = self.value
        self.value = int(np.clip(before + self._sign * (2 if draws[2] < self._axis.double else 1), *LIMITS))
        self._age = 0
        return self.value != before


def _start(rng: np.random.Generator) -> np.ndarray:
    """(2,) int: valence and arousal of a clip's first frame."""
    noise = rng.multivariate_normal((0, 0), ((1, START_CORRELATION), (START_CORRELATION, 1)))
    zero = rng.random(2)
    values = [
        0 if z < axis.start[2] else round(axis.start[0] + axis.start[1] * n)
        for axis, n, z in zip((VALENCE, AROUSAL), noise, zero, strict=True)
    ]
    return np.clip(values, *LIMITS)


def smooth(labels: np.ndarray, rate_hz: float = RATE_HZ) -> Curve:
    """The smooth curve whose rounding gives the labels (T,) int of one axis at the times 0, 1 / rate_hz, ...

    It crosses half-way between two frames where the label changes, and holds the label itself amid each run.
    """
    changes = np.flatnonzero(np.diff(labels)) + 1
    times, values = [0.0], [float(labels[0])]
    for start, end in pairwise((*changes, len(labels))):
        before, now = float(labels[start - 1]), float(labels[start])
        half = 0.5 if now > before else -0.5
        # a step of 2 crosses two borders between one frame and the next
        times += [start - 0.5] if abs(now - before) == 1 else [start - 0.75, start - 0.25]
        values += [before + half] if abs(now - before) == 1 else [before + half, now - half]
        if end < len(labels):
            times.append((start + end - 1) / 2)
            values.append(now)
    if len(labels) > 1:
        times.append(len(labels) - 1.0)
        values.append(float(labels[-1]))
    return curve(np.array(times) / rate_hz, np.array(values))


def simulate_lively(
    rng: np.random.Generator, seconds: float, low: float, high: float, least_move: float = 4.0
) -> Curve:
    """Holds of 0.1 to 0.9 s, and moves of 0.2 to 0.6 s by at least `least_move` (or as far as there is room).

    Values lie in [low, high], in label units; the first move begins within 0.6 s.
    """
    least = min(least_move, 0.6 * (high - low))
    now, value = rng.uniform(0.1, 0.6), rng.uniform(low, high)
    times, values = [0.0, now], [value, value]
    while now < seconds:
        value = _elsewhere(rng, value, low, high, least)
        now += rng.uniform(0.2, 0.6)
        hold = rng.uniform(0.1, 0.9)
        times += [now, now + hold]
        values += [value, value]
        now += hold
    return curve(np.array(times), np.array(values))


def _elsewhere(rng: np.random.Generator, value: float, low: float, high: float, least: float) -> float:
    """A value of [low, high] at least `least` away; where neither side has room for that, the farther end."""
    below, above = max(value - least - low, 0.0), max(high - value - least, 0.0)
    if below + above == 0:
        return low if value - low > high - value else high
    at = rng.uniform(-below, above)
    return float(value - least + at if at < 0 else value + least + at)


def curve(times: np.ndarray, values: np.ndarray) -> Curve:
    """The monotone cubic curve through the values (K,) at the rising times (K,), without overshoot."""
    if len(times) == 1:
        return lambda at: np.full(np.shape(at), float(values[0]))
    through = PchipInterpolator(times, values)
    return lambda at: through(np.clip(at, times[0], times[-1]))
