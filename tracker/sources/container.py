"""What files and streams share through PyAV: opening, the video stream, its rate and length, pictures made RGB."""

import errno
import sys
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from tracker.addresses import shown, with_password
from tracker.errors import SourceError
from tracker.sources import MOST_PIXELS, too_large
from tracker.sources.turn import Turn, turn_of

DECLARED = {"mov", "matroska", "avi", "flv", "asf"}
"""Containers whose header says how long they are; elsewhere FFmpeg only guesses, and a missing end cannot be seen."""
URL_TIMEOUT_S = 20.0
MOST_HZ = 1000
"""A higher average frame rate is none: the container tells the rate of its clock instead."""


WIDEST = 8.0
"""A pixel so many times as wide as high (or as high as wide) is an error of the file: it is taken as square."""


CONVERTED = (0, 1, 2, 4, 5, 6, 7, 9)
"""Matrices of colours, by FFmpeg's numbers, that it makes RGB."""
NO_YCBCR = (8, 14, 15, 16, 17)
"""Those that it knows and cannot convert (YCgCo, ICtCp, IPT): read by another one they would show wrong colours."""
UNSPECIFIED, BT2020, BT2020_CONSTANT = 2, 9, 10


class ToRgb:
    """Makes decoded pictures (H, W, 3) uint8 RGB with square pixels, turned as the first one's display matrix says.

    Where a stored pixel is wider than high, the picture is made wider; where it is higher, the picture is made higher.
    """

    def __init__(self, uri: str, stream: av.VideoStream) -> None:
        self.turn = Turn()
        self.pixel_aspect = _pixel_aspect(stream)
        """Width of a stored pixel by its height."""
        self._uri = uri
        self._reformatter: VideoReformatter | None = None

    def __call__(self, picture: av.VideoFrame) -> np.ndarray:
        """One picture; raises SourceError where its pixels have no way to RGB."""
        if self._reformatter is None:
            self._reformatter, self.turn = VideoReformatter(), _turn_of(picture)
        width = round(picture.width * max(self.pixel_aspect, 1.0))
        height = round(picture.height * max(1.0 / self.pixel_aspect, 1.0))
        if width * height > MOST_PIXELS:
            raise SourceError(f"{name_of(self._uri)} cannot be read; {too_large(width, height)}")
        scaling = None if self.pixel_aspect == 1.0 else "BICUBIC"
        if picture.colorspace not in CONVERTED + NO_YCBCR:  # reserved numbers, which damage and some encoders leave
            picture.colorspace = BT2020 if picture.colorspace == BT2020_CONSTANT else UNSPECIFIED
        try:
            image = self._reformatter.reformat(picture, width, height, "rgb24", interpolation=scaling).to_ndarray()
            return self.turn.upright(image)
        except (av.error.FFmpegError, ValueError) as error:
            raise SourceError(f"{name_of(self._uri)}: a frame in {picture.format.name} cannot be made RGB") from error


def open_container(uri: str) -> av.container.InputContainer:
    """Open a file, an http(s) URL or standard input; raises SourceError."""
    options: dict[str, Any] = {"metadata_errors": "replace"}
    if "://" in uri:
        options["timeout"] = URL_TIMEOUT_S
    try:
        return av.open(medium_of(uri), **options)
    except (av.error.InvalidDataError, EOFError) as error:
        raise SourceError(why_not_video(uri)) from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if is_file(uri) and getattr(error, "errno", None) != errno.EACCES:  # whatever FFmpeg calls it, it is damage
            raise SourceError(f"{why_not_video(uri)} ({reason(error)})") from error
        raise SourceError(f"{name_of(uri)} cannot be opened: {reason(error)}") from error


def medium_of(uri: str) -> Any:
    """What PyAV is to open; raises SourceError where standard input is closed or a terminal."""
    if uri == "-":
        if sys.stdin is None:
            raise SourceError("standard input is closed; pipe a video into it, or name a file")
        if sys.stdin.isatty():
            raise SourceError("standard input is a terminal; pipe a video into it, or name a file")
        return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return with_password(uri) if "://" in uri else f"file:{uri}"


def why_not_video(uri: str) -> str:
    """A line on what is no video."""
    hint = "a video (mp4, mov, mkv, webm, avi, ...) was expected; the file may be truncated or of another kind"
    if uri == "-":
        hint = "a video was expected whose index comes first (mkv, ts, or mp4 with -movflags faststart)"
    elif is_file(uri) and not Path(uri).stat().st_size:
        hint = "the file is empty (0 bytes)"
    return f"{name_of(uri)} cannot be read as a video; {hint}"


def reason(error: Exception) -> str:
    """What the system or FFmpeg says of an error, without its number."""
    return str(getattr(error, "strerror", None) or error).lower()


def is_file(uri: str) -> bool:
    """Whether the source is a file of this machine."""
    return uri != "-" and Path(uri).is_file()


def name_of(uri: str) -> str:
    """The source in words, as it may be shown."""
    return "standard input" if uri == "-" else shown(uri)


def video_stream(
    container: av.container.InputContainer, uri: str, number: int | None = None
) -> tuple[av.VideoStream, str]:
    """The stream of moving pictures with this number in the container, and what the user should know of the choice.

    Without a number it is the one that is marked as the default, the largest of several. Raises SourceError where there
    is none that can be decoded, or where its pictures are too large.
    """
    name, dispositions = name_of(uri), av.stream.Disposition
    streams = [stream for stream in container.streams.video if not stream.disposition & dispositions.attached_pic]
    if not container.streams or container.format.name == "tty":
        raise SourceError(why_not_video(uri))
    if not streams:
        kinds = sorted({"cover art" if stream.type == "video" else stream.type for stream in container.streams})
        raise SourceError(f"{name} has no video stream; it holds only {', '.join(kinds)}")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    chosen = [stream for stream in decodable if number in (None, stream.index)]
    if number is not None and all(stream.index != number for stream in streams):
        numbers = ", ".join(str(stream.index) for stream in streams)
        raise SourceError(f"{name}: stream {number} is no video; expected one of --stream {numbers}")
    if not chosen:
        raise SourceError(f"{name} has a video stream in a codec that this FFmpeg cannot decode")
    best = max(chosen, key=lambda each: (bool(each.disposition & dispositions.default), each.width * each.height))
    if best.width * best.height > MOST_PIXELS:
        raise SourceError(f"{name} cannot be read; {too_large(best.width, best.height)}")
    sizes = ", ".join(f"{each.index} of {each.width}x{each.height}" for each in decodable)
    told = f"video streams: {len(streams)} ({sizes}); this is {best.index}, and --stream N takes another"
    return best, told if len(streams) > 1 and number is None else ""


def rate_of(stream: av.VideoStream) -> float | None:
    """The average rate in Hz, or FFmpeg's guess where that is but the clock's own (mkv without a default duration)."""
    average, guessed = stream.average_rate, stream.guessed_rate
    if stream.start_time is None or (average and average > MOST_HZ):
        average = guessed or average
    return float(average) if average else None


def duration_of(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """Seconds, as the container says or FFmpeg guesses; None where neither knows."""
    if stream.duration:
        return seconds(stream.duration, stream)
    if not container.duration:
        return None
    return (container.duration - max(container.start_time or 0, 0)) / av.time_base


def seconds(stamp: int, stream: av.VideoStream) -> float:
    """A timestamp of a stream in seconds."""
    return float(stamp * stream.time_base) if stream.time_base else 0.0


def _pixel_aspect(stream: av.VideoStream) -> float:
    """As the container says, else the codec; 1 where neither does or where it cannot be."""
    told = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return float(told) if told and 1 / WIDEST <= told <= WIDEST else 1.0


def _turn_of(picture: av.VideoFrame) -> Turn:
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    return Turn() if matrix is None else turn_of(np.frombuffer(matrix, np.int32).tolist())


def _unknown_side_data(kind: type[SideDataType], number: int) -> SideDataType:
    """A name for side data that FFmpeg has and PyAV does not know, such as EXIF: PyAV else fails on all of a frame."""
    unknown = object.__new__(kind)
    vars(unknown).update(_name_=f"UNKNOWN_{number}", _value_=number)
    return unknown


SideDataType._missing_ = classmethod(_unknown_side_data)  # type: ignore[assignment, method-assign]
