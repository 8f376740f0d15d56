"""The metrics against scipy, scikit-learn and formulas in another form."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, mean_squared_error, roc_auc_score

from train import metrics

Metric = Callable[..., float]
CORRELATIONS = [metrics.ccc, metrics.pcc, metrics.icc]


def pair(seed: int = 0, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A target and a prediction of it that is too small, shifted and noisy."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(-1, 1, n)
    return 0.6 * target + 0.1 + 0.2 * rng.normal(size=n), target


def whole_weights(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 5, n)


def anova_icc31(ratings: np.ndarray) -> float:
    """ICC(3,1) of ratings (N, k) from the mean squares of a two-way analysis of variance (Shrout and Fleiss)."""
    n, k = ratings.shape
    grand = ratings.mean()
    rows = k * ((ratings.mean(axis=1) - grand) ** 2).sum()
    columns = n * ((ratings.mean(axis=0) - grand) ** 2).sum()
    rest = ((ratings - grand) ** 2).sum() - rows - columns
    between, error = rows / (n - 1), rest / ((n - 1) * (k - 1))
    return (between - error) / (between + (k - 1) * error)


@pytest.mark.parametrize("seed", range(3))
def test_pcc_is_scipys_pearsonr(seed: int) -> None:
    p, t = pair(seed)
    assert metrics.pcc(p, t) == pytest.approx(stats.pearsonr(p, t).statistic, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_rmse_is_sklearns(seed: int) -> None:
    p, t = pair(seed)
    w = np.random.default_rng(seed).random(len(p))
    assert metrics.rmse(p, t) == pytest.approx(mean_squared_error(t, p) ** 0.5, rel=1e-12)
    assert metrics.rmse(p, t, w) == pytest.approx(mean_squared_error(t, p, sample_weight=w) ** 0.5, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_icc_is_that_of_an_analysis_of_variance(seed: int) -> None:
    p, t = pair(seed)
    assert metrics.icc(p, t) == pytest.approx(anova_icc31(np.stack([p, t], axis=1)), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_ccc_is_one_minus_the_ratio_of_squared_errors(seed: int) -> None:
    """Lin's first form: 1 - E(p - t)^2 / (its expectation if p and t were independent)."""
    p, t = pair(seed)
    independent = ((p[:, None] - t[None, :]) ** 2).mean()
    assert metrics.ccc(p, t) == pytest.approx(1 - ((p - t) ** 2).mean() / independent, abs=1e-12)


def test_ccc_is_pcc_times_lins_bias_factor() -> None:
    p, t = pair()
    scale = p.std() / t.std()
    shift = (p.mean() - t.mean()) / np.sqrt(p.std() * t.std())
    expected = stats.pearsonr(p, t).statistic * 2 / (scale + 1 / scale + shift**2)
    assert metrics.ccc(p, t) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", [*CORRELATIONS, metrics.rmse, metrics.sagr])
def test_whole_weights_are_repetitions_of_any_scale(metric: Metric) -> None:
    p, t = pair()
    w = whole_weights(len(p))
    expected = metric(np.repeat(p, w), np.repeat(t, w))
    assert metric(p, t, w) == pytest.approx(expected, abs=1e-12)
    assert metric(p, t, 7.5 * w) == pytest.approx(expected, abs=1e-12)
    assert metric(p, t, np.ones(len(p))) == pytest.approx(metric(p, t), abs=1e-15)


@pytest.mark.parametrize("metric", CORRELATIONS)
def test_perfect_and_opposite(metric: Metric) -> None:
    t = pair()[1]
    t = t - t.mean()
    assert metric(t, t) == pytest.approx(1)
    assert metric(-t, t) == pytest.approx(-1)


def test_only_ccc_pays_for_a_shift_and_only_pcc_forgives_a_scale() -> None:
    t = pair()[1]
    assert [m(t + 0.5, t) == pytest.approx(1) for m in CORRELATIONS] == [False, True, True]
    assert [m(0.5 * t, t) == pytest.approx(1) for m in CORRELATIONS] == [False, True, False]


@pytest.mark.parametrize("metric", CORRELATIONS)
@pytest.mark.parametrize("constant", [0.0, 0.1, -0.7, 1e6])
def test_a_constant_correlates_with_nothing_and_does_not_warn(metric: Metric, constant: float) -> None:
    p, t = np.full(200, constant), pair()[1]
    rounded = np.full(200, constant, np.float32) * np.float32(1 + 1e-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metric(p, t) == metric(t, p) == metric(p, p) == metric(rounded, t) == 0
        assert metric(p, t, whole_weights(200)) == 0


@pytest.mark.parametrize("metric", [*CORRELATIONS, metrics.rmse])
def test_nan_is_not_hidden(metric: Metric) -> None:
    p, t = pair()
    p[3] = np.nan
    assert np.isnan(metric(p, t))


@pytest.mark.parametrize(
    ("prediction", "target", "weights", "message"),
    [
        (np.zeros(3), np.zeros(4), None, r"\(3,\), \(4,\)"),
        (np.zeros(0), np.zeros(0), None, "N > 0"),
        (np.zeros((3, 2)), np.zeros((3, 2)), None, r"\(3, 2\)"),
        (np.zeros(3), np.zeros(3), np.ones(2), r"weights \(2,\)"),
        (np.zeros(3), np.zeros(3), np.zeros(3), "nor all zero"),
        (np.zeros(3), np.zeros(3), np.array([1, -1, 1]), "must not be negative"),
    ],
)
def test_wrong_shapes_and_weights_are_named(
    prediction: np.ndarray, target: np.ndarray, weights: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.ccc(prediction, target, weights)


@pytest.mark.parametrize(
    ("prediction", "target", "share"),
    [([1, -1], [0.2, -3], 1.0), ([1, 1], [1, -1], 0.5), ([0, 0], [0.5, -0.5], 0.5), ([0], [0], 1.0), ([-1], [0], 0.0)],
)
def test_sagr_counts_zero_as_positive(prediction: list, target: list, share: float) -> None:
    assert metrics.sagr(np.array(prediction), np.array(target)) == share


QUADRANT_CASES = [
    ((0.5, 0.5), 0.0, 0),
    ((-0.5, 0.5), 0.0, 1),
    ((-0.5, -0.5), 0.0, 2),
    ((0.5, -0.5), 0.0, 3),
    ((0.0, 0.0), 0.0, 0),
    ((-0.1, 0.0), 0.0, 1),
    ((0.0, -0.1), 0.0, 3),
    ((0.4, 0.6), 0.5, 1),
    ((0.5, 0.4), 0.5, 3),
]


@pytest.mark.parametrize(("affect", "threshold", "quadrant"), QUADRANT_CASES)
def test_quadrants_run_counter_clockwise_and_the_threshold_is_high(
    affect: tuple, threshold: float, quadrant: int
) -> None:
    assert metrics.quadrant_of(np.array([affect]), threshold).tolist() == [quadrant]


def test_quadrants_follow_the_angle() -> None:
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 1000)
    affect = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_array_equal(metrics.quadrant_of(affect), (angle // (np.pi / 2)).astype(int))


def test_macro_accuracy_is_sklearns_balanced_accuracy() -> None:
    rng = np.random.default_rng(0)
    true = rng.choice(4, 500, p=[0.7, 0.2, 0.09, 0.01])
    predicted = np.where(rng.random(500) < 0.6, true, rng.integers(0, 4, 500))
    expected = balanced_accuracy_score(true, predicted)
    assert metrics.macro_accuracy(predicted, true, 4) == pytest.approx(expected, abs=1e-12)


def test_macro_accuracy_leaves_out_a_class_that_never_occurs() -> None:
    assert metrics.macro_accuracy(np.array([0, 1, 3]), np.array([0, 1, 1]), 4) == pytest.approx((1 + 0.5) / 2)


def test_macro_accuracy_refuses_what_does_not_match() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        metrics.macro_accuracy(np.zeros(2, int), np.zeros(3, int), 4)


def test_balanced_weights_give_each_class_the_same_sum_and_mean_one() -> None:
    classes = np.array([2, 2, 2, 2, 2, 7, 7, 0])
    weights = metrics.balanced_weights(classes)
    assert weights.mean() == pytest.approx(1)
    assert [weights[classes == c].sum() for c in (0, 2, 7)] == pytest.approx([8 / 3] * 3)


def test_balanced_weights_turn_accuracy_into_macro_accuracy() -> None:
    rng = np.random.default_rng(3)
    true, predicted = rng.choice(4, 300, p=[0.6, 0.3, 0.08, 0.02]), rng.integers(0, 4, 300)
    share = np.average(predicted == true, weights=metrics.balanced_weights(true))
    assert share == pytest.approx(metrics.macro_accuracy(predicted, true, 4), abs=1e-12)


def test_bootstrap_interval_of_a_mean_is_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = metrics.bootstrap_interval(lambda rows: values[rows].mean(), len(values))
    error = values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_bootstrap_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(5)
    samples = rng.exponential(size=(200, 60))
    intervals = [metrics.bootstrap_interval(lambda r, v=v: v[r].mean(), 60, rounds=200) for v in samples]
    covered = np.mean([low <= 1 <= high for low, high in intervals])
    assert 0.87 <= covered <= 0.99


def test_bootstrap_interval_takes_arrays_of_figures_and_repeats_by_seed() -> None:
    p, t = pair()

    def figures(rows: np.ndarray) -> list[float]:
        return [metrics.ccc(p[rows], t[rows]), metrics.rmse(p[rows], t[rows])]

    low, high = metrics.bootstrap_interval(figures, len(p), rounds=100, seed=4)
    again, _ = metrics.bootstrap_interval(figures, len(p), rounds=100, seed=4)
    other, _ = metrics.bootstrap_interval(figures, len(p), rounds=100, seed=5)
    assert low.shape == high.shape == (2,)
    assert (low < figures(np.arange(len(p)))).all() and (figures(np.arange(len(p))) < high).all()
    assert (low == again).all() and (low != other).any()


def test_group_means_are_those_of_each_group() -> None:
    rng = np.random.default_rng(0)
    values, group = rng.normal(size=(50, 3)), rng.integers(0, 7, 50) * 2
    means = metrics.group_means(values, group)
    for row in range(50):
        assert np.allclose(means[row], values[group == group[row]].mean(axis=0))


def test_ranks_and_what_follows_from_them_are_scipys_and_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=60), rng.integers(0, 4, 60)):
        others, positive = values + rng.normal(size=60), rng.random(60) < 0.2
        np.testing.assert_array_equal(metrics.ranks(values), stats.rankdata(values))
        assert metrics.spearman(values, others) == pytest.approx(stats.spearmanr(values, others).statistic)
        assert metrics.auroc(values, positive) == pytest.approx(roc_auc_score(positive, values))
    assert metrics.spearman(np.ones(60), others) == 0
    assert np.isnan(metrics.auroc(values, np.ones(60, bool)))
