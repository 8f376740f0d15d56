"""A corpus of odd media, and the right rows and times of each: of pictures that bear their numbers, and by ffprobe."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests import odd_media
from tests.odd_media import ffmpeg, number_in, numbered
from tests.test_video import set_matrix
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
    probed: bool = True
    """ffprobe tells the same rows and times."""
    about: str = ""
    """What is odd, where the name of the file does not tell."""

    @property
    def id(self) -> str:
        return f"{self.name} {self.about}".strip()


def coded(name: str, arguments: str, *, before: str = "", **changes: Any) -> Case:
    """A file that ffmpeg makes of the 24 pictures; arguments stand before its name, `before` in front of the input."""

    def make(path: Path) -> None:
        plain = odd_media.write(path.with_name("plain.mkv"), PICTURES, "ffv1", "yuv420p")
        ffmpeg(*shlex.split(before), "-i", plain, *shlex.split(arguments), path)

    return Case(name, make, about=arguments if "about" not in changes else changes.pop("about"), **changes)


def at_rate(name: str, rate: str, arguments: str) -> Case:
    times = [n / float(Fraction(rate)) for n in ALL]
    return coded(name, arguments, before=f"-r {rate}", times=times, about=f"{rate} Hz, {arguments}")


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
    coded("a.avi", "-c:v libxvid -bf 2 -q:v 2", probed=False),
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
    coded("a.3gp", "-c:v h263 -q:v 2"),
    coded("a.mxf", "-c:v mpeg2video -bf 2 -q:v 2"),
    coded("a.ogv", "-c:v libtheora -q:v 9"),
    coded("a.y4m", "-pix_fmt yuv420p"),
    coded("a.gif", ""),
    coded("a.nut", "-c:v ffv1"),
    coded("a.rm", "-c:v rv20 -q:v 2"),
    coded("a.ivf", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 10"),
    coded("a.h264", "-c:v libx264 -bf 2"),
    coded("a.hevc", "-c:v libx265 -x265-params log-level=none"),
    coded("a.mjpeg", "-c:v mjpeg -q:v 2"),
]

RATES = [
    *(at_rate(name, "30000/1001", "-c:v libx264 -bf 2") for name in ("a.mp4", "a.mkv", "a.ts", "a.mov")),
    *(at_rate(name, "24000/1001", "-c:v libx264 -bf 2") for name in ("a.mp4", "a.flv")),
    *(at_rate("a.mp4", rate, "-c:v libx264 -bf 2") for rate in ("1/10", "1", "12.5", "60000/1001", "120", "240")),
    *(at_rate("a.avi", rate, "-c:v mjpeg -q:v 2") for rate in ("30000/1001", "7", "15", "120")),
    at_rate("a.mkv", "1/60", "-c:v libx264"),
    at_rate("a.webm", "50", "-c:v libvpx"),
    at_rate("a.gif", "10", ""),
    at_rate("a.wmv", "24", "-c:v wmv2 -q:v 2"),
    at_rate("a.mpg", "60", "-c:v mpeg2video -q:v 2"),
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
    coded("a.mpg", "-c:v mpeg2video -flags +ildct+ilme -top 1 -q:v 2"),
    coded("a.mxf", "-c:v mpeg2video -flags +ildct+ilme -top 0 -bf 2 -q:v 2"),
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
    *(coded(f"a.{kind}", f"{SOUND}.3 -c:v libx264 -c:a aac", about="sound ends early") for kind in ("mp4", "ts", "flv")),
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
    cut_off("a.flv", "-c:v flv -q:v 2 -g 1", 0.6, 8),
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
    """When ffprobe shows each frame of the first video, in seconds from the first."""
    program = shutil.which("ffprobe")
    if program is None:
        pytest.skip("needs the ffprobe program")
    asked = "-v quiet -select_streams v:0 -show_entries frame=best_effort_timestamp_time -of json".split()
    told = json.loads(subprocess.run([program, *asked, path], capture_output=True, timeout=60, check=True).stdout)
    times = [float(frame["best_effort_timestamp_time"]) for frame in told["frames"]]
    return [time - times[0] for time in times]


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
    assert report.complete is case.complete and report.repaired == 0
    if case.size:
        assert {frame.image.shape for frame in frames} == {(case.size[1], case.size[0], 3)}
        assert (info.width, info.height) == case.size
    if case.probed:
        shown = [time for time in probe(path) if time >= case.options.get("start", 0) - 1e-6]
        assert times == pytest.approx([t for t in shown if t < case.options.get("end", 1e9) - 1e-6], abs=1e-3)
