"""An engine for a loop of one's own."""

from types import TracebackType
from typing import Any

import numpy as np

from affect.choices import OF_TRACKER, check_names, tracker_config
from affect.pictures import as_rgb
from tracker.config import DEFAULT_MODEL
from tracker.engine import Engine as Inner
from tracker.types import Frame, TrackedFrame


class Engine:
    """Tracks faces in the pictures of one stream, as they come. Use it as a context manager, or close() it.

    Keywords are those of track() that a model heeds: faces, smoothing, sequence_length, device, runtime, ... Raises
    CheckpointError for a model that cannot be used, UsageError for a keyword that is not known.
    """

    def __init__(self, model: str = DEFAULT_MODEL, **keywords: Any) -> None:
        check_names("Engine", keywords, OF_TRACKER)
        self.inner = Inner(str(model), tracker_config(keywords))
        """The tracker's own engine."""
        self._index = 0

    def step(self, picture: np.ndarray, *, time: float, color: str | None = None) -> TrackedFrame:
        """The faces of a picture (H, W, 3) uint8 and what they show.

        time: seconds, which must rise. color: "bgr" or "rgb", the order of the array's colours. Raises UsageError.
        """
        frame = Frame(as_rgb(picture, color), float(time), self._index)
        (tracked,) = self.inner.step(frame)
        self._index += 1
        return tracked

    def reset(self) -> None:
        """Forget the stream: the next picture is the first of another one, ids from 0."""
        self.inner.reset()
        self._index = 0

    def close(self) -> None:
        """Free what it holds; the engine is of no use afterwards."""
        self.inner.close()

    @property
    def meta(self) -> dict[str, Any]:
        """Model, settings, device."""
        return self.inner.meta()

    def __repr__(self) -> str:
        runtime = self.inner.runtime
        return f"<affect.Engine {runtime.card.name} by {runtime.kind}, faces={self.inner.config.faces}>"

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
