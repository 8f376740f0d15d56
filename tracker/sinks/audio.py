"""The audio of a source, copied into an overlay video as it is."""

import contextlib
import logging
import math
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from tracker.sinks import SinkContext

AUDIO_CODECS = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "vorbis"}
"""What players take in an MP4; others (PCM above all) are left out with a warning."""
SEEKABLE = {"mov", "matroska"}
"""Containers whose index leads to a time; others, whose times may go back, are read from their beginning."""

log = logging.getLogger(__name__)


class AudioCopy:
    """The audio packets of the source, as they are, from a start on; times in seconds after that start.

    video: number of the stream whose own time 0 it is. Where the times go back for good (clips joined end to end), the
    audio runs on, as the tracker's clock does.
    """

    def __init__(self, source: InputContainer, copy: AudioStream, video: int | None, start: float) -> None:
        self._source = source
        self._copy = copy
        self._left_out = 0
        stream = source.streams.audio[0]
        self._time_base = stream.time_base or Fraction(1, av.time_base)
        self._offset = round((_video_start(source, video) + start) / self._time_base)
        if start > 0 and SEEKABLE & set(source.format.name.split(",")):
            source.seek(max(0, self._offset), stream=stream)
        self._packets = self._forward(_unwrapped(source))
        self._next = next(self._packets, None)

    def until(self, time: float) -> Iterator[Packet]:
        """The packets that begin before a time and were not given yet."""
        while self._next is not None and (self._next.pts or 0) * self._time_base < time:
            self._next.stream = self._copy
            yield self._next
            self._next = next(self._packets, None)

    def leave_out(self) -> None:
        """Count a packet that the video did not take: rounded to its clock, the times of two are one."""
        self._left_out += 1

    def close(self) -> None:
        """Close the source, and say what was left out."""
        self._next = None
        if self._left_out:
            name, count = self._source.name.removeprefix("file:"), self._left_out
            log.warning("%s: audio packets left out of the overlay video since their times go back: %d", name, count)
            self._left_out = 0
        self._packets.close()
        self._source.close()

    def _forward(self, packets: Iterator[Packet]) -> Generator[Packet, None, None]:
        """Packets from the start on, their times going forward; they end where the source breaks off.

        One whose time goes back is left out, unless the next one's does too.
        """
        last, step, behind, held = -math.inf, 0, 0, None
        with contextlib.suppress(av.FFmpegError, IndexError):  # the latter of PyAV, where a stream begins late
            for packet in packets:
                if packet.pts is None or packet.dts is None:
                    self._left_out += packet.size > 0
                    continue
                back = packet.dts + behind <= last
                if back and held is None:
                    held = packet
                    continue
                following = [packet]
                if back and held is not None:
                    behind = int(last) + step - (held.dts or 0)
                    following = [held, packet]
                elif held is not None:
                    self._left_out += 1
                held = None
                for each in following:
                    now = (each.dts or 0) + behind
                    if now <= last:
                        self._left_out += 1
                        continue
                    each.pts = (each.pts or 0) + behind - self._offset
                    each.dts = now - self._offset
                    step = each.duration or (int(now - last) if last > -math.inf else 1)
                    last = now
                    if each.dts >= 0:
                        yield each
            self._left_out += held is not None


def _unwrapped(source: InputContainer) -> Iterator[Packet]:
    """The audio packets, without the headers that AAC has in a transport stream and must not have in MP4."""
    stream = source.streams.audio[0]
    packets = source.demux(stream)
    if stream.codec_context.codec.canonical_name != "aac" or stream.codec_context.extradata:
        return packets
    unwrap = BitStreamFilterContext("aac_adtstoasc", stream)
    return (bare for packet in packets if packet.size for bare in unwrap.filter(packet))


def open_audio(context: SinkContext, output: OutputContainer) -> AudioCopy | None:
    """A copy of the source's audio in output, with a stream added; None where there is none or MP4 does not take it."""
    if context.info.kind != "video" or not Path(context.source_uri).is_file():
        return None
    try:
        source = av.open(f"file:{context.source_uri}", metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        log.warning("%s: the overlay video has no audio: %s", context.source_uri, error)
        return None
    copy = _add_copy(source, output)
    if copy is None:
        source.close()
        return None
    return AudioCopy(source, copy, context.info.stream, context.start)


def _add_copy(source: InputContainer, output: OutputContainer) -> AudioStream | None:
    if not source.streams.audio:
        return None
    stream = source.streams.audio[0]
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "an unknown codec"
    if stream.codec_context and not stream.codec_context.sample_rate:
        log.warning("%s: the overlay video has no audio: it is damaged", source.name.removeprefix("file:"))
        return None
    if codec not in AUDIO_CODECS & output.supported_codecs:
        log.warning(
            "%s: the overlay video has no audio: MP4 does not take %s", source.name.removeprefix("file:"), codec
        )
        return None
    return output.add_stream_from_template(stream)


def _video_start(source: InputContainer, number: int | None) -> float:
    """Seconds: the own time 0 of the video stream of this number, from which the tracker counts."""
    if number is None or number >= len(source.streams):
        return 0.0
    stream = source.streams[number]
    return float((stream.start_time or 0) * (stream.time_base or 0))
