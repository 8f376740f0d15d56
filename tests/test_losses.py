"""The losses against scikit-learn, scipy and numpy."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import log_loss, mean_squared_error

from train.losses import affect_loss, bin_weights, moments, soft_cross_entropy, soft_quadrants
from train.metrics import quadrant_of

RNG = np.random.default_rng(0)
TARGET = RNG.uniform(-1, 1, (200, 2))
PREDICTION = 0.6 * TARGET + RNG.normal(0, 0.2, (200, 2)) + (0.1, -0.2)
WEIGHTS = RNG.uniform(0.2, 3, 200)


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


def test_weighted_moments_are_numpys() -> None:
    p_mean, t_mean, p_var, t_var, covariance = moments(*tensors(PREDICTION, TARGET, WEIGHTS))
    for axis in range(2):
        expected = np.cov(PREDICTION[:, axis], TARGET[:, axis], aweights=WEIGHTS, ddof=0)
        got = [[p_var[axis], covariance[axis]], [covariance[axis], t_var[axis]]]
        assert np.allclose(got, expected)
    assert np.allclose(p_mean, np.average(PREDICTION, axis=0, weights=WEIGHTS))
    assert np.allclose(t_mean, np.average(TARGET, axis=0, weights=WEIGHTS))


def test_affect_loss_without_weights() -> None:
    expected = 0.0
    for p, t in zip(PREDICTION.T, TARGET.T, strict=True):
        pcc = stats.pearsonr(p, t)[0]
        ccc = 2 * np.cov(p, t, ddof=0)[0, 1] / (p.var() + t.var() + (p.mean() - t.mean()) ** 2)
        icc = 2 * np.cov(p, t, ddof=0)[0, 1] / (p.var() + t.var())
        expected += (np.sqrt(mean_squared_error(t, p)) + 3 - pcc - ccc - icc) / 2
    got = affect_loss(*tensors(PREDICTION, TARGET, np.ones(200)), epsilon=0.0)
    assert float(got) == pytest.approx(expected, abs=1e-9)


def test_an_example_of_weight_two_is_two_examples() -> None:
    weights = np.ones(200)
    weights[:50] = 2
    doubled = [np.concatenate([a, a[:50]]) for a in (PREDICTION, TARGET)]
    once = affect_loss(*tensors(PREDICTION, TARGET, weights))
    assert float(once) == pytest.approx(float(affect_loss(*tensors(*doubled, np.ones(250)))), abs=1e-9)


def test_perfect_is_best_and_constant_labels_stay_finite() -> None:
    target, weights = tensors(TARGET, WEIGHTS)
    assert float(affect_loss(target, target, weights)) < 0.02
    prediction = torch.zeros(8, 2, requires_grad=True)
    loss = affect_loss(prediction, torch.full((8, 2), 0.5), torch.ones(8))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(prediction.grad).all()


def test_soft_cross_entropy_is_sklearns_for_hard_targets() -> None:
    logits, labels = RNG.normal(size=(200, 4)), RNG.integers(0, 4, 200)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = log_loss(labels, probabilities, sample_weight=WEIGHTS)
    got = soft_cross_entropy(*tensors(logits, np.eye(4)[labels], WEIGHTS))
    assert float(got) == pytest.approx(expected, abs=1e-5)


def test_soft_quadrants() -> None:
    affect = torch.from_numpy(TARGET)
    soft = soft_quadrants(affect, 0.1)
    assert torch.allclose(soft.sum(1), torch.ones(200, dtype=soft.dtype))
    assert np.array_equal(soft.argmax(1), quadrant_of(TARGET))
    assert torch.allclose(soft_quadrants(torch.zeros(1, 2), 0.1), torch.full((1, 4), 0.25))
    on_axis = soft_quadrants(torch.tensor([[0.9, 0.0]]), 0.1)[0]
    assert on_axis[0] == pytest.approx(on_axis[3])
    assert on_axis[0] > 0.49


def test_bin_weights_are_the_inverse_frequency_of_ten_bins() -> None:
    values = np.repeat([-0.95, 0.05, 0.95], [10, 60, 30])
    weights = bin_weights(np.stack([values, values], 1), cap=100.0)
    for value, share in ((-0.95, 0.1), (0.05, 0.6), (0.95, 0.3)):
        # three bins that weigh alike: each has a third of the sum
        assert np.allclose(weights[values == value], 1 / 3 / share, rtol=1e-5)


def test_bin_weights_are_capped_with_a_mean_of_one() -> None:
    values = np.repeat([-0.95, 0.05, 0.95], [1, 996, 3])
    weights = bin_weights(np.stack([values, -values], 1), cap=10.0)
    assert weights.max() <= 10.0
    assert weights.mean(0).tolist() == pytest.approx([1, 1], abs=1e-3)
    assert (bin_weights(np.stack([values, values], 1), power=0.0) == 1).all()


def test_each_axis_has_its_own_weights() -> None:
    both = np.stack([WEIGHTS, WEIGHTS[::-1]], 1).copy()
    p, t = torch.from_numpy(PREDICTION), torch.from_numpy(TARGET)
    together = affect_loss(p, t, torch.from_numpy(both))
    alone = [affect_loss(p[:, [i, i]], t[:, [i, i]], torch.from_numpy(both[:, i].copy())) for i in range(2)]
    assert float(together) == pytest.approx(float(sum(alone)) / 2)
