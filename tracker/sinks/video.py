"""The overlay video: H.264 in MP4 with the source's frame times and a copy of its audio."""

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from tracker.errors import SinkError
from tracker.sinks import Sink, SinkContext
from tracker.sinks.files import PartFile
from tracker.types import TrackedFrame

TIME_BASE = Fraction(1, 90000)
"""Fine enough for any source: a time is kept within 6 microseconds."""
FALLBACK_HZ = 30.0
KEYFRAME_S = 2.0
"""A fragment is written at each key frame: at most so much is lost when the process is killed."""
HYBRID_SINCE = (62, 12)
"""libavformat of FFmpeg 8.1; the earlier ones spoil a hybrid file whose first frame is not at time 0."""
MOVFLAGS = "delay_moov+" + (
    "hybrid_fragmented" if av.library_versions["libavformat"] >= HYBRID_SINCE else "frag_keyframe"
)
"""Fragments while recording, so that a broken-off file plays; once complete, an ordinary MP4 (FFmpeg 8.1 on)."""
ENCODER = {"crf": "20", "preset": "veryfast"}
AUDIO_CODECS = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus", "vorbis"}
"""What players take in an MP4; others (PCM above all) are left out with a warning."""
BT709 = 1
FAULTS = (SinkError, OSError, av.FFmpegError)

log = logging.getLogger(__name__)


class VideoSink(Sink):
    """Draws each frame and encodes it. Odd sizes are made even; a later frame of another size is scaled to the first.

    Time 0 of the video is the context's start. There are no B-frames, so that a fragment's times need no edit list.
    """

    def __init__(self, path: Path, context: SinkContext, draw: Callable[[TrackedFrame], np.ndarray]) -> None:
        self._path = path
        self._context = context
        self._draw = draw
        self._file = PartFile(path)
        self._container = av.open(self._file, "w", format="mp4", options={"movflags": MOVFLAGS})
        self._stream: VideoStream | None = None
        self._audio: AudioCopy | None = None
        self._last = -1
        self._step = round(1 / (_rate(context) * TIME_BASE))

    def write(self, tracked: TrackedFrame) -> None:
        """Draw and encode one frame, and copy the audio up to its time."""
        image = _even(self._draw(tracked))
        stream = self._stream or self._open_streams(image)
        pts = max(round((tracked.frame.time - self._context.start) / TIME_BASE), self._last + 1)
        self._step = pts - self._last if self._last >= 0 else self._step
        self._last = pts
        frame = _picture(image, stream)
        frame.pts, frame.time_base = pts, TIME_BASE
        with self._faults_told():
            self._container.mux(stream.encode(frame))
            self._copy_audio(pts)

    def finish(self) -> None:
        """Encode what is held back, copy the audio up to the end of the last frame, and give the file its name.

        Without a single frame there is nothing to play, and no file stays.
        """
        if self._stream is None:
            self._container.close()
            self._file.discard()
            return
        with self._faults_told():
            self._close_streams()
        self._file.finish()

    def abort(self) -> None:
        """Complete the video as far as it goes; it stays playable under its temporary name."""
        if self._file.closed:
            return
        for step in (self._close_streams, self._close_sources):
            with contextlib.suppress(*FAULTS):
                step()
        self._file.abort()

    def _open_streams(self, image: np.ndarray) -> VideoStream:
        height, width = image.shape[:2]
        stream = self._container.add_stream("libx264", rate=_rate(self._context), options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        codec = stream.codec_context
        codec.time_base = TIME_BASE
        codec.gop_size = max(1, round(KEYFRAME_S * codec.framerate))
        codec.max_b_frames = 0
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        self._stream = stream
        self._audio = open_audio(self._context, self._container)
        return stream

    def _copy_audio(self, pts: int) -> None:
        if self._audio is not None:
            for packet in self._audio.until(float(pts * TIME_BASE)):
                self._container.mux(packet)

    def _close_streams(self) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
            self._copy_audio(self._last + self._step)
        self._close_sources()

    def _close_sources(self) -> None:
        if self._audio is not None:
            self._audio.close()
        self._container.close()

    @contextlib.contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as error:
            raise self._file.fault or SinkError(f"cannot encode {self._path}: {error}") from error


class AudioCopy:
    """The audio packets of the source, as they are, from a start on; times in seconds after that start."""

    def __init__(self, source: InputContainer, copy: AudioStream, start: float) -> None:
        self._source = source
        self._copy = copy
        stream = source.streams.audio[0]
        self._time_base = stream.time_base or Fraction(1, av.time_base)
        self._offset = round((_video_start(source) + start) / self._time_base)
        if start > 0:
            source.seek(max(0, self._offset), stream=stream)
        self._packets = self._forward(_unwrapped(source))
        self._next = next(self._packets, None)

    def until(self, time: float) -> Iterator[Packet]:
        """The packets that begin before a time and were not given yet."""
        while self._next is not None and (self._next.pts or 0) * self._time_base < time:
            self._next.stream = self._copy
            yield self._next
            self._next = next(self._packets, None)

    def close(self) -> None:
        """Close the source."""
        self._next = None
        self._packets.close()
        self._source.close()

    def _forward(self, packets: Iterator[Packet]) -> Generator[Packet, None, None]:
        """Packets from the start on whose times go forward; they end where the source breaks off."""
        last = self._offset - 1
        with contextlib.suppress(av.FFmpegError):
            for packet in packets:
                if packet.pts is not None and packet.dts is not None and packet.dts > last:
                    last = packet.dts
                    packet.pts -= self._offset
                    packet.dts -= self._offset
                    yield packet


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
    return AudioCopy(source, copy, context.start)


def _add_copy(source: InputContainer, output: OutputContainer) -> AudioStream | None:
    if not source.streams.audio:
        return None
    stream = source.streams.audio[0]
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else "an unknown codec"
    if codec not in AUDIO_CODECS & output.supported_codecs:
        log.warning(
            "%s: the overlay video has no audio: MP4 does not take %s", source.name.removeprefix("file:"), codec
        )
        return None
    return output.add_stream_from_template(stream)


def _video_start(source: InputContainer) -> float:
    """Seconds: the video's own time 0, from which the tracker counts."""
    for stream in source.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return float((stream.start_time or 0) * (stream.time_base or 0))
    return 0.0


def _rate(context: SinkContext) -> Fraction:
    """The encoder's rate, which only guides it: the frames bear their own times."""
    rate_hz = min(max(context.info.rate_hz or FALLBACK_HZ, 1.0), 240.0)
    return Fraction(rate_hz).limit_denominator(1001)


def _even(image: np.ndarray) -> np.ndarray:
    """The image with its last row or column repeated where H or W is odd."""
    height, width = image.shape[:2]
    if height % 2 == width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _picture(image: np.ndarray, stream: VideoStream) -> av.VideoFrame:
    """A frame in the stream's size and format, converted by the same matrix that the stream names."""
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    return frame.reformat(stream.width, stream.height, "yuv420p", dst_colorspace=Colorspace.ITU709)
