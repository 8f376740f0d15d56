"""What happens in a synthetic clip, before any of it is rendered: whose faces, when, and how far from one to the next.

The targets stand in the script, so they can be computed again without the pictures.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tracker.errors import UsageError
from train.clips.camera import Shot, draw_shot
from train.clips.pool import Pool
from train.clips.traces import RATE_HZ, simulate_labels, simulate_lively, smooth
from train.config import CONFIGS, config_path

KINDS = {"still": 0, "morph": 1, "lively": 2, "step": 3}
"""Values of the column `kind`: one face; two, along a trace like AFEW-VA's; two or three, fast; from one to another."""
STEP_RATE_HZ, STEP_FRAME, STEP_FRAMES = 30.0, 45, 90
"""Of a step clip: its frame rate, the first frame that shows the second face, and its length."""


@dataclass(frozen=True)
class SequenceConfig:
    """Everything that decides the clips, as it stands in train/configs/clips/sequences.json."""

    clips: dict[str, int] = field(default_factory=lambda: {"train": 2400, "validation": 160, "test": 400})
    """Of each split, without the steps."""
    steps: dict[str, int] = field(default_factory=lambda: {"train": 60, "validation": 0, "test": 60})
    """Step clips of each split."""
    kinds: dict[str, float] = field(default_factory=lambda: {"still": 0.3, "morph": 0.3, "lively": 0.4})
    """Shares."""
    label_share: float = 0.0
    """Of FER-2013's own label in the truth of a training face; elsewhere the votes alone are the truth."""
    least_votes: dict[str, int] = field(default_factory=lambda: {"train": 3, "validation": 5, "test": 5})
    distance: dict[str, float] = field(default_factory=lambda: {"morph": 0.25, "lively": 0.6, "step": 0.9})
    """Least way in affect, |dV| + |dA|, between two faces that follow each other."""
    rates_hz: tuple[float, ...] = (10, 12.5, 15, 24, 25, 30, 50, 60)
    seconds: tuple[float, float] = (1.5, 4.0)
    max_frames: int = 96
    occluded: float = 0.35
    """Share of clips with one or two occlusions."""
    interrupted: float = 0.3
    """Share of clips in which the face is not found in one or two runs of 1 to 8 frames."""
    unsteady: float = 0.3
    """Share of clips whose frames come a little early or late."""
    levels: int = 9
    """Pictures that are rendered from one face of a morph to the next."""
    seed: int = 7

    @classmethod
    def read(cls, name: str) -> "SequenceConfig":
        """A name of train/configs/clips/ or the path of a JSON file; what it leaves out is as in this class."""
        path = config_path(name, CONFIGS / "clips")
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            for key in ("rates_hz", "seconds"):
                if key in facts:
                    facts[key] = tuple(facts[key])
            return cls(**facts)
        except FileNotFoundError as error:
            raise UsageError(f"no configuration {name!r}; expected sequences, or the path of a .json file") from error
        except UsageError:
            raise
        except (OSError, TypeError, ValueError) as error:
            raise UsageError(f"{path} is not a configuration of sequences: {error}") from error

    def card(self) -> dict[str, Any]:
        """As JSON has it."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Script:
    """A clip of T frames."""

    kind: str
    faces: tuple[int, ...]
    """Rows of the prepared set."""
    time: np.ndarray
    """(T,) float64: seconds."""
    way: np.ndarray
    """(T,) float64: 0 is the first face, 1 the second, 2 the third; between them a morph."""
    affect: np.ndarray
    """(T, 2) float32: the truth at these times."""
    found: np.ndarray
    """(T,) bool."""
    closure: np.ndarray
    """(T,) float64: of the lids, 0 to 1."""
    shot: Shot
    mirrored: bool

    def covered(self, size: int) -> np.ndarray:
        """(T,) bool: an occlusion or a blink strikes."""
        hidden = [self.shot.hidden(frame, size) for frame in range(len(self.time))]
        return np.array(hidden) | (self.closure > 0.3)


def write_script(rng: np.random.Generator, pool: Pool, kind: str, config: SequenceConfig, size: int) -> Script:
    """Draw a clip of a kind of KINDS for crops of `size` pixels."""
    if kind == "step":
        return _step(rng, pool, config, size)
    time = _times(rng, config)
    faces = pool.choose(rng, _cast(rng, kind), config.distance.get(kind, 0))
    affect = pool.affect[faces]
    way = _way(rng, kind, affect, time)
    return Script(
        kind,
        tuple(pool.rows[faces].tolist()),
        time,
        way,
        affect_along(affect, way),
        _found(rng, len(time), config.interrupted),
        _blinks(rng, time),
        draw_shot(rng, time, size, config.occluded),
        bool(rng.random() < 0.5),
    )


def affect_along(affect: np.ndarray, way: np.ndarray) -> np.ndarray:
    """(T, 2) float32: linear between the faces' affect (K, 2), way (T,) in [0, K - 1]."""
    return np.stack([np.interp(way, np.arange(len(affect)), values) for values in affect.T], axis=1).astype(np.float32)


def _step(rng: np.random.Generator, pool: Pool, config: SequenceConfig, size: int) -> Script:
    faces = pool.choose(rng, 2, config.distance["step"])
    time = np.arange(STEP_FRAMES) / STEP_RATE_HZ
    way = (np.arange(STEP_FRAMES) >= STEP_FRAME).astype(float)
    rows, affect = tuple(pool.rows[faces].tolist()), affect_along(pool.affect[faces], way)
    seen, open_eyes = np.ones(STEP_FRAMES, bool), np.zeros(STEP_FRAMES)
    return Script("step", rows, time, way, affect, seen, open_eyes, Shot.clean(STEP_FRAMES, size), False)


def _cast(rng: np.random.Generator, kind: str) -> int:
    """How many faces a clip has."""
    return {"still": 1, "morph": 2, "lively": 2 + int(rng.random() < 0.35)}[kind]


def _way(rng: np.random.Generator, kind: str, affect: np.ndarray, time: np.ndarray) -> np.ndarray:
    """(T,): along the faces with affect (K, 2)."""
    seconds = float(time[-1])
    if kind == "still":
        return np.zeros(len(time))
    if kind == "lively":
        # in label units: a move of 4 of AFEW-VA's levels is 0.4 in affect
        length = 10 * float(np.linalg.norm(np.diff(affect, axis=0), axis=1).mean())
        return simulate_lively(rng, seconds, 0, length * (len(affect) - 1))(time) / length
    labels = simulate_labels(rng, int(np.ceil(seconds * RATE_HZ)) + 1)
    moves = np.stack([smooth(axis)(time) - axis[0] for axis in labels.T], axis=1) / 10
    apart = affect[1] - affect[0]
    return _fitted(rng, moves @ apart / (apart @ apart))


def _fitted(rng: np.random.Generator, moves: np.ndarray) -> np.ndarray:
    """The trace (T,) shifted to a random place within [0, 1]; one too large for that is made smaller."""
    moves = moves / max(float(np.ptp(moves)), 1.0)
    return (moves - moves.min() + rng.uniform(0, 1 - np.ptp(moves))).clip(0, 1)


def _times(rng: np.random.Generator, config: SequenceConfig) -> np.ndarray:
    """(T,) float64 rising from 0."""
    rate, seconds = rng.choice(config.rates_hz), rng.uniform(*config.seconds)
    count = min(max(2, round(seconds * rate)), config.max_frames)
    time = np.arange(count) / rate
    if rng.random() < config.unsteady:
        time[1:] += (rng.standard_normal(count - 1) * 0.1).clip(-0.3, 0.3) / rate
    return time


def _found(rng: np.random.Generator, count: int, share: float) -> np.ndarray:
    found = np.ones(count, bool)
    if rng.random() < share:
        for _ in range(int(rng.integers(1, 3))):
            start = int(rng.integers(1, count))
            found[start : start + int(rng.integers(1, 9))] = False
    return found


def _blinks(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """(T,) how far the lids are closed: every 2 to 6 s for 0.1 to 0.3 s, closing twice as fast as they open."""
    closure, start = np.zeros(len(time)), rng.uniform(-1, 4)
    while start < time[-1]:
        share = (time - start) / rng.uniform(0.1, 0.3)
        closure = np.maximum(closure, np.clip(np.minimum(3 * share, 1.5 * (1 - share)), 0, 1))
        start += rng.uniform(2, 6)
    return closure
