"""Video files, URLs and standard input through PyAV; no PyAV type leaves this module."""

import math
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
from av.video.frame import PictureType

from tracker.addresses import shown
from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import is_before
from tracker.sources.clock import DecodingOrder, StreamClock
from tracker.sources.container import (
    DECLARED,
    ToRgb,
    duration_of,
    is_file,
    name_of,
    open_container,
    rate_of,
    reason,
    seconds,
    video_stream,
)
from tracker.sources.structure import is_whole
from tracker.sources.tally import BACK_S, Tally
from tracker.types import Frame, SourceInfo, SourceReport

SEEKABLE = {"mov", "matroska"}
"""Containers whose index and timestamps make a seek exact; the others are decoded from their beginning."""
OWN_DURATION = {"mov", "avi"}
"""Containers that tell how long each stream is; the others tell how long the longest is."""
READ_ERRORS = 8
"""Damaged places in a row after which reading stops."""


class VideoReader:
    """Decodes one video stream: `info` at once, `frames()` once, `report()` at any time.

    Opening decodes the first frame, so a source of which nothing can be decoded raises SourceError here.
    """

    def __init__(self, uri: str, options: SourceOptions) -> None:
        self._uri = uri
        self._options = options
        self._open()
        self._to_rgb = ToRgb(uri, self._stream)
        self._pictures = self._in_range()
        try:
            first = next(self._pictures, None)
            if first is None:
                raise SourceError(self._why_empty())
            self._first = [Frame(self._to_rgb(first[0]), first[1], 0)]
            self.info = self._describe()
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """The frames of the range, upright; index counts from 0, time is that of the whole stream."""
        yield self._first.pop()
        for index, (picture, time) in enumerate(self._pictures, start=1):
            yield Frame(self._to_rgb(picture), time, index)

    def report(self) -> SourceReport:
        """What has been decoded until now; final after the last frame."""
        return self._tally.report()

    def close(self) -> None:
        """Close the container; may be called more than once, but not while frames() runs in another thread."""
        self._pictures.close()
        self._container.close()

    def _open(self) -> None:
        self._container = open_container(self._uri)
        try:
            self._stream, told = video_stream(self._container, self._uri, self._options.stream)
        except SourceError:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._options.threads or 0
        self._time_base = self._stream.time_base or Fraction(1, av.time_base)
        self._formats = set(self._container.format.name.split(","))
        declared_end = _declared_end(self._container, self._stream) if self._formats & DECLARED else -math.inf
        self._tally = Tally(rate_of(self._stream), duration_of(self._container, self._stream), declared_end)
        self._tally.notes += [told] if told else []

    def _in_range(self) -> Generator[tuple[av.VideoFrame, float], None, None]:
        for picture, time, repaired in self._from_start():
            tally = self._tally
            if not is_before(time, self._options.end):
                tally.reached = math.inf
                break
            tally.note_time(time)
            tally.repaired += repaired
            yield picture, time
        self._tally.ended = True

    def _from_start(self) -> Iterator[tuple[av.VideoFrame, float, bool]]:
        start = self._options.start or 0.0
        if self._seek(start):
            sought = self._timed()
            first = next(sought, None)
            if first is not None and not is_before(start, first[1]):
                yield from (item for item in chain([first], sought) if not is_before(item[1], start))
                return
            sought.close()
            self._container.close()
            self._open()
        yield from (item for item in self._timed() if not is_before(item[1], start))

    def _seek(self, start: float) -> bool:
        stream = self._stream
        if start <= 0 or stream.start_time is None or not self._formats & SEEKABLE or not is_file(self._uri):
            return False
        try:
            self._container.seek(stream.start_time + int(start / self._time_base), stream=stream)
        except av.error.FFmpegError:
            return False
        return True

    def _timed(self) -> Generator[tuple[av.VideoFrame, float, bool], None, None]:
        """Decoded pictures in the order of showing, their times, and whether a timestamp had to be repaired."""
        tally, codec = self._tally, self._stream.codec_context
        clock = StreamClock(self._time_base, self._stream.start_time, tally.rate_hz)
        order = DecodingOrder() if "avi" in self._formats else None
        for packet in self._packets():
            if packet is not None:
                tally.sent += not packet.is_discard
                if order is not None:
                    packet.pts = packet.dts
                    order.send(packet.dts)
            try:
                pictures = codec.decode(packet)
            except av.error.FFmpegError:
                tally.failed += 1
                tally.failing += 1
                continue
            for picture in pictures:
                tally.received += 1
                tally.failing = 0
                tally.damaged += picture.is_corrupt
                if order is None:
                    time, repaired = clock.tell(picture.pts, picture.dts)
                else:
                    stamp = order.receive(picture.pts, picture.pict_type == PictureType.B)
                    time, repaired = clock.tell(stamp, stamp)
                if clock.went_back > BACK_S:
                    tally.leaps.append(f"the timestamps go back by {clock.went_back:.0f} s at {time:.2f} s")
                yield picture, time, repaired

    def _packets(self) -> Iterator[av.Packet | None]:
        """The stream's packets, then None, which drains the decoder; a last packet that was cut off is left out."""
        tally, errors = self._tally, 0
        held = None
        while True:
            try:
                for packet in self._container.demux():
                    errors = 0
                    ours = packet.stream.index == self._stream.index
                    stamp = packet.dts if packet.pts is None else packet.pts
                    if stamp is not None and (ours or not self._formats & OWN_DURATION):
                        tally.reached = max(tally.reached, float((stamp + (packet.duration or 0)) * packet.time_base))
                    if not ours or not packet.size:
                        continue
                    if held is not None:
                        yield held
                    held = packet if packet.is_corrupt else None
                    if held is None:
                        yield packet
                break
            except IndexError:  # of PyAV: the packet is of a stream that has only now begun, as FLV and TS allow
                continue
            except (av.error.FFmpegError, OSError) as error:
                errors += 1
                if errors > READ_ERRORS or not isinstance(error, av.error.InvalidDataError):
                    tally.error = reason(error)
                    break
        tally.cut_off = held is not None
        yield None

    def _why_empty(self) -> str:
        name, options, duration = name_of(self._uri), self._options, self._tally.duration
        if not self._tally.sent and self._stream.frames and "mov" in self._formats and not is_file(self._uri):
            where = "a pipe" if self._uri == "-" else "this address (its server does not send parts of a file)"
            return (
                f"{name} is an mp4 whose index comes last, and {where} cannot be read backwards; name a file, or write "
                "it anew with the index first: ffmpeg -i IN -c copy -movflags faststart OUT.mp4"
            )
        if not self._tally.received:
            cause = self._tally.error or "it is empty, damaged or encrypted"
            return f"{name} has a video stream, but no frame of it can be decoded; {cause}"
        until = "" if options.end is None else f" and before {options.end:g} s"
        length = f"; it lasts {duration:.2f} s" if duration else ""
        return f"{name} has no frame from {options.start or 0.0:g} s on{until}{length}"

    def _describe(self) -> SourceInfo:
        image, stream = self._first[0].image, self._stream
        return SourceInfo(
            uri=shown(self._uri),
            kind="video" if is_file(self._uri) else "stream",
            width=image.shape[1],
            height=image.shape[0],
            rate_hz=self._tally.rate_hz,
            frames=self._expected_frames(),
            duration=self._tally.duration,
            time_base=f"{self._time_base.numerator}/{self._time_base.denominator}",
            codec=stream.codec_context.name,
            rotation=self._to_rgb.turn.clockwise,
            pixel_aspect=round(self._to_rgb.pixel_aspect, 6),
            stream=stream.index,
        )

    def _expected_frames(self) -> int | None:
        start, end = self._options.start, self._options.end
        if start is None and end is None and self._stream.frames:
            return int(self._stream.frames)
        ends = [x for x in (end, self._tally.duration) if x is not None]
        if not self._tally.rate_hz or not ends:
            return None
        return max(1, round((min(ends) - (start or 0.0)) * self._tally.rate_hz))


def _declared_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Where the container says that the video (or all that is in it) ends, in seconds on its own clock; -inf: nowhere.

    A duration of the whole (mkv, flv) counts from 0; where it should count from the start, it errs on the mild side.
    Of a file whose structure shows that it is whole, or cut off, no duration is needed: -inf, or inf.
    """
    whole = is_whole(Path(container.name.removeprefix("file:")), container.format.name)
    if whole is not None:
        return -math.inf if whole else math.inf
    if stream.duration:
        return seconds((stream.start_time or 0) + stream.duration, stream)
    return container.duration / av.time_base if container.duration else -math.inf
