"""Odd media for the tests, made here: by PyAV and Pillow where they can, else by the ffmpeg program."""

import io
import shutil
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

CORNERS = ((230, 20, 20), (20, 230, 20), (20, 20, 230))
"""Colours of the upper left, upper right and lower left quarter of `corners`; the lower right one is black."""


def ffmpeg(*arguments: object) -> None:
    """Run the ffmpeg program; skips the test where there is none, or where it lacks a coder that the test needs."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("needs the ffmpeg program")
    call = [program, "-v", "error", "-y", *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120)
    if "Unknown encoder" in done.stderr or "Unknown decoder" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def corners(width: int = 64, height: int = 48) -> np.ndarray:
    """A picture whose four quarters tell how it was turned."""
    image = np.zeros((height, width, 3), np.uint8)
    for k, colour in enumerate(CORNERS):
        row, column = divmod(k, 2)
        image[row * height // 2 : (row + 1) * height // 2, column * width // 2 : (column + 1) * width // 2] = colour
    return image


BITS = 6
"""Of the number in a picture: so many columns, between two more that tell whether it is upright."""


def numbered(number: int, width: int = 128, height: int = 96) -> np.ndarray:
    """A picture that tells its number (0 to 63) in black and white blocks, however it was coded or scaled.

    The upper row is white, the number's bits, black; the lower one white, their opposites, white: so no turned or
    mirrored picture can be read.
    """
    bits = [number >> bit & 1 for bit in reversed(range(BITS))]
    blocks = np.array([[1, *bits, 0], [1, *(1 - bit for bit in bits), 1]])
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * (BITS + 2) // width
    return np.repeat((255 * blocks[rows][:, columns])[:, :, None], 3, axis=2).astype(np.uint8)


def number_in(picture: np.ndarray) -> int | None:
    """The number of a picture that `numbered` made; None where it is none, or not upright."""
    height, width = picture.shape[:2]
    rows = (np.arange(2) * 2 + 1) * height // 4
    columns = (np.arange(BITS + 2) * 2 + 1) * width // (2 * (BITS + 2))
    upper, lower = picture[rows][:, columns].mean(2) > 127
    if not (upper[0] and not upper[-1] and lower[0] and lower[-1] and (upper[1:-1] != lower[1:-1]).all()):
        return None
    return int("".join(str(int(bit)) for bit in upper[1:-1]), 2)


def disc(width: int, height: int, aspect: float) -> np.ndarray:
    """A white disc on black, round once each stored pixel is `aspect` times as wide as high."""
    y, x = np.mgrid[:height, :width]
    across, down = (x + 0.5 - width / 2) * aspect, y + 0.5 - height / 2
    inside = np.hypot(across, down) < 0.4 * min(width * aspect, height)
    return np.repeat((255 * inside).astype(np.uint8)[:, :, None], 3, axis=2)


def extent(image: np.ndarray) -> tuple[int, int]:
    """Width and height of what is bright in a picture."""
    bright = image[:, :, 0] > 127
    return int(bright.any(0).sum()), int(bright.any(1).sum())


def write(
    path: Path,
    pictures: Sequence[np.ndarray],
    codec: str,
    pix_fmt: str,
    aspect: Fraction | None = None,
    rate: int | Fraction = 25,
    options: dict[str, str] | None = None,
    places: Sequence[int] | None = None,
) -> Path:
    """A video of these pictures, each shown at its number (or at its place) divided by the rate."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = places[number] if places else number, 1 / Fraction(rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def jpeg(picture: np.ndarray, orientation: int) -> bytes:
    """A JPEG with EXIF."""
    exif, data = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(data, "JPEG", exif=exif, quality=95)
    return data.getvalue()


def motion_jpeg(path: Path, frames: Sequence[bytes], rate: int = 25) -> Path:
    """JPEGs as the frames of a video, just as they are: cameras leave EXIF in them."""
    with Image.open(io.BytesIO(frames[0])) as first, av.open(str(path), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=rate)
        (stream.width, stream.height), stream.pix_fmt = first.size, "yuvj420p"
        for number, data in enumerate(frames):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, rate), True
            packet.pts = packet.dts = number
            output.mux(packet)
    return path


def damage(path: Path, lost: Iterable[int]) -> Path:
    """A copy of a MOV file, beside it, in which the packets of these numbers are noise."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for number in lost:
        place, size = packets[number]
        data[place : place + size] = np.random.default_rng(number).bytes(size)
    spoilt = path.with_name("spoilt_" + path.name)
    spoilt.write_bytes(data)
    return spoilt


def empty_last_chunk(path: Path, count: int) -> None:
    """Make the last `count` frames of an AVI empty chunks, as capture programs write a frame that they dropped."""
    data = bytearray(path.read_bytes())
    index = data.rindex(b"idx1")
    entries = struct.unpack_from("<I", data, index + 4)[0] // 16
    movi = data.index(b"movi")
    for entry in range(entries - count, entries):
        place = index + 8 + 16 * entry
        name, flags, offset, size = struct.unpack_from("<4sIII", data, place)
        chunk = movi + offset
        assert data[chunk : chunk + 4] == name == b"00dc" and size > 8
        struct.pack_into("<4sI4sI", data, chunk, name, 0, b"JUNK", size - 8)
        struct.pack_into("<4sIII", data, place, name, flags, offset, 0)
    path.write_bytes(data)


def set_flv_duration(path: Path, seconds: float) -> None:
    """Write a duration into the header of an FLV file."""
    data = bytearray(path.read_bytes())
    place = data.index(b"duration") + len(b"duration") + 1
    data[place : place + 8] = struct.pack(">d", seconds)
    path.write_bytes(data)


def flv_with_late_sound(path: Path) -> Path:
    """An FLV file whose header tells of a picture alone, and in which sound begins after the last picture."""
    data = path.read_bytes()
    assert data[4] == 1, "the fifth byte says what there is: 1 a picture, 4 sound"
    late = bytes([8]) + (200).to_bytes(3, "big") + (1900).to_bytes(3, "big") + bytes(4) + bytes([0x2F]) + bytes(199)
    path.write_bytes(data + (late + (211).to_bytes(4, "big")) * 3)
    return path


def animation(path: Path, levels: Sequence[int], durations_ms: Sequence[int]) -> Path:
    """An APNG, WebP or AVIF of flat grey frames."""
    frames = [Image.fromarray(np.full((24, 32, 3), level, np.uint8)) for level in levels]
    frames[0].save(path, path.suffix[1:], save_all=True, append_images=frames[1:], duration=list(durations_ms), loop=0)
    return path


def without_range(path: Path) -> tuple[str, Callable[[], None]]:
    """An address of a server that sends a file only from its beginning, and what ends the server."""

    class Whole(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Whole)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/{path.name}", server.shutdown
