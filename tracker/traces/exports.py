"""A trace in the formats of other programs: which files, and what stands in them."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tracker
from tracker.config import ExportConfig
from tracker.errors import DataError, UsageError
from tracker.sinks.records import csv_lines
from tracker.traces.even import even
from tracker.traces.events import TimedEvent, events_of
from tracker.traces.reading import FaceTrace, Trace, find_traces, read_film
from tracker.traces.tiers import eaf, textgrid, tiers_of

SIGNALS = ("valence_smooth", "arousal_smooth", "valence_frame", "arousal_frame", "confidence", "success")
"""The columns that formats of signals get."""
DESCRIPTIONS = {
    "valence_smooth": "Apparent valence of the face's expression after the causal filter, -1 to 1",
    "arousal_smooth": "Apparent arousal of the face's expression after the causal filter, -1 to 1",
    "valence_frame": "Apparent valence of the single frame, -1 to 1",
    "arousal_frame": "Apparent arousal of the single frame, -1 to 1",
    "confidence": "Score of the face times the quality of its picture, 0 to 1",
    "success": "1 where the face was measured and seen well, else 0",
}
BIDS_VERSION = "1.9.0"

Files = dict[Path, bytes]


def export(paths: Sequence[str | Path], config: ExportConfig) -> Files:
    """What is to be written of all traces that the paths name, in the folder of the configuration.

    Raises DataError where a path is no trace or has no face, UsageError where two traces would make the same file.
    """
    made: Files = {}
    for file in find_traces(paths):
        trace = read_film(file)
        faces = trace.faces(config.one_person)
        if not faces:
            raise DataError(f"{file} has no face in any frame: there is nothing to export")
        files = FORMATS[config.format](trace, faces, events_of(trace, config.events), config)
        twins = [str(path) for path in files if path in made and made[path] != files[path]]
        if twins:
            remedy = "--task or --participant" if config.format == "bids" else "-o"
            raise UsageError(f"two traces would make {twins[0]}; export them one by one, each with its own {remedy}")
        made |= files
    return made


def _elan(trace: Trace, faces: Sequence[FaceTrace], events: Sequence[TimedEvent], config: ExportConfig) -> Files:
    return {Path(config.folder, f"{trace.name}.eaf"): eaf(trace, tiers_of(trace, faces, events, config.step))}


def _textgrid(trace: Trace, faces: Sequence[FaceTrace], events: Sequence[TimedEvent], config: ExportConfig) -> Files:
    grid = textgrid(trace, tiers_of(trace, faces, events, config.step))
    return {Path(config.folder, f"{trace.name}.TextGrid"): grid}


def _edf(trace: Trace, faces: Sequence[FaceTrace], events: Sequence[TimedEvent], config: ExportConfig) -> Files:
    from tracker.traces.edf import edf

    return {Path(config.folder, f"{trace.name}{_whose(face)}.edf"): edf(trace, face, events) for face in faces}


def _table(trace: Trace, faces: Sequence[FaceTrace], _: Sequence[TimedEvent], config: ExportConfig) -> Files:
    """Even steps, a header, a time in seconds, numbers alone: what import dialogues for external data take."""
    files = {}
    for face in faces:
        steps, signals = signals_of(face)
        rows = zip(steps.round(6).tolist(), *(_texts(values, "") for values in signals.values()), strict=True)
        files[Path(config.folder, f"{trace.name}{_whose(face)}.table.csv")] = csv_lines([("time", *signals), *rows])
    return files


def _bids(trace: Trace, faces: Sequence[FaceTrace], events: Sequence[TimedEvent], config: ExportConfig) -> Files:
    """A physiological recording for each face, and the events, below beh/ of the participant."""
    session = f"ses-{config.session}" if config.session else ""
    task = config.task or "".join(letter for letter in trace.name if letter.isascii() and letter.isalnum()) or "trace"
    folder = Path(config.folder, f"sub-{config.participant}", session, "beh")
    stem = "_".join(filter(None, (f"sub-{config.participant}", session, f"task-{task}")))
    model = trace.sheet.get("model", {})
    files: Files = {}
    for face in faces:
        recording = "face" if face.face_id is None else f"face{face.face_id}"
        steps, signals = signals_of(face)
        rows = zip(*(_texts(values, "n/a") for values in signals.values()), strict=True)
        lines = "".join("\t".join(row) + "\n" for row in rows)
        about: dict[str, Any] = {
            "SamplingFrequency": even(face, ()).rate_hz,
            "StartTime": round(float(steps[0]), 6),
            "Columns": list(signals),
            "Manufacturer": "affect-tracker",
            "SoftwareVersions": trace.sheet.get("version", tracker.__version__),
            "ModelName": model.get("name", "unknown"),
            "ModelSHA256": model.get("sha256", "unknown"),
            **{name: {"Description": DESCRIPTIONS[name], "Units": "arbitrary"} for name in signals},
        }
        name = f"{stem}_recording-{recording}_physio"
        files[folder / f"{name}.tsv.gz"] = gzip.compress(lines.encode(), mtime=0)
        files[folder / f"{name}.json"] = _json(about)
    if events:
        table = [("onset", "duration", "trial_type")]
        for each in events:
            duration = "n/a" if each.end is None else f"{each.end - each.start:.6f}"
            table.append((f"{each.start:.6f}", duration, " ".join(each.condition.split()) or "n/a"))
        files[folder / f"{stem}_events.tsv"] = "".join("\t".join(row) + "\n" for row in table).encode()
    description = Path(config.folder, "dataset_description.json")
    if not description.exists():
        files[description] = _json({"Name": "affect traces", "BIDSVersion": BIDS_VERSION, "DatasetType": "raw"})
    return files


FORMATS: dict[str, Callable[[Trace, Sequence[FaceTrace], Sequence[TimedEvent], ExportConfig], Files]] = {
    "elan": _elan,
    "textgrid": _textgrid,
    "bids": _bids,
    "edf": _edf,
    "table": _table,
}


def signals_of(face: FaceTrace, rate_hz: float | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Even times (N,), and by name (N,) the signals of SIGNALS; NaN where nothing was measured, success never."""
    steps = even(face, SIGNALS, rate_hz)
    good = (steps.status == "ok") & np.isfinite(steps.values["valence_smooth"])
    return steps.time, {**steps.values, "success": good.astype(float)}


def _texts(values: np.ndarray, missing: str) -> list[str]:
    return [f"{value:.6g}" if np.isfinite(value) else missing for value in values]


def _whose(face: FaceTrace) -> str:
    return "" if face.face_id is None else f".face{face.face_id}"


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"
