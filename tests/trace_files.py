"""Traces on disk whose values are known, written by the sinks that write real ones."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tracked import context_of, sample_at, tracked, without_face, written

from tracker.types import Status, TrackedFrame

SHEET = {
    "version": "0.1.0",
    "complete": True,
    "source": {"path": "/films/clip.mp4", "uri": "clip.mp4"},
    "model": {"name": "anclaf-face", "sha256": "ab" * 32},
    "smoothing": {"kind": "one-euro", "lag_ms": 218.6},
    "decoded": 100,
    "repaired": 0,
}


def frames_of(
    affect: Sequence[Sequence[float] | None],
    status: Sequence[Status] | None = None,
    rate_hz: float = 25.0,
    size: float = 120.0,
    pose: Sequence[float] = (0.0, 0.0, 0.0),
) -> list[TrackedFrame]:
    """A frame for each pair of valence and arousal, without a face for None."""
    frames = []
    for index, values in enumerate(affect):
        time = index / rate_hz
        if values is None:
            frames.append(without_face(index, time))
            continue
        sample = sample_at(time, affect=values, status=status[index] if status else "ok")
        sample = replace(sample, pose=np.array(pose, np.float32))
        frames.append(tracked(index, time, [sample], boxes=[(10, 10, 10 + size, 10 + size)]))
    return frames


def trace_file(
    folder: Path, frames: Sequence[TrackedFrame], name: str = "clip", kind: str = "csv", **choices: object
) -> Path:
    """The records of these frames, and a sheet beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = written(kind, folder / f"{name}.{kind}", frames, context_of(**choices))
    (folder / f"{name}.meta.json").write_text(json.dumps(SHEET), encoding="utf-8")
    return path
