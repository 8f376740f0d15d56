"""Media that are as they should not be, and the right pictures and times of each."""

import csv
import io
import logging
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests import odd_media
from tests.odd_media import corners, disc, extent, ffmpeg
from tests.test_video import set_matrix
from tests.tracked import context_of, tracked, without_face, written
from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sinks import SinkContext, open_sink
from tracker.sources import expand_sources, images, open_source
from tracker.sources.clock import DecodingOrder, StreamClock
from tracker.types import Frame, SourceReport, TrackedFrame

ROOT = Path(__file__).parents[1]


def read(uri: Path | str, **options: object) -> tuple[list[Frame], SourceReport]:
    with open_source(str(uri), SourceOptions(**options)) as source:
        return list(source), source.report()


def times(frames: list[Frame]) -> list[float]:
    return [frame.time for frame in frames]


def flat(levels: list[int], size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    return [np.full((size[1], size[0], 3), level, np.uint8) for level in levels]


# the shape of a pixel


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [
        ("mp4", "libx264", "yuv420p"),
        ("mkv", "libx264", "yuv420p"),
        ("ts", "libx264", "yuv420p"),
        ("mov", "mjpeg", "yuvj420p"),
        ("avi", "mpeg4", "yuv420p"),
    ],
)
@pytest.mark.parametrize(("aspect", "size"), [("64/45", (1024, 576)), ("8/9", (720, 648))])
def test_pixels_are_made_square(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, aspect: str, size: tuple[int, int]
) -> None:
    """720x576 as PAL stores 16:9, and pixels that are higher than wide."""
    stored = [disc(720, 576, float(Fraction(aspect)))] * 5
    path = odd_media.write(tmp_path / f"a.{suffix}", stored, codec, pix_fmt, Fraction(aspect))
    with open_source(str(path)) as source:
        frames, info = list(source), source.info
    assert (info.width, info.height) == size and info.pixel_aspect == pytest.approx(float(Fraction(aspect)))
    assert frames[0].image.shape == (size[1], size[0], 3)
    across, down = extent(frames[0].image)
    assert across == pytest.approx(down, abs=3)


def test_pal_in_mpeg(tmp_path: Path) -> None:
    stored = [disc(720, 576, 64 / 45)] * 5
    frames, _ = read(odd_media.write(tmp_path / "a.mpg", stored, "mpeg2video", "yuv420p", Fraction(64, 45)))
    assert frames[0].image.shape == (576, 1024, 3)


def test_the_container_alone_tells_the_shape_of_a_pixel(tmp_path: Path) -> None:
    odd_media.write(tmp_path / "plain.mkv", [disc(320, 240, 2.0)] * 3, "ffv1", "yuv420p")
    ffmpeg("-i", tmp_path / "plain.mkv", "-c", "copy", "-aspect", "8:3", tmp_path / "wide.mkv")
    frames, _ = read(tmp_path / "wide.mkv")
    assert frames[0].image.shape == (240, 640, 3)
    across, down = extent(frames[0].image)
    assert across == pytest.approx(down, abs=3)


def test_a_turned_video_with_oblong_pixels(tmp_path: Path) -> None:
    path = odd_media.write(tmp_path / "a.mp4", [disc(360, 288, 1.5)] * 3, "libx264", "yuv420p", Fraction(3, 2))
    set_matrix(path, (0, 1, -1, 0))
    frames, _ = read(path)
    assert frames[0].image.shape == (540, 288, 3)
    across, down = extent(frames[0].image)
    assert across == pytest.approx(down, abs=3)


def test_an_absurd_shape_of_a_pixel_is_none(tmp_path: Path) -> None:
    path = odd_media.write(tmp_path / "a.mp4", flat([90] * 3), "libx264", "yuv420p", Fraction(100, 1))
    assert read(path)[0][0].image.shape == (48, 64, 3)


@pytest.mark.parametrize("matrix", [10, 11, 12, 13])
def test_colours_by_a_matrix_that_ffmpeg_cannot_convert(tmp_path: Path, matrix: int) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24").reformat(
            format="yuv420p"
        )
        frame.colorspace, frame.pts = matrix, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(str(tmp_path / "a.mkv")) as told:
        assert told.streams.video[0].codec_context.colorspace == matrix
    (frame,), _ = read(tmp_path / "a.mkv")
    assert np.abs(frame.image.astype(int) - 90).max() < 3


# EXIF and stills

UPRIGHT = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: np.rot90(image, 2),
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: lambda image: np.rot90(image, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_motion_jpeg_with_exif(tmp_path: Path, orientation: int) -> None:
    path = odd_media.motion_jpeg(tmp_path / "a.avi", [odd_media.jpeg(corners(), orientation)] * 3)
    frames, report = read(path)
    expected = UPRIGHT[orientation](corners())
    assert report == SourceReport(3, 0, (), True) and times(frames) == pytest.approx([0, 0.04, 0.08])
    assert frames[2].image.shape == expected.shape
    assert np.abs(frames[2].image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["jpg", "webp", "png", "tiff", "avif"])
def test_stills_are_turned_as_their_exif_says(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif, path = Image.Exif(), tmp_path / f"a.{suffix}"
    exif[0x0112] = orientation
    Image.fromarray(corners()).save(path, exif=exif, quality=95)
    (frame,), _ = read(path)
    expected = UPRIGHT[orientation](corners())
    assert frame.image.shape == expected.shape and frame.image.flags.c_contiguous
    assert np.abs(frame.image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("size", [(64, 48), (1200, 900)], ids=["one tile", "a grid of tiles"])
def test_heic_is_read_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.HEIC"
    pillow_heif.from_pillow(Image.fromarray(corners(*size))).save(path, quality=90)
    (frame,), _ = read(tmp_path)
    assert frame.image.shape == (size[1], size[0], 3)
    assert np.abs(frame.image.astype(int) - corners(*size)).mean() < 8


def test_heic_without_its_reader_is_named_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "register_heif_opener", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    Image.fromarray(corners()).save(tmp_path / "b.avif")
    frames, report = read(tmp_path)
    line = "a.heic: HEIC is read with pip install 'affect-tracker[heif]'"
    assert len(frames) == 1
    assert report.warnings == (f"pictures left out because they cannot be read: 1 ({line})",)
    with pytest.raises(SourceError, match=r"tried: 1 \(a.heic: HEIC is read with pip install 'affect-tracker\[heif\]'"):
        read(tmp_path / "a.heic")


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.avif"])
def test_an_animated_picture_gives_all_its_frames(tmp_path: Path, name: str) -> None:
    durations = [100, 40, 250, 70]
    frames, report = read(odd_media.animation(tmp_path / name, [40, 90, 140, 190], durations))
    assert [round(float(frame.image.mean()) / 10) for frame in frames] == [4, 9, 14, 19]
    assert times(frames) == pytest.approx([0, 0.1, 0.14, 0.39], abs=1e-3)
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert report == SourceReport(4, 0, (), True)
    part, report = read(tmp_path / name, start=0.1, end=0.39)
    assert times(part) == pytest.approx([0.1, 0.14], abs=1e-3) and report.complete


def test_pages_and_views_are_no_animation(tmp_path: Path) -> None:
    pages = [Image.fromarray(page) for page in flat([10, 20, 30])]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "b.jpg", "MPO", save_all=True, append_images=pages[1:])
    assert len(read(tmp_path / "a.tiff")[0]) == len(read(tmp_path / "b.jpg")[0]) == 1


def test_a_huge_picture_is_refused_in_a_line(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "huge.png")
    with pytest.raises(SourceError, match=r"huge.png: it has 30000x30000 pixels, and at most 200 million can be read"):
        read(tmp_path / "huge.png")
    Image.fromarray(corners()).save(tmp_path / "small.png")
    frames, report = read(tmp_path)
    assert (
        len(frames) == 1
        and "left out because they cannot be read: 1 (huge.png: it has 30000x30000" in report.warnings[0]
    )


def test_fuzzed_pictures_give_a_plain_line_or_a_picture(tmp_path: Path) -> None:
    made = {}
    for suffix in ("jpg", "png", "webp", "tiff", "bmp", "ppm", "avif"):
        data = io.BytesIO()
        Image.fromarray(corners()).save(data, {"jpg": "jpeg"}.get(suffix, suffix))
        made[suffix] = data.getvalue()
    random = np.random.default_rng(7)
    for round_ in range(30):
        for suffix, data in made.items():
            spoilt = bytearray(data[: random.integers(1, len(data))] if round_ % 3 == 0 else data)
            for place in random.integers(0, len(spoilt), 1 + round_ % 5):
                spoilt[place] = random.integers(0, 256)
            path = tmp_path / f"a.{suffix}"
            path.write_bytes(spoilt)
            image = images.read_picture(str(path))
            assert image is None or (image.dtype == np.uint8 and image.ndim == 3)


# AVI


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("rate", ["25", "30000/1001"])
def test_bidirectional_frames_in_avi(tmp_path: Path, codec: str, rate: str) -> None:
    ffmpeg("-f", "lavfi", "-i", f"testsrc=r={rate}:d=2", "-c:v", codec, "-bf", 2, tmp_path / "x.avi")
    frames, report = read(tmp_path / "x.avi")
    step = 1 / float(Fraction(rate))
    assert times(frames) == pytest.approx([i * step for i in range(len(frames))], abs=1e-6)
    assert len(frames) == round(2 / step) and report == SourceReport(len(frames), 0, (), True)


def test_dropped_frames_in_avi_leave_their_gap(tmp_path: Path) -> None:
    places = [0, 1, 2, 3, 4, 10, 11, 12, 20, 21]
    path = odd_media.write(tmp_path / "a.avi", flat(list(range(20, 220, 20))), "mjpeg", "yuvj420p", places=places)
    frames, report = read(path)
    assert times(frames) == pytest.approx([place / 25 for place in places]) and report.complete
    assert [round(float(frame.image.mean()) / 20) for frame in frames] == list(range(1, 11))


def test_lost_frames_in_avi_do_not_shift_the_others() -> None:
    """I0 P3 B1 B2 P6 B4 B5 P9 B7 B8, of which the decoder gives neither B1 nor P6."""
    order = DecodingOrder()
    for stamp in range(10):
        order.send(stamp)
    shown = [(0, False), (3, True), (1, False), (5, True), (6, True), (8, True), (9, True), (7, False)]
    stamps = [order.receive(own, bidirectional) for own, bidirectional in shown]
    assert stamps[0] == 0 and stamps[-1] >= 7 and all(a < b for a, b in pairwise(stamps))


# lost frames and false truncation


@pytest.mark.parametrize(
    ("lost", "complete"), [([*range(11), *range(12, 24)], False), (range(1, 24, 4), False), ([5, 11], True)]
)
def test_a_share_of_lost_frames_is_a_failure_that_keeps_what_was_read(
    tmp_path: Path, lost: Sequence[int], complete: bool
) -> None:
    path = odd_media.damage(odd_media.write(tmp_path / "a.mov", [corners()] * 24, "png", "rgb24"), lost)
    frames, report = read(path)
    assert times(frames) == pytest.approx([i / 25 for i in range(24) if i not in lost]) and report.complete is complete
    said = f"too much cannot be decoded: {len(lost)} of 24 frames are lost or damaged"
    assert (said in report.warnings) is not complete
    assert any(line.endswith(f"(frames lost: about {len(lost)})") for line in report.warnings)


def test_an_encrypted_video_is_a_failure(tmp_path: Path) -> None:
    key = ["-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb", "-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"]
    scheme = ["-encryption_scheme", "cenc-aes-ctr", *key]
    ffmpeg("-f", "lavfi", "-i", "testsrc=r=24:d=1", "-c:v", "libx264", *scheme, tmp_path / "a.mp4")
    try:
        _, report = read(tmp_path / "a.mp4")
    except SourceError as error:
        assert "no frame of it can be decoded; it is empty, damaged or encrypted" in str(error)
    else:  # some decoders make a picture of noise
        assert not report.complete and report.warnings[0].startswith("too much cannot be decoded: ")


@pytest.mark.parametrize(
    ("name", "codecs"),
    [
        ("a.wmv", ("wmv2", "wmav2")),
        ("a.flv", ("flv", "libmp3lame")),
        ("a.mkv", ("libx264", "aac")),
        ("a.mp4", ("libx264", "aac")),
        ("a.avi", ("mpeg4", "libmp3lame")),
    ],
)
def test_sound_that_outlasts_the_picture_is_no_truncation(tmp_path: Path, name: str, codecs: tuple[str, str]) -> None:
    picture, sound = ("-f", "lavfi", "-i", "testsrc=r=25:d=2"), ("-f", "lavfi", "-i", "sine=r=44100:d=5")
    ffmpeg(*picture, *sound, "-c:v", codecs[0], "-c:a", codecs[1], tmp_path / name)
    frames, report = read(tmp_path / name)
    assert report == SourceReport(50, 0, (), True)
    if name != "a.avi":  # in which the muxer leaves a gap for the delay of the sound
        assert times(frames) == pytest.approx([i / 25 for i in range(50)], abs=1e-3)
    data = (tmp_path / name).read_bytes()
    if name != "a.mp4":  # whose index is at its end
        (tmp_path / f"cut_{name}").write_bytes(data[: len(data) // 3])
        assert not read(tmp_path / f"cut_{name}")[1].complete


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "a.flv", "a.mp4"])
def test_less_than_half_a_second_that_is_missing_is_seen(tmp_path: Path, name: str) -> None:
    codec = {".webm": "libvpx", ".flv": "flv", ".avi": "mpeg4"}.get(Path(name).suffix, "libx264")
    pictures = [odd_media.numbered(number) for number in range(25)]
    plain = odd_media.write(tmp_path / "plain.nut", pictures, codec, "yuv420p", options={"bf": "0"})
    ffmpeg("-i", plain, "-c", "copy", "-movflags", "faststart", tmp_path / name)
    assert read(tmp_path / name)[1] == SourceReport(25, 0, (), True)
    data = (tmp_path / name).read_bytes()
    (tmp_path / f"cut_{name}").write_bytes(data[: int(0.9 * len(data))])
    frames, report = read(tmp_path / f"cut_{name}")
    assert 12 < len(frames) <= 25 and not report.complete
    assert [odd_media.number_in(frame.image) for frame in frames] == list(range(len(frames)))


def test_avi_that_ends_in_dropped_frames_is_whole(tmp_path: Path) -> None:
    path = odd_media.write(tmp_path / "a.avi", [corners()] * 60, "mjpeg", "yuvj420p")
    odd_media.empty_last_chunk(path, 20)
    frames, report = read(path)
    assert len(frames) == 40 and report == SourceReport(40, 0, (), True)


def test_flv_with_a_stale_duration_is_whole_and_one_that_was_cut_is_not(tmp_path: Path) -> None:
    path = odd_media.write(tmp_path / "a.flv", [corners()] * 50, "libx264", "yuv420p")
    odd_media.set_flv_duration(path, 60.0)
    assert read(path)[1] == SourceReport(50, 0, (), True)
    path.write_bytes(path.read_bytes()[:-30])
    frames, report = read(path)
    assert 45 < len(frames) <= 50 and not report.complete
    assert report.warnings[0].startswith("the file is truncated: it breaks off at")


def test_a_stream_that_begins_late_does_no_harm(tmp_path: Path) -> None:
    path = odd_media.write(tmp_path / "a.flv", [corners()] * 200, "flv", "yuv420p")
    frames, report = read(odd_media.flv_with_late_sound(path))
    assert times(frames) == pytest.approx([i / 25 for i in range(200)], abs=1e-3) and report.complete


# several streams


def two_streams(path: Path, default: int) -> Path:
    """A small stream of 20 frames and a large one of 10."""
    small, large = (odd_media.write(path.with_name(f"{n}.mkv"), p, "libx264", "yuv420p") for n, p in PARTS.items())
    marks = ["-disposition:v:0", "0", "-disposition:v:1", "0", f"-disposition:v:{default}", "default"]
    ffmpeg("-i", small, "-i", large, "-map", 0, "-map", 1, "-c", "copy", *marks, path)
    return path


PARTS = {"small": flat([50] * 20), "large": flat([200] * 10, (160, 120))}


@pytest.mark.parametrize(("default", "size"), [(0, (64, 48)), (1, (160, 120))])
def test_the_default_stream_is_taken_with_a_warning(tmp_path: Path, default: int, size: tuple[int, int]) -> None:
    frames, report = read(two_streams(tmp_path / "a.mkv", default))
    assert frames[0].image.shape == (size[1], size[0], 3)
    streams = "video streams: 2 (0 of 64x48, 1 of 160x120)"
    assert report.warnings == (f"{streams}; this is {default}, and --stream N takes another",)
    assert report.complete


def test_the_sound_goes_with_the_stream_that_was_chosen(tmp_path: Path) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc=r=25:d=2:s=64x48")
    tone = ("-f", "lavfi", "-i", "aevalsrc='if(between(t,1,1.2),sin(3000*t),0)':s=48000:d=3")
    path = tmp_path / "a.mkv"
    late = ("-itsoffset", 0.4, *picture)
    ffmpeg(*picture, *late, *tone, "-map", 0, "-map", 1, "-map", 2, "-c:v", "libx264", "-bf", 0, "-c:a", "flac", path)
    begins = {}
    for number in (0, 1):
        with (
            open_source(str(path), SourceOptions(stream=number)) as source,
            open_sink("video", tmp_path / f"{number}.mp4", SinkContext(source.info, str(path))) as sink,
        ):
            for frame in source:
                sink.write(TrackedFrame(frame, (), ()))
        with av.open(str(tmp_path / f"{number}.mp4")) as container:
            heard = [(f.time, np.abs(f.to_ndarray()).max()) for f in container.decode(audio=0)]
        begins[number] = next(time for time, loudness in heard if loudness > 1000)
    assert begins[0] == pytest.approx(1.0, abs=0.1) and begins[1] == pytest.approx(0.6, abs=0.1)


def test_a_stream_by_its_number(tmp_path: Path) -> None:
    path = two_streams(tmp_path / "a.mkv", 1)
    frames, report = read(path, stream=0)
    assert len(frames) == 20 and frames[0].image.shape == (48, 64, 3) and report.warnings == ()
    part, _ = read(path, stream=0, start=0.4)
    assert times(part) == times(frames)[10:]
    with pytest.raises(SourceError, match="stream 7 is no video; expected one of --stream 0, 1"):
        read(path, stream=7)


# leaps


def test_a_gap_of_days_is_told(tmp_path: Path) -> None:
    places = [0, 1, 2, 25 * 86_400 * 2, 25 * 86_400 * 2 + 1]
    path = odd_media.write(tmp_path / "a.mkv", flat([50, 60, 70, 80, 90]), "ffv1", "yuv420p", places=places)
    frames, report = read(path)
    assert times(frames)[3] == pytest.approx(172_800)
    assert "the times leap: 172800 s without a frame after 0.08 s" in report.warnings


def test_a_slow_series_of_frames_does_not_leap(tmp_path: Path) -> None:
    places = [25 * 90 * i for i in range(5)]
    path = odd_media.write(tmp_path / "slow.mp4", flat([50] * 5), "mpeg4", "yuv420p", places=places)
    frames, report = read(path)
    assert times(frames) == pytest.approx([0, 90, 180, 270, 360]) and report.warnings == ()


def test_a_clock_that_goes_back_is_told(tmp_path: Path) -> None:
    late, early = (tmp_path / "late.ts", tmp_path / "early.ts")
    ffmpeg("-f", "lavfi", "-i", "testsrc=r=25:d=1", "-c:v", "libx264", "-bf", 0, "-output_ts_offset", 1000, late)
    ffmpeg("-f", "lavfi", "-i", "testsrc=r=25:d=1", "-c:v", "libx264", "-bf", 0, early)
    (tmp_path / "both.ts").write_bytes(late.read_bytes() + early.read_bytes())
    frames, report = read(tmp_path / "both.ts")
    assert len(frames) == 50 and report.complete
    assert any(line.startswith("the times leap: ") for line in report.warnings)


def test_clips_joined_backwards_tell_their_leaps_and_keep_their_sound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    joined = b""
    for offset in (30, 20, 10):
        picture, sound = ("-f", "lavfi", "-i", "testsrc=r=25:d=1"), ("-f", "lavfi", "-i", "sine=r=48000:d=1")
        coding = ("-c:v", "libx264", "-bf", 0, "-c:a", "aac", "-output_ts_offset", offset)
        ffmpeg(*picture, *sound, *coding, tmp_path / "part.ts")
        joined += (tmp_path / "part.ts").read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(joined)
    with (
        open_source(str(path)) as source,
        open_sink("video", tmp_path / "o.mp4", SinkContext(source.info, str(path))) as o,
    ):
        frames = list(source)
        for frame in frames:
            o.write(TrackedFrame(frame, (), ()))
    assert times(frames) == pytest.approx([i / 25 for i in range(75)], abs=0.021)
    (leap,) = [line for line in source.report().warnings if "leap" in line]
    assert "the times leap: the timestamps go back by 11 s at 1.04 s, and 1 more" in leap
    with av.open(str(path)) as whole, av.open(str(tmp_path / "o.mp4")) as kept:
        packets = len([p for p in whole.demux(audio=0) if p.size])
        sound = [float(p.pts * p.time_base) for p in kept.demux(audio=0) if p.size]
    assert packets == 144 and len(sound) >= 140 and "left out" not in caplog.text
    assert np.diff(sound) == pytest.approx(1024 / 48_000, abs=1e-3) and sound[-1] == pytest.approx(3.0, abs=0.06)


def test_damaged_sound_is_left_out_of_the_overlay(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, sound = tmp_path / "a.ts", 0x101
    picture = ("-f", "lavfi", "-i", "testsrc=r=25:d=1:s=64x48", "-f", "lavfi", "-i", "sine=r=48000:d=1")
    ffmpeg(*picture, "-c:v", "libx264", "-c:a", "aac", path)
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 188):  # packets of a transport stream; the second and third byte name the stream
        if int.from_bytes(data[place + 1 : place + 3], "big") & 0x1FFF == sound:
            data[place + 60 : place + 188] = bytes(128)
    path.write_bytes(data)
    with (
        open_source(str(path)) as source,
        open_sink("video", tmp_path / "o.mp4", SinkContext(source.info, str(path))) as sink,
    ):
        for frame in source:
            sink.write(TrackedFrame(frame, (), ()))
    with av.open(str(tmp_path / "o.mp4")) as overlay:
        assert len([packet for packet in overlay.demux(video=0) if packet.size]) == 25
    assert "the overlay video has no audio: it is damaged" in caplog.text


def test_the_clock_tells_how_far_it_went_back() -> None:
    clock = StreamClock(Fraction(1, 25), 0, 25.0)
    told = [(clock.tell(stamp, stamp), clock.went_back)[1] for stamp in (25_000, 25_001, 0, 1, 2)]
    assert told[:3] == [0, 0, 0] and told[3] == pytest.approx(1000.08) and told[4] == 0


# what is said


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "3"])
def test_a_timestamp_of_our_own_table_is_a_start_that_keeps_its_frame(tmp_path: Path, rate: str) -> None:
    ffmpeg("-f", "lavfi", "-i", f"testsrc=r={rate}:d=4:s=64x48", "-c:v", "libx264", tmp_path / "a.mp4")
    frames, _ = read(tmp_path / "a.mp4")
    for number in range(1, len(frames), 7):
        written = float(f"{frames[number].time:.6f}")
        assert times(read(tmp_path / "a.mp4", start=written)[0])[0] == frames[number].time
        assert times(read(tmp_path / "a.mp4", end=written)[0])[-1] == frames[number - 1].time


def test_pictures_beside_videos_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.mp4", "b.jpg", "c.png"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.WARNING):
        assert expand_sources([str(tmp_path)]) == [str(tmp_path / "a.mp4")]
    assert "pictures that are left out: 2 (b.jpg, ...)" in caplog.text


def index_last(path: Path) -> Path:
    """An mp4 that no buffer of FFmpeg's holds whole."""
    rough = [np.random.default_rng(i).integers(0, 256, (240, 320, 3), np.uint8) for i in range(30)]
    return odd_media.write(path, rough, "libx264", "yuv420p")


def test_an_index_that_comes_last_through_a_pipe(tmp_path: Path) -> None:
    path = index_last(tmp_path / "a.mp4")
    program = "from tracker.sources import open_source\nopen_source('-')"
    with path.open("rb") as file:
        done = subprocess.run([sys.executable, "-c", program], stdin=file, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0  # a file can be read backwards
    piped = subprocess.run(
        [sys.executable, "-c", program], input=path.read_bytes(), capture_output=True, cwd=ROOT, timeout=60
    )
    assert b"standard input is an mp4 whose index comes last, and a pipe cannot be read backwards" in piped.stderr


def test_an_index_that_comes_last_from_a_server_without_ranges(tmp_path: Path) -> None:
    address, stop = odd_media.without_range(index_last(tmp_path / "a.mp4"))
    with pytest.raises(SourceError, match=r"index comes last, and this address .* cannot be read backwards.*faststart"):
        read(address)
    stop()


def test_empty_numbers_may_be_nan(tmp_path: Path) -> None:
    path = written("csv", tmp_path / "a.csv", [without_face(0), tracked(1)], context_of(empty="nan"))
    blank, full = csv.DictReader(path.read_text().splitlines())
    assert blank["valence"] == blank["face_id"] == blank["pose_Rz"] == "NaN" and blank["quadrant"] == ""
    assert blank["frame"] == "0" and float(full["valence"]) == pytest.approx(0.41)


def test_polars_reads_numbers_where_the_first_hundred_rows_have_no_face(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frames = [*(without_face(n) for n in range(150)), tracked(150)]
    told = polars.read_csv(written("csv", tmp_path / "nan.csv", frames, context_of(empty="nan")))
    assert told["valence"].dtype == polars.Float64 and told["valence"][150] == pytest.approx(0.41)
    plain = written("csv", tmp_path / "plain.csv", frames)
    assert polars.read_csv(plain, infer_schema_length=None)["valence"].dtype == polars.Float64
