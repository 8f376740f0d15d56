"""Expressions as facial actions, and points of the circumplex as mixtures of them."""

import numpy as np
import pytest
from scipy.optimize import nnls
from synthetic_studio import ACTIONS

from tracker.errors import UsageError
from train.datasets.ferplus import CENTRES, EMOTIONS
from train.synthesis.config import SIX
from train.synthesis.expressions import (
    DEGREES,
    EXPRESSIONS,
    PLACES,
    SHOWN,
    UNITS,
    actions_of,
    affect_of,
    mixture_of,
    units_of,
)

NEUTRAL = np.array(PLACES["neutral"])


def test_the_table_holds_the_six_and_names_only_actions_that_exist() -> None:
    assert {*SIX, "neutral"} == EXPRESSIONS.keys()
    assert {action for unit in UNITS.values() for action in unit} <= set(ACTIONS)
    assert all(unit in UNITS and 0 < share <= 1 for units in SHOWN.values() for unit, share in units.items())


@pytest.mark.parametrize(
    ("expression", "core"),
    [
        ("anger", {4, 5, 7, 23}),
        ("disgust", {9, 15, 16}),
        ("fear", {1, 2, 4, 5, 20, 26}),
        ("happiness", {6, 12}),
        ("sadness", {1, 4, 15}),
        ("surprise", {1, 2, 5, 26}),
    ],
)
def test_each_expression_has_the_units_of_its_prototype(expression: str, core: set[int]) -> None:
    assert core <= units_of(expression).keys()


def test_an_unknown_expression_is_told() -> None:
    expected = "no expression 'joy' in the table; expected neutral, anger, disgust, fear, happiness, sadness, surprise"
    with pytest.raises(UsageError, match=expected):
        units_of("joy")


def test_units_add_up_and_stay_within_one() -> None:
    actions = dict(zip(ACTIONS, actions_of({6: 1.0, 7: 0.9, 12: 0.5}, ACTIONS), strict=True))
    assert actions["mouthSmileLeft"] == 0.5
    assert actions["eyeSquintRight"] == 1.0
    assert actions["jawOpen"] == 0


def test_a_degree_lies_on_the_way_from_neutral_to_the_centre_of_the_expression() -> None:
    centre = CENTRES[EMOTIONS.index("fear")]
    assert affect_of("fear", 1.0) == pytest.approx(centre)
    assert affect_of("fear", DEGREES[1]) == pytest.approx(0.45 * NEUTRAL + 0.55 * centre, abs=1e-6)
    assert affect_of("neutral", 0.0) == pytest.approx(NEUTRAL)


def test_a_mixture_of_expressions_has_the_mixture_of_their_places() -> None:
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (200, 2))
    names, weights = mixture_of(points)
    places = np.array([PLACES[name] for name in names])
    mixed = weights @ places + (1 - weights.sum(axis=1, keepdims=True)) * NEUTRAL
    assert weights.min() >= 0 and (weights > 0).sum(axis=1).max() <= 2
    np.testing.assert_allclose(mixed, points, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in PLACES if name != "neutral"])
def test_the_place_of_an_expression_is_that_expression(name: str) -> None:
    names, weights = mixture_of(np.array([PLACES[name]]))
    assert weights[0, names.index(name)] == pytest.approx(1, abs=1e-6)


def test_the_weights_are_those_of_a_non_negative_fit() -> None:
    """Where two neighbours reach a point, scipy's least squares over the same two agree."""
    names, weights = mixture_of(np.array([(0.3, 0.3), (-0.4, -0.1), (0.2, -0.4)]))
    spokes = np.array([PLACES[name] for name in names]) - NEUTRAL
    for point, weight in zip([(0.3, 0.3), (-0.4, -0.1), (0.2, -0.4)], weights, strict=True):
        used = np.flatnonzero(weight)
        fitted, rest = nnls(spokes[used].T, np.array(point) - NEUTRAL)
        np.testing.assert_allclose(fitted, weight[used], atol=1e-9)
        assert rest < 1e-9


def test_beyond_the_expressions_a_face_shows_what_it_can() -> None:
    _, weights = mixture_of(np.array([(1.0, 1.0), (-1.0, -1.0)]))
    assert weights.sum(axis=1) == pytest.approx(1)
