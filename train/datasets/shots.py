"""Where the pictures of a data set are: files, a video or an array; each is read when its turn comes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import cv2
import numpy as np

from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.sources.images import read_picture

RATE_HZ = 25.0
"""Of a video that does not say."""

Fault = Literal["", "missing", "corrupt"]


class Shot(NamedTuple):
    """One picture, or why there is none."""

    row: int
    time: float
    """Seconds from the clip's start."""
    image: np.ndarray | None
    """(H, W, 3) uint8, RGB."""
    name: str
    """Of the file, with the frame where it is a video."""
    fault: Fault = ""


class Pictures(Protocol):
    """The pictures of T rows, read one at a time."""

    def __len__(self) -> int:
        """T."""

    def __iter__(self) -> Iterator[Shot]:
        """All rows in their order; one whose picture is missing or corrupt has no image."""

    def left_out(self) -> int:
        """Frames beside the rows that the medium says it has."""


@dataclass(frozen=True)
class PictureFiles:
    """One file a row."""

    paths: Sequence[Path]
    times: Sequence[float] = ()
    """Seconds, rising; all 0 where empty."""

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Shot]:
        for row, path in enumerate(self.paths):
            image = read_picture(str(path))
            fault: Fault = "" if image is not None else "corrupt" if path.is_file() else "missing"
            yield Shot(row, self.times[row] if self.times else 0.0, image, str(path), fault)

    def left_out(self) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class VideoFrames:
    """Frames of one video, by their place in it; times are the video's own."""

    path: Path
    frames: Sequence[int]
    """Rising, from 0."""

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Shot]:
        row, time, step = 0, 0.0, 1 / RATE_HZ
        fault: Fault = "corrupt" if self.path.is_file() else "missing"
        try:
            with open_source(str(self.path)) as source:
                step = 1 / (source.info.rate_hz or RATE_HZ)
                for frame in source:
                    if frame.index == self.frames[row]:
                        time = frame.time
                        yield Shot(row, time, frame.image, self._name(row))
                        row += 1
                    if row == len(self.frames):
                        return
                fault = "missing" if source.report().complete else "corrupt"
        except SourceError:
            pass
        before = self.frames[row - 1] if row else 0
        for late in range(row, len(self.frames)):
            yield Shot(late, time + (self.frames[late] - before) * step, None, self._name(late), fault)

    def left_out(self) -> int:
        """Frames that the video says it has beside the rows."""
        try:
            with open_source(str(self.path)) as source:
                return max(0, (source.info.frames or 0) - len(self.frames))
        except SourceError:
            return 0

    def _name(self, row: int) -> str:
        return f"{self.path}, frame {self.frames[row]}"


@dataclass(frozen=True)
class ArrayPictures:
    """Rows start to stop of the grey pictures (N, H, W) uint8 called `images` in an .npz."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[Shot]:
        for row, image in enumerate(_images_of(self.path)[self.start : self.stop]):
            yield Shot(row, 0.0, cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), f"{self.path}, image {self.start + row}")

    def left_out(self) -> int:
        """None."""
        return 0


@lru_cache(maxsize=1)
def _images_of(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        return archive["images"]
