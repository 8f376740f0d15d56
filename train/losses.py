"""The affect loss of ANCLaF (Aspandi et al. 2021, Eq. 10 to 14), its printed errors mended, and what stage one adds."""

import numpy as np
import torch
from torch import Tensor

BINS = 10
"""Of each axis, over [-1, 1]: 2 label units of AFEW-VA's 20 (the paper's discretisation by 10)."""


LOG_DEVIATIONS = (-4.0, 1.0)
"""Least and largest logarithm of a deviation that the loss tells apart: .018 and 2.7."""
CAP_ROUNDS = 50
"""Of capping and bringing the mean back to 1, which capping has lowered."""


def moments(prediction: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Weighted means, variances and covariance of the columns of prediction, target (B, 2); weights (B,) or (B, 2)."""
    share = _shares(weights)
    prediction_mean, target_mean = (share * prediction).sum(0), (share * target).sum(0)
    p, t = prediction - prediction_mean, target - target_mean
    return prediction_mean, target_mean, (share * p * p).sum(0), (share * t * t).sum(0), (share * p * t).sum(0)


def affect_loss(prediction: Tensor, target: Tensor, weights: Tensor, epsilon: float = 1e-4) -> Tensor:
    """RMSE + (1 - PCC) + (1 - CCC) + (1 - ICC), mean of the two axes, as weighted statistics across the batch.

    prediction, target (B, 2); weights (B,), or (B, 2) for each axis its own. The paper adds PCC, CCC and ICC to what it
    minimises and prints a difference where the covariance has a product; ICC is ICC(3,1). `epsilon` keeps batches of
    equal labels finite.
    """
    p_mean, t_mean, p_var, t_var, covariance = moments(prediction, target, weights)
    share = _shares(weights)
    rmse = ((share * (prediction - target) ** 2).sum(0) + epsilon).sqrt()
    pcc = covariance / ((p_var + epsilon) * (t_var + epsilon)).sqrt()
    icc = 2 * covariance / (p_var + t_var + epsilon)
    ccc = 2 * covariance / (p_var + t_var + (p_mean - t_mean) ** 2 + epsilon)
    return (rmse + (1 - pcc) + (1 - ccc) + (1 - icc)).mean()


def deviation_loss(log_deviation: Tensor, prediction: Tensor, target: Tensor) -> Tensor:
    """Mean negative log likelihood of the errors (B, 2) under normal deviations, less a constant; all are (B, 2).

    It teaches the deviation alone: the prediction takes no gradient from it, which would harm it (Seitzer et al. 2022).
    """
    log_deviation = log_deviation.clamp(*LOG_DEVIATIONS)
    error = (prediction - target).detach()
    return (log_deviation + 0.5 * error**2 * torch.exp(-2 * log_deviation)).mean()


def _shares(weights: Tensor) -> Tensor:
    """(B, 1) or (B, 2), of sum 1 along B."""
    weights = weights[:, None] if weights.ndim == 1 else weights
    return weights / weights.sum(0).clamp(min=1e-8)


def bin_weights(affect: np.ndarray, power: float = 1.0, cap: float = 10.0, bins: int = BINS) -> np.ndarray:
    """(N, 2) float32, mean 1: each axis of affect (N, 2) by its bin's frequency to the power -`power`, at most `cap`.

    The paper's text weighs by the frequency itself, which would make the common matter more (its f_i/F in Eq. 10).
    """
    edges = np.linspace(-1, 1, bins + 1)[1:-1]
    weights = np.empty(affect.shape, np.float32)
    for axis, values in enumerate(affect.T):
        index = np.digitize(values, edges)
        share = np.maximum(np.bincount(index, minlength=bins), 1)[index] / len(values)
        own = share**-power
        for _ in range(CAP_ROUNDS):
            own = np.minimum(own / own.mean(), cap)
        weights[:, axis] = own
    return weights


def soft_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy of logits (B, K) against distributions (B, K); weights (B,)."""
    losses = -(target * torch.log_softmax(logits.float(), dim=1)).sum(1)
    return (weights * losses).sum() / weights.sum().clamp(min=1e-8)


def soft_quadrants(affect: Tensor, width: float) -> Tensor:
    """(N, 4) quadrant probabilities of affect (N, 2): a sigmoid of each axis over `width`, half and half on it."""
    valence, arousal = torch.sigmoid(affect / width).unbind(1)
    return torch.stack(
        [valence * arousal, (1 - valence) * arousal, (1 - valence) * (1 - arousal), valence * (1 - arousal)], dim=1
    )
