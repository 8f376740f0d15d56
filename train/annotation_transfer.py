"""Labels carried from emotion classes to valence and arousal, and back, over the classes' ellipses in the circumplex.

LeVAsa (arXiv 2007.10058): each class is an ellipse about its mean valence and arousal, its semi-axes one standard
deviation of each; a face of the class gets a point drawn uniformly in the ellipse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tracker.errors import DataError, UsageError

Shape = Literal["uniform", "gaussian"]
Distance = Literal["centre", "ellipse"]

SPREAD = 1.0
"""Semi-axes in standard deviations, as published."""
SHAPE: Shape = "uniform"
SEED = 5230
"""The published draw's seed."""
NO_CLASS = -1
STEPS = 10
"""Discrete labels are tenths: whole numbers from -10 to 10."""
SPELLINGS = {
    "happy": "happiness",
    "joy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "angry": "anger",
    "disgusted": "disgust",
    "contemptuous": "contempt",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
}
"""Data sets' other names of an emotion."""


def spelled(name: str) -> str:
    """The one spelling of a class: lower case, and FER+'s word where data sets differ (happy is happiness)."""
    plain = name.strip().lower()
    return SPELLINGS.get(plain, plain)


@dataclass(frozen=True)
class Ellipses:
    """K classes in the circumplex. DataError where a class is named twice, is no ellipse, or lies outside of it."""

    names: tuple[str, ...]
    centres: np.ndarray
    """(K, 2) float64: mean valence and arousal, [-1, 1]."""
    deviations: np.ndarray
    """(K, 2) float64: one standard deviation of each, above 0."""

    def __post_init__(self) -> None:
        if len({spelled(name) for name in self.names}) < len(self.names):
            raise DataError(f"the classes are {', '.join(self.names)}; expected each once")
        for name, centre, deviation in zip(self.names, self.centres, self.deviations, strict=True):
            if not (np.isfinite(deviation).all() and (deviation > 0).all()):
                raise DataError(
                    f"the ellipse of '{name}' has no size: its standard deviations are {deviation[0]:g} (valence) and"
                    f" {deviation[1]:g} (arousal); expected both above 0, as rows that differ in both give"
                )
            if not (np.abs(centre) <= 1).all():
                raise DataError(f"the centre of '{name}' is {centre[0]:g}, {centre[1]:g}; expected -1 to 1")

    def index(self, name: str) -> int:
        """The class of that name in any known spelling; UsageError where it has no statistics."""
        known = [spelled(each) for each in self.names]
        if spelled(name) not in known:
            raise UsageError(f"no statistics for the class '{name}'; expected one of {', '.join(self.names)}")
        return known.index(spelled(name))

    def with_classes(self, names: Sequence[str]) -> "Ellipses":
        """The classes of those names, in that order and spelling; UsageError where one has no statistics."""
        rows = [self.index(name) for name in names]
        return Ellipses(tuple(names), self.centres[rows], self.deviations[rows])


def _table(rows: Mapping[str, tuple[float, float, float, float]]) -> Ellipses:
    """Ellipses from each class's mean valence, mean arousal, and their standard deviations."""
    values = np.array(list(rows.values()))
    return Ellipses(tuple(rows), values[:, :2], values[:, 2:])


_AFFECTNET = {
    "neutral": (-0.0627, -0.0196, 0.1835, 0.1476),
    "happiness": (0.6643, 0.0703, 0.1627, 0.1660),
    "surprise": (0.1804, 0.6893, 0.1744, 0.1576),
    "sadness": (-0.6370, -0.2570, 0.2211, 0.1420),
    "anger": (-0.4527, 0.5668, 0.1741, 0.1976),
    "disgust": (-0.6937, 0.4573, 0.1515, 0.1109),
    "fear": (-0.1257, 0.7662, 0.0710, 0.1369),
}
_WORDS = {
    "neutral": (0.0, 0.0, 0.26, 0.31),
    "happiness": (0.81, 0.51, 0.21, 0.26),
    "surprise": (0.40, 0.67, 0.30, 0.27),
    "sadness": (-0.63, -0.27, 0.23, 0.34),
    "anger": (-0.43, 0.67, 0.29, 0.27),
    "disgust": (-0.60, 0.35, 0.20, 0.41),
    "fear": (-0.64, 0.60, 0.20, 0.32),
    "contempt": (-0.23, 0.31, 0.39, 0.33),
}
PRESETS: dict[str, Ellipses] = {
    "affectnet": _table(_AFFECTNET),
    "affectnet-8": _table(_AFFECTNET | {"contempt": (-0.5, 0.6, *_AFFECTNET["anger"][2:])}),
    "words": _table(_WORDS),
}
"""affectnet: AffectNet's classes as LeVAsa's authors print them. affectnet-8: and contempt, which they lack, where
AffectNet's annotators place it, about (-0.5, 0.6), with anger's deviations (our choice). words: ratings of the
emotions' names in the manner of Russell and Mehrabian (1977), as public work on AffectNet uses them."""


def measured(affect: np.ndarray, classes: np.ndarray, names: Sequence[str]) -> Ellipses:
    """The statistics of an anchor set: affect (N, 2) in [-1, 1], NaN where there is none; classes (N,) index names.

    DataError where a class has no rows, or they do not differ in both valence and arousal.
    """
    affect, present = np.asarray(affect, np.float64), np.isfinite(affect).all(axis=1)
    parts = [affect[present & (classes == k)] for k in range(len(names))]
    for name, part in zip(names, parts, strict=True):
        if not len(part):
            raise DataError(f"no row of the class '{name}' has valence and arousal; expected at least two that differ")
    centres = np.array([part.mean(axis=0) for part in parts])
    # rows that are all alike are told by their range: their standard deviation is not 0 by rounding
    deviations = np.array([np.where(np.ptp(part, axis=0) > 0, part.std(axis=0), 0) for part in parts])
    return Ellipses(tuple(names), centres, deviations)


def sample(
    ellipses: Ellipses, classes: np.ndarray, spread: float = SPREAD, shape: Shape = SHAPE, seed: int = SEED
) -> np.ndarray:
    """(N, 2) float32 valence and arousal in [-1, 1], one draw for each of classes (N,); NaN where that is NO_CLASS.

    uniform: in the ellipse whose semi-axes are spread times the standard deviations (1 as published, which halves the
    class's spread; 2 keeps it). gaussian: standard deviations times spread. What falls beyond -1 or 1 is set there.
    The first rows stay as they are when others follow.
    """
    classes = _checked(classes, len(ellipses.names))
    if not 0 < spread < np.inf:
        raise UsageError(f"spread is {spread:g}; expected a number above 0: 1 as published, 2 keeps the real spread")
    offsets = spread * _unit_points(len(classes), shape, seed)
    drawn = ellipses.centres[classes] + ellipses.deviations[classes] * offsets
    drawn[classes == NO_CLASS] = np.nan
    return drawn.clip(-1, 1).astype(np.float32)


def sample_mixture(
    ellipses: Ellipses, shares: np.ndarray, spread: float = SPREAD, shape: Shape = SHAPE, seed: int = SEED
) -> np.ndarray:
    """(N, 2) float32: each row's class drawn by its shares (N, K), or votes, then as `sample`; NaN where all are 0."""
    return sample(ellipses, draw_classes(shares, seed), spread, shape, seed)


def draw_classes(shares: np.ndarray, seed: int = SEED) -> np.ndarray:
    """(N,) int: a class for each row, by its shares (N, K) of any sum; NO_CLASS where all are 0."""
    shares = np.asarray(shares, np.float64)
    wrong = np.argwhere(~(np.isfinite(shares) & (shares >= 0)))
    if len(wrong):
        row, k = wrong[0]
        raise DataError(f"row {row}, class {k}: the share is {shares[row, k]:g}; expected a number from 0")
    cumulative = shares.cumsum(axis=1)
    total = cumulative[:, -1]
    chance = np.random.default_rng((seed, 1)).random(len(shares)) * total
    return np.where(total > 0, (cumulative <= chance[:, None]).sum(axis=1), NO_CLASS)


def discrete(affect: np.ndarray) -> np.ndarray:
    """(N, 2) int8: valence and arousal (N, 2) in whole tenths, -10 to 10; DataError where one is not in [-1, 1]."""
    wrong = np.argwhere(~(np.abs(affect) <= 1))
    if len(wrong):
        row, axis = wrong[0]
        name = ("valence", "arousal")[axis]
        raise DataError(f"row {row}: the {name} is {affect[row, axis]:g}; expected -1 to 1, of which tenths are made")
    return np.rint(STEPS * np.asarray(affect, np.float64)).astype(np.int8)


def nearest(ellipses: Ellipses, affect: np.ndarray, distance: Distance = "centre") -> np.ndarray:
    """(N,) int: the class of valence and arousal (N, 2) in [-1, 1], NO_CLASS where either is NaN.

    centre: whose centre is nearest, as published. ellipse: nearest in standard deviations of each class.
    """
    affect = np.asarray(affect, np.float64)
    scale = ellipses.deviations if distance == "ellipse" else np.ones((1, 2))
    squared = (((affect[:, None] - ellipses.centres) / scale) ** 2).sum(axis=2)
    return np.where(np.isfinite(affect).all(axis=1), squared.argmin(axis=1), NO_CLASS)


def _checked(classes: np.ndarray, count: int) -> np.ndarray:
    classes = np.asarray(classes)
    wrong = np.flatnonzero((classes < NO_CLASS) | (classes >= count))
    if len(wrong):
        row = wrong[0]
        raise UsageError(
            f"row {row}: the class is {classes[row]}; expected 0 to {count - 1}, or {NO_CLASS} where there is none"
        )
    return classes


def _unit_points(count: int, shape: Shape, seed: int) -> np.ndarray:
    """(count, 2): uniform in the unit disc, or of the standard normal distribution."""
    generator = np.random.default_rng(seed)
    if shape == "gaussian":
        return generator.standard_normal((count, 2))
    squared_radius, turn = generator.random((count, 2)).T
    angle = 2 * np.pi * turn
    return np.sqrt(squared_radius)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
