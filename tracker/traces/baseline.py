"""A person's baseline, taken from a trace: where valence and arousal rest, from which relative values start."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.config import AUTO
from tracker.errors import UsageError
from tracker.sinks.files import write_whole
from tracker.sinks.records import RELATIVE, csv_lines
from tracker.traces.fitness import FRONTAL_DEG, turn_deg
from tracker.traces.motion import speed, steps_over
from tracker.traces.reading import FaceTrace, Trace

CALM_AFFECT = 0.3
"""Units of valence and arousal a second below which an expression stays."""
STILL_SHARE = 0.5
"""Of the frames of the stillest stretch: another may be chosen that has so many."""
CALM_TURN_DEG = 20.0
"""Degrees a second below which a head is still."""
CALMEST_S = 2.0
"""Length of the calmest stretch, which `auto` takes; shorter in a shorter trace."""
FEWEST = 10
"""Frames that a baseline needs; a picture needs one."""


@dataclass(frozen=True)
class Baseline:
    """Where one face rests."""

    valence: float
    """Median of the smoothed values."""
    arousal: float
    frames: int
    """From which it was taken."""
    start: float
    """Seconds: the first of these frames."""
    end: float
    """Seconds: the last of these frames."""


Baselines = dict[int | None, Baseline]
"""By face id; None where there is one person, whose faces they all are."""


def baselines_of(trace: Trace, choice: str | tuple[float, float], one_person: bool) -> Baselines:
    """Of every face of a trace the median of its calm, frontal, well seen frames.

    choice: own takes them from the whole trace, auto from the calmest stretch of CALMEST_S, a span (seconds) from it.
    A face with fewer than FEWEST such frames has none.
    """
    found: Baselines = {}
    for face in trace.faces(one_person):
        still, unrest = _stillness(face)
        chosen = still
        if isinstance(choice, tuple):
            chosen = still & (face.time >= choice[0]) & (face.time < choice[1])
        elif choice == AUTO:
            chosen = still & _calmest(face, still, unrest)
        if chosen.sum() >= min(FEWEST, len(face.time)):
            valence, arousal = (float(np.median(face[f"{axis}_smooth"][chosen])) for axis in ("valence", "arousal"))
            first, last = face.time[chosen][[0, -1]].tolist()
            found[face.face_id] = Baseline(round(valence, 6), round(arousal, 6), int(chosen.sum()), first, last)
    return found


def _stillness(face: FaceTrace) -> tuple[np.ndarray, np.ndarray]:
    """(T,) bool: calm, frontal and well seen; (T,): how much expression and head move, 1 at the limit of calm."""
    unrest = np.zeros(len(face.time))
    if lag := steps_over(face.time):
        affect = np.column_stack([face["valence_smooth"], face["arousal_smooth"]])
        pose = np.degrees(np.column_stack([face[f"pose_R{axis}"] for axis in "xyz"]))
        until = np.fmax(speed(face.time, affect) / CALM_AFFECT, speed(face.time, pose) / CALM_TURN_DEG)
        since = np.concatenate([until[lag:], np.full(lag, np.nan)])
        unrest = np.nan_to_num(
            np.fmax(until, since), nan=np.inf
        )  # nothing is known of a face that is seen for a moment
    frontal = ~(turn_deg(face) > FRONTAL_DEG)
    return face.good & frontal & (unrest <= 1.0), unrest


def _calmest(face: FaceTrace, still: np.ndarray, unrest: np.ndarray) -> np.ndarray:
    """(T,) bool: of the stretches of CALMEST_S that are still nearly all the time the one with the least unrest.

    An expression can rest in a smile: where the model tells how likely a neutral one is, that counts as much.
    """
    time = face.time
    unrest = unrest - np.nan_to_num(face["p_neutral"])
    length = min(CALMEST_S, float(time[-1] - time[0]))
    starts = np.flatnonzero(time <= time[-1] - length + 1e-9)
    ends = np.searchsorted(time, time[starts] + length + 1e-9)
    counts = np.concatenate([[0], np.cumsum(still)])
    sums = np.concatenate([[0.0], np.cumsum(np.where(still, unrest, 0.0))])
    seen = counts[ends] - counts[starts]
    enough = seen >= max(STILL_SHARE * seen.max(), min(FEWEST, seen.max()))
    average = np.where(enough, (sums[ends] - sums[starts]) / np.maximum(seen, 1), np.inf)
    best = int(np.argmin(average))
    inside = np.zeros(len(time), bool)
    inside[starts[best] : ends[best]] = True
    return inside


def told(choice: str, baselines: Baselines, faces: Sequence[int], sha256: str | None = None) -> dict[str, Any]:
    """What the sheet says: the choice, the digest of what was read besides, and of each face its baseline or None."""
    listed = {"all": baselines[None]} if None in baselines else {str(face): baselines.get(face) for face in faces}
    return {
        "choice": choice,
        **({"sha256": sha256} if sha256 else {}),
        "faces": {name: baseline and asdict(baseline) for name, baseline in listed.items()},
    }


def lacking(baselines: Baselines, faces: Sequence[int]) -> list[str]:
    """A line for the faces that have no baseline, none where all have one."""
    without = [] if None in baselines else [str(face) for face in faces if face not in baselines]
    whose = f"face {', '.join(without)}"
    why = f"fewer than {FEWEST} frames there are calm, frontal and well seen; choose another with --baseline"
    return [f"no baseline of {whose}: {why}"] if without else []


def parse_choice(choice: str) -> str | tuple[float, float]:
    """A choice of the command line: OWN, AUTO, a span A:B in seconds, or else the path of a file.

    Raises UsageError for a span whose end is not behind its beginning.
    """
    first, _, last = choice.partition(":")
    try:
        span = float(first), float(last)
    except ValueError:
        return choice
    if not span[0] < span[1]:
        raise UsageError(f"--baseline {choice} ends before it begins; expected A:B in seconds, A before B, such as 0:4")
    return span


def write_relative(paths: Mapping[str, Path], baselines: Baselines) -> None:
    """Fill the columns of RELATIVE in the records, by kind: the smoothed values less the baseline of their face.

    The files have these columns already, empty. Raises SinkError where they cannot be written.
    """
    if "csv" in paths:
        with paths["csv"].open(encoding="utf-8", newline="") as text:
            header, *lines = list(csv.reader(text))
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        filled = [row | _told_of(row, baselines) for row in rows]
        write_whole(paths["csv"], csv_lines([header, *([row[name] for name in header] for row in filled)]))
    if "jsonl" in paths:
        with paths["jsonl"].open(encoding="utf-8") as text:
            objects = [row | _relative(row, baselines) for row in map(json.loads, text)]
        lined = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in objects)
        write_whole(paths["jsonl"], lined.encode())
    if "parquet" in paths:
        from tracker.sinks.parquet import fill_columns

        fill_columns(paths["parquet"], lambda row: _relative(row, baselines))


def _told_of(row: Mapping[str, Any], baselines: Baselines) -> dict[str, Any]:
    """Of a row of CSV: only what is known, so that the rest stays as it is, blank or NaN."""
    return {name: value for name, value in _relative(row, baselines).items() if value is not None}


def _relative(row: Mapping[str, Any], baselines: Baselines) -> dict[str, float | None]:
    """valence_rel and arousal_rel of a row; None where its face has no baseline, or was not measured."""
    face = row.get("face_id", row.get("Identity"))
    found = None if face in (None, "", "NaN") else baselines.get(int(face), baselines.get(None))
    relative: dict[str, float | None] = {}
    for column, axis in zip(RELATIVE, ("valence", "arousal"), strict=True):
        value = row[f"{axis}_smooth"]
        known = found is not None and value not in (None, "", "NaN") and math.isfinite(float(value))
        relative[column.name] = round(float(value) - getattr(found, axis), 6) + 0.0 if known else None
    return relative
