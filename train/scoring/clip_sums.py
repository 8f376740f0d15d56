"""Figures of merit from sums over clips: so that a thousand resamples of the clips cost a matrix product.

The same figures as train.metrics gives (the tests compare them), for pooled frames, and their bootstrap intervals.
"""

import warnings

import numpy as np

from train.metrics import RELATIVE_ZERO

FIGURES = ("rmse", "pcc", "ccc", "icc", "sagr")
COUNT, P, T, PP, TT, PT, SQUARES, AGREED = range(8)
"""Places of the sums over frames: 1, p, t, p^2, t^2, pt, (p - t)^2 and equal signs."""
ROUNDS = 1000


def clip_sums(prediction: np.ndarray, target: np.ndarray, clip: np.ndarray, count: int) -> np.ndarray:
    """The sums (count, 8, 2) over the frames of each clip, by axis.

    prediction and target (M, 2); clip (M,) int in range(count).
    """
    p, t = prediction.astype(np.float64), target.astype(np.float64)
    terms = [np.ones_like(p), p, t, p * p, t * t, p * t, (p - t) ** 2, ((p >= 0) == (t >= 0)).astype(float)]
    return np.stack([_per_clip(term, clip, count) for term in terms], axis=1)


def change_sums(prediction: np.ndarray, clip: np.ndarray, quiet: np.ndarray, count: int) -> np.ndarray:
    """The number and the sum (count, 2, 2) of the changes |p - p before|, by axis, of the frames that are quiet (M,).

    Rows are in order of clip and time; the first frame is never quiet.
    """
    change = np.abs(np.diff(prediction.astype(np.float64), axis=0, prepend=prediction[:1]))[quiet]
    return np.stack([_per_clip(term, clip[quiet], count) for term in (np.ones_like(change), change)], axis=1)


def figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Every figure (..., 3), of valence, arousal and their mean, from sums (..., 8, 2); NaN where there is no frame."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / sums[..., :1, :]
        mean_p, mean_t = mean[..., P, :], mean[..., T, :]
        var_p, var_t = _variance(mean[..., PP, :], mean_p), _variance(mean[..., TT, :], mean_t)
        covariance = mean[..., PT, :] - mean_p * mean_t
        constant = (var_p == 0) | (var_t == 0)
        by_axis = {
            "rmse": np.sqrt(mean[..., SQUARES, :]),
            "pcc": np.where(constant, 0, covariance / np.sqrt(var_p * var_t)),
            "ccc": np.where(constant, 0, 2 * covariance / (var_p + var_t + (mean_p - mean_t) ** 2)),
            "icc": np.where(constant, 0, 2 * covariance / (var_p + var_t)),
            "sagr": mean[..., AGREED, :],
        }
    empty = sums[..., COUNT, :] == 0
    return {name: _with_average(np.where(empty, np.nan, value)) for name, value in by_axis.items()}


def trembling(sums: np.ndarray) -> np.ndarray:
    """The mean change (..., 3), of valence, arousal and their mean, from sums (..., 2, 2); NaN without any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return _with_average(sums[..., 1, :] / sums[..., 0, :])


def per_clip(sums: np.ndarray) -> dict[str, np.ndarray]:
    """rmse, pcc and ccc (C, 3) of each clip from sums (C, 8, 2); a correlation is NaN where the truth is constant."""
    every = figures(sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums / sums[..., :1, :]
    constant = ~(_variance(mean[..., TT, :], mean[..., T, :]) > 0)
    undefined = np.concatenate([constant, constant.any(axis=1, keepdims=True)], axis=1)
    return {name: np.where(undefined & (name != "rmse"), np.nan, every[name]) for name in ("rmse", "pcc", "ccc")}


def draws(clips: int, rounds: int = ROUNDS, seed: int = 0) -> np.ndarray:
    """How often each of the clips stands in each resample: (rounds, clips) float64, every row with the sum `clips`.

    (0, 1) of one clip alone: resamples of it are all the same, and would make an interval of no width.
    """
    if clips < 2:
        return np.empty((0, clips))
    return np.random.default_rng(seed).multinomial(clips, np.full(clips, 1 / clips), rounds).astype(np.float64)


def resampled(sums: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The sums (rounds, ...) over the clips of each resample: sums (C, ...) of each clip, drawn (rounds, C)."""
    return (drawn @ sums.reshape(len(sums), -1)).reshape(len(drawn), *sums.shape[1:])


def resampled_mean(values: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The mean (rounds, ...) over each resample's clips of values (C, ...) that have one; NaN where none has."""
    held = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return resampled(np.where(held, values, 0), drawn) / resampled(held.astype(float), drawn)


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval, low (...) and high (...), of values (rounds, ...); NaN drops out.

    NaN where no round is left.
    """
    if not len(values):
        none = np.full(values.shape[1:], np.nan)
        return none, none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(values, [2.5, 97.5], axis=0)
    return low, high


def _per_clip(values: np.ndarray, clip: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(clip, column, count) for column in values.T], axis=1)


def _variance(square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """0 where what is left of the difference is rounding."""
    variance = square - mean**2
    return np.where(variance <= RELATIVE_ZERO * square, 0.0, variance)


def _with_average(by_axis: np.ndarray) -> np.ndarray:
    return np.concatenate([by_axis, by_axis.mean(axis=-1, keepdims=True)], axis=-1)
