"""Live streams on loopback: MPEG-TS by TCP, HTTP and RTSP, and a webcam's multipart JPEG."""

import io
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle

import av
import cv2
import numpy as np

RATE_HZ = 25
KEY_FRAMES = 5
STEP = 6
"""Grey levels from one frame to the next: a picture tells its number, modulo 40."""
ENDED = threading.Event()
"""Never set: what a server that hangs waits for."""


def transport_stream(frames: int, size: tuple[int, int] = (64, 48), still: np.ndarray | None = None) -> list[bytes]:
    """MPEG-TS of so many frames (width, height) at 25 Hz: the bytes of each frame (the header's with the first).

    A frame is grey, by which it tells its number, or a picture (height, width, 3), always the same.
    """
    out, pieces = io.BytesIO(), []
    with av.open(out, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("mpeg2video", rate=RATE_HZ)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, "yuv420p", KEY_FRAMES
        stream.bit_rate = 4_000_000
        for number in range(frames):
            image = np.full((*size[::-1], 3), STEP * (number % 40), np.uint8) if still is None else still
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
            pieces.append(out.getvalue())
            out.seek(0)
            out.truncate()
        container.mux(stream.encode(None))
    return [*pieces[:-1], pieces[-1] + out.getvalue()]


def number_in(image: np.ndarray) -> int:
    """Which frame (modulo 40) a picture of transport_stream is."""
    return round(float(image.mean()) / STEP)


class Server:
    """Answers connection after connection on a free port of 127.0.0.1, each by the next of its plays, again and again.

    A play is given the connection and sends until it returns, which hangs up; it is broken off by close().
    """

    def __init__(self, *plays: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._plays = cycle(plays)
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._play, args=(connection, next(self._plays)), daemon=True).start()

    def _play(self, connection: socket.socket, play: Callable[[socket.socket], None]) -> None:
        try:
            with connection:
                play(connection)
        except OSError:
            pass

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            connection.close()


def paced(pieces: list[bytes]) -> Iterator[bytes]:
    """The pieces, each when its frame's time has come; the first second at once, as servers do with what they hold."""
    begin = time.monotonic() - 1.0
    for number, piece in enumerate(pieces):
        time.sleep(max(0.0, begin + number / RATE_HZ - time.monotonic()))
        yield piece


def sends(pieces: list[bytes], then_hangs: bool = False) -> Callable[[socket.socket], None]:
    """Bare MPEG-TS at its pace."""

    def play(connection: socket.socket) -> None:
        for piece in paced(pieces):
            connection.sendall(piece)
        if then_hangs:
            ENDED.wait()

    return play


class Camera:
    """One camera whose clock runs on whoever listens: its frame k exists from k / RATE_HZ s after the first play on."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._began: float | None = None

    def sends(self, kept_s: float, until: float, catching_up: float = 50.0) -> Callable[[socket.socket], None]:
        """Bare MPEG-TS: first what is kept, so many times as fast as it was taken, then what comes, up to a time."""

        def play(connection: socket.socket) -> None:
            begin = time.monotonic()
            self._began = self._began or begin - kept_s
            first = round(max(0.0, begin - self._began - kept_s) * RATE_HZ) // KEY_FRAMES * KEY_FRAMES
            for number in range(first, min(len(self._pieces), round(until * RATE_HZ))):
                sent = begin + (number - first) / RATE_HZ / catching_up
                time.sleep(max(0.0, max(sent, self._began + number / RATE_HZ) - time.monotonic()))
                connection.sendall(self._pieces[number])

        return play


def answers(head: str, play: Callable[[socket.socket], None] | None = None) -> Callable[[socket.socket], None]:
    """HTTP's answer to whatever was asked: a status line and headers, then what `play` sends."""

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        if play is not None:
            play(connection)

    return answer


def multipart_jpegs(period_s: float) -> Callable[[socket.socket], None]:
    """What a webcam's HTTP server sends: a JPEG now and then, without a timestamp."""
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(jpeg), jpeg)

    def play(connection: socket.socket) -> None:
        while True:
            connection.sendall(part)
            time.sleep(period_s)

    return answers("HTTP/1.0 200 OK\nContent-Type: multipart/x-mixed-replace; boundary=frame", play)


SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track1\r\n"
TS_IN_RTP = 7 * 188


def rtsp(pieces: list[bytes], then_hangs: bool = False) -> Callable[[socket.socket], None]:
    """An RTSP server that sends MPEG-TS by RTP, interleaved with RTSP on the same TCP connection."""

    def play(connection: socket.socket) -> None:
        while (request := connection.recv(4096).decode()) and not request.startswith("PLAY"):
            connection.sendall(_rtsp_answer(request))
        connection.sendall(_rtsp_answer(request))
        sequence = 0
        for frame, piece in enumerate(paced(pieces)):
            for begin in range(0, len(piece), TS_IN_RTP):
                header = struct.pack(">BBHII", 0x80, 33, sequence % 65536, frame * 90000 // RATE_HZ, 7)
                packet = header + piece[begin : begin + TS_IN_RTP]
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                sequence += 1
        if then_hangs:
            ENDED.wait()

    return play


def _rtsp_answer(request: str) -> bytes:
    number = request.partition("CSeq:")[2].split()[0]
    head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n"
    if request.startswith("DESCRIBE"):
        return f"{head}Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}".encode()
    if request.startswith("SETUP"):
        head += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    return f"{head}\r\n".encode()
