"""Ellipses of emotion classes: what is drawn in them against theory, scipy and published figures; and back."""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.spatial.distance import cdist

from tracker.errors import DataError, UsageError
from train.annotation_transfer import (
    NO_CLASS,
    PRESETS,
    SEED,
    Distance,
    Ellipses,
    Shape,
    discrete,
    draw_classes,
    measured,
    nearest,
    sample,
    sample_mixture,
)
from train.datasets import ferplus

MANY = 100_000
AFFECTNET = PRESETS["affectnet"]
IMFDB = {
    "neutral": (9401, (-0.063, -0.019), (0.092, 0.073)),
    "happy": (8015, (0.664, 0.069), (0.082, 0.084)),
    "sad": (3571, (-0.635, -0.256), (0.111, 0.070)),
    "surprise": (1723, (0.181, 0.688), (0.086, 0.080)),
    "fear": (604, (-0.124, 0.766), (0.035, 0.070)),
    "disgust": (3716, (-0.694, 0.458), (0.077, 0.055)),
    "anger": (2670, (-0.453, 0.567), (0.088, 0.097)),
}
"""The published IMFDB_va.json: pictures of a class, mean and standard deviation of valence and arousal."""


def ellipse(centre: tuple[float, float], deviation: tuple[float, float]) -> Ellipses:
    """One class."""
    return Ellipses(("it",), np.array([centre]), np.array([deviation]))


def unit(ellipses: Ellipses, classes: np.ndarray, affect: np.ndarray, spread: float = 1.0) -> np.ndarray:
    """Points (N, 2) in units of their class's semi-axes, from its centre."""
    return (affect - ellipses.centres[classes]) / (spread * ellipses.deviations[classes])


@pytest.fixture(scope="module")
def imfdb() -> tuple[Ellipses, np.ndarray]:
    """AffectNet's ellipses in the order of the published table, and the classes of IMFDB's 29,700 pictures."""
    return AFFECTNET.with_classes(list(IMFDB)), np.repeat(np.arange(7), [count for count, _, _ in IMFDB.values()])


@pytest.mark.parametrize("name", AFFECTNET.names)
@pytest.mark.parametrize("spread", [0.5, 1.0, 1.4])
def test_a_uniform_draw_has_the_moments_of_an_ellipse(name: str, spread: float) -> None:
    one = AFFECTNET.with_classes([name])
    drawn = sample(one, np.zeros(MANY, int), spread).astype(float)
    assert_allclose(drawn.var(axis=0), (spread * one.deviations[0]) ** 2 / 4, rtol=0.02)
    assert_allclose(drawn.mean(axis=0), one.centres[0], atol=0.005)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.015


def test_two_deviations_keep_the_real_spread() -> None:
    one = AFFECTNET.with_classes(["neutral"])
    assert_allclose(sample(one, np.zeros(MANY, int), 2.0).std(axis=0), one.deviations[0], rtol=0.01)


def test_a_uniform_draw_is_uniform() -> None:
    classes = np.zeros(MANY, int)
    x, y = unit(AFFECTNET, classes, sample(AFFECTNET, classes).astype(float)).T
    assert stats.kstest(x**2 + y**2, "uniform").pvalue > 0.01
    assert stats.kstest(np.arctan2(y, x) / (2 * np.pi) + 0.5, "uniform").pvalue > 0.01
    # and so is what a radius without its root is not
    assert stats.kstest(np.hypot(x, y), "uniform").pvalue < 1e-9


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_all_lies_inside_its_ellipse_and_the_circumplex(preset: str, spread: float) -> None:
    ellipses = PRESETS[preset]
    classes = np.arange(MANY) % len(ellipses.names)
    drawn = sample(ellipses, classes, spread)
    assert drawn.dtype == np.float32 and np.abs(drawn).max() <= 1
    assert (unit(ellipses, classes, drawn, spread) ** 2).sum(axis=1).max() <= 1 + 1e-5


def test_a_gaussian_draw_is_gaussian() -> None:
    one = ellipse((0.1, -0.1), (0.1, 0.15))
    x, y = unit(one, np.zeros(MANY, int), sample(one, np.zeros(MANY, int), 0.8, "gaussian").astype(float), 0.8).T
    assert stats.kstest(x, "norm").pvalue > 0.01 and stats.kstest(y, "norm").pvalue > 0.01
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.015


def test_a_gaussian_draw_stays_in_the_range() -> None:
    drawn = sample(AFFECTNET, np.full(MANY, AFFECTNET.index("disgust")), 2.0, "gaussian")
    share = stats.norm.cdf(-1, *AFFECTNET.with_classes(["disgust"]).centres[0, :1], 2 * 0.1515)
    assert drawn.min() == -1
    assert (drawn[:, 0] == -1).mean() == pytest.approx(share, abs=0.005)


def test_the_published_statistics_come_out_of_the_preset(imfdb: tuple[Ellipses, np.ndarray]) -> None:
    drawn = sample(*imfdb).astype(float)
    for k, (count, mean, deviation) in enumerate(IMFDB.values()):
        own, spread = drawn[imfdb[1] == k], np.array(deviation)
        # two draws, each within its sampling error, one of them rounded; the marginal of an ellipse has kurtosis 2
        error = 3 * np.sqrt(2 / count) * spread
        assert (np.abs(own.mean(axis=0) - mean) < error + 0.0005).all()
        assert (np.abs(own.std(axis=0) - deviation) < error / 2 + 0.0005).all()


@pytest.mark.parametrize("distance", get_args(Distance))
def test_the_way_back_recovers_the_classes(imfdb: tuple[Ellipses, np.ndarray], distance: Distance) -> None:
    ellipses, classes = imfdb
    right = nearest(ellipses, sample(ellipses, classes), distance) == classes
    assert right.mean() >= 0.98
    assert min(right[classes == k].mean() for k in range(7)) > 0.9


def test_the_way_back_loses_more_where_the_spread_is_real(imfdb: tuple[Ellipses, np.ndarray]) -> None:
    ellipses, classes = imfdb
    for distance, share in (("centre", 0.900), ("ellipse", 0.9065)):
        right = nearest(ellipses, sample(ellipses, classes, 2.0), distance) == classes  # type: ignore[arg-type]
        assert right.mean() == pytest.approx(share, abs=0.006)


def test_nearest_is_scipys_nearest() -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (500, 2))
    words = PRESETS["words"]
    assert_array_equal(nearest(words, points), cdist(points, words.centres).argmin(axis=1))
    scaled = [
        cdist(points, words.centres[[k]], "seuclidean", V=words.deviations[k] ** 2)[:, 0]
        for k in range(len(words.names))
    ]
    assert_array_equal(nearest(words, points, "ellipse"), np.argmin(scaled, axis=0))
    assert (nearest(words, points) != nearest(words, points, "ellipse")).any()


def test_nearest_without_a_label_is_no_class() -> None:
    points = np.array([(0.66, 0.07), (np.nan, 0.1), (0.1, np.nan)])
    assert_array_equal(nearest(AFFECTNET, points), [AFFECTNET.index("happy"), NO_CLASS, NO_CLASS])


@pytest.mark.parametrize("shape", get_args(Shape))
def test_the_seed_decides(shape: Shape) -> None:
    classes = np.arange(70) % 7
    first = sample(AFFECTNET, classes, 1.0, shape)
    assert_array_equal(first, sample(AFFECTNET, classes, 1.0, shape, SEED))
    assert (first != sample(AFFECTNET, classes, 1.0, shape, 1)).any(axis=1).all()
    assert_array_equal(first[:20], sample(AFFECTNET, classes[:20], 1.0, shape))


def test_a_row_without_a_class_is_empty_and_moves_no_other() -> None:
    drawn, without = sample(AFFECTNET, np.array([1, 2, 3])), sample(AFFECTNET, np.array([1, NO_CLASS, 3]))
    assert np.isnan(without[1]).all()
    assert_array_equal(without[[0, 2]], drawn[[0, 2]])


def test_votes_for_one_class_are_its_draw() -> None:
    ellipses = PRESETS["affectnet-8"]
    assert_array_equal(sample_mixture(ellipses, 7 * np.eye(8)), sample(ellipses, np.arange(8)))


def test_a_mixture_follows_the_shares() -> None:
    ellipses, votes = PRESETS["affectnet-8"], np.array([0, 5, 0, 2, 0, 0, 3, 0])
    drawn = draw_classes(np.tile(votes, (MANY, 1)))
    counts = np.bincount(drawn, minlength=8)
    assert counts[votes == 0].sum() == 0
    assert stats.chisquare(counts[votes > 0], MANY * votes[votes > 0] / 10).pvalue > 0.01
    mean = sample_mixture(ellipses, np.tile(votes, (MANY, 1))).mean(axis=0)
    assert_allclose(mean, ferplus.affect_of_votes(votes[None])[0], atol=0.005)


def test_the_class_of_a_mixture_does_not_decide_its_place() -> None:
    ellipses = Ellipses(("a", "b"), np.zeros((2, 2)), np.full((2, 2), 0.5))
    shares = np.full((MANY, 2), 0.5)
    drawn, classes = sample_mixture(ellipses, shares), draw_classes(shares)
    assert stats.ks_2samp(drawn[classes == 0, 0], drawn[classes == 1, 0]).pvalue > 0.01


def test_a_row_without_votes_is_empty() -> None:
    drawn = sample_mixture(AFFECTNET, np.eye(7)[:3] * np.array([[1], [0], [2]]))
    assert np.isnan(drawn).all(axis=1).tolist() == [False, True, False]


def test_discrete_ones_are_whole_tenths() -> None:
    drawn = sample(PRESETS["words"], np.arange(MANY) % 8, 2.0)
    tenths = discrete(drawn)
    assert tenths.dtype == np.int8 and tenths.min() == -10 and tenths.max() == 10
    assert_allclose(tenths, 10 * drawn, atol=0.5 + 1e-5)


def test_an_anchor_set_gives_its_statistics_back() -> None:
    classes = np.arange(70_000) % 7
    found = measured(sample(AFFECTNET, classes, 2.0), classes, AFFECTNET.names)
    assert_allclose(found.centres, AFFECTNET.centres, atol=0.01)
    assert_allclose(found.deviations, AFFECTNET.deviations, rtol=0.04)


def test_what_is_measured_is_numpys_and_leaves_out_what_is_empty() -> None:
    affect = np.array([(0.1, 0.2), (0.5, -0.2), (np.nan, 0.9), (-0.4, 0.0), (-0.6, 0.3)])
    found = measured(affect, np.array([0, 0, 0, 1, 1]), ("a", "b"))
    assert_allclose(found.centres, [affect[:2].mean(axis=0), affect[3:].mean(axis=0)])
    assert_allclose(found.deviations, [affect[:2].std(axis=0), affect[3:].std(axis=0)])


def test_the_presets_have_the_classes_they_should() -> None:
    assert set(AFFECTNET.names) == set(ferplus.EMOTIONS) - {"contempt"}
    for preset in ("affectnet-8", "words"):
        assert set(PRESETS[preset].names) == set(ferplus.EMOTIONS)
    eight = PRESETS["affectnet-8"]
    assert_array_equal(eight.with_classes(AFFECTNET.names).deviations, AFFECTNET.deviations)
    assert_array_equal(ferplus.CENTRES, eight.with_classes(ferplus.EMOTIONS).centres.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("HAPPY", "happiness"), (" Sad ", "sadness"), ("Surprised", "surprise"), ("angry", "anger"), ("FEAR", "fear")],
)
def test_other_spellings_are_known(name: str, meant: str) -> None:
    assert AFFECTNET.names[AFFECTNET.index(name)] == meant


def test_classes_come_in_the_order_asked_for() -> None:
    two = AFFECTNET.with_classes(["Sad", "happy"])
    assert two.names == ("Sad", "happy")
    assert_array_equal(two.centres, [(-0.6370, -0.2570), (0.6643, 0.0703)])


def anchored(*rows: tuple[float, float]) -> Ellipses:
    """Statistics of a class with these rows, beside one with two."""
    affect = np.array([(0.1, 0.1), (0.2, 0.3), *rows])
    return measured(affect, np.array([0, 0, *[1] * len(rows)]), ("sound", "sick"))


WRONG: list[tuple[Callable, type[Exception], str]] = [
    (lambda: AFFECTNET.index("contempt"), UsageError, "no statistics for the class 'contempt'; expected one of neutr"),
    (lambda: anchored((0.3, 0.3)), DataError, r"the ellipse of 'sick' has no size: its standard deviations are 0"),
    (lambda: anchored(*[(0.1, 0.1)] * 3), DataError, r"the ellipse of 'sick' has no size: .* as rows that differ in"),
    (lambda: anchored((0.3, 0.1), (0.3, 0.2)), DataError, r"are 0 \(valence\) and 0.05 \(arousal\); expected both"),
    (lambda: anchored((np.nan, 0.1)), DataError, "no row of the class 'sick' has valence and arousal; expected"),
    (lambda: ellipse((0, 1.5), (0.1, 0.1)), DataError, "the centre of 'it' is 0, 1.5; expected -1 to 1"),
    (lambda: ellipse((0, 0), (0.1, np.nan)), DataError, r"has no size: .* 0.1 \(valence\) and nan \(arousal\)"),
    (lambda: Ellipses(("sad", "Sadness"), np.zeros((2, 2)), np.ones((2, 2))), DataError, "are sad, Sadness; exp"),
    (lambda: sample(AFFECTNET, np.array([0, 7])), UsageError, "row 1: the class is 7; expected 0 to 6, or -1 where"),
    (lambda: sample(AFFECTNET, np.array([-2])), UsageError, "row 0: the class is -2; expected 0 to 6"),
    (lambda: sample(AFFECTNET, np.array([0]), 0), UsageError, "spread is 0; expected a number above 0: 1 as published"),
    (lambda: sample(AFFECTNET, np.array([0]), np.nan), UsageError, "spread is nan; expected a number above 0"),
    (lambda: draw_classes(np.array([(1, 0), (-1, 2)])), DataError, "row 1, class 0: the share is -1; expected a"),
    (lambda: draw_classes(np.array([(1, np.nan)])), DataError, "row 0, class 1: the share is nan; expected a number"),
    (lambda: discrete(np.array([(0, 1.2)])), DataError, "row 0: the arousal is 1.2; expected -1 to 1, of which"),
    (lambda: discrete(np.array([(np.nan, 0)])), DataError, "row 0: the valence is nan; expected -1 to 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), WRONG)
def test_what_is_wrong_is_told(call: Callable, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
