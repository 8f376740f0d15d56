"""Frames in, tracked frames out: the only module that composes the stages."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from nets.card import CheckpointFault
from nets.onnx.session import OnnxFault
from nets.runtime import Runtime, load_runtime
from tracker.ahead import Ahead
from tracker.config import DEFAULT_MODEL, SmoothingConfig, TrackerConfig
from tracker.cuts import CutDetector
from tracker.errors import CheckpointError, UsageError
from tracker.faces.align import Template, align
from tracker.faces.association import FaceAssociator
from tracker.faces.hidden import SIDE
from tracker.faces.identity import FaceIdentity
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.pose import head_pose
from tracker.faces.quality import is_low_quality, picture_quality, shrunk
from tracker.landmark_codes import LandmarkCodes
from tracker.recurrence import Combiner, Recurrence
from tracker.ring import RingBuffer
from tracker.smoothing import Smoother, make_smoother, step_lag_ms
from tracker.types import EXPRESSIONS, AffectSample, Face, FaceFeatures, Frame, Told, TrackedFrame

log = logging.getLogger(__name__)

FRAMES_AHEAD = 3
"""Frames whose faces are found before they can be measured; a live run takes 1, so that its frames are new."""

WARM_UP = 3
"""Calls after which the compiled parts have settled."""


LANDMARKS = 468
"""Of a mesh without irises."""

SMALL = Template(size=SIDE, channels=1)
"""Of the crop in which whatever hides a face is looked for."""


class Landmarker(Protocol):
    """What the engine asks of a face finder; FaceLandmarker is one."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in image (H, W, 3) uint8 RGB, in its own pixels, without ids."""

    def reset(self) -> None:
        """Forget the faces of earlier frames."""

    def close(self) -> None:
        """Free what it holds."""


class Answer(NamedTuple):
    """What the networks and the filter say of one face in one frame."""

    trace: Sequence[float]
    """(6,): V and A over the window, of the frame alone, and smoothed."""
    quadrant: np.ndarray
    """(4,) probabilities."""
    attention: np.ndarray | None
    """(n,) or None."""
    attention_age: np.ndarray | None
    """(n,) seconds or None."""
    expressions: np.ndarray | None
    """(8,) probabilities, smoothed, or None."""
    deviation: Sequence[float] | None
    """(2,) of V and A, smoothed, or None."""
    readings: np.ndarray | None
    """(R,) or None."""


class Sighting(NamedTuple):
    """One face of a frame, before the networks."""

    face: Face
    """With its id."""
    crop: np.ndarray
    """(S, S, C) uint8."""
    pose: np.ndarray
    """(3,) radians."""
    quality: float
    """[0, 1], of the picture."""


class Found(NamedTuple):
    """A frame between the two halves of a step."""

    frame: Frame
    faces: list[Face]
    """With their ids."""
    alive: set[int]
    """Ids that a face may still take up."""
    ongoing: set[int]
    """Of these, the ids of faces whose window and filter go on."""
    cut: bool = False
    """Whether another scene begins."""


class FaceState:
    """What is remembered of one face: its window and its filters, one for each number that is smoothed."""

    def __init__(self, ring: RingBuffer, smoothing: SmoothingConfig) -> None:
        self.ring = ring
        self.affect = [make_smoother(smoothing) for _ in range(2)]
        self.deviation = [make_smoother(smoothing) for _ in range(2)]
        self.expressions = [make_smoother(smoothing) for _ in EXPRESSIONS]


class Engine:
    """Tracks the affect of every face of a stream; frames go in by their time, one tracked frame comes out for each.

    A still (a frame with a name) is measured by itself: no frame before it changes its answer, and its ids begin at 0.

    model is the name of one that ships, a path, or a ready Runtime; landmarker takes FaceLandmarker's
    place (the engine closes it). Raises CheckpointError for a model that cannot be used. Use it as a context manager.
    """

    def __init__(
        self,
        model: str | Path | Runtime = DEFAULT_MODEL,
        config: TrackerConfig | None = None,
        landmarker: Landmarker | None = None,
    ) -> None:
        self.config = config or TrackerConfig()
        self.step_lag_ms = step_lag_ms(self.config.smoothing)
        self.runtime = _load(model, self.config) if isinstance(model, str | Path) else model
        self.sequence_length = _window_length(self.runtime, self.config)
        self.codes = _codes(self.config)
        """The second model, which reads landmarks; None without one."""
        self.reading_names: tuple[str, ...] = (*self.runtime.reading_names, *(self.codes.names if self.codes else ()))
        """Of the samples' readings, in their order, from the first frame to the last; empty where there are none."""
        self.told: tuple[Told, ...] = _told(self.runtime)
        """What else stands in each sample, with columns of its own."""
        self._combiner = _combiner(self.runtime)
        self._template = Template.from_card(self.runtime.card.crop)
        self._cuts = CutDetector()
        self._associator = FaceAssociator(self.config.max_gap_s, self.config.remember_s, FaceIdentity())
        self._states: dict[int, FaceState] = {}
        self._time: float | None = None
        self._told_unsound = False
        self._halves: Ahead[Found] | None = None
        self._landmarker = landmarker or FaceLandmarker(self.config)
        self._given_landmarker = landmarker

    @cached_property
    def _still_landmarker(self) -> Landmarker:
        """Opened with the first still."""
        return self._given_landmarker or FaceLandmarker(self.config, still=True)

    def step(self, frame: Frame) -> list[TrackedFrame]:
        """The tracked frames that this frame completes, in order: at present itself. Times must rise."""
        return [self.measure(self.find(frame))]

    def find(self, frame: Frame) -> Found:
        """The first half of step(): the frame's faces and their ids. Times must rise, but for stills."""
        if frame.name is not None:
            self._associator.reset()
            faces = self._associator.update(self._detect(self._still_landmarker, frame), frame.time)
            return Found(frame, faces, set(), set())
        if self._time is not None and not frame.time > self._time:
            raise UsageError(
                f"frame {frame.index} has the time {frame.time:g} s after {self._time:g} s; expected times that rise: "
                "call Engine.reset() before another stream"
            )
        self._time = frame.time
        cut = self._cuts.update(frame.image, frame.time)
        if cut:
            self._landmarker.reset()
        faces = self._detect(self._landmarker, frame)
        replaced = not cut and self._associator.replaced(faces, frame.image)
        if replaced:  # what the landmarker follows may be another face by now
            self._landmarker.reset()
            faces = self._detect(self._landmarker, frame)
        before = self._associator.alive
        faces = self._associator.update(faces, frame.time, frame.image, cut, replaced)
        ongoing = self._associator.ongoing
        cut = cut or (replaced and bool(before) and not any(face.track_id in ongoing for face in faces))
        return Found(frame, faces, self._associator.alive, ongoing, cut)

    def _detect(self, landmarker: Landmarker, frame: Frame) -> list[Face]:
        """The landmarker's faces but for those whose landmarks are no numbers: the run goes on without these."""
        faces = landmarker.detect(frame.image)
        sound = [face for face in faces if np.isfinite(face.landmarks).all()]
        if len(sound) < len(faces) and not self._told_unsound:
            self._told_unsound = True
            log.warning(
                "frame %d has a face whose landmarks are not finite numbers; it is left out, as all such are",
                frame.index,
            )
        return sound

    def measure(self, found: Found) -> TrackedFrame:
        """The second half of step(): what the networks and the filter say of the faces, in the order of the frames."""
        self._states = {i: state for i, state in self._states.items() if i in found.ongoing}
        if self.codes:
            if found.frame.name is None:
                self.codes.keep(found.alive)
            else:
                self.codes.reset()
        samples = self._measure(found.frame, found.faces) if found.faces else ()
        return TrackedFrame(found.frame, tuple(found.faces), tuple(samples), found.cut)

    def run(self, frames: Iterable[Frame], ahead: int = FRAMES_AHEAD) -> Iterator[TrackedFrame]:
        """step() over frames with its two halves at once; `ahead` frames wait between them at most."""
        self._halves = Ahead((self.find(frame) for frame in frames), ahead)
        try:
            for found in self._halves:
                yield self.measure(found)
        finally:
            self._end_halves()

    def _end_halves(self) -> None:
        if self._halves is not None:
            self._halves.close()
            self._halves = None

    def warm_up(self, height: int, width: int) -> None:
        """Run every stage on an empty picture, so that the first frames of a live run are not slow ones."""
        picture = np.zeros((height, width, 3), np.uint8)
        self._landmarker.detect(picture)
        anywhere = np.random.default_rng(0).random((LANDMARKS, 3), np.float32) * min(height, width)
        face = Face(np.zeros(4, np.float32), anywhere, 0.0)
        for step in range(WARM_UP):
            self._measure(Frame(picture, step / 25, step), self._associator.update([face], step / 25))
        self.reset()

    @property
    def in_use(self) -> bool:
        """Whether frames have passed since the start or the last reset."""
        return self._time is not None

    def flush(self) -> list[TrackedFrame]:
        """The tracked frames that are still to come when the stream has ended: at present none."""
        return []

    def reset(self) -> None:
        """Forget the stream: the next frame meets an engine like a new one, ids from 0.

        Everybody's neutral face stays.
        """
        self._end_halves()
        self._landmarker.reset()
        self._cuts.reset()
        self._associator.reset()
        self._states.clear()
        if self.codes:
            self.codes.reset()
        self._time = None

    def close(self) -> None:
        """Free the landmarker's graphs; the engine is of no use afterwards."""
        self._end_halves()
        self._landmarker.close()
        if self._given_landmarker is None and "_still_landmarker" in vars(self):
            self._still_landmarker.close()

    def meta(self) -> dict[str, Any]:
        """What a .meta.json tells of the engine: models, window, smoothing with its lag, device, runtime."""
        card = self.runtime.card
        return {
            "model": card.brief(),
            "sequence_length": self.sequence_length,
            "window_rate_hz": self.runtime.window_rate_hz,
            "readings": list(self.reading_names),
            "told": list(self.told),
            **(self.codes.meta() if self.codes else {}),
            "smoothing": {**asdict(self.config.smoothing), "lag_ms": round(self.step_lag_ms, 1)},
            "quality_limits": asdict(self.config.quality),
            "faces": self.config.faces,
            "remember_s": self.config.remember_s,
            "landmarker": self.config.landmarker,
            "min_face_px": self.config.min_face_px,
            "device": str(self.runtime.device),
            "runtime": self.runtime.kind,
        }

    def _measure(self, frame: Frame, faces: list[Face]) -> list[AffectSample]:
        """The samples of a frame's faces: all are encoded in one batch."""
        time = float(frame.time)  # it may be numpy's
        sightings = [self._see(frame.image, face) for face in faces]
        features = self._encode(np.array([sighting.crop for sighting in sightings]))
        states = [self._state(sighting.face) for sighting in sightings]
        affect, attention, ages = self._combine(states, features, time)
        traces = _traces(states, affect, features.frame_affect, time)
        readings = self._readings(features, self._codes_of(sightings, traces, time))
        expressions, deviations = _expressions(states, features, time), _deviations(states, features, time)
        answers = map(Answer, traces, features.quadrant, attention, ages, expressions, deviations, readings)
        return [self._sample(time, *each) for each in zip(sightings, answers, strict=True)]

    def _encode(self, crops: np.ndarray) -> FaceFeatures:
        """What is not finite in any part is NaN in all parts: such a face's status is model_fault."""
        try:
            answer = self.runtime.encode(crops)
        except OnnxFault as fault:
            raise CheckpointError(f"the model {self.runtime.card.name} cannot be used: {fault}") from fault
        parts = [None if part is None else np.array(part, np.float32) for part in answer]
        fine = np.all([np.isfinite(part).all(axis=1) for part in parts if part is not None], axis=0)
        if not fine.all():
            for part in [part for part in parts if part is not None]:
                part[~fine] = np.nan
        return FaceFeatures(*cast(Any, parts))

    def _see(self, image: np.ndarray, face: Face) -> Sighting:
        crop, pose = align(image, face.landmarks, self._template), head_pose(face.landmarks)
        own = self._template.points == SMALL.points and self._template.box is None and self._template.size >= SMALL.size
        small = shrunk(crop if own else align(image, face.landmarks, SMALL), SMALL.size)
        return Sighting(face, crop, pose, picture_quality(crop, face.box, pose, self.config.quality, image, small))

    def _sample(self, time: float, sighting: Sighting, answer: Answer) -> AffectSample:
        face, _, pose, quality = sighting
        valence, arousal, valence_frame, arousal_frame, valence_smooth, arousal_smooth = answer.trace
        valence_sd, arousal_sd = answer.deviation or (None, None)
        return AffectSample(
            time=time,
            track_id=cast(int, face.track_id),
            status="model_fault" if math.isnan(valence) else "low_quality" if is_low_quality(quality) else "ok",
            valence=valence,
            arousal=arousal,
            valence_frame=valence_frame,
            arousal_frame=arousal_frame,
            valence_smooth=valence_smooth,
            arousal_smooth=arousal_smooth,
            quadrant=answer.quadrant,
            attention=answer.attention,
            attention_age=answer.attention_age,
            confidence=face.score * quality,
            pose=pose,
            expressions=answer.expressions,
            valence_sd=valence_sd,
            arousal_sd=arousal_sd,
            readings=answer.readings,
        )

    def _readings(self, features: FaceFeatures, codes: np.ndarray | None) -> Iterable[np.ndarray | None]:
        """Of each face the values of reading_names (R,), or None where there are none."""
        own = features.feature if self.runtime.reading_names else None
        parts = [part for part in (own, codes) if part is not None]
        return np.hstack(parts) if parts else [None] * len(features.feature)

    def _codes_of(self, sightings: list[Sighting], traces: list[list[float]], time: float) -> np.ndarray | None:
        """(B, K): the landmark model's code of each face; None without one."""
        if self.codes is None:
            return None
        rows = []
        for sighting, trace in zip(sightings, traces, strict=True):
            away = None if is_low_quality(sighting.quality) or math.isnan(trace[-1]) else math.hypot(*trace[-2:])
            rows.append(self.codes.read(sighting.face, time, away))
        return np.array(rows)

    def _combine(
        self, states: list[FaceState], features: FaceFeatures, time: float
    ) -> tuple[np.ndarray, Sequence[np.ndarray | None], Sequence[np.ndarray | None]]:
        """Affect (B, 2) over each face's window, and of each the attention (n,) and its ages (n,), or None."""
        without = [None] * len(states)
        if not self.runtime.recurrent:
            return features.frame_affect, without, without
        faults = np.isnan(features.feature[:, 0])
        for state, row, fault in zip(states, self._combiner.rows(features.feature), faults, strict=True):
            if not fault:
                state.ring.push(time, row)
        windows, valid = zip(*(state.ring.window() for state in states), strict=True)
        affect, attention = self._combiner.combine(np.array(windows), np.array(valid))
        affect[faults] = np.nan
        if attention is None:
            return affect, without, without
        return affect, list(attention), [state.ring.ages() for state in states]

    def _state(self, face: Face) -> FaceState:
        track_id = cast(int, face.track_id)
        if track_id not in self._states:
            self._states[track_id] = self._new_state()
        return self._states[track_id]

    def _new_state(self) -> FaceState:
        rate_hz, max_gap_s = self.runtime.window_rate_hz, self.config.max_gap_s
        ring = RingBuffer(self.sequence_length, self._combiner.row_width, rate_hz, max_gap_s)
        return FaceState(ring, self.config.smoothing)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def track(frames: Iterable[Frame], engine: Engine, ahead: int = FRAMES_AHEAD) -> Iterator[TrackedFrame]:
    """Track a whole stream: one tracked frame for each frame, as it passes. An engine already in use is reset first.

    Faces are found in the next frames (at most `ahead` of them), by a thread, while those of the newest are measured.
    """
    if isinstance(frames, str | Path):
        raise UsageError(
            f"track() takes frames, such as open_source({str(frames)!r}) gives; affect.track({str(frames)!r}) opens it "
            "too"
        )
    if engine.in_use:
        engine.reset()
    yield from engine.run(frames, ahead)
    yield from engine.flush()


def _load(model: str | Path, config: TrackerConfig) -> Runtime:
    try:
        return load_runtime(model, config.device, config.threads, config.runtime)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def _codes(config: TrackerConfig) -> LandmarkCodes | None:
    return LandmarkCodes(config.landmark_model, single=config.faces == 1) if config.landmark_model else None


def _told(runtime: Runtime) -> tuple[Told, ...]:
    known: dict[Told, bool] = {"deviation": runtime.has_deviation, "expressions": runtime.has_expressions}
    return tuple(name for name, there in known.items() if there)


def _combiner(runtime: Runtime) -> Combiner:
    """The compiled recurrence where the model's weights fit it, else torch."""
    weights = runtime.recurrent_weights()
    return runtime if weights is None else Recurrence(*weights)


def _window_length(runtime: Runtime, config: TrackerConfig) -> int:
    """Frames in the window: the user's choice, else the model's; a single-frame model has 1."""
    return (config.sequence_length or runtime.sequence_length) if runtime.recurrent else 1


def _traces(states: list[FaceState], affect: np.ndarray, frame_affect: np.ndarray, time: float) -> list[list[float]]:
    """For each face V and A over the window, of the frame alone, and smoothed (6,), all within [-1, 1], or NaN."""
    traces = np.hstack([affect, frame_affect]).clip(-1.0, 1.0).tolist()
    for state, trace in zip(states, traces, strict=True):
        trace += _smoothed(state.affect, trace[:2], time)
    return traces


def _deviations(states: list[FaceState], features: FaceFeatures, time: float) -> list[list[float] | None]:
    """For each face the standard deviations of V and A, smoothed (2,).

    A face that is read wrongly stays read wrongly: neighbouring frames share their error, and a mean over them is no
    surer than each. So the frames' own deviations pass through the trace's filter.
    """
    if features.deviation is None:
        return [None] * len(states)
    rows = zip(states, features.deviation.tolist(), strict=True)
    return [_smoothed(state.deviation, row, time) for state, row in rows]


def _expressions(states: list[FaceState], features: FaceFeatures, time: float) -> list[np.ndarray | None]:
    """For each face the probabilities (8,), each smoothed and all together 1."""
    if features.expressions is None:
        return [None] * len(states)
    rows = zip(states, features.expressions.tolist(), strict=True)
    smoothed = np.array([_smoothed(state.expressions, row, time) for state, row in rows], np.float32)
    return list(smoothed / smoothed.sum(axis=1, keepdims=True))


def _smoothed(smoothers: Sequence[Smoother], values: Sequence[float], time: float) -> list[float]:
    """A value that is none passes by the filter, which goes on with the next."""
    pairs = zip(smoothers, values, strict=True)
    return [math.nan if math.isnan(value) else smoother.step(value, time) for smoother, value in pairs]
