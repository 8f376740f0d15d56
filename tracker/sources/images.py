"""Pictures in place of a video, read by OpenCV."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.types import Frame, SourceInfo, SourceReport

NAMED = 5
"""Skipped pictures that the report names; the others are counted."""


class ImageReader:
    """Reads pictures in the order given; each is shown for 1 / fps seconds.

    A picture's time is its place in the order divided by fps. One that cannot be read is skipped and named in the
    report: it leaves a gap in the times, not in the index of the frames.
    """

    def __init__(self, uri: str, paths: Sequence[str], options: SourceOptions) -> None:
        self._fps = options.fps
        self._places = [(i, path) for i, path in enumerate(paths) if _in_range(i / options.fps, options)]
        self._decoded = self._skipped = 0
        self._names: list[str] = []
        self._ended = False
        if not self._places:
            raise SourceError(
                f"{uri} has no picture in that range; it lasts {len(paths) / options.fps:g} s at {options.fps:g} fps"
            )
        self._pictures = self._read()
        first = next(self._pictures, None)
        if first is None:
            raise SourceError(f"{uri} holds no picture that can be read; tried: {len(self._places)}")
        self._first = [first]
        self.info = self._describe(uri, first.image, Path(paths[0]).suffix)

    def frames(self) -> Iterator[Frame]:
        """The pictures that can be read; index counts from 0."""
        yield self._first.pop()
        yield from self._pictures

    def report(self) -> SourceReport:
        """What has been read until now; final after the last frame."""
        more = ", ..." if self._skipped > NAMED else ""
        warning = f"pictures left out because they cannot be read: {self._skipped} ({', '.join(self._names)}{more})"
        return SourceReport(self._decoded, 0, (warning,) if self._skipped else (), self._ended)

    def close(self) -> None:
        """Nothing stays open between two pictures."""

    def _read(self) -> Iterator[Frame]:
        for place, path in self._places:
            image = read_picture(path)
            if image is not None:
                yield Frame(image, place / self._fps, self._decoded)
                self._decoded += 1
                continue
            self._skipped += 1
            if len(self._names) < NAMED:
                self._names.append(Path(path).name)
        self._ended = True

    def _describe(self, uri: str, image: np.ndarray, suffix: str) -> SourceInfo:
        return SourceInfo(
            uri=uri,
            kind="images",
            width=image.shape[1],
            height=image.shape[0],
            rate_hz=self._fps,
            frames=len(self._places),
            duration=len(self._places) / self._fps,
            time_base=f"1/{self._fps:g}",
            codec=suffix.lstrip(".").lower(),
        )


def read_picture(path: str) -> np.ndarray | None:
    """One picture as (H, W, 3) uint8 RGB, turned as its EXIF says; None where it cannot be read."""
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _in_range(time: float, options: SourceOptions) -> bool:
    return (options.start or 0.0) <= time < (math.inf if options.end is None else options.end)
