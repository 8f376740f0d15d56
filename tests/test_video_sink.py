"""The overlay video, read back: times, sizes, colours, audio, and what a broken-off run leaves."""

import contextlib
import logging
import os
import signal
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from test_sink_files import disk_of
from tracked import context_of, fill, tracked, without_face

from tracker.errors import SinkError
from tracker.sinks import SinkContext, open_sink, part_path
from tracker.sinks.video import H264, LOSSLESS, Coding, VideoSink
from tracker.types import Frame, TrackedFrame

UNEVEN = [0.0, 0.0333, 0.05, 0.2, 0.2001, 0.7, 0.7417, 3.0, 3.04, 9.5]


def picture_of(frame: TrackedFrame) -> np.ndarray:
    """The frame as it is, without a drawing."""
    return frame.frame.image


def record(path: Path, frames: list[TrackedFrame], context: SinkContext | None = None, coding: Coding = H264) -> Path:
    """Write frames as they are."""
    with VideoSink(path, context or context_of(), picture_of, coding) as sink:
        fill(sink, frames)
    return path


def at(times: list[float]) -> list[TrackedFrame]:
    """Frames without a face at these times."""
    return [without_face(index, time) for index, time in enumerate(times)]


def times_of(path: Path) -> list[float]:
    """The time of each frame that can be decoded, counted from 0 of the container."""
    times = []
    with av.open(str(path)) as container, contextlib.suppress(av.InvalidDataError):
        times.extend(frame.time for frame in container.decode(video=0))
    return times


def audio_of(path: Path) -> tuple[str, list[float], int]:
    """Codec, time of each packet, samples decoded."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packets = [float(p.pts * p.time_base) for p in container.demux(stream) if p.dts is not None]
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    return stream.codec_context.name, packets, samples


def stamps_of(path: Path) -> list[float]:
    """The source's frame times, from its packets alone."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stamps = sorted(p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard)
        return [float((stamp - stream.start_time) * stream.time_base) for stamp in stamps]


def make_clip(path: Path, codec: str, seconds: float = 2.0, rate: int = 44100) -> Path:
    """A small clip with a tone, its audio in any codec that its container takes."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate)
        for index in range(int(seconds * 25)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
            tone = np.sin(np.arange(rate // 25) / 20 + index)[None].astype(np.float32)
            sound = av.AudioFrame.from_ndarray(tone, format="flt", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = rate, index * (rate // 25), Fraction(1, rate)
            container.mux(audio.encode(sound))
        container.mux(video.encode())
        container.mux(audio.encode())
    return path


@pytest.mark.parametrize("coding", [H264, replace(H264, muxing={"movflags": "delay_moov+frag_keyframe"})])
@pytest.mark.parametrize("first", [0.0, 0.013])
def test_frame_times_are_kept(tmp_path, coding, first):
    times = [first + time for time in UNEVEN]
    assert times_of(record(tmp_path / "x.mp4", at(times), coding=coding)) == pytest.approx(times, abs=1e-5)


def test_lossless_times_are_kept_in_whole_milliseconds(tmp_path):
    times = [0.0, 0.033, 0.034, 0.1, 7.777, 3600.001]
    path = record(tmp_path / "x.mkv", at(times), coding=LOSSLESS)
    assert stamps_of(path) == times


def test_the_video_of_a_part_starts_at_zero(tmp_path):
    frames = at([time + 100 for time in UNEVEN])
    path = record(tmp_path / "x.mp4", frames, context_of(start=99.99))
    assert times_of(path) == pytest.approx([time + 0.01 for time in UNEVEN], abs=1e-5)


def test_times_that_stand_still_are_parted(tmp_path):
    assert times_of(record(tmp_path / "x.mp4", at([0.0, 0.5, 0.5, 0.5]))) == pytest.approx([0, 0.5, 0.5, 0.5], abs=1e-4)


@pytest.mark.parametrize("size", [(16, 17), (49, 65), (144, 176)])
def test_a_lossless_video_keeps_every_bit(tmp_path, size):
    images = [np.random.default_rng(k).integers(0, 256, (*size, 3), dtype=np.uint8) for k in range(4)]
    frames = [TrackedFrame(Frame(image, k / 25, k), (), ()) for k, image in enumerate(images)]
    path = record(tmp_path / "x.mkv", frames, coding=LOSSLESS)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
        kept = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert all(np.array_equal(a, b) for a, b in zip(kept, images, strict=True))


def test_codec_and_format(tmp_path):
    with av.open(str(record(tmp_path / "x.mp4", at([0.0, 0.04])))) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.width, stream.height) == ("h264", "yuv420p", 64, 48)
        assert not container.streams.audio
        assert float(stream.duration * stream.time_base) == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("size", "even"), [((1, 1), (2, 2)), ((49, 65), (50, 66)), ((48, 65), (48, 66)), ((144, 176), (144, 176))]
)
def test_odd_sizes_are_made_even(tmp_path, size, even):
    path = record(tmp_path / "x.mp4", [tracked(i, size=size) for i in range(3)])
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape[:2] for frame in frames] == [even] * 3
    assert np.ptp(frames[0].astype(int)) <= 2


def test_a_later_size_is_scaled_to_the_first(tmp_path):
    frames = [tracked(0), tracked(1, size=(96, 128)), tracked(2, size=(31, 17)), tracked(3)]
    path = record(tmp_path / "x.mp4", frames)
    with av.open(str(path)) as container:
        assert [(f.height, f.width) for f in container.decode(video=0)] == [(48, 64)] * 4


def test_colours_are_kept(tmp_path):
    colours = [(200, 40, 40), (40, 190, 60), (50, 60, 210), (230, 230, 230)]
    image = np.repeat(np.repeat(np.array(colours, np.uint8)[None], 4, axis=1), 64, axis=0)
    image = np.ascontiguousarray(np.repeat(image, 8, axis=1))
    path = record(tmp_path / "x.mp4", [TrackedFrame(Frame(image, i / 25, i), (), ()) for i in range(3)])
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == 1
        seen = frame.to_ndarray(format="rgb24")[32, 16::32].astype(int)
    assert np.abs(seen - colours).max() <= 6


def test_the_overlay_is_what_is_written(tmp_path):
    with open_sink("video", tmp_path / "x.mp4", context_of()) as sink:
        fill(sink, [tracked(i, size=(144, 176), boxes=[(20, 40, 80, 110)]) for i in range(3)])
    with av.open(str(tmp_path / "x.mp4")) as container:
        seen = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert seen[41, 28, 2] - seen[41, 28, 0] > 60
    assert np.abs(seen[130:, 150:] - 40).max() < 6


def test_no_frames_leave_no_file(tmp_path):
    record(tmp_path / "x.mp4", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "codec", "late"), [("face_noface.mov", "aac", 2.40), ("single_face.mp4", "mp3", 0.0)])
def test_a_clip_with_its_audio(tmp_path, media, name, codec, late):
    source = media / name
    times = stamps_of(source)
    path = record(tmp_path / "x.mp4", at(times), context_of(source))
    assert times_of(path) == pytest.approx(times, abs=1e-3)
    was, packets, samples = audio_of(path)
    assert was.startswith(codec)
    assert packets[0] == pytest.approx(late, abs=0.03) and packets[-1] < times[-1] + 0.1
    assert abs(samples - audio_of(source)[2]) <= 2304


def test_audio_of_a_part(tmp_path, media):
    source = media / "face_noface.mov"
    times = [time for time in stamps_of(source) if 3.0 <= time < 4.0]
    path = record(tmp_path / "x.mp4", at(times), context_of(source, start=3.0))
    assert times_of(path) == pytest.approx([time - 3.0 for time in times], abs=1e-3)
    whole, packets = audio_of(source)[1], audio_of(path)[1]
    wanted = [time - 3.0 for time in whole if 3.0 <= time < times[-1] + 0.05]
    assert packets == pytest.approx(wanted[: len(packets)], abs=2e-3)
    assert len(wanted) - len(packets) <= 2


def test_audio_that_mp4_does_not_take(tmp_path, caplog):
    source = make_clip(tmp_path / "clip.mkv", "pcm_s16le")
    with caplog.at_level(logging.WARNING, "tracker"):
        path = record(tmp_path / "x.mp4", at([0.0, 0.04]), context_of(source))
    assert f"{source}: the overlay video has no audio: MP4 does not take pcm_s16le" in caplog.text
    with av.open(str(path)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("aac", "mkv"),
        ("aac", "ts"),
        ("libopus", "mkv"),
        ("flac", "mkv"),
        ("ac3", "mkv"),
        ("mp2", "ts"),
        ("alac", "mkv"),
    ],
)
def test_audio_of_other_codecs(tmp_path, codec, suffix):
    source = make_clip(tmp_path / f"a clip: ü.{suffix}", codec, rate=48000)
    path = record(tmp_path / "x.mp4", at([i / 25 for i in range(25)]), context_of(source))
    _, packets, samples = audio_of(path)
    assert packets[0] < 0.05
    assert samples / 48000 == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(("uri", "kind"), [("-", "stream"), ("pictures/", "images"), ("gone.mp4", "video")])
def test_sources_without_audio(tmp_path, uri, kind):
    path = record(tmp_path / "x.mp4", at([0.0, 0.04]), context_of(uri, kind))
    with av.open(str(path)) as container:
        assert not container.streams.audio


def test_a_source_that_vanished_meanwhile(tmp_path, caplog):
    source = tmp_path / "clip.mp4"
    source.write_text("no longer a video")
    record(tmp_path / "x.mp4", at([0.0, 0.04]), context_of(source))
    assert "the overlay video has no audio" in caplog.text
    assert times_of(tmp_path / "x.mp4") == pytest.approx([0.0, 0.04])


@pytest.mark.parametrize(("coding", "name", "within"), [(H264, "x.mp4", 1e-5), (LOSSLESS, "x.mkv", 1e-3)])
def test_an_aborted_video_plays(tmp_path, coding, name, within):
    path = tmp_path / name
    with pytest.raises(RuntimeError), VideoSink(path, context_of(), picture_of, coding) as sink:
        fill(sink, at(UNEVEN))
        raise RuntimeError
    assert not path.exists()
    assert times_of(part_path(path)) == pytest.approx(UNEVEN, abs=within)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("coding", "name"), [(H264, "x.mp4"), (LOSSLESS, "x.mkv")])
def test_a_killed_video_plays(tmp_path, coding, name):
    path = tmp_path / name
    child = os.fork()
    if child == 0:
        fill(VideoSink(path, context_of(), picture_of, coding), at([i / 25 for i in range(300)]))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    times = times_of(part_path(path))
    assert len(times) >= 200
    assert times == pytest.approx([i / 25 for i in range(len(times))], abs=1e-5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("coding", "name"), [(H264, "x.mp4"), (LOSSLESS, "x.mkv")])
@pytest.mark.parametrize("count", [1, 8, 13, 20, 27, 35, 49, 60, 100])
def test_a_video_that_is_killed_early_plays_or_is_not_there(tmp_path, sample_clip, coding, name, count):
    path = tmp_path / name
    child = os.fork()
    if child == 0:
        fill(VideoSink(path, context_of(sample_clip), picture_of, coding), at([i / 25 for i in range(count)]))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    kept = len(times_of(part_path(path))) if part_path(path).exists() else 0
    assert count - kept <= 1.2 * 25 and (kept or not part_path(path).exists())


def noise(index: int) -> TrackedFrame:
    """A frame that does not compress well."""
    image = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return TrackedFrame(Frame(image, index / 25, index), (), ())


def test_a_full_disk_keeps_a_video(tmp_path):
    path = tmp_path / "x.mp4"
    told = pytest.raises(SinkError, match="file too large; what was written so far")
    with disk_of(500_000), told, VideoSink(path, context_of(), picture_of) as sink:
        fill(sink, (noise(i) for i in range(2000)))
    times = times_of(part_path(path))
    assert not path.exists() and len(times) >= 50
    assert times == pytest.approx([i / 25 for i in range(len(times))], abs=1e-5)


def test_a_disk_that_is_full_at_the_end(tmp_path):
    path = tmp_path / "x.mp4"
    sink = VideoSink(path, context_of(), picture_of)
    fill(sink, (noise(i) for i in range(60)))
    with disk_of(part_path(path).stat().st_size + 1000), pytest.raises(SinkError, match="file too large"):
        sink.finish()
    sink.abort()
    assert not path.exists() and len(times_of(part_path(path))) >= 39


def test_a_frame_that_cannot_be_encoded(tmp_path):
    with (
        pytest.raises(SinkError, match=r"cannot encode .*x\.mp4"),
        VideoSink(tmp_path / "x.mp4", context_of(), picture_of) as sink,
    ):
        fill(sink, [tracked(0, size=(2, 20000))])
