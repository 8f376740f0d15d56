"""A corpus of odd media, and the right rows and times of each: of pictures that bear their numbers, and by ffprobe."""

import csv
import json
import math
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests import odd_media
from tests.odd_media import ffmpeg, number_in, numbered
from tests.test_video import pipe_in, set_matrix
from tracker.cli import main
from tracker.config import SourceOptions
from tracker.sources import open_source

pytestmark = pytest.mark.slow

COUNT = 24
ALL = tuple(range(COUNT))
PICTURES = [numbered(number) for number in ALL]
SOUND = "-f lavfi -i sine=r=48000:d="


@dataclass(frozen=True)
class Case:
    """A file, how it is made, which of the numbered pictures it shows, and when."""

    name: str
    make: Callable[[Path], Any] = field(repr=False)
    """Writes the file at a path."""
    numbers: Sequence[int] = ALL
    times: Sequence[float] = tuple(n / 25 for n in ALL)
    size: tuple[int, int] | None = (128, 96)
    """Width and height of the frames."""
    options: dict[str, Any] = field(default_factory=dict)
    complete: bool = True
    repaired: int = 0
    probed: bool = True
    """ffprobe tells the same rows and times."""
    about: str = ""
    """What is odd, where the name of the file does not tell."""

    @property
    def id(self) -> str:
        return f"{self.name} {self.about}".strip()


def coded(name: str, arguments: str, *, rate: str = "25", before: str = "", **changes: Any) -> Case:
    """A file that ffmpeg makes of the 24 pictures at a rate in Hz: arguments shape it, `before` concerns the input."""

    def make(path: Path) -> None:
        plain = odd_media.write(path.with_name("plain.nut"), PICTURES, "ffv1", "yuv420p", rate=Fraction(rate))
        ffmpeg(*shlex.split(before), "-i", plain, *shlex.split(arguments), "-vsync", "passthrough", path)

    about = changes.pop("about", arguments)
    times = changes.pop("times", [n / float(Fraction(rate)) for n in ALL])
    return Case(name, make, times=times, about=f"{rate} Hz, {about}" if rate != "25" else about, **changes)


CODED = [
    coded("a.mp4", "-c:v libx264 -bf 0"),
    coded("a.mp4", "-c:v libx264 -bf 3 -g 12"),
    coded("a.mp4", "-c:v libx264 -bf 4 -x264opts b-pyramid=normal:open-gop=1:keyint=8"),
    coded("a.mp4", "-c:v libx265 -x265-params log-level=none:bframes=4"),
    coded("a.mp4", "-c:v mpeg4 -bf 2 -q:v 2"),
    coded("a.mp4", "-c:v mjpeg -q:v 2"),
    coded("a.mp4", "-c:v libsvtav1 -preset 12"),
    coded("a.mp4", "-c:v libvpx-vp9 -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 10"),
    coded("a.mp4", "-c:v libx264 -movflags frag_keyframe+empty_moov -g 8"),
    coded("a.mp4", "-c:v libx264 -bf 2 -movflags negative_cts_offsets"),
    coded("a.mp4", "-c:v libx264 -bf 2 -use_editlist 0", about="B-frames without an edit list"),
    coded("a.mov", "-c:v libx264 -bf 2"),
    coded("a.mov", "-c:v prores_ks"),
    coded("a.mov", "-c:v png"),
    coded("a.mov", "-c:v qtrle"),
    coded("a.mov", "-c:v rpza"),
    coded("a.mov", "-c:v cinepak"),
    coded("a.mov", "-c:v svq1 -q:v 2"),
    coded("a.mov", "-c:v jpeg2000"),
    coded("a.mov", "-c:v rawvideo -pix_fmt yuyv422"),
    coded("a.mov", "-c:v dnxhd -profile:v dnxhr_lb -s 256x192 -pix_fmt yuv422p", size=(256, 192)),
    coded("a.mov", "-c:v cfhd -pix_fmt yuv422p10"),
    coded("a.mov", "-c:v v210"),
    coded("a.mkv", "-c:v libx264 -bf 2"),
    coded("a.mkv", "-c:v libx265 -x265-params log-level=none"),
    coded("a.mkv", "-c:v mpeg4 -bf 2 -q:v 2"),
    coded("a.mkv", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.mkv", "-c:v utvideo"),
    coded("a.mkv", "-c:v rawvideo -allow_raw_vfw 1"),
    coded("a.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 10"),
    coded("a.webm", "-c:v libvpx-vp9 -cpu-used 8 -row-mt 1"),
    coded("a.webm", "-c:v libsvtav1 -preset 12"),
    coded("a.avi", "-c:v libx264 -bf 0"),
    coded("a.avi", "-c:v libx264 -bf 3 -g 12", probed=False),
    coded("a.avi", "-c:v libxvid -bf 0 -q:v 2", probed=False),
    coded("a.avi", "-c:v mpeg4 -bf 0 -q:v 2"),
    coded("a.avi", "-c:v mpeg4 -bf 2 -q:v 2", probed=False),
    coded("a.avi", "-c:v msmpeg4 -q:v 2"),
    coded("a.avi", "-c:v msvideo1"),
    coded("a.avi", "-c:v huffyuv"),
    coded("a.avi", "-c:v zmbv"),
    coded("a.avi", "-c:v asv1 -q:v 2"),
    coded("a.avi", "-c:v rawvideo -pix_fmt bgr24"),
    coded("a.avi", "-c:v dvvideo -s 720x576 -aspect 4:3 -pix_fmt yuv420p", size=None),
    coded("a.ts", "-c:v libx264 -bf 2"),
    coded("a.ts", "-c:v libx265 -x265-params log-level=none"),
    coded("a.ts", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.m2ts", "-c:v libx264 -bf 2"),
    coded("a.mpg", "-c:v mpeg1video -q:v 2"),
    coded("a.mpg", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.vob", "-c:v mpeg2video -q:v 2"),
    coded("a.flv", "-c:v flv -q:v 2"),
    coded("a.flv", "-c:v libx264 -bf 2"),
    coded("a.flv", "-c:v flashsv"),
    coded("a.wmv", "-c:v wmv1 -q:v 2"),
    coded("a.wmv", "-c:v wmv2 -q:v 2"),
    coded("a.asf", "-c:v msmpeg4 -q:v 2"),
    coded("a.3gp", "-c:v h263 -q:v 2", size=(140, 96)),
    coded("a.mxf", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.ogv", "-c:v libtheora -q:v 9"),
    coded("a.y4m", "-pix_fmt yuv420p"),
    coded("a.gif", ""),
    coded("a.nut", "-c:v ffv1"),
    coded("a.rm", "-c:v rv20 -q:v 2"),
    coded("a.ivf", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 10"),
    coded("a.h264", "-c:v libx264 -bf 2", repaired=COUNT),
    coded("a.hevc", "-c:v libx265 -x265-params log-level=none", repaired=COUNT),
    coded("a.mjpeg", "-c:v mjpeg -q:v 2"),
]

RATES = [
    *(coded(name, "-c:v libx264 -bf 2", rate="30000/1001") for name in ("a.mp4", "a.mkv", "a.ts", "a.mov")),
    *(coded(name, "-c:v libx264 -bf 2", rate="24000/1001") for name in ("a.mp4", "a.flv")),
    *(coded("a.mp4", "-c:v libx264 -bf 2", rate=rate) for rate in ("1/10", "1", "12.5", "60000/1001", "120", "240")),
    *(coded("a.avi", "-c:v mjpeg -q:v 2", rate=rate) for rate in ("30000/1001", "7", "15", "120")),
    coded("a.mkv", "-c:v libx264", rate="1/60"),
    coded("a.webm", "-c:v libvpx", rate="50"),
    coded("a.gif", "", rate="10"),
    coded("a.wmv", "-c:v wmv2 -q:v 2", rate="24"),
    coded("a.mpg", "-c:v mpeg2video -q:v 2", rate="60"),
]

OFFSETS = [
    coded("a.ts", "-c:v libx264 -output_ts_offset 1000"),
    coded("a.ts", "-c:v libx264 -output_ts_offset 95443.0", about="over the end of the 33 bits of a clock"),
    coded("a.mkv", "-c:v libx264 -output_ts_offset 5.5"),
    coded("a.mp4", "-c:v libx264 -output_ts_offset 5.5"),
    coded("a.mp4", "-c:v libx264 -output_ts_offset 5.5 -movflags frag_keyframe+empty_moov"),
    coded("a.flv", "-c:v libx264 -output_ts_offset 5.5"),
    coded("a.mov", f"{SOUND}3 -c:v libx264 -c:a aac", before="-itsoffset 0.5", about="sound half a second before"),
    coded("a.mkv", f"{SOUND}3 -c:v libx264 -c:a aac", before="-itsoffset 0.5", about="sound half a second before"),
    coded("a.ts", f"{SOUND}3 -c:v libx264 -c:a aac", before="-itsoffset 0.5", about="sound half a second before"),
]

VFR_MS = list(accumulate([0] + [20, 35, 70, 41, 90, 17, 333] * 4))[:COUNT]


def variable(name: str, codec: str, pix_fmt: str = "yuv420p", places: Sequence[int] = VFR_MS, **changes: Any) -> Case:
    def make(path: Path) -> None:
        odd_media.write(path, PICTURES, codec, pix_fmt, rate=1000, places=places)

    return Case(name, make, times=[p / 1000 for p in places], about=f"{codec}, variable rate", **changes)


VARIABLE = [
    variable("a.mp4", "libx264"),
    variable("a.mp4", "mpeg4"),
    variable("a.mov", "png", "rgb24"),
    variable("a.mkv", "libx264"),
    variable("a.mkv", "ffv1"),
    variable("a.webm", "libvpx-vp9"),
    variable("a.flv", "libx264"),
    variable("a.ts", "libx264"),
]


def cut_at(name: str, seconds: str, arguments: str, first: int, **changes: Any) -> Case:
    """A copy from a time on, as editors without decoding make it: an edit list hides what stands before."""

    def make(path: Path) -> None:
        whole = path.with_name(f"whole{path.suffix}")
        coded(whole.name, arguments).make(whole)
        ffmpeg("-ss", seconds, "-i", whole, "-c", "copy", path)

    count = COUNT - first
    times = [n / 25 for n in range(count)]
    return Case(name, make, ALL[first:], times, about=f"cut at {seconds} s, {arguments}", **changes)


EDITED = [
    cut_at("a.mp4", "0.4", "-c:v libx264 -bf 2 -g 8", 10),
    cut_at("a.mov", "0.4", "-c:v libx264 -bf 0 -g 8", 10),
    cut_at("a.mp4", "0.32", "-c:v libx264 -bf 2 -g 8", 8),
    cut_at("a.mkv", "0.32", "-c:v libx264 -bf 0 -g 8", 8),
    coded("a.mp4", "-c:v libx264 -bf 2", options={"start": 0.36}, numbers=ALL[9:], times=[n / 25 for n in ALL[9:]]),
    coded("a.mkv", "-c:v libx264 -bf 2", options={"end": 0.36}, numbers=ALL[:9], times=[n / 25 for n in ALL[:9]]),
    coded(
        "a.avi",
        "-c:v mpeg4 -bf 2 -q:v 2",
        options={"start": 0.2, "end": 0.36},
        numbers=ALL[5:9],
        times=[n / 25 for n in ALL[5:9]],
        probed=False,
    ),
]


def turned(name: str, matrix: tuple[int, int, int, int], filters: str, about: str) -> Case:
    """Stored so that the display matrix makes it upright."""

    def make(path: Path) -> None:
        coded(name, f"-vf {filters} -c:v libx264").make(path)
        set_matrix(path, matrix)

    return Case(name, make, about=about)


TURNED = [
    turned("a.mp4", (0, 1, -1, 0), "transpose=cclock", "a quarter clockwise"),
    turned("a.mov", (0, -1, 1, 0), "transpose=clock", "a quarter counterclockwise"),
    turned("a.mp4", (-1, 0, 0, -1), "hflip,vflip", "upside down"),
    turned("a.mp4", (-1, 0, 0, 1), "hflip", "mirrored"),
    turned("a.mov", (0, -1, -1, 0), "transpose=clock_flip", "mirrored and a quarter turn"),
]

SHAPED = [
    coded("a.mp4", "-vf setsar=64/45 -c:v libx264", size=(182, 96)),
    coded("a.avi", "-vf setsar=8/9 -c:v mpeg4 -q:v 2", size=(128, 108)),
    coded("a.mpg", "-aspect 16:9 -c:v mpeg2video -q:v 2", size=(171, 96)),
    coded("a.webm", "-vf setsar=4/3 -c:v libvpx", size=(171, 96)),
    coded("a.mov", "-vf setsar=1/2 -c:v prores_ks", size=(128, 192)),
]

INTERLACED = [
    coded("a.ts", "-c:v libx264 -x264opts tff=1"),
    coded("a.mp4", "-c:v libx264 -bf 2 -x264opts bff=1"),
    coded("a.mkv", "-c:v libx264 -x264opts fake-interlaced=1"),
    coded("a.mpg", "-c:v mpeg2video -vf setfield=tff -flags +ildct+ilme -q:v 2"),
    coded("a.mxf", "-c:v mpeg2video -vf setfield=bff -flags +ildct+ilme -bf 2 -q:v 2"),
    coded("a.mov", "-c:v prores_ks -flags +ildct"),
]

BESIDE = [
    coded("a.mkv", f"{SOUND}1 -map 1:a -map 0:v -c:v libx264 -c:a aac", about="sound is the first stream"),
    coded("a.mp4", f"{SOUND}1 -map 1:a -map 0:v -c:v libx264 -c:a aac", about="sound is the first stream"),
    coded("a.mov", "-c:v libx264 -timecode 01:00:00:00", about="a time code beside"),
    coded("a.mkv", "-f lavfi -i testsrc=d=1:s=64x48 -map 0 -map 1 -c:v libx264 -disposition:v:0 default", about="two"),
    coded(
        "a.ts",
        "-f lavfi -i testsrc=d=1:s=64x48 -map 1 -map 0 -c:v libx264",
        options={"stream": 1},
        probed=False,
        about="the second of two by its number",
    ),
    *(coded(f"a.{kind}", f"{SOUND}3 -c:v libx264 -c:a aac", about="sound outlasts") for kind in ("mp4", "mkv", "flv")),
    *(
        coded(f"a.{kind}", f"{SOUND}0.3 -c:v libx264 -c:a aac", about="sound ends early")
        for kind in ("mp4", "ts", "flv")
    ),
    coded("a.wmv", f"{SOUND}3 -c:v wmv2 -q:v 2 -c:a wmav2", about="sound outlasts"),
    coded("a.mpg", f"{SOUND}3 -c:v mpeg2video -q:v 2 -c:a mp2", about="sound outlasts"),
]


def cut_off(name: str, arguments: str, share: float, at_least: int, **changes: Any) -> Case:
    """A file that breaks off; how much of it can be shown is ffprobe's to say."""

    def make(path: Path) -> None:
        whole = path.with_name(f"whole{path.suffix}")
        coded(whole.name, arguments).make(whole)
        data = whole.read_bytes()
        path.write_bytes(data[: int(share * len(data))])

    return Case(name, make, ALL[:at_least], about=f"{share:.0%} of {arguments}", complete=False, **changes)


TRUNCATED = [
    cut_off("a.mkv", "-c:v libx264 -bf 0 -g 1", 0.6, 8),
    cut_off("a.webm", "-c:v libvpx -g 1", 0.6, 8),
    cut_off("a.avi", "-c:v mjpeg -q:v 2", 0.6, 8),
    cut_off("a.flv", "-c:v flv -q:v 2 -g 1", 0.6, 8, probed=False),  # ffprobe shows the frame that broke off
    cut_off("a.wmv", "-c:v wmv2 -q:v 2 -g 1", 0.6, 6),
    cut_off("a.mp4", "-c:v mjpeg -q:v 2 -movflags faststart", 0.6, 8),
]

ODD = [
    coded("a.mkv", "-vf scale=33:17 -c:v ffv1 -pix_fmt yuv444p", size=(33, 17)),
    coded("a.mp4", "-vf scale=127:95 -c:v libx264 -pix_fmt yuv444p", size=(127, 95)),
    coded("a.avi", "-vf scale=65:49 -c:v huffyuv -pix_fmt rgb24", size=(65, 49)),
    coded("a.mkv", "-vf scale=2048:16 -c:v ffv1", size=(2048, 16)),
    coded("a.mkv", "-vf scale=16:2048 -c:v ffv1", size=(16, 2048)),
    coded("a.mov", "-vf scale=97:31 -c:v png -pix_fmt rgb24", size=(97, 31)),
    coded("a.webm", "-vf scale=101:57 -c:v libvpx-vp9 -cpu-used 8", size=(101, 57)),
    *(
        coded("a.mkv", f"-c:v ffv1 -pix_fmt {layout}")
        for layout in ("gray", "gray10le", "gray16le", "yuv410p", "yuv411p", "yuv422p10le", "yuv444p12le", "yuva420p")
    ),
    *(coded("a.mkv", f"-c:v ffv1 -pix_fmt {layout}") for layout in ("bgr0", "bgra", "gbrp16le", "rgb48le")),
    coded("a.mov", "-c:v qtrle -pix_fmt argb"),
    coded("a.mov", "-c:v png -pix_fmt rgba64be"),
    coded("a.mov", "-c:v qtrle -pix_fmt rgb555be"),
    coded("a.mov", "-c:v prores_ks -pix_fmt yuva444p10le"),
    coded("a.webm", "-c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuva420p"),
    coded("a.mp4", "-c:v libx264 -pix_fmt yuv420p10le"),
    coded("a.mp4", "-c:v libx264 -pix_fmt gray"),
    coded("a.mp4", "-c:v libx265 -x265-params log-level=none -pix_fmt yuv422p12le"),
    coded("a.mov", "-c:v mjpeg -pix_fmt yuvj444p -q:v 2"),
    coded("a.avi", "-c:v rawvideo -pix_fmt pal8"),
]

CASES = [*CODED, *RATES, *OFFSETS, *VARIABLE, *EDITED, *TURNED, *SHAPED, *INTERLACED, *BESIDE, *TRUNCATED, *ODD]


def probe(path: Path) -> list[float]:
    """When ffprobe shows each frame of the first video, in seconds from the first; NaN where it does not know."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("needs the ffprobe program")
    asked = [
        "-v",
        "quiet",
        "-select_streams",
        "v:0",
        "-show_entries",
        "frame=best_effort_timestamp_time",
        "-of",
        "json",
    ]
    told = json.loads(subprocess.run([program, *asked, path], capture_output=True, timeout=60, check=True).stdout)
    times = [float(frame.get("best_effort_timestamp_time", "nan")) for frame in told["frames"]]
    return [time - times[0] for time in times]


def known(shown: Sequence[float], times: Sequence[float]) -> list[float]:
    """What ffprobe shows, and ours where it does not know."""
    return [ours if math.isnan(theirs) else theirs for theirs, ours in zip(shown, times, strict=True)]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_rows_and_times(tmp_path: Path, case: Case) -> None:
    path = tmp_path / case.name
    case.make(path)
    with open_source(str(path), SourceOptions(**case.options)) as source:
        frames, info, report = list(source), source.info, source.report()
    numbers, times = [number_in(frame.image) for frame in frames], [frame.time for frame in frames]
    count = max(len(case.numbers), len(frames)) if not case.complete else len(case.numbers)
    assert numbers == list(ALL[:count] if not case.complete else case.numbers)
    assert times == pytest.approx(case.times[:count], abs=1e-3)
    assert [frame.index for frame in frames] == list(range(count))
    assert report.complete is case.complete and report.repaired == case.repaired
    if case.size:
        assert {frame.image.shape for frame in frames} == {(case.size[1], case.size[0], 3)}
        assert (info.width, info.height) == case.size
    if case.probed:
        start, end = case.options.get("start", 0), case.options.get("end", math.inf)
        shown = [t for t in probe(path) if math.isnan(t) or start - 1e-6 <= t < end - 1e-6]
        assert len(shown) == count and known(shown, times) == pytest.approx(times, abs=1e-3)


SHOWN = numbered(9, 64, 48)


def still(name: str, mode: str = "RGB", **options: Any) -> tuple[str, Callable[[Path], Any]]:
    plain = Image.fromarray(SHOWN).convert(mode, dither=Image.Dither.NONE, palette=Image.Palette.ADAPTIVE)
    about = " ".join([name, mode, *map(str, options.values())])
    return about, lambda path: plain.save(path, **options)


def sixteen_bit(name: str) -> tuple[str, Callable[[Path], Any]]:
    deep = SHOWN[:, :, 0].astype(np.uint16) * 257
    return f"{name} 16 bit", lambda path: Image.fromarray(deep).save(path)


def deep_colour(path: Path) -> None:
    Image.fromarray(SHOWN).save(path.with_name("plain.bmp"))
    ffmpeg("-i", path.with_name("plain.bmp"), "-pix_fmt", "rgb48be", path)


def half_clear(path: Path) -> None:
    clear = np.dstack([SHOWN, np.where(np.arange(64) < 32, 0, 255) * np.ones((48, 1))]).astype(np.uint8)
    Image.fromarray(clear).save(path, lossless=True, exact=True)


def with_exif(orientation: int) -> Callable[[Path], Any]:
    stored = {3: np.rot90(SHOWN, 2), 6: np.rot90(SHOWN), 8: np.rot90(SHOWN, -1)}[orientation]
    return lambda path: path.write_bytes(odd_media.jpeg(np.ascontiguousarray(stored), orientation))


def heic(path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(Image.fromarray(SHOWN)).save(path, quality=95)


STILLS = [
    *(still("a.png", mode) for mode in ("RGB", "RGBA", "L", "LA", "1", "P")),
    *(still("a.jpg", mode, quality=95) for mode in ("RGB", "L", "CMYK")),
    still("a.jpg", progressive=True),
    still("a.JPEG", quality=30),
    *(still("a.tiff", mode) for mode in ("RGB", "L", "CMYK", "1", "P", "LAB")),
    still("a.tif", compression="tiff_lzw"),
    still("a.tif", compression="jpeg"),
    still("a.bmp"),
    still("a.bmp", "P"),
    still("a.ppm"),
    still("a.pgm", "L"),
    still("a.pbm", "1"),
    still("a.webp", quality=90),
    still("a.webp", "RGBA", lossless=True),
    still("a.jp2"),
    still("a.avif", quality=90),
    still("a.gif", "P"),
    still("a.jpg", format="PNG"),
    *(sixteen_bit(name) for name in ("a.png", "a.tiff", "a.pgm")),
    ("a.png 16 bit colour", deep_colour),
    ("a.png half of it clear", half_clear),
    ("a.webp half of it clear", half_clear),
    *((f"a.jpg EXIF {orientation}", with_exif(orientation)) for orientation in (3, 6, 8)),
    ("a.heic", heic),
]


@pytest.mark.parametrize(("name", "make"), STILLS, ids=[name for name, _ in STILLS])
def test_stills(tmp_path: Path, name: str, make: Callable[[Path], Any]) -> None:
    path = tmp_path / name.split()[0]
    make(path)
    with open_source(str(path)) as source:
        (frame,), report = list(source), source.report()
    assert (frame.time, frame.index, report.complete) == (0, 0, True) and number_in(frame.image) == 9
    assert frame.image.shape == SHOWN.shape and np.abs(frame.image.astype(int) - SHOWN).mean() < 9


DURATIONS_MS = [100, 40, 250, 70, 20, 130]


@pytest.mark.parametrize("name", ["a.png", "a.apng", "a.webp", "a.avif", "a.gif"])
def test_animations(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(numbered(n)) for n in range(len(DURATIONS_MS))]
    kind = "PNG" if "png" in name else name[2:]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": DURATIONS_MS, "loop": 0}
    frames[0].save(tmp_path / name, kind, **more)
    with open_source(str(tmp_path / name)) as source:
        shown, report = list(source), source.report()
    assert [number_in(frame.image) for frame in shown] == list(range(len(frames)))
    assert [frame.time * 1000 for frame in shown] == pytest.approx([0, *accumulate(DURATIONS_MS[:-1])], abs=1)
    assert report.complete


def files(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        Image.fromarray(numbered(number)).save(folder / name)


SEQUENCES = {
    "natural order": ([f"frame{n}.png" for n in range(1, 13)], "", range(12), range(12)),
    "numbers with gaps": (["f_0007.jpg", "f_0009.jpg", "f_0100.jpg", "f_1000.jpg"], "", range(4), range(4)),
    "several formats": (["1.bmp", "2.jpg", "3.PNG", "4.tiff", "5.webp"], "", range(5), range(5)),
    "a glob": (["a1.png", "a2.png", "b1.png", "a10.png"], "a*.png", [0, 1, 3], range(3)),
    "one is broken": (["1.png", "2.png", "broken3.png", "4.png"], "", [0, 1, 3], [0, 1, 3]),
    "hidden files and others": (["1.png", "2.png", ".3.png", "4.xbm"], "", [0, 1], [0, 1]),
}


@pytest.mark.parametrize("case", SEQUENCES)
def test_numbered_sequences(tmp_path: Path, case: str) -> None:
    names, pattern, numbers, places = SEQUENCES[case]
    files(tmp_path, [name for name in names if name != "4.xbm"])
    (tmp_path / "4.xbm").touch()
    order = names
    if "broken3.png" in names:
        (tmp_path / "broken3.png").rename(tmp_path / "3.png")
        (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:60])
    with open_source(str(tmp_path / pattern), SourceOptions(fps=12.5)) as source:
        frames, report = list(source), source.report()
    assert [number_in(frame.image) for frame in frames] == list(numbers), order
    assert [frame.time for frame in frames] == pytest.approx([place / 12.5 for place in places])
    assert [frame.index for frame in frames] == list(range(len(frames))) and report.complete


PIPED = [
    coded("a.mkv", "-c:v libx264 -bf 2"),
    coded("a.webm", "-c:v libvpx"),
    coded("a.ts", "-c:v libx264 -bf 2"),
    coded("a.mp4", "-c:v libx264 -bf 2 -movflags faststart"),
    coded("a.mp4", "-c:v libx264 -bf 2 -movflags frag_keyframe+empty_moov"),
    coded("a.flv", "-c:v libx264 -bf 2"),
    coded("a.avi", "-c:v mpeg4 -bf 2 -q:v 2"),
    coded("a.mpg", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.wmv", "-c:v wmv2 -q:v 2"),
    coded("a.nut", "-c:v ffv1"),
    coded("a.y4m", "-pix_fmt yuv420p"),
    coded("a.mjpeg", "-c:v mjpeg -q:v 2"),
    coded("a.gif", ""),
]


@pytest.mark.parametrize("case", PIPED, ids=[case.id for case in PIPED])
def test_pipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case) -> None:
    path = tmp_path / case.name
    case.make(path)
    pipe_in(monkeypatch, path.read_bytes())
    with open_source("-") as source:
        frames, report = list(source), source.report()
    assert [number_in(frame.image) for frame in frames] == list(ALL)
    assert [frame.time for frame in frames] == pytest.approx(case.times, abs=1e-3)
    assert report.complete


def test_the_whole_command(tmp_path: Path, sample_clip: Path) -> None:
    """A second of a face, stored in nine ways: as many rows, at ffprobe's times, and much the same valence."""
    ways = {
        "plain.mp4": "-c:v libx264 -crf 12",
        "late.ts": f"{SOUND}3 -map 1:a -map 0:v -c:v libx264 -crf 12 -c:a aac -output_ts_offset 777",
        "bidirectional.avi": "-c:v libx264 -crf 12 -bf 3",
        "wide.mkv": "-vf scale=iw/2:ih,setsar=2 -c:v libx264 -crf 12",
        "turned.mov": "-vf transpose=cclock -c:v libx264 -crf 12",
        "interlaced.ts": "-c:v libx264 -crf 12 -x264opts tff=1",
        "variable.mkv": "-vf select='not(eq(mod(n\\,5)\\,3))' -c:v libx264 -crf 12 -vsync passthrough",
        "ten_bit.webm": "-c:v libvpx-vp9 -cpu-used 8 -crf 12 -b:v 0 -pix_fmt yuv420p10le",
        "stills.gif": "-vf scale=360:-2 -r 10",
    }
    for name, arguments in ways.items():
        ffmpeg(
            "-t",
            1,
            "-i",
            sample_clip,
            *shlex.split(arguments),
            "-an" if "aac" not in arguments else "-y",
            tmp_path / name,
        )
    set_matrix(tmp_path / "turned.mov", (0, 1, -1, 0))
    paths = [str(tmp_path / name) for name in ways]
    done = CliRunner().invoke(main, ["track", *paths, "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    valence = {}
    for name in ways:
        with (tmp_path / "out" / f"{Path(name).stem}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        valence[name] = np.mean([float(row["valence"]) for row in rows])
        assert {row["success"] for row in rows} == {"1"}
        shown = [n / 24 for n in range(24)] if name == "bidirectional.avi" else probe(tmp_path / name)
        assert [float(row["timestamp"]) for row in rows] == pytest.approx(shown, abs=1e-3)
    assert all(abs(value - valence["plain.mp4"]) < 0.08 for value in valence.values()), valence
