"""What lies in a container: one line a stream."""

from collections.abc import Mapping

import av
import av.error

from tracker.errors import SourceError


def describe_streams(path: str) -> list[str]:
    """A line for each stream of a file: its type, codec, and what its header says. Raises SourceError."""
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            return [_line(stream) for stream in container.streams]
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError(f"{path} cannot be read: {error}; expected a container that FFmpeg reads") from error


def _line(stream: av.stream.Stream) -> str:
    codec = stream.codec_context
    told = [stream.type, codec.name if codec else "unknown codec", *_shape(codec)]
    if stream.duration and stream.time_base:
        told.append(f"{float(stream.duration * stream.time_base):.3f} s")
    return ", ".join([*told, *_language(stream.metadata)])


def _shape(codec: av.codec.context.CodecContext | None) -> list[str]:
    if isinstance(codec, av.VideoCodecContext):
        return [f"{codec.width}x{codec.height}", codec.pix_fmt or "unknown pixels"]
    if isinstance(codec, av.AudioCodecContext):
        return [f"{codec.sample_rate} Hz", codec.layout.name]
    return []


def _language(metadata: Mapping[str, str]) -> list[str]:
    language = metadata.get("language", "und")
    return [] if language == "und" else [language]
