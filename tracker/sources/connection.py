"""One connection to a stream, from its opening until it breaks off, through PyAV."""

import socket
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
import av.error

from tracker.addresses import HIDDEN, HOST, shown
from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources.clock import StreamClock
from tracker.sources.container import DECLARED, duration_of, medium_of, rate_of, reason, video_stream, why_not_video

OPEN_S = 10.0
"""How long a server may take to answer."""
ADVICE = "check the address, and whether another program can play it"
LOW_DELAY = {"probesize": "500000", "analyzeduration": "500000", "max_delay": "200000"}
"""FFmpeg looks at 0.5 s of the stream before the first picture, and waits 0.2 s for packets that UDP brings late.
Not "nobuffer": it loses what it looked at, and with it the picture that the next ones build on."""
LASTING = DECLARED | {"hls"}
"""Containers whose duration means that they are files."""
UNTIMED = {"mpjpeg", "mjpeg", "image2pipe", "jpeg_pipe", "png_pipe", "h264", "hevc", "m4v"}
"""Streams without timestamps, such as a webcam's multipart JPEG: FFmpeg makes some up, 25 a second."""


class Unreachable(SourceError):
    """A stream that cannot be opened: why, in a few words, and what to try."""

    def __init__(self, name: str, cause: str, advice: str) -> None:
        super().__init__(f"{name} cannot be opened: {cause}; {advice}")
        self.cause = cause


class Lost(SourceError):
    """A connection that broke off, in a few words."""


class Picture(NamedTuple):
    """A decoded picture."""

    picture: av.VideoFrame
    time: float
    """Seconds from the stream's start, by presentation timestamp; by arrival where the stream has none."""
    captured: float
    """When it was decoded, by time.monotonic()."""


class Connection:
    """An open stream whose first picture has been decoded. Raises SourceError where it has none."""

    def __init__(self, uri: str, name: str, options: CaptureOptions) -> None:
        self.repaired = 0
        self._patience_s = options.stall_s
        self._container = _open(uri, name, options)
        try:
            self.stream, _ = video_stream(self._container, name, options.stream)
            self._formats = set(self._container.format.name.split(","))
            self._pictures = self._timed()
            self.first = self._begin(name)
        except BaseException:
            self._container.close()
            raise

    @property
    def rate_hz(self) -> float | None:
        """The average frame rate, where the stream tells it."""
        return None if self._formats & UNTIMED else rate_of(self.stream)

    @property
    def duration(self) -> float | None:
        """Seconds, where the container declares them: it is a file then."""
        return duration_of(self._container, self.stream) if self._formats & LASTING else None

    def pictures(self) -> Iterator[Picture]:
        """The pictures until the stream ends; raises Lost where it breaks off or stalls."""
        yield self.first
        yield from self._pictures

    def close(self) -> None:
        """Hang up; not while pictures() runs in another thread."""
        self._container.close()

    def _begin(self, name: str) -> Picture:
        try:
            first = next(self._pictures, None)
        except Lost as lost:
            raise Unreachable(name, str(lost), ADVICE) from lost
        if first is None:
            raise Unreachable(name, "it ended before its first picture", ADVICE)
        return first

    def _timed(self) -> Iterator[Picture]:
        clock = StreamClock(self.stream.time_base or Fraction(1, av.time_base), None, rate_of(self.stream))
        begin = time.monotonic()
        for picture in self._decoded():
            now = time.monotonic()
            at, repaired = (now - begin, False) if self._formats & UNTIMED else clock.tell(picture.pts, picture.dts)
            self.repaired += repaired
            yield Picture(picture, at, now)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        newest = time.monotonic()
        for packet in self._packets():
            if time.monotonic() - newest >= self._patience_s:
                raise Lost(self._stalled)
            for picture in _decode(self.stream, packet):
                yield picture
                newest = time.monotonic()

    def _packets(self) -> Iterator[av.Packet]:
        self.stream.thread_type = "SLICE"  # threads that take a frame each would hold back as many frames
        try:
            while True:
                try:
                    yield from self._container.demux(self.stream)
                    return
                except IndexError:  # of PyAV: the packet is of a stream that has only now begun
                    continue
        except av.error.ExitError as error:
            raise Lost(self._stalled) from error
        except (av.error.FFmpegError, OSError) as error:
            raise Lost(reason(error)) from error

    @property
    def _stalled(self) -> str:
        return f"no frame for {self._patience_s:g} s"


def _decode(stream: av.VideoStream, packet: av.Packet) -> list[av.VideoFrame]:
    """The pictures of a packet; none where it is damaged, as the first ones of a stream joined in the middle are."""
    try:
        return stream.codec_context.decode(packet)
    except av.error.FFmpegError:
        return []


def _open(uri: str, name: str, options: CaptureOptions) -> av.container.InputContainer:
    choices: dict[str, Any] = {"options": dict(LOW_DELAY), "metadata_errors": "replace"}
    if uri != "-":
        choices["timeout"] = (OPEN_S, options.stall_s)
    if uri.startswith("rtsp"):
        choices["options"]["rtsp_transport"] = options.transport
    begin = time.monotonic()
    try:
        return av.open(medium_of(uri), **choices)
    except (av.error.FFmpegError, OSError, ValueError, EOFError) as error:
        if uri == "-":
            raise SourceError(why_not_video(uri)) from error
        cause, advice = _why_not(uri, error, time.monotonic() - begin)
        raise Unreachable(name, cause, advice) from error


def _why_not(uri: str, error: Exception, waited_s: float) -> tuple[str, str]:
    """Why a stream cannot be opened, and what to try."""
    scheme, _, rest = shown(uri).partition("://")
    host = HOST.match(rest)
    if waited_s >= OPEN_S:
        return f"no answer within {OPEN_S:g} s", "is something sent there, and does a firewall let it pass?"
    if isinstance(error, av.error.ProtocolNotFoundError):
        return f"this FFmpeg cannot read {scheme}://", "have it sent by rtsp://, http:// or udp://"
    if host and host[1] and host[1] != HIDDEN and not _has_address(host[1].strip("[]")):
        return f"the host {host[1]} cannot be found", "check its name, or use its IP address"
    return next((words for kind, words in WORDS.items() if isinstance(error, kind)), (reason(error), ADVICE))


WORDS: dict[type[Exception], tuple[str, str]] = {
    av.error.ConnectionRefusedError: ("connection refused", "is the server running, and is the port right?"),
    av.error.HTTPNotFoundError: ("not found (404)", "check what follows the host in the address"),
    av.error.HTTPUnauthorizedError: (
        "a password is needed (401)",
        "write USER@ before the host, and --ask-password",
    ),
    av.error.HTTPForbiddenError: ("access is forbidden (403)", "check the user and password before the host"),
    av.error.InvalidDataError: ("what it sends is no video", ADVICE),
}


def _has_address(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
