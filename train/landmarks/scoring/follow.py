"""A clip as the tracker sees it: the shape of its largest face over time, with valence and arousal."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tracker.config import TrackerConfig
from tracker.engine import Engine, track
from tracker.errors import DataError
from tracker.faces.shape import Layout, medoid, normalised
from tracker.sources import open_source
from tracker.types import TrackedFrame
from train.scoring.synthetic import TABLE, truth_of

CALM = 0.1
"""Share of a clip's frames that are calm: those whose valence and arousal lie nearest to 0."""


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
        """(P, 3): the medoid of the calm frames."""
        away = np.linalg.norm(self.affect, axis=1)
        calm = self.shapes[np.argsort(away, kind="stable")[: max(1, round(CALM * len(away)))]]
        return calm[medoid(calm)]


def follow(file: Path, layout: Layout) -> Followed:
    """Track a clip by the model that ships; DataError where no face is in it."""
    with open_source(str(file)) as source, Engine(config=TrackerConfig(faces=1)) as engine:
        frames = list(tqdm(track(source, engine), file.name, unit="frame", leave=False))
    seen = [i for i, tracked in enumerate(frames) if tracked.faces]
    if not seen:
        raise DataError(f"{file}: no face was found in its {len(frames)} frames; give another clip")
    points = np.stack([frames[i].faces[0].landmarks[list(layout.mediapipe)] for i in seen])
    truth = truth_of(file) if (file.parent / TABLE).is_file() else None
    affect = np.array([_smoothed(frames[i]) for i in seen]) if truth is None else truth[seen]
    times = np.array([frames[i].frame.time for i in seen])
    return Followed(file.name, times, normalised(points, layout), affect, truth is not None)


def _smoothed(tracked: TrackedFrame) -> tuple[float, float]:
    sample = tracked.samples[0]
    return sample.valence_smooth, sample.arousal_smooth
