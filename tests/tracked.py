"""Tracked frames made by hand, for the tests of the sinks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tracker.sinks import Sink, SinkContext, open_sink
from tracker.types import AffectSample, Face, Frame, SourceInfo, Status, TrackedFrame


def sample_at(
    time: float, track_id: int = 0, affect: Sequence[float] = (0.4, -0.1), status: Status = "ok"
) -> AffectSample:
    """A sample whose smoothed values are `affect`; those of the frame and the window differ a little from them."""
    valence, arousal = affect
    return AffectSample(
        time=time,
        track_id=track_id,
        status=status,
        valence=valence + 0.01,
        arousal=arousal + 0.01,
        valence_frame=valence + 0.02,
        arousal_frame=arousal + 0.02,
        valence_smooth=valence,
        arousal_smooth=arousal,
        quadrant=np.array([0.5, 0.125, 0.25, 0.125], np.float32),
        attention=None,
        attention_age=None,
        confidence=0.875,
        pose=np.array([0.1, -0.2, 0.05], np.float32),
    )


def looking(sample: AffectSample, weights: Sequence[float], ages: Sequence[float]) -> AffectSample:
    """The same sample with attention: its weights, oldest first, and their ages (s; NaN where there is no frame)."""
    return replace(sample, attention=np.array(weights, np.float32), attention_age=np.array(ages, np.float32))


def face_in(box: Sequence[float], track_id: int = 0) -> Face:
    """A face with a box (xyxy px) and empty landmarks."""
    return Face(np.array(box, np.float32), np.zeros((468, 3), np.float32), 0.97, track_id)


def tracked(
    index: int,
    time: float | None = None,
    samples: Sequence[AffectSample] | None = None,
    size: tuple[int, int] = (48, 64),
    boxes: Sequence[Sequence[float]] = ((10, 12, 30.5, 36.25),),
) -> TrackedFrame:
    """A grey frame of size (H, W) at 25 Hz, unless it has its own time; with one face, unless told otherwise."""
    time = index / 25 if time is None else time
    samples = [sample_at(time)] if samples is None else samples
    boxes = list(boxes) * len(samples) if len(boxes) == 1 else boxes
    faces = [face_in(box, sample.track_id) for box, sample in zip(boxes, samples, strict=True)]
    image = np.full((*size, 3), 40 + index % 100, np.uint8)
    return TrackedFrame(Frame(image, time, index), tuple(faces), tuple(samples))


def without_face(index: int, time: float | None = None) -> TrackedFrame:
    """A frame in which no face was found."""
    return tracked(index, time, samples=(), boxes=())


def context_of(uri: Path | str = "clip.mp4", kind: str = "video", **choices: object) -> SinkContext:
    """The context of a run over a source."""
    return SinkContext(SourceInfo(str(uri), kind, 64, 48, 25.0, None, None, "1/90000"), str(uri), **choices)


def written(kind: str, path: Path, frames: Sequence[TrackedFrame], context: SinkContext | None = None) -> Path:
    """Send frames to a sink of a kind, finish it, and give back its path."""
    with open_sink(kind, path, context or context_of()) as sink:
        fill(sink, frames)
    return path


def fill(sink: Sink, frames: Sequence[TrackedFrame]) -> None:
    """Send frames to a sink."""
    for frame in frames:
        sink.write(frame)
