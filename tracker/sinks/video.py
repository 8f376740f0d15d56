"""Videos with the frames' own times: H.264 in MP4 with a copy of the source's audio, or FFV1 in Matroska, lossless."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from tracker.errors import SinkError
from tracker.sinks import Sink, SinkContext
from tracker.sinks.audio import AudioCopy, open_audio
from tracker.sinks.files import PartFile
from tracker.types import TrackedFrame

FALLBACK_HZ = 30.0
KEYFRAME_S = 2.0
FRAGMENT_S = 0.5
"""A fragment, or cluster, is written so often. A process that is killed loses no more, and what the encoder holds."""
HYBRID_SINCE = (62, 12)
"""libavformat of FFmpeg 8.1; the earlier ones spoil a hybrid file whose first frame is not at time 0."""
MOVFLAGS = "delay_moov+" + (
    "hybrid_fragmented" if av.library_versions["libavformat"] >= HYBRID_SINCE else "frag_keyframe"
)
"""Fragments while recording, so that a broken-off file plays; once complete, an ordinary MP4 (FFmpeg 8.1 on)."""
BT709 = 1
FAULTS = (SinkError, OSError, av.FFmpegError)


@dataclass(frozen=True)
class Coding:
    """How a video is kept."""

    container: str
    muxing: Mapping[str, str]
    """Options of the container."""
    codec: str
    options: Mapping[str, str]
    pixels: str
    time_base: Fraction
    threads: int = 0
    """0 leaves the encoder's choice."""
    subsampled: bool = True
    """Colour at half the size (so width and height are made even), by the matrix of BT.709; else RGB."""


H264 = Coding(
    container="mp4",
    muxing={"movflags": MOVFLAGS, "frag_duration": str(round(1e6 * FRAGMENT_S))},
    codec="libx264",
    options={"crf": "20", "preset": "veryfast"},
    pixels="yuv420p",
    time_base=Fraction(1, 90000),
)
"""Its time base is fine enough for any source: a time is kept within 6 microseconds."""
LOSSLESS = Coding(
    container="matroska",
    muxing={"cluster_time_limit": str(round(1000 * FRAGMENT_S)), "flush_packets": "1"},
    codec="ffv1",
    options={"level": "3", "slices": "4"},
    pixels="bgr0",
    time_base=Fraction(1, 1000),
    threads=2,
    subsampled=False,
)
"""Every bit of RGB; Matroska's times are whole milliseconds, as those of live frames are."""


class VideoSink(Sink):
    """Draws each frame and encodes it. H.264 has odd sizes made even; a later frame of another size is fitted in.

    Time 0 of the video is the context's start. There are no B-frames, so that a fragment's times need no edit list.
    The file is hidden until its first fragment is written, before which no player could open it.
    """

    def __init__(
        self,
        path: Path,
        context: SinkContext,
        draw: Callable[[TrackedFrame], np.ndarray],
        coding: Coding = H264,
    ) -> None:
        self._path = path
        self._context = context
        self._draw = draw
        self._coding = coding
        self._file = PartFile(path, hidden=True)
        self._container = av.open(self._file, "w", format=coding.container, options=dict(coding.muxing))
        self._stream: VideoStream | None = None
        self._audio: AudioCopy | None = None
        self._last = -1
        self._header = 0
        """Bytes of what precedes the first fragment."""
        self._step = round(1 / (_rate(context) * coding.time_base))

    def write(self, tracked: TrackedFrame) -> None:
        """Draw and encode one frame, and copy the audio up to its time."""
        image = _even(self._draw(tracked)) if self._coding.subsampled else self._draw(tracked)
        stream, time_base = self._stream or self._open_streams(image), self._coding.time_base
        pts = max(round((tracked.frame.time - self._context.start) / time_base), self._last + 1)
        self._step = pts - self._last if self._last >= 0 else self._step
        self._last = pts
        frame = _picture(image, stream)
        frame.pts, frame.time_base = pts, time_base
        with self._faults_told():
            self._container.mux(stream.encode(frame))
            self._copy_audio(pts)
        header, self._header = self._header, self._header or self._file.tell()
        if 0 < header < self._file.tell():
            self._file.show()

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
        if self._stream is None:
            self._file.discard()
        self._file.abort()

    def _open_streams(self, image: np.ndarray) -> VideoStream:
        coding, (height, width) = self._coding, image.shape[:2]
        added = self._container.add_stream(coding.codec, rate=_rate(self._context), options=dict(coding.options))
        stream = cast(VideoStream, added)
        stream.width, stream.height, stream.pix_fmt = width, height, coding.pixels
        codec = stream.codec_context
        codec.time_base, codec.thread_count, codec.thread_type = coding.time_base, coding.threads, "AUTO"
        codec.gop_size = max(1, round(KEYFRAME_S * codec.framerate))
        codec.max_b_frames = 0
        if coding.subsampled:
            codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        self._stream = stream
        self._audio = open_audio(self._context, self._container)
        return stream

    def _copy_audio(self, pts: int) -> None:
        if self._audio is None:
            return
        for packet in self._audio.until(float(pts * self._coding.time_base)):
            try:
                self._container.mux(packet)
            except av.FFmpegError:
                if self._file.fault:
                    raise
                self._audio.leave_out()

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


def _fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """An image as large as it can be in the middle of a black one of this size: its shape is kept."""
    scale = min(width / image.shape[1], height / image.shape[0])
    wide, high = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
    whole = np.zeros((height, width, 3), np.uint8)
    x, y = (width - wide) // 2, (height - high) // 2
    scaled = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(wide, high, interpolation="BICUBIC")
    whole[y : y + high, x : x + wide] = scaled.to_ndarray()
    return whole


def _picture(image: np.ndarray, stream: VideoStream) -> av.VideoFrame:
    """A frame in the stream's size and format, converted by the same matrix that the stream names, if it names one."""
    if image.shape[:2] != (stream.height, stream.width):
        image = _fitted(image, stream.width, stream.height)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    matrix = Colorspace.ITU709 if stream.codec_context.colorspace == BT709 else None
    return frame.reformat(stream.width, stream.height, stream.pix_fmt, dst_colorspace=matrix)
