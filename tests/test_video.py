"""Videos that no camera makes twice are made here, with PyAV; each frame is as grey as its number says."""

import io
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from tracker.config import SourceOptions
from tracker.errors import SourceError
from tracker.sources import open_source
from tracker.sources.tally import Tally
from tracker.sources.turn import turn_of
from tracker.types import Frame, SourceReport

FASTSTART = {"movflags": "faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
VFR_MS = list(accumulate([0] + [20, 35, 70, 41, 90, 17] * 8))


def noise(number: int) -> np.ndarray:
    """A picture whose mean grey tells its number, so rough that each frame takes some hundred bytes."""
    rough = np.random.default_rng(number).integers(-25, 26, (48, 64, 1))
    return np.broadcast_to(30 + 5 * (number % 40) + rough, (48, 64, 3)).astype(np.uint8)


def write_video(
    path: Path,
    images: int | Sequence[np.ndarray] = 60,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    stamps_ms: Sequence[int] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """A video at 30 Hz (or with the stamps given) with a key frame every half second."""
    pictures = [noise(i) for i in range(images)] if isinstance(images, int) else images
    with av.open(str(path), "w", container_options=container or {}) as output:
        stream: Any = output.add_stream(codec, rate=30, options={"g": "15"})
        stream.height, stream.width = pictures[0].shape[:2] if len(pictures) else (48, 64)
        stream.pix_fmt = pix_fmt
        if stamps_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        output.start_encoding()
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if stamps_ms is not None:
                frame.pts, frame.time_base = stamps_ms[number], Fraction(1, 1000)
            output.mux(stream.encode(frame))
        if pictures:
            output.mux(stream.encode(None))
    return path


def write_audio(path: Path, cover: bool = False) -> Path:
    """A tenth of a second of silence, with a picture on its sleeve if wanted."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=44100, layout="mono")
        if cover:
            art: Any = output.add_stream("mjpeg", rate=1)
            art.width, art.height, art.pix_fmt = 16, 16, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
            output.mux(art.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
            output.mux(art.encode(None))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        sound.rate = 44100
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    return path


def read(uri: Path | str, **options: Any) -> tuple[list[Frame], SourceReport]:
    with open_source(str(uri), SourceOptions(**options)) as source:
        return list(source), source.report()


def numbers(frames: list[Frame]) -> list[int]:
    return [round((float(frame.image.mean()) - 30) / 5) for frame in frames]


def times(frames: list[Frame]) -> list[float]:
    return [frame.time for frame in frames]


def packet_times(path: Path) -> list[float]:
    """When each packet of a video is to be shown, without decoding it."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        shown = [p.pts for p in container.demux(stream) if p.pts is not None and not p.is_discard]
        return [float((pts - stream.start_time) * stream.time_base) for pts in sorted(shown)]


def cut(path: Path, share: float) -> Path:
    """The first part of a file, beside it."""
    data = path.read_bytes()
    shorter = path.with_name("cut_" + path.name)
    shorter.write_bytes(data[: int(share * len(data))])
    return shorter


def spoil(path: Path, begin: float, end: float) -> Path:
    """A file with zeros in a part of its bytes, beside it."""
    data = bytearray(path.read_bytes())
    first, last = int(begin * len(data)), int(end * len(data))
    data[first:last] = bytes(last - first)
    spoilt = path.with_name("spoilt_" + path.name)
    spoilt.write_bytes(data)
    return spoilt


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty frames, two seconds."""
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", container=FASTSTART)


# the clips


CLIPS = {
    "WolfgangLanger_Pexels.mp4": 472,
    "no_face.mp4": 95,
    "noface_face.mov": 169,
    "face_noface.mov": 169,
    "carphone.mp4": 120,
    "single_face.mp4": 72,
}


@pytest.mark.parametrize("name", CLIPS)
def test_real_clips(media: Path, name: str) -> None:
    with open_source(str(media / name)) as source:
        stamps = [(frame.index, frame.time) for frame in source]
        report, info = source.report(), source.info
    assert report == SourceReport(CLIPS[name], 0, (), True)
    assert [index for index, _ in stamps] == list(range(CLIPS[name]))
    assert [time for _, time in stamps] == pytest.approx(packet_times(media / name), abs=1e-3)
    assert info.frames == pytest.approx(CLIPS[name], abs=3)
    assert info.kind == "video" and info.width >= 176


def test_the_sample_clip(sample_clip: Path) -> None:
    frames, report = read(sample_clip)
    assert report == SourceReport(216, 0, (), True)
    assert times(frames) == pytest.approx([i * 1001 / 24000 for i in range(216)], abs=1e-3)


# time


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
def test_a_variable_frame_rate_is_right_to_a_millisecond(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"vfr.{suffix}", len(VFR_MS), stamps_ms=[1300 + t for t in VFR_MS])
    frames, report = read(path)
    assert times(frames) == pytest.approx([t / 1000 for t in VFR_MS], abs=1e-3)
    assert report.repaired == 0 and report.complete


def test_a_stream_without_timestamps(tmp_path: Path) -> None:
    frames, report = read(write_video(tmp_path / "raw.h264"))
    assert times(frames) == pytest.approx([i / 30 for i in range(60)])
    assert report.repaired == report.decoded == 60
    assert report.warnings == ("timestamps that were missing or went back, now repaired: 60",)


def test_a_time_jump_back(tmp_path: Path) -> None:
    once = write_video(tmp_path / "once.ts", 30).read_bytes()
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once + once)
    frames, report = read(twice)
    assert len(frames) == 60
    assert all(a < b for a, b in pairwise(times(frames)))
    assert times(frames)[31:] == pytest.approx([i / 30 for i in range(31, 60)])
    assert report.repaired == 2 and report.complete
    assert report.warnings == ("timestamps that were missing or went back, now repaired: 2",)


def test_h264_with_bidirectional_frames_in_avi_has_even_times(tmp_path: Path) -> None:
    plain = [np.full((48, 64, 3), 30 + 5 * (i % 40), np.uint8) for i in range(60)]
    frames, report = read(write_video(tmp_path / "old.avi", plain))
    assert numbers(frames) == [i % 40 for i in range(60)]
    assert times(frames) == pytest.approx([i / 30 for i in range(60)], abs=1e-6)
    assert report == SourceReport(60, 0, (), True)


def test_a_rate_of_zero(tmp_path: Path) -> None:
    path = write_video(tmp_path / "zero.avi", 10, "mjpeg", "yuvj420p")
    data = bytearray(path.read_bytes())
    scale_and_rate = data.index(b"strh") + 28
    data[scale_and_rate : scale_and_rate + 8] = bytes(8)
    path.write_bytes(data)
    frames, report = read(path)
    assert len(frames) == 10 and report.complete
    assert all(a < b for a, b in pairwise(times(frames)))


def test_an_absent_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "vfr.ts", len(VFR_MS), stamps_ms=VFR_MS)
    with open_source(str(path)) as source:
        assert source.info.rate_hz is None
        assert source.info.frames is None
        assert times(list(source)) == pytest.approx([t / 1000 for t in VFR_MS], abs=1e-3)


# pixels


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt", "size"),
    [
        ("mp4", "libx264", "yuv420p", (64, 48)),
        ("mp4", "libx264", "yuv420p10le", (64, 48)),
        ("mp4", "libx264", "yuv444p", (161, 121)),
        ("mkv", "ffv1", "yuv420p", (33, 17)),
        ("mkv", "ffv1", "bgr0", (1, 1)),
        ("mov", "png", "rgba", (33, 17)),
        ("mov", "png", "rgb24", (1, 1)),
        ("mkv", "ffv1", "yuva420p", (64, 48)),
        ("avi", "mjpeg", "yuvj420p", (64, 48)),
        ("webm", "libvpx", "yuv420p", (64, 48)),
        ("gif", "gif", "rgb8", (64, 48)),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    tmp_path: Path, suffix: str, codec: str, pix_fmt: str, size: tuple[int, int]
) -> None:
    picture = np.full((size[1], size[0], 3), (200, 60, 30), np.uint8)
    frames, report = read(write_video(tmp_path / f"a.{suffix}", [picture] * 3, codec, pix_fmt))
    assert len(frames) == 3 and report.complete
    for frame in frames:
        assert frame.image.shape == picture.shape and frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - picture).max() < (60 if codec == "gif" else 8)


@pytest.mark.parametrize("pix_fmt", ["gray", "gray16le", "gray10le"])
def test_grey_becomes_rgb(tmp_path: Path, pix_fmt: str) -> None:
    frames, _ = read(write_video(tmp_path / "grey.mkv", 5, "ffv1", pix_fmt))
    assert numbers(frames) == [0, 1, 2, 3, 4]
    assert all(np.ptp(frame.image, axis=2).max() == 0 for frame in frames)


@pytest.mark.parametrize("colour_range", [1, 2], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [1, 5], ids=["bt709", "bt601"])
def test_colours_follow_the_tags_of_the_stream(tmp_path: Path, colour_range: int, matrix: int) -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :16], picture[:, 16:32], picture[:, 32:48] = (255, 0, 0), (255, 255, 255), (30, 120, 60)
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream: Any = output.add_stream("libx264", rate=30, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = colour_range, matrix
        rgb = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = rgb.reformat(format="yuv420p", dst_color_range=colour_range, dst_colorspace=matrix, src_color_range=2)
        frame.color_range, frame.colorspace = colour_range, matrix
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    (frame,), _ = read(tmp_path / "a.mp4")
    assert np.abs(frame.image[24, 8::16].astype(int) - picture[24, 8::16]).max() < 5


def test_a_change_of_size_in_the_middle(tmp_path: Path) -> None:
    small = write_video(tmp_path / "small.ts", 10).read_bytes()
    large = write_video(tmp_path / "large.ts", [np.full((96, 160, 3), 80, np.uint8)] * 10).read_bytes()
    (tmp_path / "both.ts").write_bytes(small + large)
    frames, report = read(tmp_path / "both.ts")
    assert [frame.image.shape for frame in frames] == [(48, 64, 3)] * 10 + [(96, 160, 3)] * 10
    assert abs(float(frames[-1].image.mean()) - 80) < 3 and report.complete


def test_8k(tmp_path: Path) -> None:
    path = write_video(tmp_path / "8k.avi", [np.full((4320, 7680, 3), 99, np.uint8)], "mjpeg", "yuvj420p")
    with open_source(str(path)) as source:
        assert (source.info.width, source.info.height) == (7680, 4320)
        assert [frame.image.shape for frame in source] == [(4320, 7680, 3)]


def test_info(clip: Path) -> None:
    with open_source(str(clip)) as source:
        info = source.info
    assert (info.uri, info.kind, info.width, info.height) == (str(clip), "video", 64, 48)
    assert (info.rate_hz, info.frames, info.duration) == (30.0, 60, pytest.approx(2.0))
    assert (info.codec, info.time_base, info.rotation) == ("h264", "1/15360", 0)


# rotation


MATRICES = {
    "0": ((1, 0, 0, 1), 0, lambda image: image),
    "90": ((0, 1, -1, 0), 90, lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), 180, lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), 270, lambda image: np.rot90(image, 1)),
    "mirror": ((-1, 0, 0, 1), 0, lambda image: image[:, ::-1]),
    "mirror, then 90": ((0, -1, -1, 0), 90, lambda image: np.rot90(image[:, ::-1], -1)),
}


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a, b, c, d of a display matrix into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("case", MATRICES)
def test_rotation_is_applied(tmp_path: Path, case: str) -> None:
    matrix, degrees, turn = MATRICES[case]
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32], stored[:24, 32:], stored[24:, :32] = (230, 20, 20), (20, 230, 20), (20, 20, 230)
    path = write_video(tmp_path / "turned.mp4", [stored] * 3, pix_fmt="yuv444p")
    set_matrix(path, matrix)
    expected = turn(stored)
    with open_source(str(path)) as source:
        frames, info = list(source), source.info
    assert (info.height, info.width, info.rotation) == (*expected.shape[:2], degrees)
    for frame in frames:
        assert frame.image.shape == expected.shape and frame.image.flags.c_contiguous
        assert np.abs(frame.image.astype(int) - expected).mean() < 6


def test_a_turn_by_an_odd_angle_goes_to_the_nearest_quarter() -> None:
    assert turn_of([60000, 20000, 0, -20000, 60000, 0, 0, 0, 1 << 30]).clockwise == 0
    assert turn_of([20000, 60000, 0, -60000, 20000, 0, 0, 0, 1 << 30]).clockwise == 90


# part of a video


@pytest.fixture(scope="module", params=["mp4", "mkv", "ts", "avi"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Frame]]:
    """A video and all its frames."""
    codec = "mpeg4" if request.param == "avi" else "libx264"
    path = write_video(tmp_path_factory.mktemp("whole") / f"whole.{request.param}", codec=codec)
    return path, read(path)[0]


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (1.31, None), (None, 0.2), (0.03, 0.06), (1.9, 50.0)])
def test_start_and_end_are_exact(whole: tuple[Path, list[Frame]], start: float | None, end: float | None) -> None:
    path, frames = whole
    part, report = read(path, start=start, end=end)
    expected = [frame for frame in frames if (start or 0) <= frame.time < (end or 99)]
    assert times(part) == times(expected)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(part, expected, strict=True))
    assert [frame.index for frame in part] == list(range(len(expected)))
    assert report == SourceReport(len(expected), 0, (), True)


def test_times_of_a_part_of_a_real_clip(media: Path) -> None:
    path = media / "noface_face.mov"
    frames, report = read(path, start=4.0, end=4.5)
    assert times(frames) == pytest.approx([t for t in packet_times(path) if 4.0 <= t < 4.5], abs=1e-3)
    assert report == SourceReport(len(frames), 0, (), True) and len(frames) > 5


def test_a_start_is_sought_not_decoded_to(clip: Path) -> None:
    spoilt = spoil(clip, 0.25, 0.35)
    assert read(spoilt)[1].warnings != ()
    frames, report = read(spoilt, start=1.6)
    assert numbers(frames) == list(range(8, 20))
    assert report == SourceReport(12, 0, (), True)


def test_frames_expected_of_a_part(clip: Path) -> None:
    with open_source(str(clip), SourceOptions(start=0.5, end=1.5)) as source:
        assert source.info.frames == 30
        assert source.info.duration == pytest.approx(2.0)


def test_a_start_after_the_end(clip: Path) -> None:
    with pytest.raises(SourceError, match=r"clip.mp4 has no frame from 9 s on; it lasts 2.00 s"):
        read(clip, start=9)
    with pytest.raises(SourceError, match=r"has no frame from 8 s on and before 9 s; it lasts 2.00 s"):
        read(clip, start=8, end=9)


# damage


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "flv"])
def test_of_a_truncated_file_what_decodes_is_kept(tmp_path: Path, suffix: str) -> None:
    frames, report = read(
        cut(write_video(tmp_path / f"a.{suffix}", container=FASTSTART if suffix == "mp4" else {}), 0.6)
    )
    assert 10 < len(frames) < 45
    assert numbers(frames) == [i % 40 for i in range(len(frames))]
    assert not report.complete and report.decoded == len(frames)
    assert report.warnings[0].startswith("the file is truncated: it breaks off at")


def test_a_file_that_lacks_its_last_bytes(clip: Path) -> None:
    frames, report = read(cut(clip, 0.99))
    assert len(frames) == 59 and numbers(frames) == [i % 40 for i in range(59)]
    assert not report.complete
    assert report.warnings == ("the file is truncated: it breaks off at 1.93 s of 2.00 s",)


def test_a_part_before_the_truncation_is_complete(clip: Path) -> None:
    frames, report = read(cut(clip, 0.6), end=0.3)
    assert len(frames) == 9
    assert report == SourceReport(9, 0, (), True)


def test_a_truncated_real_clip(media: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    path.write_bytes((media / "WolfgangLanger_Pexels.mp4").read_bytes()[:300_000])
    frames, report = read(path)
    assert 40 < len(frames) < 200 and not report.complete
    assert "the file is truncated: it breaks off at" in report.warnings[0]


def test_an_mp4_without_its_index(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cut_a.mp4 cannot be read as a video; .*the file may be truncated"):
        read(cut(write_video(tmp_path / "a.mp4"), 0.6))


def test_damage_in_the_middle_is_passed_and_reported(clip: Path) -> None:
    frames, report = read(spoil(clip, 0.55, 0.6))
    assert 40 < len(frames) < 60
    assert times(frames)[-1] == pytest.approx(59 / 30)
    assert all(a < b for a, b in pairwise(times(frames)))
    lost = 60 - len(frames)
    assert report.warnings[0].startswith("packets too damaged to decode: ")
    assert report.warnings[0].endswith(f" (frames lost: about {lost})")
    assert report.complete


def test_damage_to_the_end_breaks_off(clip: Path) -> None:
    frames, report = read(spoil(clip, 0.5, 1.0))
    assert 10 < len(frames) < 45
    assert report.warnings[0].startswith("decoding broke off at") and not report.complete


def test_reading_that_fails_in_the_middle() -> None:
    tally = Tally(rate_hz=25.0, duration=9.0, declared_end=9.0, error="input/output error", last_time=4.0, ended=True)
    assert tally.report().warnings == ("reading broke off at 4.00 s of 9.00 s: input/output error",)
    assert not tally.report().complete


def test_a_report_before_the_end_is_not_complete(clip: Path) -> None:
    with open_source(str(clip)) as source:
        frames = iter(source)
        next(frames)
        next(frames)
        assert source.report().decoded == 2 and not source.report().complete


def make_text(path: Path) -> Path:
    path.write_text("this is not a video\n" * 40)
    return path


def make_subtitles(path: Path) -> Path:
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nthis is not a video\n\n")
    return path


def make_empty(path: Path) -> Path:
    path.touch()
    return path


def make_noise(path: Path) -> Path:
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    return path


@pytest.mark.parametrize(
    ("name", "make", "text"),
    [
        ("text.mp4", make_text, "cannot be read as a video; a video .* was expected"),
        ("noise.mkv", make_noise, "cannot be read as a video; a video .* was expected"),
        ("empty.mp4", make_empty, r"cannot be read as a video; the file is empty \(0 bytes\)"),
        ("words.mp4", make_subtitles, r"has no video stream; it holds only subtitle"),
        ("sound.m4a", write_audio, r"has no video stream; it holds only audio"),
        ("sleeve.mp4", lambda path: write_audio(path, cover=True), r"has no video stream; it holds only audio"),
        (
            "none.mp4",
            lambda path: write_video(path, [], container=FRAGMENTS),
            "no frame of it can be decoded; it is empty",
        ),
        ("none.avi", lambda path: write_video(path, [], "mpeg4"), "no frame of it can be decoded; it is empty"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, make: Any, text: str) -> None:
    path = make(tmp_path / name)
    with pytest.raises(SourceError, match=text) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_labels_that_are_not_utf8_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "label.mkv"
    with av.open(str(path), "w") as output:
        output.metadata["title"] = "AAAAAAAA"
        stream: Any = output.add_stream("mpeg4", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"AAAAAAAA", b"caf\xe9 \xfc\xff "))
    assert len(read(path)[0]) == 1


@pytest.mark.parametrize("name", ["mit Leerzeichen und Ü.mp4", "映画 [1] 100%.mp4", "12:30 a:b.mp4", "-dash.mp4"])
def test_paths(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_bytes(clip.read_bytes())
    assert len(read(tmp_path / name)[0]) == 60
    monkeypatch.chdir(tmp_path)
    assert len(read(name)[0]) == 60


# standard input


def pipe_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """Put a pipe with the data in the place of standard input."""
    exit_end, entry = os.pipe()

    def feed() -> None:
        with os.fdopen(entry, "wb") as pipe:
            pipe.write(data)

    threading.Thread(target=feed, daemon=True).start()
    stdin = SimpleNamespace(buffer=os.fdopen(exit_end, "rb"), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = write_video(tmp_path / f"a.{suffix}", container=FASTSTART if suffix == "mp4" else {})
    pipe_in(monkeypatch, path.read_bytes())
    with open_source("-") as source:
        frames = list(source)
    assert numbers(frames) == [i % 40 for i in range(60)]
    assert times(frames) == pytest.approx([i / 30 for i in range(60)], abs=1e-3)
    assert source.info.kind == "stream" and source.report() == SourceReport(60, 0, (), True)


def test_a_part_of_standard_input(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in(monkeypatch, clip.read_bytes())
    frames, report = read("-", start=1.0, end=1.2)
    assert times(frames) == pytest.approx([1.0, 31 / 30, 32 / 30, 1.1, 34 / 30, 35 / 30]) and report.complete


def test_standard_input_that_cannot_be_read_forwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe_in(monkeypatch, b"no video at all")
    with pytest.raises(SourceError, match=r"^standard input cannot be read as a video; .*-movflags faststart"):
        read("-")


def test_a_terminal_is_no_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: True))
    with pytest.raises(SourceError, match="standard input is a terminal; pipe a video into it, or name a file"):
        read("-")


def test_leaving_standard_input_early_does_not_hang(tmp_path: Path) -> None:
    """The thread waits for more of a pipe that stays open; the program must end all the same, and without a word."""
    program = """if True:
        import time
        from tracker.sources import SourceOptions, open_source, readahead
        readahead.JOIN_S = 0.3
        with open_source("-", SourceOptions(read_ahead=1000)) as source:
            print(next(iter(source)).index)
            time.sleep(0.3)
    """
    data = write_video(tmp_path / "a.ts", 100).read_bytes()
    root = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, stderr=-1, cwd=root) as child:
        assert child.stdin and child.stdout and child.stderr
        child.stdin.write(data)
        child.stdin.flush()
        assert child.wait(timeout=15) == 0
        assert (child.stdout.read(), child.stderr.read()) == (b"0\n", b"")
