"""The neutral faces that a landmark model is told, out of a source that is tracked for their sake."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from tracker.engine import Engine, track
from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.types import Frame


def give_everybody(engine: Engine, uri: str) -> None:
    """Take the neutral face of a picture or a video for everybody's: of its faces the one that is seen longest.

    Raises SourceError where none is seen well. Without a landmark model it does nothing.
    """
    if engine.codes is None:
        return
    seen: Counter[int | None] = Counter()
    with open_source(uri) as source:
        found = neutral_faces(engine, source, lambda: seen.update(engine.neutrals()))
    if not found:
        raise SourceError(f"{uri}: no face is seen well in it; expected the relaxed face, from the front")
    engine.codes.given = {None: found[seen.most_common(1)[0][0]]}


def neutral_faces(engine: Engine, frames: Iterable[Frame], passed: Callable[[], None]) -> dict[int | None, np.ndarray]:
    """Neutral shapes (P, 3) of a stream's faces by their ids, as they stand in the end; passed() follows each frame."""
    found: dict[int | None, np.ndarray] = {}
    for _ in track(frames, engine):
        found |= engine.neutrals()
        passed()
    engine.reset()
    return found
