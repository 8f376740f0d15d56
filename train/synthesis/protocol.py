"""What a set holds: BU-3DFE's protocol (Yin et al. 2006), persons by expressions by degrees, and neutral faces."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from train.synthesis.config import SIX, SetConfig
from train.synthesis.expressions import DEGREES, actions_of, affect_of, units_of
from train.synthesis.figure import Attitude
from train.synthesis.persons import Person, draw_person
from train.synthesis.scene import Scene, draw_scene

SHARES = {"validation": 0.1, "test": 0.1}
"""Of the persons; the others train."""
SCENE, PICTURE = 10, 11
"""Streams of random numbers that follow from a seed and a person."""
STRENGTH_SPREAD = 0.06
"""Standard deviation by which a facial action differs from picture to picture, of its strength."""


@dataclass(frozen=True)
class Picture:
    """One picture of a set."""

    person: int
    expression: str
    degree: int
    """1 to 4; 0 for neutral."""

    @property
    def path(self) -> str:
        """In the set's folder."""
        number = f"-{self.degree}" if self.degree else ""
        return f"images/person-{self.person:03d}/{self.expression}{number}.png"

    @property
    def share(self) -> float:
        """Of the expression's highest degree."""
        return DEGREES[self.degree - 1] if self.degree else 0.0

    @property
    def affect(self) -> tuple[float, float]:
        """Valence and arousal."""
        return affect_of(self.expression, self.share)


def pictures_of(config: SetConfig, person: int) -> list[Picture]:
    """Neutral, then every expression from the lowest degree to the highest."""
    degrees = range(1, len(DEGREES) + 1)
    every = [Picture(person, name, degree) for name in config.expressions for degree in degrees]
    return [Picture(person, "neutral", 0), *every]


@cache
def splits_of(persons: int, seed: int) -> tuple[str, ...]:
    """train, validation or test for each person: 80, 10 and 10 of a hundred."""
    order = np.random.default_rng((seed, persons)).permutation(persons)
    names = ["train"] * persons
    start = 0
    for split, share in SHARES.items():
        count = round(share * persons)
        for person in order[start : start + count].tolist():
            names[person] = split
        start += count
    return tuple(names)


def person_of(config: SetConfig, index: int) -> Person:
    """A person of the set."""
    return draw_person(config.seed, index)


def scene_of(config: SetConfig, person: int) -> Scene:
    """Where a person is filmed: the same for all of one's pictures."""
    return draw_scene(np.random.default_rng((config.seed, person, SCENE)), config.size)


def attitude_of(config: SetConfig, picture: Picture, action_names: tuple[str, ...]) -> Attitude:
    """What the face does in a picture."""
    place = ("neutral", *SIX).index(picture.expression)
    rng = np.random.default_rng((config.seed, picture.person, PICTURE, place, picture.degree))
    units = {unit: picture.share * value for unit, value in units_of(picture.expression).items()}
    actions = actions_of(units, action_names) * rng.normal(1, STRENGTH_SPREAD, len(action_names))
    yaw, pitch, roll = (rng.normal(0, config.turn_degrees, 3) * (1, 0.5, 0.5)).clip(-45, 45).tolist()
    return Attitude(actions.clip(0, 1), (yaw, pitch, roll))
