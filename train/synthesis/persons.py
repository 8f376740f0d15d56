"""Persons: a face's shape, colours, hair, and the way in which it makes its expressions. All drawn from a seed."""

from dataclasses import dataclass

import numpy as np

from train.synthesis.head import CORNERS, PAIRED, SHAPES, SINGLE, Head

SKIN_TONES = np.array(
    [(246, 205, 186), (232, 179, 154), (212, 152, 124), (182, 121, 92), (138, 87, 64), (94, 58, 45)], np.float64
)
"""sRGB from very light to very dark."""
SHAPE_TONES = {"african": 0.78, "asian": 0.36, "caucasian": 0.18}
"""Where the tones of the shapes' mixture are centred; they spread by 0.16 around it."""
HAIR_COLOURS = np.array([(26, 20, 18), (48, 33, 25), (84, 56, 36), (122, 84, 50), (176, 138, 88), (150, 146, 142)])
"""sRGB: black, dark brown, brown, light brown, blond, grey."""
IRIS_COLOURS = np.array([(58, 36, 22), (88, 56, 30), (104, 90, 48), (96, 120, 96), (98, 128, 158)])
"""sRGB: dark brown, brown, hazel, green, blue."""
STYLES = ("bald", "cropped", "short", "bob", "long")
LIKELY = {"male": (0.08, 0.3, 0.57, 0.02, 0.03), "female": (0.0, 0.03, 0.2, 0.35, 0.42)}
"""Of the styles."""
CHANGE_SPREAD, ASYMMETRY, MOST_CHANGE = 0.22, 0.04, 0.55
"""Standard deviation of a local change, of the difference between left and right, and the largest."""


@dataclass(frozen=True)
class Person:
    """One person; the same index and seed give the same one."""

    index: int
    seed: int
    shapes: np.ndarray
    """(3,): shares of SHAPES; their sum is 1."""
    female: float
    """1, or 0 for male; between them for a face in between."""
    age: float
    """0 for 25 years, 1 for 90."""
    weight: float
    """0 thin, 0.5 average, 1 fat."""
    changes: np.ndarray
    """(C,) in [-0.55, 0.55]: the values of CHANGES."""
    tone: float
    """0 very light to 1 very dark skin."""
    skin: np.ndarray
    """(3,) sRGB 0 to 255."""
    lips: np.ndarray
    """(3,) sRGB."""
    iris: np.ndarray
    """(3,) sRGB."""
    hair: np.ndarray
    """(3,) sRGB."""
    style: str
    """Of STYLES."""
    beard: float
    """0 shaven to 1: the darkness of the stubble."""
    gains: np.ndarray
    """(52,) about 1: how strongly this person makes each facial action, which need not be alike left and right."""
    cloth: np.ndarray
    """(3,) sRGB."""

    @property
    def name(self) -> str:
        """The person's subject in tables."""
        return f"person-{self.index:03d}"


def draw_person(seed: int, index: int, actions: int = 52) -> Person:
    """Person number `index` of a seed."""
    rng = np.random.default_rng((seed, index, 0))
    shapes = rng.dirichlet((0.5, 0.5, 0.5))
    female = float(np.clip(rng.integers(0, 2) + rng.normal(0, 0.12), 0, 1))
    age = float(rng.beta(1.1, 2.2))
    weight = float(np.clip(rng.normal(0.5, 0.16), 0.1, 0.9))
    changes = _changes(rng)
    tone = float(np.clip(shapes @ [SHAPE_TONES[name] for name in SHAPES] + rng.normal(0, 0.16), 0, 1))
    skin = _between(SKIN_TONES, tone) * rng.normal(1, 0.03) + rng.normal(0, 2.5, 3)
    return Person(
        index, seed, shapes, female, age, weight, changes, tone, skin.clip(20, 250),
        lips=_lips(rng, skin, female), iris=_iris(rng, tone), hair=_hair(rng, tone, age),
        style=_style(rng, female, age), beard=float(rng.random() ** 1.5) * (female < 0.5),
        gains=_gains(rng, actions), cloth=_cloth(rng),
    )  # fmt: skip


def shape_of(person: Person, head: Head) -> np.ndarray:
    """(V, 3) float32: the person's neutral head, with the point between the eyes at the origin; metres."""
    sides, ages = (person.female, 1 - person.female), (1 - person.age, person.age)
    thick = 2 * person.weight
    weights = (max(1 - thick, 0), 1 - abs(thick - 1), max(thick - 1, 0))
    shares = [person.shapes[s] * sides[g] * ages[a] * weights[w] for s, g, a, w in CORNERS]
    points = np.tensordot(np.array(shares, np.float32), head.corners, 1)
    values = person.changes.astype(np.float32)
    points = points + np.tensordot(values.clip(min=0), head.changes[0], 1)
    points = points + np.tensordot((-values).clip(min=0), head.changes[1], 1)
    eyes = [points[np.unique(head.faces[f"helper-{side}-eye"])].mean(axis=0) for side in "lr"]
    return points - (eyes[0] + eyes[1]) / 2


def _changes(rng: np.random.Generator) -> np.ndarray:
    paired = np.repeat(rng.normal(0, CHANGE_SPREAD, len(PAIRED)), 2) + rng.normal(0, ASYMMETRY, 2 * len(PAIRED))
    values = np.concatenate([paired, rng.normal(0, CHANGE_SPREAD, len(SINGLE))])
    return values.clip(-MOST_CHANGE, MOST_CHANGE)


def _between(colours: np.ndarray, place: float) -> np.ndarray:
    """(3,): of colours (K, 3), at a place in [0, 1] from the first to the last."""
    at = np.linspace(0, 1, len(colours))
    return np.array([np.interp(place, at, channel) for channel in colours.T])


def _lips(rng: np.random.Generator, skin: np.ndarray, female: float) -> np.ndarray:
    """Redder and darker than the skin; painted on some."""
    natural = skin * (0.84, 0.58, 0.63) + rng.normal(0, 4, 3)
    paint = 0.5 * (rng.random() < 0.45 * female)
    return ((1 - paint) * natural + paint * np.array([165, 45, 60])).clip(15, 240)


def _iris(rng: np.random.Generator, tone: float) -> np.ndarray:
    return (_between(IRIS_COLOURS, float(rng.random() ** 1.2) * (1 - 0.9 * tone)) + rng.normal(0, 6, 3)).clip(15, 230)


def _hair(rng: np.random.Generator, tone: float, age: float) -> np.ndarray:
    natural = _between(HAIR_COLOURS[:5], float(rng.random()) * max(0.05, 1 - 1.6 * tone))
    grey = float(np.clip((age - 0.35) / 0.4 + rng.normal(0, 0.2), 0, 1))
    return ((1 - grey) * natural + grey * HAIR_COLOURS[5] * rng.uniform(0.8, 1.25)).clip(12, 230)


def _style(rng: np.random.Generator, female: float, age: float) -> str:
    shares = np.array(LIKELY["female" if female >= 0.5 else "male"])
    shares = shares + np.array([0.25 * age * (female < 0.5), 0, 0, 0, 0])
    return STYLES[rng.choice(len(STYLES), p=shares / shares.sum())]


def _cloth(rng: np.random.Generator) -> np.ndarray:
    colour = rng.uniform(25, 215, 3)
    return colour.mean() + 0.5 * (colour - colour.mean())


def _gains(rng: np.random.Generator, actions: int) -> np.ndarray:
    return rng.normal(1, 0.1, actions).clip(0.75, 1.2)
