"""Figures of merit for valence and arousal: numpy, population moments (divided by N), weights where they make sense.

A constant prediction or target has no correlation: pcc, ccc and icc are then 0, without a warning. Two constants that
are equal are 0 too: agreement about nothing that varies is no merit. NaN in gives NaN out.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Weights = np.ndarray | None

RELATIVE_ZERO = 1e-12
"""A variance below this share of the squared mean is rounding: the values are one constant."""


class Moments(NamedTuple):
    """Weighted population moments of a prediction p and a target t."""

    mean_p: float
    mean_t: float
    var_p: float
    var_t: float
    covariance: float


def moments(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> Moments:
    """Moments of prediction (N,) and target (N,); weights (N,) of any positive scale. ValueError if shapes differ."""
    p, t, w = _checked(prediction, target, weights)
    mean_p, mean_t = float(w @ p), float(w @ t)
    dp, dt = p - mean_p, t - mean_t
    var_p, var_t = float(w @ dp**2), float(w @ dt**2)
    return Moments(mean_p, mean_t, _unrounded(var_p, mean_p), _unrounded(var_t, mean_t), float(w @ (dp * dt)))


def ccc(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> float:
    """Concordance correlation coefficient in [-1, 1] of prediction (N,) with target (N,); Lin 1989."""
    m = moments(prediction, target, weights)
    return _ratio(2 * m.covariance, m.var_p + m.var_t + (m.mean_p - m.mean_t) ** 2, m)


def pcc(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> float:
    """Pearson's correlation in [-1, 1] of prediction (N,) with target (N,)."""
    m = moments(prediction, target, weights)
    return _ratio(m.covariance, float(np.sqrt(m.var_p * m.var_t)), m)


def icc(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> float:
    """Intra-class correlation ICC(3,1), two raters, consistency: 2 cov / (var + var), in [-1, 1]."""
    m = moments(prediction, target, weights)
    return _ratio(2 * m.covariance, m.var_p + m.var_t, m)


def rmse(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> float:
    """Root of the (weighted) mean squared error, in the unit of the values."""
    p, t, w = _checked(prediction, target, weights)
    return float(np.sqrt(w @ (p - t) ** 2))


def sagr(prediction: np.ndarray, target: np.ndarray, weights: Weights = None) -> float:
    """Sign agreement: the (weighted) share in [0, 1] of equal signs; zero counts as positive, as in quadrant_of."""
    p, t, w = _checked(prediction, target, weights)
    return float(w @ ((p >= 0) == (t >= 0)))


def quadrant_of(affect: np.ndarray, threshold: float = 0.0) -> np.ndarray:
    """Quadrants (N,) int64 of affect (N, 2): 0 V+A+, 1 V-A+, 2 V-A-, 3 V+A-; a value at the threshold is high."""
    low_valence, low_arousal = (np.asarray(affect) < threshold).T
    return np.where(low_arousal, np.where(low_valence, 2, 3), np.where(low_valence, 1, 0))


def macro_accuracy(predicted: np.ndarray, true: np.ndarray, classes: int) -> float:
    """Mean over the classes that occur in true (N,) of the share of each that predicted (N,) names; in [0, 1]."""
    predicted, true = np.asarray(predicted), np.asarray(true)
    if predicted.shape != true.shape or true.size == 0:
        raise ValueError(f"got shapes {predicted.shape} and {true.shape}; expected equal (N,) with N > 0")
    counts = np.bincount(true, minlength=classes)
    hits = np.bincount(true[predicted == true], minlength=classes)
    present = counts > 0
    return float(np.mean(hits[present] / counts[present]))


def balanced_weights(classes: np.ndarray) -> np.ndarray:
    """Weights (N,) float64 with mean 1 that let each class that occurs in classes (N,) int weigh alike in all."""
    _, inverse, counts = np.unique(np.asarray(classes), return_inverse=True, return_counts=True)
    return len(inverse) / (len(counts) * counts[inverse])


def group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For each row of values (N, K) the mean (N, K) over the rows of its group, group (N,) int."""
    _, index, counts = np.unique(group, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(index, column) for column in values.T], axis=1)
    return (sums / counts[:, None])[index]


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank (N,) float64 of each of values (N,), from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def spearman(values: np.ndarray, others: np.ndarray) -> float:
    """Spearman's rank correlation in [-1, 1] of values (N,) with others (N,)."""
    return pcc(ranks(values), ranks(others))


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The area under the ROC curve in [0, 1] with which scores (N,) tell positive (N,) bool; NaN where all are alike.

    The chance that a positive one has the higher score than another one; equal scores count half.
    """
    positive = np.asarray(positive, bool)
    hits = int(positive.sum())
    pairs = hits * (len(positive) - hits)
    return float((ranks(scores)[positive].sum() - hits * (hits + 1) / 2) / pairs) if pairs else float("nan")


def bootstrap_interval(
    statistic: Callable[[np.ndarray], Any], n: int, rounds: int = 1000, seed: int = 0
) -> tuple[Any, Any]:
    """95 % percentile interval (low, high) of statistic(rows), rows (n,) drawn with replacement from range(n).

    statistic gives a number or an array of figures; low and high have its shape.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(0, n, n)) for _ in range(rounds)])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return low, high


def _checked(prediction: np.ndarray, target: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, t = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    w = np.ones(p.shape) if weights is None else np.asarray(weights, np.float64)
    if p.ndim != 1 or not p.shape == t.shape == w.shape or p.size == 0:
        raise ValueError(f"got shapes {p.shape}, {t.shape} and weights {w.shape}; expected equal (N,) with N > 0")
    if not w.sum() > 0 or w.min() < 0:
        raise ValueError("weights must not be negative, nor all zero")
    return p, t, w / w.sum()


def _unrounded(variance: float, mean: float) -> float:
    return 0.0 if variance <= RELATIVE_ZERO * mean**2 else variance


def _ratio(numerator: float, denominator: float, m: Moments) -> float:
    return 0.0 if m.var_p == 0 or m.var_t == 0 else numerator / denominator
