"""The neutral faces that a landmark model is told, out of sources that are tracked for their sake."""

from collections.abc import Callable, Iterable

import numpy as np

from tracker.addresses import shown
from tracker.config import OWN, SourceOptions, TrackerConfig
from tracker.engine import Engine, track
from tracker.errors import SourceError
from tracker.faces.neutral import KEPT
from tracker.landmark_codes import Neutrals
from tracker.sources import open_source
from tracker.types import Frame


def read_neutral(model: str, config: TrackerConfig) -> np.ndarray | None:
    """(P, 3): the relaxed face in the file that config.neutral names; None where it names none. Raises SourceError."""
    if config.neutral in (None, OWN):
        return None
    with Engine(model, config) as engine:
        return neutral_in(engine, config.neutral)


def neutral_in(engine: Engine, uri: str) -> np.ndarray:
    """(P, 3): the relaxed face of one person in a picture or a video. Raises SourceError where none is seen well."""
    try:
        with open_source(uri, SourceOptions(sequence=True)) as source:
            found = neutral_faces(engine, source, least=1)
    except SourceError as error:
        raise SourceError(f"no neutral face: {error}") from error
    if None not in found:
        raise SourceError(
            f"no neutral face: none is seen well in {shown(uri)}; expected a relaxed face, from the front"
        )
    return found[None]


def neutral_faces(
    engine: Engine, frames: Iterable[Frame], passed: Callable[[], None] | None = None, least: int = KEPT
) -> Neutrals:
    """Of a stream's faces with so many calm moments what these say in the end; passed() is called after each frame.

    The engine must have a landmark model.
    """
    found: Neutrals = {}
    for _ in track(frames, engine):
        found |= engine.codes.neutrals(least) if engine.codes else {}
        if passed is not None:
            passed()
    engine.reset()
    return found
