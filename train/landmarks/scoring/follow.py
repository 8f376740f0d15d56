"""A clip as the tracker sees it: the shape of its largest face over time, with valence and arousal."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from tracker.config import TrackerConfig
from tracker.engine import Engine, track
from tracker.errors import DataError
from tracker.faces.neutral import CalmFaces
from tracker.faces.shape import Layout, normalised
from tracker.sources import open_source
from tracker.types import TrackedFrame
from train.scoring.synthetic import TABLE, truth_of


@dataclass(frozen=True)
class Followed:
    """The T frames of a clip in which a face was found."""

    name: str
    time: np.ndarray
    """(T,) seconds."""
    shapes: np.ndarray
    """(T, P, 3): normalised landmarks."""
    affect: np.ndarray
    """(T, 2): valence and arousal."""
    known: bool
    """Whether they are the truth of a synthetic clip; else the tracker's, smoothed."""

    @property
    def neutral(self) -> np.ndarray:
        """(P, 3): the medoid of the calmest moments."""
        calm = CalmFaces()
        for shape, time, affect in zip(self.shapes, self.time, self.affect, strict=True):
            calm.add(shape, float(time), float(np.hypot(*affect)))
        return cast(np.ndarray, calm.medoid(least=1))


def follow(file: Path, layout: Layout) -> Followed:
    """Track a clip by the model that ships; DataError where no face is in it."""
    with open_source(str(file)) as source, Engine(config=TrackerConfig(faces=1)) as engine:
        frames = tqdm(track(source, engine), file.name, unit="frame", leave=False)
        told = [_told(tracked, layout) for tracked in frames]
    seen = [i for i, each in enumerate(told) if each is not None]
    if not seen:
        raise DataError(f"{file}: no face was found in its {len(told)} frames; give another clip")
    times, points, smoothed = (np.array(column) for column in zip(*filter(None, told), strict=True))
    truth = truth_of(file) if (file.parent / TABLE).is_file() else None
    affect = smoothed if truth is None else truth[seen]
    return Followed(file.name, times, normalised(points, layout), affect, truth is not None)


def _told(tracked: TrackedFrame, layout: Layout) -> tuple[float, np.ndarray, tuple[float, float]] | None:
    """Time, landmarks (P, 3) and smoothed affect of a frame's face, without its picture; None without a face."""
    if not tracked.faces:
        return None
    sample = tracked.samples[0]
    points = tracked.faces[0].landmarks[list(layout.mediapipe)]
    return tracked.frame.time, points, (sample.valence_smooth, sample.arousal_smooth)
