"""Figures of merit on the test faces with bootstrap intervals: means over faces, and what follows from such means."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from train.metrics import RELATIVE_ZERO
from train.scoring import clip_sums

Formula = Callable[[np.ndarray], np.ndarray]
"""From means (..., K) over faces to a figure (...)."""


class Figure(NamedTuple):
    """A figure with its 95 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Resamples:
    """The test faces, drawn anew by whole subjects, the same way for all that is measured."""

    subject: np.ndarray
    """(N,) int in range(S): whose face each is."""
    drawn: np.ndarray
    """(rounds, S) float64: how often each resample holds each subject."""

    @classmethod
    def of(cls, subject: np.ndarray, rounds: int, seed: int) -> "Resamples":
        """Resamples of faces whose subjects (N,) are any numbers."""
        names, index = np.unique(subject, return_inverse=True)
        return cls(index, clip_sums.draws(len(names), rounds, seed))

    def figure(self, terms: np.ndarray, formula: Formula) -> Figure:
        """What formula makes of the means over the faces of terms (N, K), with its interval."""
        counted = np.column_stack([np.ones(len(terms)), terms])
        sums = np.stack([np.bincount(self.subject, term) for term in counted.T], axis=1)
        again = clip_sums.resampled(sums, self.drawn)
        low, high = clip_sums.interval(formula(again[:, 1:] / again[:, :1]))
        return Figure(float(formula(counted[:, 1:].mean(axis=0))), float(low), float(high))

    def mean(self, values: np.ndarray) -> Figure:
        """The mean of values (N,): of errors, of hits."""
        return self.figure(values[:, None], lambda means: means[..., 0])

    def ratio(self, values: np.ndarray, others: np.ndarray) -> Figure:
        """The mean of values (N,) over that of others (N,); NaN where that is nought."""
        return self.figure(np.column_stack([values, others]), _ratio)

    def r_squared(self, prediction: np.ndarray, target: np.ndarray) -> Figure:
        """1 less the mean squared error over the target's variance, of prediction and target (N,)."""
        error, target = _error(prediction, target)
        return self.figure(np.column_stack([error**2, target, target**2]), _unexplained)

    def explained_variance(self, prediction: np.ndarray, target: np.ndarray) -> Figure:
        """As r_squared, but that a constant error is forgiven."""
        error, target = _error(prediction, target)
        terms = np.column_stack([error, error**2, target, target**2])
        return self.figure(terms, lambda m: _unexplained(np.stack([_variance(m[..., :2]), *_last(m)], axis=-1)))

    def agreement(self, prediction: np.ndarray, target: np.ndarray) -> dict[str, list[Figure]]:
        """clip_sums.FIGURES of prediction and target (N, 2): valence's, arousal's and their mean."""
        sums = clip_sums.clip_sums(prediction, target, self.subject, self.drawn.shape[1])
        values = clip_sums.figures(sums.sum(axis=0))
        again = clip_sums.figures(clip_sums.resampled(sums, self.drawn))
        return {
            name: [Figure(*each) for each in zip(values[name], *clip_sums.interval(again[name]), strict=True)]
            for name in clip_sums.FIGURES
        }


def _ratio(means: np.ndarray) -> np.ndarray:
    return means[..., 0] / np.where(means[..., 1] == 0, np.nan, means[..., 1])


def _error(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target = np.asarray(target, np.float64)
    return np.asarray(prediction, np.float64) - target, target


def _unexplained(means: np.ndarray) -> np.ndarray:
    """1 - e / variance of means (..., 3): e, the target and its square; NaN where the target is one constant."""
    variance = _variance(means[..., 1:])
    return 1 - means[..., 0] / np.where(variance > 0, variance, np.nan)


def _variance(means: np.ndarray) -> np.ndarray:
    """Of means (..., 2) of a value and its square; 0 where what is left of the difference is rounding."""
    variance = means[..., 1] - means[..., 0] ** 2
    return np.where(variance <= RELATIVE_ZERO * means[..., 1], 0.0, variance)


def _last(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return means[..., 2], means[..., 3]
