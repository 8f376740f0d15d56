"""Six expressions and neutral as facial actions, in four degrees, and any point of valence and arousal as a mixture.

Which action units make an expression: the prototypes of EMFACS (Friesen and Ekman 1983) as tabulated by Matsumoto and
Ekman, "Facial expression analysis" (Scholarpedia 3(5), 2008); their intensities at the highest degree are our choice,
within the letters A to E that FACS gives where it gives any. Which of ARKit's 52 actions does a unit: Apple's
descriptions of ARFaceAnchor.BlendShapeLocation beside those of FACS.
"""

from collections.abc import Mapping

import numpy as np

from tracker.errors import UsageError
from train.datasets.ferplus import CENTRES, EMOTIONS

UNITS: Mapping[int, Mapping[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    4: {"browDownLeft": 1.0, "browDownRight": 1.0},
    5: {"eyeWideLeft": 1.0, "eyeWideRight": 1.0},
    6: {"cheekSquintLeft": 1.0, "cheekSquintRight": 1.0, "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3},
    7: {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0},
    9: {"noseSneerLeft": 1.0, "noseSneerRight": 1.0},
    10: {"mouthUpperUpLeft": 1.0, "mouthUpperUpRight": 1.0},
    12: {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0},
    15: {"mouthFrownLeft": 1.0, "mouthFrownRight": 1.0},
    16: {"mouthLowerDownLeft": 1.0, "mouthLowerDownRight": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.3},
    20: {"mouthStretchLeft": 1.0, "mouthStretchRight": 1.0},
    23: {"mouthRollLower": 0.7, "mouthRollUpper": 0.6, "mouthPressLeft": 0.2, "mouthPressRight": 0.2},
    24: {"mouthPressLeft": 1.0, "mouthPressRight": 1.0},
    25: {"mouthUpperUpLeft": 0.4, "mouthUpperUpRight": 0.4, "mouthLowerDownLeft": 0.5, "mouthLowerDownRight": 0.5},
    26: {"jawOpen": 0.6},
    43: {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    64: {"eyeLookDownLeft": 1.0, "eyeLookDownRight": 1.0},
}
"""ARKit's actions by action unit."""
EXPRESSIONS: Mapping[str, Mapping[int, float]] = {
    "neutral": {},
    "anger": {4: 1.0, 5: 0.35, 7: 0.7, 10: 0.25, 17: 0.35, 23: 0.8, 24: 0.4},
    "disgust": {4: 0.3, 7: 0.4, 9: 1.0, 10: 0.8, 15: 0.5, 16: 0.4, 17: 0.4},
    "fear": {1: 1.0, 2: 0.5, 4: 0.45, 5: 1.0, 20: 1.0, 25: 0.6, 26: 0.35},
    "happiness": {6: 1.0, 12: 1.0, 25: 0.9, 26: 0.35},
    "sadness": {1: 1.0, 4: 0.45, 15: 1.0, 17: 0.6, 43: 0.2, 64: 0.25},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.8, 26: 1.0},
}
"""Intensity in [0, 1] of each action unit at the highest degree."""
DEGREES = (0.3, 0.55, 0.8, 1.0)
"""Shares of the highest degree: low, middle, high, highest, as BU-3DFE names them."""
QUIET: Mapping[str, Mapping[int, float]] = {
    "calm": {12: 0.25, 43: 0.25},
    "tired": {15: 0.15, 26: 0.15, 43: 0.5, 64: 0.2},
}
"""Faces of low arousal, which the six lack; for clips alone, and of our making."""
QUIET_CENTRES = {"calm": (0.6, -0.6), "tired": (0.0, -0.8)}
"""Valence and arousal, about where Russell (1980) places "calm" and "tired"."""
SHOWN = {**EXPRESSIONS, **QUIET}
PLACES = {name: tuple(CENTRES[EMOTIONS.index(name)].tolist()) for name in EXPRESSIONS} | QUIET_CENTRES
"""Valence and arousal of every expression at its highest degree."""


def units_of(expression: str) -> Mapping[int, float]:
    """The action units of an expression at its highest degree; UsageError for one that is not in the table."""
    try:
        return EXPRESSIONS[expression]
    except KeyError as error:
        raise UsageError(f"no expression {expression!r} in the table; expected {', '.join(EXPRESSIONS)}") from error


def actions_of(units: Mapping[int, float], names: tuple[str, ...]) -> np.ndarray:
    """(A,) float64 in [0, 1]: the facial actions `names` that action units of some intensity make."""
    values = dict.fromkeys(names, 0.0)
    for unit, intensity in units.items():
        for action, share in UNITS[unit].items():
            values[action] += intensity * share
    return np.clip([values[name] for name in names], 0, 1)


def affect_of(expression: str, degree: float) -> tuple[float, float]:
    """Valence and arousal of an expression at a degree in [0, 1]: on the line from neutral to its place."""
    units_of(expression)
    start, end = np.array(PLACES["neutral"]), np.array(PLACES[expression])
    valence, arousal = (start + degree * (end - start)).tolist()
    return valence, arousal


def mixture_of(affect: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Names (E,) and weights (T, E) of the expressions that show valence and arousal (T, 2).

    Each point lies between two neighbouring directions from neutral; it is their mixture with neutral whose places'
    mixture it is. Beyond the line between the two places the weights are made smaller until they sum to 1: an
    expression has no more than its highest degree.
    """
    names = _by_angle()
    spokes = np.array([PLACES[name] for name in names]) - PLACES["neutral"]
    points = np.asarray(affect, np.float64) - PLACES["neutral"]
    weights = np.zeros((len(points), len(names)))
    for a in range(len(names)):
        b = (a + 1) % len(names)
        share = points @ np.linalg.inv(spokes[[a, b]])
        within = (share >= -1e-9).all(axis=1) & (weights.sum(axis=1) == 0)
        weights[np.ix_(within, [a, b])] = share[within].clip(0)
    return names, weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)


def _by_angle() -> tuple[str, ...]:
    """All expressions but neutral, by their direction from it."""
    neutral = np.array(PLACES["neutral"])

    def angle(name: str) -> float:
        valence, arousal = np.array(PLACES[name]) - neutral
        return float(np.arctan2(arousal, valence))

    return tuple(sorted((name for name in PLACES if name != "neutral"), key=angle))
