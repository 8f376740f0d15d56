"""Figures of a trace: of each face, over the whole, over conditions and over windows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracker.config import SummaryConfig
from tracker.traces.events import EXCLUDED, Part, events_of, parts_of, without
from tracker.traces.fitness import FRONTAL_DEG, Fitness, fitness, turn_deg
from tracker.traces.motion import speed
from tracker.traces.reading import FaceTrace, Trace, find_traces, read_film
from tracker.traces.reliability import reliability
from tracker.types import QUADRANTS

AXES = ("valence", "arousal")
RISE = 0.2
"""A peak stands out by so much on both sides."""
ELLIPSE = 5.991
"""95 % point of chi-squared with two degrees of freedom."""
Value = str | float | int | None
"""NaN is never one: what is not known is None."""


@dataclass(frozen=True)
class Summary:
    """The figures of one face over one part of its trace."""

    trace: Trace
    face: FaceTrace
    """The frames of the part."""
    part: Part
    fit: Fitness
    figures: dict[str, Value]
    """By the names of the table's columns."""


def summarise(paths: Iterable[str | Path], config: SummaryConfig) -> list[Summary]:
    """The summaries of all traces that the paths name, file after file, face after face.

    Raises DataError where a path is no trace, the events cannot be read, or a window is longer than a trace.
    """
    summaries = []
    for file in find_traces(paths):
        trace = read_film(file)
        events = events_of(trace, config.events)
        parts = parts_of(trace, [each for each in events if each.condition != EXCLUDED], config.window, config.around)
        faces = [without(face, events) for face in trace.faces(config.one_person) or [trace.face(None)]]
        summaries += [summary_of(trace, face, part) for face in faces for part in parts]
    return summaries


def summary_of(trace: Trace, face: FaceTrace, part: Part) -> Summary:
    """The figures of a face (over all frames of its trace) in one part.

    Valence and arousal are the smoothed ones, of frames in which the face is seen well (status ok): the others are
    counted in the shares and left out of everything else.
    """
    inside = face.of_frames(part.holds(face.time))
    good, frames = inside.good, len(inside.time)
    valence, arousal = (inside[f"{axis}_smooth"] for axis in AXES)
    figures: dict[str, Value] = {
        "file": trace.name,
        "face_id": "all" if face.face_id is None and trace.face_ids else face.face_id,
        "condition": part.condition,
        "trial": part.trial,
        "window": part.window,
        "start": part.spans[0][0],
        "end": part.spans[-1][1],
        "frames": frames,
        "good": int(good.sum()),
    }
    effective = []
    for axis in AXES:
        values = np.where(good, inside[f"{axis}_smooth"], np.nan)
        figures |= _figures_of(axis, values, inside.time)
        mean = reliability(values)
        figures |= {
            f"{axis}_low": max(mean.low, -1.0),
            f"{axis}_high": min(mean.high, 1.0),
            f"{axis}_effective": mean.effective,
            f"{axis}_error": _mean(inside[f"{axis}_sd"][good]),
            f"{axis}_rel": _mean(inside[f"{axis}_rel"][good]),
        }
        effective.append(mean.effective)
    places = np.column_stack([valence[good], arousal[good]])
    for quadrant in QUADRANTS:
        signs = [sign == "p" for sign in quadrant]
        figures[f"share_{quadrant}"] = _mean(np.all((places >= 0) == signs, axis=1))
    figures["area"] = _area(places)
    figures |= {"frontal": _mean(turn_deg(inside)[good] <= FRONTAL_DEG), **_motion(inside)}
    fit = fitness(trace.sheet, inside, effective)
    figures |= {"lost": fit.lost, "low_quality": fit.low_quality, "fit": fit.verdict, "reasons": "; ".join(fit.reasons)}
    return Summary(trace, inside, part, fit, {name: _known(value) for name, value in figures.items()})


def _figures_of(axis: str, values: np.ndarray, time: np.ndarray) -> dict[str, Value]:
    """Mean, spread and extremes of values (T,), NaN where they are left out."""
    seen = values[np.isfinite(values)]
    if not len(seen):
        names = ("mean", "spread", "median", "min", "min_time", "max", "max_time", "peaks")
        return {f"{axis}_{name}": None for name in names}
    lowest, highest = int(np.nanargmin(values)), int(np.nanargmax(values))
    return {
        f"{axis}_mean": float(seen.mean()),
        f"{axis}_spread": float(seen.std(ddof=1)) if len(seen) > 1 else None,
        f"{axis}_median": float(np.median(seen)),
        f"{axis}_min": float(values[lowest]),
        f"{axis}_min_time": float(time[lowest]),
        f"{axis}_max": float(values[highest]),
        f"{axis}_max_time": float(time[highest]),
        f"{axis}_peaks": count_peaks(seen),
    }


def count_peaks(values: Sequence[float] | np.ndarray, rise: float = RISE) -> int:
    """How often values go up by `rise` from a low and down again by as much from the high that they reach."""
    peaks, climbing = 0, False
    low = high = float(values[0])
    for value in map(float, values):
        if climbing:
            high = max(high, value)
            if high - value >= rise:
                peaks, climbing, low = peaks + 1, False, value
        else:
            low = min(low, value)
            if value - low >= rise:
                climbing, high = True, value
    return peaks


def _area(places: np.ndarray) -> float | None:
    """Of the ellipse that would hold 95 % of the places (T, 2) if these were normal; the whole square has 4."""
    if len(places) < 3:
        return None
    return math.pi * ELLIPSE * math.sqrt(max(float(np.linalg.det(np.cov(places.T))), 0.0))


def _motion(face: FaceTrace) -> dict[str, Value]:
    """How fast the head turns (degrees a second) and moves in the picture (widths of the face a second), on average.

    Energy is the mean of the square of the turning speed.
    """
    turning = np.degrees(speed(face.time, np.column_stack([face[f"pose_R{axis}"] for axis in "xyz"])))
    width = face["FaceRectWidth"]
    centre = np.column_stack([face["FaceRectX"] + width / 2, face["FaceRectY"] + face["FaceRectHeight"] / 2])
    moving = speed(face.time, centre) / width
    return {"head_turning": _mean(turning), "head_energy": _mean(turning**2), "head_moving": _mean(moving)}


def _mean(values: np.ndarray) -> float | None:
    """Of those that are known; None where there is none."""
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else None


def _known(value: Value) -> Value:
    """A number rounded to what a trace holds; None for one that is not finite."""
    if not isinstance(value, float):
        return value
    return round(value, 6) + 0.0 if math.isfinite(value) else None
