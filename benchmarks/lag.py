"""How much later an answer comes for the window and the filter behind the networks, by a step response."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.config import BenchConfig
from tracker.engine import Engine, track
from tracker.errors import SourceError
from tracker.smoothing import make_smoother
from tracker.sources import open_source
from tracker.types import FaceFeatures

BEFORE_S, AFTER_S = 2.0, 5.0
"""The first feature stands for so long, then the second; both fill any window."""


@dataclass(frozen=True)
class Lags:
    """Milliseconds from a step until half of it is in the answer; None where it never is."""

    window_ms: float | None
    """Between the two features of the clip that are furthest apart in valence."""
    smoothing_ms: float | None
    """Of the filter alone, by the small step that .meta.json speaks of."""
    both_ms: float | None
    """Window and filter in line, by the step between the two features."""


def step_lags(uri: str, config: BenchConfig, rate_hz: float) -> Lags:
    """Lags at a rate of frames, mean of the step up and the step down. Raises SourceError for a clip without a face."""
    with Engine(config.model, config.tracker) as engine:
        low, high = extremes(uri, engine)
        ways = [responses(engine, pair, rate_hz) for pair in ((low, high), (high, low))]
        window, both = ([crossing_ms(way[i], rate_hz) for way in ways] for i in (0, 1))
        return Lags(_mean(window), engine.step_lag_ms, _mean(both))


def extremes(uri: str, engine: Engine) -> tuple[FaceFeatures, FaceFeatures]:
    """Features of the frames with the lowest and the highest valence of the clip, each of one face."""
    seen: list[FaceFeatures] = []
    encode = engine.runtime.encode

    def heard(crops: np.ndarray) -> Any:
        answer = encode(crops)
        parts: list[Any] = [None if part is None else part[:1] for part in answer]
        seen.append(FaceFeatures(*parts))
        return answer

    with open_source(uri) as source, patch.object(engine.runtime, "encode", heard):
        for _ in track(source, engine):
            pass
    if not seen:
        raise SourceError(f"{uri} shows no face; the lag of the window is measured by the face of the source")
    ordered = sorted(seen, key=lambda features: float(features.frame_affect[0, 0]))
    return ordered[0], ordered[-1]


def responses(engine: Engine, step: tuple[FaceFeatures, FaceFeatures], rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """How much of a step is in the window's answer and in the smoothed one: (K,) each, from its own frame on."""
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    state, smoother = engine._new_state(), make_smoother(engine.config.smoothing)
    window, smooth = [], []
    for frame in range(before + after):
        time, features = frame / rate_hz, step[frame >= before]
        affect = np.clip(engine._combine([state], features, time)[0][0], -1.0, 1.0)
        window.append(affect)
        smooth.append(smoother.step(affect, time))
    low, high = window[before - 1], window[-1]
    return shares(window[before:], low, high), shares(smooth[before:], low, high)


def shares(values: Sequence[np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far each value (2,) is on the way from low (2,) to high (2,): 0 to 1."""
    way = np.asarray(high, np.float64) - low
    return (np.stack(values) - low) @ way / max(float(way @ way), 1e-12)


def crossing_ms(answer: np.ndarray, rate_hz: float) -> float | None:
    """When an answer (K,), from the step's own frame on, first passes 0.5; None where it does not."""
    passed = np.flatnonzero(answer >= 0.5)
    if not len(passed):
        return None
    frame = int(passed[0])
    if frame == 0:
        return 0.0
    before, after = answer[frame - 1], answer[frame]
    return float(1000.0 * (frame - 1 + (0.5 - before) / (after - before)) / rate_hz)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
