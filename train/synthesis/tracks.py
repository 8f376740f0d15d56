"""Traces of valence and arousal for clips: a user's CSV, or made ones, at the frames' times."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from tracker.errors import DataError
from train.clips.traces import RATE_HZ, curve, simulate_labels, smooth
from train.synthesis.expressions import PLACES, mixture_of

EXPECTED = "a CSV with the columns time (seconds, rising), valence and arousal, each in [-1, 1]"
KINDS = ("walk", "natural")
"""Made traces: from place to place of the circumplex with rests between, and as AFEW-VA's annotators move."""
MOVE_S, REST_S = (0.4, 1.2), (0.6, 2.0)
"""Of a walk: seconds of a move and of a rest, least and most."""
LEAST_MOVE = 0.35
"""Of a walk: the least way between two rests, in the plane of valence and arousal."""


@dataclass(frozen=True)
class Trace:
    """Valence and arousal over T frames."""

    time: np.ndarray
    """(T,) float64 seconds, from 0."""
    affect: np.ndarray
    """(T, 2) float64 in [-1, 1]."""


def read_trace(file: Path, rate_hz: float) -> Trace:
    """A user's trace at rate_hz frames a second, by a monotone curve; DataError names the first row that is wrong."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = list(csv.DictReader(lines))
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file; expected {EXPECTED}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read: {error}; expected {EXPECTED}") from error
    values = np.array([_row(row, f"{file.name}, row {number}") for number, row in enumerate(rows, 2)])
    if len(values) < 2:
        raise DataError(f"{file} has {len(values)} rows below its header; expected two or more: {EXPECTED}")
    steps = np.diff(values[:, 0])
    if (steps <= 0).any():
        raise DataError(f"{file.name}, row {int(np.argmax(steps <= 0)) + 3}: time does not rise; expected {EXPECTED}")
    at = np.arange(int((values[-1, 0] - values[0, 0]) * rate_hz) + 1) / rate_hz
    return Trace(at, PchipInterpolator(values[:, 0] - values[0, 0], values[:, 1:])(at).clip(-1, 1))


def _row(row: dict[str, str | None], place: str) -> tuple[float, float, float]:
    try:
        time, valence, arousal = (float(row[name] or "") for name in ("time", "valence", "arousal"))
    except (KeyError, ValueError) as error:
        raise DataError(f"{place}: expected numbers for time, valence and arousal; {EXPECTED}") from error
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not -1 <= value <= 1:
            raise DataError(f"{place}: {name} is {value:g}; expected a trace in [-1, 1]")
    if not np.isfinite(time):
        raise DataError(f"{place}: time is {time:g}; expected {EXPECTED}")
    return time, valence, arousal


def make_trace(rng: np.random.Generator, kind: str, seconds: float, rate_hz: float) -> Trace:
    """A trace of a kind of KINDS."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return Trace(at, _walk(rng, at) if kind == "walk" else _natural(rng, at))


def shown(affect: np.ndarray) -> np.ndarray:
    """(T, 2): the valence and arousal that a face can show, of a trace (T, 2): the same but beyond the expressions."""
    names, weights = mixture_of(affect)
    places, neutral = np.array([PLACES[name] for name in names]), np.array(PLACES["neutral"])
    return weights @ places + (1 - weights.sum(axis=1, keepdims=True)) * neutral


def _walk(rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    """Rests at places that a face can show, and smooth moves between them."""
    now, place = rng.uniform(*REST_S), _somewhere(rng)
    times, places = [0.0, now], [place, place]
    while now < at[-1]:
        place = _elsewhere(rng, place)
        now += rng.uniform(*MOVE_S)
        rest = rng.uniform(*REST_S)
        times += [now, now + rest]
        places += [place, place]
        now += rest
    knots, values = np.array(times), np.array(places)
    return np.stack([curve(knots, values[:, axis])(at) for axis in (0, 1)], axis=1)


def _somewhere(rng: np.random.Generator) -> np.ndarray:
    """(2,): a point of the circumplex that a face can show."""
    return shown(rng.uniform(-1, 1, (1, 2)))[0]


def _elsewhere(rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    while np.linalg.norm((other := _somewhere(rng)) - place) < LEAST_MOVE:
        pass
    return other


def _natural(rng: np.random.Generator, at: np.ndarray) -> np.ndarray:
    labels = simulate_labels(rng, int(np.ceil(at[-1] * RATE_HZ)) + 2)
    affect = np.stack([smooth(axis)(at) for axis in labels.T], axis=1) / 10
    return shown(affect.clip(-1, 1))
