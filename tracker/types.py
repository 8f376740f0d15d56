"""The values that pass from stage to stage: frozen, numpy only; shape, unit and range stand under each field."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Literal, get_args

import numpy as np

from nets.expressions import EXPRESSIONS as EXPRESSIONS

Tell = Callable[[str], None]
"""Takes a plain line for the user, from any thread."""

Status = Literal["ok", "low_quality", "model_fault", "no_face"]
STATUSES: tuple[str, ...] = get_args(Status)

Told = Literal["deviation", "expressions"]
"""What some models tell of a face besides, and others do not."""

QUADRANTS: tuple[str, ...] = ("pp", "np", "nn", "pn")
"""Names of the circumplex quadrants, counter-clockwise from V+A+: the sign of valence, then of arousal (p or n)."""

QUADRANT_WORDS: dict[str, str] = {
    "pp": "pleasant, active",
    "np": "unpleasant, active",
    "nn": "unpleasant, calm",
    "pn": "pleasant, calm",
}
"""How an expression in a quadrant looks, in words: apparent affect, not what a person feels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture and when it was shown."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""
    time: float
    """Seconds from the stream's start, by presentation timestamp."""
    index: int
    """Counts from 0 over the frames that the source yields."""
    captured: float | None = None
    """time.monotonic() at capture, of a stream at decoding, seconds; live sources only, for latency figures alone."""
    name: str | None = None
    """Of a still: its file's name. A still is measured by itself, and its time is 0. None for a frame of a film."""
    events: tuple[str, ...] = ()
    """What happened to a live source just before it, in words: "stream back after 3.2 s", "picture size 320x180"."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face found in one frame."""

    box: np.ndarray
    """(4,) float32: x0, y0, x1, y1 in the frame's own pixels."""
    landmarks: np.ndarray
    """(468 or 478, 3) float32: x, y in the frame's own pixels, z relative depth likewise (negative is nearer)."""
    score: float
    """[0, 1]: how sure the detector is that this is a face."""
    track_id: int | None = None
    """Stable within a run, from 0, never used again; None before association."""


@dataclass(frozen=True, slots=True)
class FaceFeatures:
    """What the encoders say of B face crops."""

    feature: np.ndarray
    """(B, F) float32: the combiner's input, one row a face."""
    quadrant: np.ndarray
    """(B, 4) float32 probabilities in the order of QUADRANTS."""
    frame_affect: np.ndarray
    """(B, 2) float32: valence and arousal of the single frame, each in [-1, 1]."""
    expressions: np.ndarray | None = None
    """(B, 8) float32 probabilities in the order of EXPRESSIONS; None where the model names none."""
    deviation: np.ndarray | None = None
    """(B, 2) float32: standard deviation of frame_affect; None where the model tells none."""


@dataclass(frozen=True, slots=True)
class AffectSample:
    """The affect of one face in one frame."""

    time: float
    """Seconds: the frame's time."""
    track_id: int
    """The face's id."""
    status: Status
    """ok, low_quality (still measured), or model_fault: the model's answer is no number, and every value NaN."""
    valence: float
    """[-1, 1]: the combiner's answer over the window (equal to valence_frame for a single-frame model)."""
    arousal: float
    """[-1, 1]: likewise."""
    valence_frame: float
    """[-1, 1]: from this frame alone."""
    arousal_frame: float
    """[-1, 1]: from this frame alone."""
    valence_smooth: float
    """[-1, 1]: valence after the causal smoothing filter."""
    arousal_smooth: float
    """[-1, 1]: arousal after the causal smoothing filter."""
    quadrant: np.ndarray
    """(4,) float32 probabilities in the order of QUADRANTS."""
    attention: np.ndarray | None
    """(n,) float32 weights over the window, oldest first; None without attention."""
    attention_age: np.ndarray | None
    """(n,) float32: how many seconds ago the frame was that each weight points at, 0 for the newest; NaN where the
    window has no frame. None without attention."""
    confidence: float
    """[0, 1]: the face's score times its picture quality."""
    pose: np.ndarray
    """(3,) float32: head rotation about x, y, z in radians (OpenFace's pose_Rx, pose_Ry, pose_Rz)."""
    valence_rel: float = nan
    """[-2, 2]: valence_smooth less that of the face's neutral baseline; NaN without one, and in batch, where the
    finished tables are filled (tracker.traces.baseline)."""
    arousal_rel: float = nan
    """[-2, 2]: likewise of arousal."""
    expressions: np.ndarray | None = None
    """(8,) float32 probabilities in the order of EXPRESSIONS, after the smoothing filter; None where the model names
    none."""
    valence_sd: float | None = None
    """Above 0: standard deviation of the error of valence, after the smoothing filter; None where the model tells none.
    Neighbouring frames err alike, so that smoothing does not make it smaller."""
    arousal_sd: float | None = None
    """Likewise of arousal."""
    readings: np.ndarray | None = None
    """(R,) float32: what a model tells besides, by the names of Engine.reading_names; None where it tells no more."""


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """One frame, its faces and their samples (same order and length): all that a sink ever sees."""

    frame: Frame
    faces: tuple[Face, ...]
    samples: tuple[AffectSample, ...]
    cut: bool = False
    """Whether another scene begins with this frame."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a user noted at a moment of a live run, or what happened to its source."""

    time: float
    """Seconds: the time of the newest frame then."""
    index: int
    """That frame's index."""
    name: str
    """In words: "marker 1", "neutral baseline", and those of Frame.events."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source knows of itself before its first frame."""

    uri: str
    """As the user gave it."""
    kind: str
    """video | images | stills | camera | stream."""
    width: int
    """Pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    rate_hz: float | None
    """Average frame rate; None where the container does not say."""
    frames: int | None
    """Expected number of frames; None where unknown."""
    duration: float | None
    """Seconds; None where unknown."""
    time_base: str
    """Of the timestamps, e.g. "1/90000"; "1/fps" for pictures, "" for stills."""
    codec: str = ""
    """Codec, or picture format."""
    rotation: int = 0
    """Degrees clockwise that were applied: 0, 90, 180 or 270."""
    pixel_aspect: float = 1.0
    """Width by height of a pixel as it is stored; those of the frames are square."""
    stream: int | None = None
    """Number of the video stream in its container; None where there is none."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What a source can say of itself after its last frame."""

    decoded: int
    """Frames yielded."""
    repaired: int
    """Of these, frames whose timestamp was missing or went back."""
    warnings: tuple[str, ...]
    """Plain lines: what was damaged, skipped or cut off."""
    complete: bool
    """True once the end was reached; False before that, and where the source broke off early (a truncated file)."""
    dropped: int = 0
    """Frames that a newer one replaced before they could be used: live sources alone."""


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """How a live run goes, for the window and for the line of progress."""

    source: str
    """As the user gave it."""
    model: str
    """Its name."""
    fps: float
    """Frames tracked a second, over the last seconds; 0 before the first."""
    latency_p50_ms: float
    """From capture (see latency_from) to sample, over the last seconds; NaN before the first."""
    latency_p95_ms: float
    """Likewise."""
    dropped: int
    """Frames that a newer one replaced, since the start."""
    latency_from: str = "capture"
    """Where the latency begins: a stream's at "decoding", since nobody tells when its pictures were captured."""
    loading: str = ""
    """What is being loaded before the run begins, such as "the model anclaf-face"; empty once it has begun."""
    recorded_s: float | None = None
    """Length of the recording; None where nothing is recorded."""
    baseline: float | None = None
    """[0, 1]: how much of the neutral baseline is taken; None where none is being taken."""
    paused: bool = False
    help: bool = False
    """Whether the keys are to be shown."""
    notice: str = ""
    """What has just happened, in one line: a screenshot's name, a stream that is opened again."""
    outlets: tuple[str, ...] = ()
    """One short text for each receiver: "ws 2 clients", "osc 3 lost"."""
