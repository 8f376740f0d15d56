"""Spoilt files of every kind: no crash, no hang, no traceback, but rows or one plain line."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import odd_media
from tests.odd_media import ffmpeg, numbered

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
VIDEOS = {
    "a.mp4": "-c:v libx264 -bf 2 -c:a aac",
    "b.mp4": "-c:v libx264 -movflags frag_keyframe+empty_moov -c:a aac",
    "a.mov": "-c:v prores_ks -c:a pcm_s16le",
    "b.mov": "-c:v png -an",
    "a.mkv": "-c:v libx264 -c:a aac",
    "a.webm": "-c:v libvpx-vp9 -cpu-used 8 -c:a libopus",
    "a.avi": "-c:v mpeg4 -bf 2 -c:a libmp3lame",
    "b.avi": "-c:v mjpeg -an",
    "a.ts": "-c:v libx264 -c:a aac",
    "a.mpg": "-c:v mpeg2video -c:a mp2",
    "a.flv": "-c:v flv -c:a libmp3lame",
    "a.wmv": "-c:v wmv2 -c:a wmav2",
    "a.3gp": "-c:v h263 -an",
    "a.mxf": "-c:v mpeg2video -an",
    "a.ogv": "-c:v libtheora -an",
    "a.gif": "-an",
    "a.y4m": "-an",
}
STILLS = ("a.jpg", "a.png", "a.webp", "a.tiff", "a.bmp", "a.avif", "a.jp2", "a.ppm", "anim.png", "anim.webp", "a.heic")
FILES = 230
SECONDS = 60
"""Longest that one small file may take."""
MOST_BYTES = 3 << 30
"""Of memory, for one process that reads many files."""
PROGRESS = r"[^\n\r]*frames/s, [0-9:?]+( left)?|\r"
"""What the progress bar leaves in a log."""

CHILD = """
import faulthandler, json, os, resource, sys, tempfile, time
from tests.test_batch import FacelessEngine
from tracker import recording
recording.Engine = FacelessEngine
from tracker.cli import main
told = os.fdopen(os.dup(1), "w")
out, seconds, files = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
hung = open(os.path.join(out, "hung.txt"), "w")
for file in files:
    print(json.dumps({"begun": file}), file=told, flush=True)
    faulthandler.dump_traceback_later(seconds, exit=True, file=hung)
    begin = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        before = os.dup(2)
        os.dup2(errors.fileno(), 2)
        try:
            code = main(["track", file, "-o", out, "--video", "--overwrite"], standalone_mode=False)
        except SystemExit as end:
            code = end.code
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    faulthandler.cancel_dump_traceback_later()
    outcome = {"file": file, "code": code, "said": said, "seconds": time.monotonic() - begin}
    print(json.dumps(outcome), file=told, flush=True)
print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), file=told, flush=True)
"""


def whole_files(folder: Path) -> list[Path]:
    """A small whole file of every kind that can be made here."""
    folder.mkdir()
    plain = odd_media.write(folder / "plain.nut", [numbered(n) for n in range(12)], "ffv1", "yuv420p")
    made = []
    for name, arguments in VIDEOS.items():
        try:
            sound = ["-f", "lavfi", "-i", "sine=r=44100:d=0.5"]
            ffmpeg("-i", plain, *sound, *shlex.split(arguments), folder / name)
            made.append(folder / name)
        except pytest.skip.Exception:
            continue
    picture = Image.fromarray(odd_media.corners())
    frames = [Image.fromarray(numbered(n, 64, 48)) for n in range(1, 4)]
    for name in STILLS:
        path = folder / name
        if path.suffix == ".heic":
            heif = pytest.importorskip("pillow_heif")
            heif.from_pillow(picture).save(path)
        elif "anim" in name:
            picture.save(path, save_all=True, append_images=frames, duration=80)
        else:
            picture.save(path)
        made.append(path)
    return made


def spoil(data: bytes, other: bytes, way: int, random: np.random.Generator) -> bytes:
    """The bytes of a file, spoilt in one of six ways."""
    spoilt = bytearray(data)
    size = len(spoilt)
    if way == 0:  # some bytes, anywhere
        for place in random.integers(0, size, 1 + size // 500):
            spoilt[place] = random.integers(0, 256)
    elif way == 1:  # single bits of the header
        for place in random.integers(0, min(size, 600), 4):
            spoilt[place] ^= 1 << random.integers(0, 8)
    elif way == 2:  # it breaks off
        return bytes(spoilt[: random.integers(1, size)])
    elif way == 3:  # a block that was never written
        begin = random.integers(0, size)
        end = min(size, begin + int(random.integers(16, 4096)))
        spoilt[begin:end] = bytes(end - begin)
    elif way == 4:  # the beginning of another file in front of the rest
        head = int(random.integers(8, 2048))
        spoilt[:head] = other[:head]
    else:  # a number at its largest, and a part that is there twice
        place = int(random.integers(0, size))
        spoilt[place : place + 4] = b"\xff\xff\xff\x7f"
        begin, end = sorted(int(cut) for cut in random.integers(0, size, 2))
        spoilt[end:end] = spoilt[begin:end]
    return bytes(spoilt)


def spoilt_files(folder: Path, whole: list[Path], count: int, seed: int) -> list[Path]:
    """So many spoilt files, every way for each kind of file in turn."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    made = []
    for number in range(count):
        path, other = whole[number % len(whole)], whole[int(random.integers(len(whole)))]
        spoilt = folder / f"{number:04d}_{path.name}"
        spoilt.write_bytes(spoil(path.read_bytes(), other.read_bytes(), number // len(whole) % 6, random))
        made.append(spoilt)
    return made


def faults(files: list[Path], folder: Path) -> list[str]:
    """What one process that tracks the files in turn does wrong."""
    folder.mkdir()
    command = [sys.executable, "-c", CHILD, str(folder), str(SECONDS), *map(str, files)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=environment, cwd=ROOT)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    found = []
    for outcome in told:
        if "said" not in outcome:
            continue
        lines = [line.strip() for line in re.sub(PROGRESS, "", outcome["said"]).split("\n") if line.strip()]
        plain = all(line.startswith(("error: ", "warning: ", outcome["file"])) for line in lines)
        if outcome["code"] not in (0, 1) or not plain or not lines or "unexpected" in outcome["said"]:
            found.append(f"{Path(outcome['file']).name}: exit code {outcome['code']}, {lines}")
    if done.returncode != 0 or "peak" not in told[-1]:
        last = told[-1].get("begun") if told else "none"
        hung = (folder / "hung.txt").read_text()[-1500:]
        found.append(f"{last}: ended the process, {done.returncode} {done.stderr[-500:]} {hung}")
    elif told[-1]["peak"] > MOST_BYTES:
        found.append(f"peak memory {told[-1]['peak'] >> 20} MB")
    return found


def test_spoilt_files_end_in_rows_or_one_plain_line(tmp_path: Path) -> None:
    whole = whole_files(tmp_path / "whole")
    assert faults(whole, tmp_path / "out_of_whole") == []
    spoilt = spoilt_files(tmp_path / "spoilt", whole, FILES, seed=19)
    found = []
    for begin in range(0, FILES, 46):
        found += faults(spoilt[begin : begin + 46], tmp_path / f"out_{begin}")
    assert found == []
