"""The neutral baseline: what the model says of a person's relaxed face, with which later values can be compared."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from tracker.types import AffectSample, Face, TrackedFrame
from tracker.words import counted

LONGEST_STEP_S = 0.5
"""A frame tells of no more time before it: while a stream stalls, no face is seen."""
LEAST_SHARE = 0.5
"""Of the baseline's time, in which a face must be seen well."""


class SeenFace:
    """What is seen of one face while a baseline is taken."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """How long it was seen well."""
        self.affect: list[tuple[float, float]] = []
        """Smoothed valence and arousal of each sample."""
        self.landmarks: list[np.ndarray] = []
        """(L, 3) of each sample's face."""

    def add(self, face: Face, sample: AffectSample, step: float) -> None:
        """Take a face and its sample; step is the time since the frame before, seconds."""
        self.seconds += step
        self.landmarks.append(face.landmarks)
        self.affect.append((sample.valence_smooth, sample.arousal_smooth))

    def median(self) -> tuple[float, float]:
        """Median valence and arousal."""
        valence, arousal = np.median(self.affect, axis=0).tolist()
        return valence, arousal


class Period:
    """The time in which a baseline is taken: `seconds` from its first frame on."""

    def __init__(self, seconds: float) -> None:
        self.seen: defaultdict[int | None, SeenFace] = defaultdict(SeenFace)
        self._seconds = seconds
        self._began: float | None = None
        self._newest = 0.0

    def add(self, time: float, faces: Iterable[tuple[int | None, Face, AffectSample]]) -> None:
        """Take a frame: its time, and of each face whose it is, itself and its sample."""
        if self._began is None:
            self._began = self._newest = time
        step, self._newest = min(time - self._newest, LONGEST_STEP_S), time
        for key, face, sample in faces:
            if sample.status == "ok":
                self.seen[key].add(face, sample, step)

    @property
    def progress(self) -> float:
        """[0, 1]: how much of it is over."""
        return 0.0 if self._began is None else min(1.0, (self._newest - self._began) / self._seconds)

    def is_enough(self, face: SeenFace) -> bool:
        """Whether a face was seen well for long enough."""
        return face.seconds >= LEAST_SHARE * self._seconds


class NeutralBaseline:
    """Takes the neutral baseline of every face in view, and gives later samples what they differ from it.

    It is the median of the smoothed values over `seconds` of the frames' times, from the first frame after start().
    With faces == 1 there is one participant: the baseline is that of whoever is seen, since a face that was away has
    another id. With more, each id has its own. No value but valence_rel and arousal_rel is ever changed.
    """

    def __init__(self, seconds: float, faces: int) -> None:
        self.outcome = ""
        """How the last one went, in one line; empty until its end."""
        self.relaxed: dict[int | None, np.ndarray] = {}
        """Landmarks (T, L, 3) of the faces whose baseline the last one was, by id; None: of the only participant."""
        self._seconds = seconds
        self._single = faces == 1
        self._neutral: dict[int | None, tuple[float, float]] = {}
        self._period: Period | None = None

    def start(self) -> None:
        """Take a new one from the next frame on; a face keeps its earlier one until it has another."""
        self._period, self.outcome = Period(self._seconds), ""

    def update(self, tracked: TrackedFrame) -> TrackedFrame:
        """The frame with valence_rel and arousal_rel of the faces that have a baseline; times must rise."""
        if self._period is not None:
            self._period.add(tracked.frame.time, self._seen(tracked))
            self._settle(self._period)
        if not self._neutral:
            return tracked
        return replace(tracked, samples=tuple(map(self._relative, tracked.samples)))

    @property
    def progress(self) -> float | None:
        """[0, 1]: how much of it is taken; None where none is being taken."""
        period = self._period  # the thread that tracks may end it meanwhile
        return None if period is None else period.progress

    def has(self, track_id: int) -> bool:
        """Whether a face has a baseline."""
        return self._key(track_id) in self._neutral

    def _key(self, track_id: int) -> int | None:
        return None if self._single else track_id

    def _seen(self, tracked: TrackedFrame) -> Iterator[tuple[int | None, Face, AffectSample]]:
        for face, sample in zip(tracked.faces, tracked.samples, strict=True):
            yield self._key(sample.track_id), face, sample

    def _relative(self, sample: AffectSample) -> AffectSample:
        if not self.has(sample.track_id):
            return sample
        valence, arousal = self._neutral[self._key(sample.track_id)]
        valence_rel, arousal_rel = sample.valence_smooth - valence, sample.arousal_smooth - arousal
        return replace(sample, valence_rel=valence_rel, arousal_rel=arousal_rel)

    def _settle(self, period: Period) -> None:
        """Once the period is over, set what was found."""
        if period.progress < 1:
            return
        enough = {key: face for key, face in period.seen.items() if period.is_enough(face)}
        found = {key: face.median() for key, face in enough.items()}
        self.relaxed = {key: np.array(face.landmarks) for key, face in enough.items()}
        lines = [self._told(key, face, found.get(key)) for key, face in period.seen.items()]
        self.outcome = "; ".join(lines) or "no neutral baseline: no face was seen well; look at the camera, try again"
        self._neutral |= found
        self._period = None

    def _told(self, key: int | None, face: SeenFace, neutral: tuple[float, float] | None) -> str:
        whose = "" if self._single else f" of face {key}"
        if neutral is None:
            return f"no neutral baseline{whose}: seen well for {face.seconds:.1f} of {self._seconds:g} s; try again"
        valence, arousal = neutral
        return f"neutral baseline{whose}: V {valence:+.2f}, A {arousal:+.2f} ({counted(len(face.affect), 'sample')})"
