"""The source of a benchmark: the clip as it is, or made anew in another size and with several faces in it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from benchmarks.config import BenchConfig
from tracker.errors import SourceError
from tracker.sinks import SinkContext
from tracker.sinks.video import VideoSink
from tracker.sources import open_source
from tracker.types import TrackedFrame


@contextmanager
def scene(config: BenchConfig) -> Iterator[str]:
    """The path of what is to be tracked; a scene that had to be made goes away at the end. Raises SourceError."""
    if config.size is None and config.tracker.faces == 1:
        yield config.source
        return
    with TemporaryDirectory(prefix="affect-bench-") as folder:
        path = Path(folder) / "scene.mp4"
        make_scene(config, path)
        yield str(path)


def make_scene(config: BenchConfig, path: Path) -> None:
    """Write the source, frame by frame at its own times, as H.264 of the size and with the faces that are wanted."""
    with open_source(config.source) as source:
        size = config.size or (source.info.width, source.info.height)
        context = SinkContext(info=source.info, source_uri=path.stem)
        faces = config.tracker.faces
        with VideoSink(path, context, lambda tracked: tiled(tracked.frame.image, size, faces)) as sink:
            for frame in source:
                sink.write(TrackedFrame(frame, (), ()))


def tiled(image: np.ndarray, size: tuple[int, int], count: int) -> np.ndarray:
    """`count` copies of image (H, W, 3) on a square grid, together (height, width, 3) of size (width, height).

    Cells that are left over are black; one copy fills the whole.
    """
    width, height = size
    side = math.ceil(math.sqrt(count))
    cell = cv2.resize(image, (width // side, height // side), interpolation=cv2.INTER_AREA)
    whole = np.zeros((height, width, 3), np.uint8)
    for place in range(count):
        row, column = divmod(place, side)
        y, x = row * cell.shape[0], column * cell.shape[1]
        whole[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return whole


def rate_of(uri: str) -> float:
    """Frames a second of a source, as it says. Raises SourceError where it does not say."""
    with open_source(uri) as source:
        rate = source.info.rate_hz
    if not rate:
        raise SourceError(f"{uri} does not say how many frames it has a second; give a video by --source")
    return rate
