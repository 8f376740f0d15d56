"""What files and streams share through PyAV: opening, the video stream, its rate and length, pictures made RGB."""

import sys
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from tracker.errors import SourceError
from tracker.sources import without_password
from tracker.sources.turn import Turn, turn_of

DECLARED = {"mov", "matroska", "avi", "flv", "asf"}
"""Containers whose header says how long they are; elsewhere FFmpeg only guesses, and a missing end cannot be seen."""
URL_TIMEOUT_S = 20.0
MOST_HZ = 1000
"""A higher average frame rate is none: the container tells the rate of its clock instead."""


class ToRgb:
    """Makes decoded pictures (H, W, 3) uint8 RGB, all turned as the first one's display matrix says."""

    def __init__(self, uri: str) -> None:
        self.turn = Turn()
        self._uri = uri
        self._reformatter: VideoReformatter | None = None

    def __call__(self, picture: av.VideoFrame) -> np.ndarray:
        """One picture; raises SourceError where its pixels have no way to RGB."""
        if self._reformatter is None:
            self._reformatter, self.turn = VideoReformatter(), _turn_of(picture)
        try:
            return self.turn.upright(self._reformatter.reformat(picture, format="rgb24").to_ndarray())
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
        raise SourceError(f"{name_of(uri)} cannot be opened: {reason(error)}") from error


def medium_of(uri: str) -> Any:
    """What PyAV is to open; raises SourceError where standard input is a terminal."""
    if uri == "-":
        if sys.stdin.isatty():
            raise SourceError("standard input is a terminal; pipe a video into it, or name a file")
        return getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    return uri if "://" in uri else f"file:{uri}"


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
    """The source in words, without a password."""
    return "standard input" if uri == "-" else without_password(uri)


def video_stream(container: av.container.InputContainer, uri: str) -> av.VideoStream:
    """The first stream of moving pictures; raises SourceError where there is none."""
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not container.streams or container.format.name == "tty":
        raise SourceError(why_not_video(uri))
    if not streams:
        kinds = sorted({"cover art" if stream.type == "video" else stream.type for stream in container.streams})
        raise SourceError(f"{name_of(uri)} has no video stream; it holds only {', '.join(kinds)}")
    if streams[0].codec_context is None:
        raise SourceError(f"{name_of(uri)} has a video stream in a codec that this FFmpeg cannot decode")
    return streams[0]


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


def _turn_of(picture: av.VideoFrame) -> Turn:
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    return Turn() if matrix is None else turn_of(np.frombuffer(matrix, np.int32).tolist())
