"""Tables as `affect track` writes them, of sessions longer and livelier than a test can film."""

import json
from pathlib import Path

import numpy as np

from tracker.sinks import Columns
from tracker.sinks.records import CsvSink, extra_columns
from tracker.types import STATUSES, AffectSample, Face, Frame, TrackedFrame

EXTRAS = extra_columns(("deviation", "expressions"))


def write_session(
    folder: Path,
    times: np.ndarray,
    faces: int = 2,
    name: str = "session",
    source: Path | None = None,
    columns: Columns = "affect",
) -> Path:
    """A table of faces seen at the times (T,), seconds, its sheet beside it; returns the table's path.

    Each face wanders, is away for a twentieth of the time, and is of low quality for another; face 0 is seen first and
    last. Every number has the noise of a real one, down to its last decimal.
    """
    generator = np.random.default_rng(0)
    samples = len(times)
    wander = np.cumsum(generator.normal(0, 0.02, (samples, faces, 2)), axis=0)
    smooth = np.sin(wander)
    raw = np.clip(smooth + generator.normal(0, 0.03, smooth.shape), -1, 1)
    spread = 0.2 + 0.05 * np.sin(wander / 3) + generator.normal(0, 0.0005, smooth.shape)
    logits = np.cumsum(generator.normal(0, 0.03, (samples, faces, 8)), axis=0)
    expressions = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    quadrants = np.exp(logits[..., :4]) / np.exp(logits[..., :4]).sum(axis=2, keepdims=True)
    place = np.cumsum(generator.normal(0, 0.6, (samples, faces, 4)), axis=0)
    pose = np.cumsum(generator.normal(0, 0.01, (samples, faces, 3)), axis=0)
    part = (np.arange(samples) * 20 // samples)[:, None] - 3 * np.arange(faces)
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / f"{name}.csv"
    with CsvSink(table, columns, EXTRAS) as sink:
        for index, time in enumerate(times.tolist()):
            there = [face for face in range(faces) if part[index, face] != 12]
            boxes = [np.array([100, 60, 260, 250], np.float32) + 300 * face + place[index, face] % 20 for face in there]
            sink.write(
                TrackedFrame(
                    Frame(np.empty((0, 0, 3), np.uint8), time, index),
                    tuple(
                        Face(box, np.empty((0, 3), np.float32), 0.95, face)
                        for box, face in zip(boxes, there, strict=True)
                    ),
                    tuple(
                        AffectSample(
                            time=time,
                            track_id=face,
                            status=STATUSES[int(part[index, face] == 6)],
                            valence=raw[index, face, 0],
                            arousal=raw[index, face, 1],
                            valence_frame=raw[index, face, 0],
                            arousal_frame=raw[index, face, 1],
                            valence_smooth=smooth[index, face, 0],
                            arousal_smooth=smooth[index, face, 1],
                            quadrant=quadrants[index, face],
                            attention=None,
                            attention_age=None,
                            confidence=0.9 + 0.05 * abs(np.sin(index / 50)),
                            pose=pose[index, face],
                            expressions=expressions[index, face],
                            valence_sd=spread[index, face, 0],
                            arousal_sd=spread[index, face, 1],
                        )
                        for face in there
                    ),
                )
            )
    sheet = {
        "version": "0.1.0",
        "complete": True,
        "source": {"path": str(source or folder / f"{name}.mp4"), "width": 640, "height": 360},
        "model": {"name": "anclaf-face", "kind": "anclaf", "sha256": "0" * 64, "terms": "Apache-2.0"},
        "smoothing": {"kind": "one-euro", "lag_ms": 218.6},
        "warnings": [],
    }
    (folder / f"{name}.meta.json").write_text(json.dumps(sheet), encoding="utf-8")
    return table
