"""Pictures in place of a video, read by Pillow."""

import logging
import os
import re
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

try:
    from pillow_heif import register_heif_opener
except ImportError:
    register_heif_opener = None  # type: ignore[assignment]

from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import MOST_PIXELS, is_before, too_large
from tracker.types import Frame, SourceInfo, SourceReport

NAMED = 5
"""Skipped pictures that the report names; the others are counted."""
MOVING = ("AVIF", "PNG", "WEBP")
"""Formats of which one file can hold an animation. The pages of a TIFF and the views of a JPEG are none."""
SHORTEST_MS = 10.0
USUAL_MS = 100.0
"""Frames of an animation that are shorter than the shortest are shown so long, as browsers do."""
USUAL_FPS = 25.0
NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
"""A numbered name: what stands before its last number, the number, and what stands behind."""
HEIF = re.compile(r"\.hei[cf]", re.IGNORECASE)

Image.MAX_IMAGE_PIXELS = None  # MOST_PIXELS takes its place, with a plain line in place of a warning
warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged files; what cannot be read is told in our own words
logging.getLogger("PIL").setLevel(logging.CRITICAL)
if register_heif_opener is not None:
    register_heif_opener(thumbnails=False)


class ImageReader:
    """Reads pictures in the order given: the frames of a film, each shown for 1 / fps seconds, or stills.

    The time of a film's frame is its place in the order divided by fps; a still has its file's name and the time 0. One
    that cannot be read is skipped and named in the report: it leaves a gap in the times, not in the index of the
    frames. Of several pictures an animated one gives its first frame.
    """

    def __init__(self, uri: str, paths: Sequence[str], options: SourceOptions, film: bool = True) -> None:
        self._fps = options.fps or USUAL_FPS
        self._film = film
        self._above = Path(os.path.commonpath([Path(path).parent for path in paths]))
        self._places = [(i, path) for i, path in enumerate(paths) if not film or _in_range(i / self._fps, options)]
        self._decoded = self._skipped = 0
        self._names: list[str] = []
        self._ended = False
        if not self._places:
            raise SourceError(
                f"{uri} has no picture in that range; it lasts {len(paths) / self._fps:g} s at {self._fps:g} fps"
            )
        self._pictures = self._read()
        first = next(self._pictures, None)
        if first is None:
            raise SourceError(f"{uri} holds no picture that can be read; tried: {len(self._places)} ({self._named()})")
        self._first = [first]
        self.info = self._describe(uri, first.image, Path(paths[0]).suffix)

    def frames(self) -> Iterator[Frame]:
        """The pictures that can be read; index counts from 0."""
        yield self._first.pop()
        yield from self._pictures

    def report(self) -> SourceReport:
        """What has been read until now; final after the last frame."""
        warning = f"pictures left out because they cannot be read: {self._skipped} ({self._named()})"
        return SourceReport(self._decoded, 0, (warning,) if self._skipped else (), self._ended)

    def close(self) -> None:
        """Nothing stays open between two pictures."""

    def _read(self) -> Iterator[Frame]:
        for place, path in self._places:
            try:
                image = load_picture(path)
            except SourceError as error:
                self._skipped += 1
                if len(self._names) < NAMED:
                    self._names.append(str(error))
                continue
            if self._film:
                yield Frame(image, place / self._fps, self._decoded)
            else:
                yield Frame(image, 0.0, self._decoded, name=Path(path).relative_to(self._above).as_posix())
            self._decoded += 1
        self._ended = True

    def _named(self) -> str:
        return ", ".join(self._names) + (", ..." if self._skipped > NAMED else "")

    def _describe(self, uri: str, image: np.ndarray, suffix: str) -> SourceInfo:
        return SourceInfo(
            uri=uri,
            kind="images" if self._film else "stills",
            width=image.shape[1],
            height=image.shape[0],
            rate_hz=self._fps if self._film else None,
            frames=len(self._places),
            duration=len(self._places) / self._fps if self._film else None,
            time_base=f"1/{self._fps:g}" if self._film else "",
            codec=suffix.lstrip(".").lower(),
        )


class AnimationReader:
    """Reads the frames of one animated picture (APNG, WebP, AVIF), each at its own time. Raises SourceError."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        self._uri = uri
        self._options = options
        self._decoded = 0
        self._broken = ""
        self._ended = False
        with _opened(uri) as image:
            self._codec, self._total = (image.format or "").lower(), getattr(image, "n_frames", 1)
        self._pictures = self._read()
        first = next(self._pictures, None)
        if first is None:
            raise SourceError(
                f"{uri} holds no picture that can be read; {self._broken}"
                if self._broken
                else f"{uri} has no frame in that range; frames: {self._total}"
            )
        self._first = [first]
        self.info = SourceInfo(
            uri=uri,
            kind="images",
            width=first.image.shape[1],
            height=first.image.shape[0],
            rate_hz=None,
            frames=self._total if options.start is None and options.end is None else None,
            duration=None,
            time_base="1/1000",
            codec=self._codec,
        )

    def frames(self) -> Iterator[Frame]:
        """The frames of the range; index counts from 0."""
        yield self._first.pop()
        yield from self._pictures

    def report(self) -> SourceReport:
        """What has been read until now; final after the last frame."""
        return SourceReport(self._decoded, 0, (self._broken,) if self._broken else (), self._ended and not self._broken)

    def close(self) -> None:
        """End reading."""
        self._pictures.close()

    def _read(self) -> Generator[Frame, None, None]:
        time_ms = 0.0
        with _opened(self._uri) as image:
            begin = 1 if image.info.get("default_image") else 0  # shown only where animation is not known
            for number in range(begin, getattr(image, "n_frames", 1)):
                try:
                    image.seek(number)
                    picture = _rgb(image)
                except Exception as error:
                    self._broken = f"the file is truncated: it breaks off at {time_ms / 1000:.2f} s ({error})"
                    break
                if not is_before(time_ms / 1000, self._options.end):
                    break
                if not is_before(time_ms / 1000, self._options.start or 0.0):
                    yield Frame(picture, time_ms / 1000, self._decoded)
                    self._decoded += 1
                length = float(image.info.get("duration") or 0.0)
                time_ms += length if length >= SHORTEST_MS else USUAL_MS
        self._ended = True


def read_pictures(uri: str, paths: Sequence[str], options: SourceOptions) -> ImageReader | AnimationReader:
    """A reader of pictures: of the frames of a single animated one, else of one frame each. Raises SourceError.

    They are stills unless the options, or their names, say that they are a film.
    """
    if _is_animated(paths):
        return AnimationReader(paths[0], options)
    return ImageReader(uri, paths, options, film=not is_still(paths, options))


def is_still(paths: Sequence[str], options: SourceOptions) -> bool:
    """Whether pictures are measured each by itself: neither the options nor their names say that they are a film."""
    return not (options.film or is_sequence(paths) or _is_animated(paths))


def _is_animated(paths: Sequence[str]) -> bool:
    if len(paths) == 1:
        with suppress(SourceError), _opened(paths[0]) as image:
            return image.format in MOVING and bool(getattr(image, "is_animated", False))
    return False


def is_sequence(paths: Sequence[str]) -> bool:
    """Whether the names of pictures, in their order, differ by a number alone, which rises by the same step."""
    parts = [NUMBERED.fullmatch(Path(path).name) for path in paths]
    if len(paths) < 2 or not all(parts):
        return False
    names, numbers = {(part[1], part[3]) for part in parts if part}, [int(part[2]) for part in parts if part]
    steps = {after - before for before, after in pairwise(numbers)}
    return len(names) == 1 and len(steps) == 1 and steps.pop() > 0


def read_picture(path: str) -> np.ndarray | None:
    """One picture as (H, W, 3) uint8 RGB, turned as its EXIF says; None where it cannot be read."""
    try:
        return load_picture(path)
    except SourceError:
        return None


def load_picture(path: str) -> np.ndarray:
    """Likewise, but a SourceError says why it cannot be read: its message begins with the file's bare name."""
    with _opened(path) as image:
        try:
            return _rgb(image)
        except Exception as error:
            raise SourceError(Path(path).name) from error


@contextmanager
def _opened(path: str) -> Iterator[Image.Image]:
    """A picture of which the header alone was read; raises SourceError as load_picture does."""
    name = Path(path).name
    if register_heif_opener is None and HEIF.fullmatch(Path(path).suffix):
        raise SourceError(f"{name}: HEIC is read with pip install 'affect-tracker[heif]'")
    try:  # of damaged files Pillow's formats raise almost anything: SyntaxError, struct.error, RuntimeError, ...
        image = Image.open(path)
    except Exception as error:
        raise SourceError(name) from error
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise SourceError(f"{name}: {too_large(image.width, image.height)}")
        yield image


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8, turned as the EXIF says; 16 bit are made 8, and alpha is left out."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # grey of 16 bit, which Pillow's own conversion would cut off at 255
        grey = np.clip(np.asarray(upright).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(upright.convert("RGB"))


def _in_range(time: float, options: SourceOptions) -> bool:
    return not is_before(time, options.start or 0.0) and is_before(time, options.end)
