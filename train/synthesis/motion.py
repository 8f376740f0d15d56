"""What a face does beside its expression: blinks, speech, turns of the head, looks. Curves over time, from a seed."""

import numpy as np

from train.clips.camera import wander
from train.synthesis.config import Liveliness

BLINKS_HZ = 0.28
"""About 17 a minute: Bentivoglio et al. 1997."""
CLOSING_S, SHUT_S, OPENING_S = 0.08, 0.04, 0.16
SYLLABLES_HZ = 4.5
"""Of fluent speech: Ding et al. 2017 find 4 to 5 a second in nine languages."""
PHRASE_S, PAUSE_S = (0.8, 2.6), (0.4, 1.6)
"""Least and most."""
TURN_DEGREES = (9.0, 5.0, 4.0)
"""Standard deviation of the head's turn, nod and tilt where `head` is 1."""
MOST_DEGREES = 25.0
VISEMES = {
    "jawOpen": (0.05, 0.34),
    "mouthFunnel": (0.0, 0.35),
    "mouthPucker": (0.0, 0.4),
    "mouthStretchLeft": (0.0, 0.2),
    "mouthStretchRight": (0.0, 0.2),
    "mouthLowerDownLeft": (0.0, 0.35),
    "mouthLowerDownRight": (0.0, 0.35),
    "mouthUpperUpLeft": (0.0, 0.2),
    "mouthUpperUpRight": (0.0, 0.2),
}
"""Least and most of each action in a syllable."""


def blinks(rng: np.random.Generator, time: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """(T,) in [0, 1]: how far the lids are closed at times (T,), seconds."""
    closed, now = np.zeros(len(time)), float(time[0])
    while amount > 0:
        now += 0.7 + rng.exponential(1 / (BLINKS_HZ * amount) - 0.7 if BLINKS_HZ * amount < 1 / 0.7 else 0.1)
        if now > time[-1]:
            break
        at = np.array([0, CLOSING_S, CLOSING_S + SHUT_S, CLOSING_S + SHUT_S + OPENING_S])
        closed = np.maximum(closed, np.interp(time - now, at, [0, 1, 1, 0]))
    return closed


def speech(rng: np.random.Generator, time: np.ndarray, amount: float = 1.0) -> dict[str, np.ndarray]:
    """(T,) by action: syllables in phrases with pauses between them; silent where amount is 0."""
    knots, spoken = _syllables(rng, float(time[-1]), amount)
    curves = {}
    for action, (low, high) in VISEMES.items():
        peaks = rng.uniform(low, high, len(knots)) * spoken
        values = np.column_stack([np.zeros(len(knots)), peaks]).ravel()
        places = np.column_stack([knots - 0.5 / SYLLABLES_HZ, knots]).ravel()
        curves[action] = np.interp(time, places, values, left=0, right=0) if len(knots) else np.zeros(len(time))
    return curves


def turns(rng: np.random.Generator, time: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """(T, 3) degrees: turn to the left, up, tilt to the right; a smooth walk about the front."""
    walk = np.stack([wander(rng, time, 1.1) for _ in TURN_DEGREES], axis=1)
    return (amount * np.array(TURN_DEGREES) * walk).clip(-MOST_DEGREES, MOST_DEGREES)


def looks(rng: np.random.Generator, time: np.ndarray) -> dict[str, np.ndarray]:
    """(T,) by action: where the eyes look, in jumps every half second to two, mostly about the camera."""
    jumps = np.cumsum(rng.uniform(0.5, 2.0, int(time[-1] / 0.5) + 2))
    places = rng.normal(0, 0.13, (len(jumps) + 1, 2))
    left, up = places[np.searchsorted(jumps, time)].T
    return {
        "eyeLookOutLeft": left.clip(0), "eyeLookInRight": left.clip(0), "eyeLookInLeft": (-left).clip(0),
        "eyeLookOutRight": (-left).clip(0), "eyeLookUpLeft": up.clip(0), "eyeLookUpRight": up.clip(0),
        "eyeLookDownLeft": (-up).clip(0), "eyeLookDownRight": (-up).clip(0),
    }  # fmt: skip


def moved(
    expressive: np.ndarray, names: tuple[str, ...], time: np.ndarray, lively: Liveliness, seed: tuple[int, ...]
) -> np.ndarray:
    """(T, A): the actions `names` of an expression over time (T, A) with blinks, speech and looks on top; in [0, 1]."""
    rng = np.random.default_rng(seed)
    actions = expressive.copy()
    for name, values in {**looks(rng, time), **speech(rng, time, lively.speech)}.items():
        actions[:, names.index(name)] += values
    shut = blinks(rng, time, lively.blinks)
    for side in ("Left", "Right"):
        lid = names.index(f"eyeBlink{side}")
        actions[:, lid] = np.maximum(actions[:, lid], shut)
        actions[:, names.index(f"eyeWide{side}")] *= 1 - shut
        actions[:, names.index(f"eyeSquint{side}")] *= 1 - shut
    return actions.clip(0, 1)


def _syllables(rng: np.random.Generator, seconds: float, amount: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (K,) of the syllables' middles and of each phrase's end, and whether (K,) the mouth opens then."""
    knots: list[float] = []
    spoken: list[bool] = []
    now = float(rng.uniform(*PAUSE_S))
    while amount > 0 and now < seconds:
        end, aloud = now + rng.uniform(*PHRASE_S), bool(rng.random() < amount)
        while now < end:
            knots.append(now)
            spoken.append(aloud)
            now += float(rng.uniform(0.7, 1.3)) / SYLLABLES_HZ
        knots.append(now)
        spoken.append(False)
        now += float(rng.uniform(*PAUSE_S))
    return np.array(knots), np.array(spoken, float)
