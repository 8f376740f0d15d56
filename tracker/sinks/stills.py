"""Stills with box and valence-arousal point, as pictures."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tracker.config import STILL_OVERLAY_SUFFIX
from tracker.sinks import Sink
from tracker.sinks.files import PartFile
from tracker.types import TrackedFrame


class StillsSink(Sink):
    """Writes each still as PNG: to the path where that ends in .png, else into the folder there, under its own name."""

    def __init__(self, path: Path, draw: Callable[[TrackedFrame], np.ndarray]) -> None:
        self._path, self._draw = path, draw

    def write(self, tracked: TrackedFrame) -> None:
        """Write one still, whole or not at all; raises SinkError."""
        picture = io.BytesIO()
        Image.fromarray(self._draw(tracked)).save(picture, "PNG", compress_level=1)
        file = PartFile(self._place(tracked), hidden=True)
        try:
            file.write(picture.getvalue())
            file.finish()
        except BaseException:
            file.discard()
            raise

    def finish(self) -> None:
        """Every still is complete once it was written."""

    def abort(self) -> None:
        """Likewise."""

    def _place(self, tracked: TrackedFrame) -> Path:
        if self._path.suffix == ".png":
            return self._path
        place = self._path / f"{tracked.frame.name}{STILL_OVERLAY_SUFFIX}"
        place.parent.mkdir(parents=True, exist_ok=True)
        return place
