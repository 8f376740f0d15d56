"""Figures from sums over clips: those of train.metrics, scipy and scikit-learn; resampled as directly drawn clips."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_squared_error

from train import metrics
from train.scoring import clip_sums

LENGTHS = (30, 1, 80, 12, 55)


@pytest.fixture
def frames() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction and target (N, 2) and clip (N,) of five clips; the truth of the fourth is constant."""
    rng = np.random.default_rng(2)
    clip = np.repeat(np.arange(5), LENGTHS)
    target = rng.uniform(-1, 1, (len(clip), 2)).astype(np.float32)
    target[clip == 3] = (0.25, -0.5)
    prediction = 0.6 * target + 0.1 + 0.2 * rng.normal(size=target.shape)
    return prediction.astype(np.float32), target, clip


def test_pooled_figures_are_those_of_the_metrics(frames: tuple) -> None:
    p, t, clip = frames
    pooled = clip_sums.figures(clip_sums.clip_sums(p, t, clip, 5).sum(axis=0))
    for name in clip_sums.FIGURES:
        by_axis = [getattr(metrics, name)(p[:, i], t[:, i]) for i in (0, 1)]
        np.testing.assert_allclose(pooled[name], [*by_axis, np.mean(by_axis)], atol=1e-12)
    assert pooled["pcc"][1] == pytest.approx(stats.pearsonr(p[:, 1], t[:, 1]).statistic, abs=1e-6)
    assert pooled["rmse"][0] == pytest.approx(mean_squared_error(t[:, 0], p[:, 0]) ** 0.5, abs=1e-6)


def test_icc_is_that_of_an_analysis_of_variance(frames: tuple) -> None:
    p, t, clip = (each.astype(np.float64) for each in frames)
    ratings = np.stack([p[:, 0], t[:, 0]], axis=1)
    between = 2 * ((ratings.mean(axis=1) - ratings.mean()) ** 2).sum() / (len(p) - 1)
    rest = ratings - ratings.mean(axis=1, keepdims=True) - ratings.mean(axis=0) + ratings.mean()
    error = (rest**2).sum() / (len(p) - 1)
    ours = clip_sums.figures(clip_sums.clip_sums(p, t, clip.astype(int), 5).sum(axis=0))["icc"][0]
    assert ours == pytest.approx((between - error) / (between + error), abs=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.3, -0.7])
def test_a_constant_correlates_with_nothing_and_does_not_warn(frames: tuple, constant: float) -> None:
    _, t, clip = frames
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sums = clip_sums.clip_sums(np.full(t.shape, constant), t, clip, 5)
        pooled = clip_sums.figures(sums.sum(axis=0))
    assert all((pooled[name] == 0).all() for name in ("pcc", "ccc", "icc"))
    assert pooled["rmse"][0] == pytest.approx(metrics.rmse(np.full(len(t), constant), t[:, 0]), abs=1e-12)


def test_resampled_sums_are_those_of_the_drawn_clips(frames: tuple) -> None:
    p, t, clip = frames
    drawn = clip_sums.draws(5, rounds=40, seed=3)
    assert (drawn.sum(axis=1) == 5).all() and drawn.max() > 1
    sums, changes = clip_sums.clip_sums(p, t, clip, 5), clip_sums.change_sums(p, clip, quiet_of(clip), 5)
    fast = clip_sums.figures(clip_sums.resampled(sums, drawn))
    shaken = clip_sums.trembling(clip_sums.resampled(changes, drawn))
    for i, counts in enumerate(drawn.astype(int)):
        rows = np.concatenate([np.flatnonzero(clip == c) for c in range(5) for _ in range(counts[c])])
        for name in clip_sums.FIGURES:
            expected = [getattr(metrics, name)(p[rows, a], t[rows, a]) for a in (0, 1)]
            np.testing.assert_allclose(fast[name][i, :2], expected, atol=1e-9)
        steps = [np.abs(np.diff(p[clip == c].astype(float), axis=0)) for c in range(5) for _ in range(counts[c])]
        np.testing.assert_allclose(shaken[i, :2], np.concatenate(steps).mean(axis=0), atol=1e-12)


def quiet_of(clip: np.ndarray) -> np.ndarray:
    return np.diff(clip, prepend=-1) == 0


def test_intervals_are_those_of_a_direct_bootstrap(frames: tuple) -> None:
    """The same percentiles as from drawing clip by clip, up to the noise of 2,000 draws."""
    p, t, clip = frames
    clip = np.arange(len(clip)) // 6
    count = int(clip.max()) + 1
    sums = clip_sums.clip_sums(p, t, clip, count)
    low, high = clip_sums.interval(clip_sums.figures(clip_sums.resampled(sums, clip_sums.draws(count, 2000)))["rmse"])

    def direct(clips: np.ndarray) -> float:
        rows = np.concatenate([np.flatnonzero(clip == c) for c in clips])
        return metrics.rmse(p[rows, 0], t[rows, 0])

    expected = metrics.bootstrap_interval(direct, count, rounds=2000)
    width = expected[1] - expected[0]
    np.testing.assert_allclose([low[0], high[0]], expected, atol=0.07 * width)


def test_draws_repeat_by_their_seed() -> None:
    assert (clip_sums.draws(9, 20, 1) == clip_sums.draws(9, 20, 1)).all()
    assert (clip_sums.draws(9, 20, 1) != clip_sums.draws(9, 20, 2)).any()


def test_figures_of_each_clip(frames: tuple) -> None:
    p, t, clip = frames
    each = clip_sums.per_clip(clip_sums.clip_sums(p, t, clip, 5))
    assert each["rmse"][2, 1] == pytest.approx(metrics.rmse(p[clip == 2, 1], t[clip == 2, 1]), abs=1e-9)
    assert each["ccc"][0, 0] == pytest.approx(metrics.ccc(p[clip == 0, 0], t[clip == 0, 0]), abs=1e-9)
    undefined = np.isnan(each["pcc"]).all(axis=1)
    assert undefined.tolist() == [False, True, False, True, False], "one frame, and a constant truth"
    assert np.isfinite(each["rmse"]).all()


def test_means_over_resampled_clips_leave_out_those_without_a_figure() -> None:
    values = np.array([[1.0], [np.nan], [4.0]])
    drawn = np.array([[1.0, 1.0, 1.0], [2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    means = clip_sums.resampled_mean(values, drawn)[:, 0]
    np.testing.assert_allclose(means[:2], [2.5, 2.0])
    assert np.isnan(means[2])


def test_trembling_counts_quiet_frames_alone() -> None:
    p = np.array([[0.0, 0], [0.1, 0.2], [0.4, 0.2], [0.9, 0.9], [0.8, 0.5]])
    clip, quiet = np.array([0, 0, 0, 1, 1]), np.array([False, True, False, False, True])
    sums = clip_sums.change_sums(p, clip, quiet, 2)
    np.testing.assert_allclose(clip_sums.trembling(sums.sum(axis=0)), [0.1, 0.3, 0.2])
    np.testing.assert_allclose(sums[:, 0, 0], [1, 1])


def test_nothing_has_no_figures(frames: tuple) -> None:
    p, t, clip = frames
    none = clip_sums.clip_sums(p[:0], t[:0], clip[:0], 5).sum(axis=0)
    assert all(np.isnan(value).all() for value in clip_sums.figures(none).values())
    assert np.isnan(clip_sums.trembling(np.zeros((2, 2)))).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(clip_sums.interval(np.full((10, 3), np.nan))[0]).all()
