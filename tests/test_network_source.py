"""Streams against real servers on loopback: times, drops, what is told of a fault, and that nothing hangs."""

import io
import itertools
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from stream_servers import RATE_HZ, Camera, Server, answers, multipart_jpegs, number_in, rtsp, sends, transport_stream

from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources import connection
from tracker.sources.live import LiveSource, open_live
from tracker.sources.network import BURST_S, Timeline
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceReport

PIECES = transport_stream(500)
PATIENT = CaptureOptions(stall_s=20.0)
HASTY = CaptureOptions(stall_s=1.0, longest_wait_s=0.2)


def take(source: LiveSource, count: int) -> list[Frame]:
    return list(itertools.islice(source, count))


def assert_true_times(frames: list[Frame]) -> None:
    """Each picture's number is that of its time, whatever was dropped before it."""
    first = number_in(frames[0].image)
    assert [number_in(frame.image) for frame in frames] == [
        (first + round((frame.time - frames[0].time) * RATE_HZ)) % 40 for frame in frames
    ]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.time for frame in frames]
    assert times == [round(at, 3) for at in times] and all(a < b for a, b in itertools.pairwise(times))


@pytest.mark.parametrize(
    ("scheme", "play"),
    [
        ("tcp", sends(PIECES)),
        ("http", answers("HTTP/1.0 200 OK\nContent-Type: video/mp2t", sends(PIECES))),
        ("rtsp", rtsp(PIECES)),
    ],
)
def test_a_stream_by_its_timestamps(scheme: str, play: Callable[[socket.socket], None]) -> None:
    with Server(play) as server, open_live(f"{scheme}://127.0.0.1:{server.port}/live", PATIENT) as source:
        opened = time.monotonic()
        time.sleep(0.6)  # what had been sent before the opening was over is gone by then
        frames = take(source, 15)
        assert (source.info.kind, source.info.width, source.info.height) == ("stream", 64, 48)
        assert source.info.codec == "mpeg2video" and source.info.duration is None
    assert_true_times(frames)
    assert frames[0].time == 0.0
    captured = [frame.captured for frame in frames]
    assert captured == sorted(captured) and opened < captured[0] and captured[-1] < time.monotonic()


def placed(timeline: Timeline, pictures: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Time and capture of the pictures (timestamp, capture) of one more connection that are not left out."""
    timeline.join()
    times = [(timeline.place(stamp, captured), captured) for stamp, captured in pictures]
    return [(at, captured) for at, captured in times if at is not None]


def in_turn(pictures: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same, none captured before the one before it."""
    return list(zip([at for at, _ in pictures], np.maximum.accumulate([at for _, at in pictures]), strict=True))


def test_two_connections_are_joined_by_when_their_pictures_come_at_the_earliest() -> None:
    timeline, jitter = Timeline(), np.random.default_rng(0).exponential(0.03, 1000)
    first = placed(timeline, in_turn([(k / 25, 100.5 + min(max(k / 25, 0.5), 9.8) + jitter[k]) for k in range(250)]))
    assert [at for at, _ in first] == [k / 25 for k in range(250)]
    # a second of old pictures, sent twice as fast as they were taken, and then what is new; the clock begins anew
    burst = [(k / 25, 113.5 + max(k / 25, 1.0 + k / 50) + jitter[250 + k]) for k in range(200)]
    second = placed(timeline, in_turn(burst))
    assert second[0][1] < 117.5
    errors = [at - (113.5 + k / 25 - 100.5) for k, (at, _) in zip(range(200 - len(second), 200), second, strict=True)]
    assert max(map(abs, errors)) < 0.02 and np.ptp(errors) < 1e-9


def test_what_never_gets_steady_is_taken_after_a_while() -> None:
    timeline = Timeline()
    placed(timeline, [(k / 25, 100 + k / 25) for k in range(50)])
    endless = placed(timeline, [(k / 25, 110 + k / 250) for k in range(1000)])
    assert endless[0][1] == pytest.approx(110.0 + BURST_S, abs=0.01)
    times = [at for at, _ in endless]
    assert times[0] > 49 / 25 and all(a < b for a, b in itertools.pairwise(times))


def test_times_are_true_after_a_reconnect() -> None:
    """Truth is the number in the picture, by the clock of one camera; its server may send slowly what it has kept."""
    told: list[str] = []
    frames: list[Frame] = []
    camera = Camera(transport_stream(600))
    plays = camera.sends(1.0, until=2.5), camera.sends(0.9, until=6.0, catching_up=1.6), camera.sends(0.0, until=20.0)
    with Server(*plays) as server, open_live(f"tcp://127.0.0.1:{server.port}", HASTY, told.append) as source:
        for frame in source:
            frames.append(frame)
            if len(told) == 4 and frame.events:
                last = frame.time
            if len(told) == 4 and any(f.events for f in frames[-12:-10]):
                break
    assert [line for line in told if "is back" in line] and last > 5
    events = [(frame.index, event) for frame in frames for event in frame.events]
    assert len(events) == 2 and all(re.fullmatch(r"stream back after \d+\.\d s", event) for _, event in events)
    seen = [number_in(frame.image) for frame in frames]
    errors = [
        (frame.time - frames[0].time - (number - seen[0]) / RATE_HZ + 0.8) % 1.6 - 0.8
        for frame, number in zip(frames, seen, strict=True)
    ]
    assert np.abs(errors).max() < 0.1, errors


def test_a_picture_of_another_size_is_an_event_of_its_time() -> None:
    small, large = transport_stream(60), transport_stream(60, (96, 64))
    plays = sends(small), sends(large)
    with Server(*plays) as server, open_live(f"tcp://127.0.0.1:{server.port}", HASTY) as source:
        frames = []
        for frame in source:
            frames.append(frame)
            if frame.image.shape == (64, 96, 3):
                break
    assert frames[-1].events[0].startswith("stream back after ") and frames[-1].events[1:] == ("picture size 96x64",)
    assert not any(frame.events for frame in frames[:-1])


def test_what_happened_before_a_dropped_frame_is_told_with_the_next() -> None:
    def frames() -> Iterator[Frame]:
        for k, (side, events) in enumerate([(8, ()), (8, ("stream back after 1.0 s",)), (16, ()), (16, ())]):
            yield Frame(np.zeros((side, side, 3), np.uint8), k / 25, 0, float(k), events=events)

    feed = SimpleNamespace(frames=frames, close=lambda: None, report=lambda: SourceReport(0, 0, (), True))
    source = LiveSource(feed, Switch())
    source._thread.join()
    (only,) = source
    assert only.events == ("stream back after 1.0 s", "picture size 16x16") and source.report().dropped == 3


def test_a_slow_user_gets_the_newest_frame_and_the_others_are_counted() -> None:
    frames = []
    with Server(sends(PIECES)) as server, open_live(f"tcp://127.0.0.1:{server.port}", PATIENT) as source:
        for frame in source:
            frames.append(frame)
            time.sleep(0.2)
            if len(frames) == 6:
                break
        report = source.report()
    assert_true_times(frames)
    assert report.decoded == 6 and report.dropped > 8
    assert frames[-1].time - frames[0].time > 0.8


def test_a_stream_that_stalls_ends_and_comes_back() -> None:
    told: list[str] = []
    plays = sends(PIECES[:50], then_hangs=True), sends(PIECES[:50]), sends(PIECES)
    frames: list[Frame] = []
    with Server(*plays) as server, open_live(f"tcp://127.0.0.1:{server.port}", HASTY, told.append) as source:
        for frame in source:
            frames.append(frame)
            if len(told) == 4 and frame.captured > frames[-2].captured and len(frames) > 10:
                break
        report = source.report()
    name = rf"tcp://127\.0\.0\.1:{server.port}"
    expected = (
        rf"{name}: no frame for 1 s; opening it again in 0\.2 s \(attempt 1\)",
        rf"{name} is back after [1-9]\d*\.\d s",
        rf"{name}: the stream ended; opening it again in 0\.2 s \(attempt 2\)",
        rf"{name} is back after \d+\.\d s",
    )
    for line, pattern in zip(told, expected, strict=True):
        assert re.fullmatch(pattern, line)
    gaps = [(b.time - a.time, b.captured - a.captured) for a, b in itertools.pairwise(frames)]
    longest = max(gaps)
    assert longest[0] > 1.0 and longest[0] == pytest.approx(longest[1], abs=0.5)
    assert all(by_time > 0 for by_time, _ in gaps)
    assert report.warnings[0].startswith("times the stream was lost: 2 (without it, until it was back: ")
    assert not report.complete


def test_a_server_that_is_gone_is_asked_again_and_again() -> None:
    told: list[str] = []
    with Server(sends(PIECES[:50])) as server:
        source = open_live(f"tcp://127.0.0.1:{server.port}", HASTY, told.append)
        frames = iter(source)
        next(frames)
    taker = threading.Thread(target=lambda: list(frames))
    taker.start()
    deadline = time.monotonic() + 30
    while len(told) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    source.close()
    taker.join(10)
    assert not taker.is_alive()
    name = f"tcp://127.0.0.1:{server.port}"
    assert told[1:4] == [
        f"{name}: connection refused; opening it again in 0.2 s (attempt {attempt})" for attempt in (2, 3, 4)
    ]


def test_closing_ends_an_iteration_whose_read_hangs() -> None:
    with Server(rtsp(PIECES[:35], then_hangs=True)) as server:
        source = open_live(f"rtsp://127.0.0.1:{server.port}/", CaptureOptions(stall_s=20))
        threading.Timer(0.8, source.close).start()
        begin = time.monotonic()
        assert list(source)
        assert time.monotonic() - begin < 12
    assert not source.report().complete


def test_what_comes_in_a_pause_is_thrown_away() -> None:
    with Server(sends(PIECES)) as server, open_live(f"tcp://127.0.0.1:{server.port}", PATIENT) as source:
        frames = iter(source)
        before = next(frames)
        source.pause()
        assert source.paused
        time.sleep(0.2)
        dropped = source.report().dropped
        time.sleep(0.6)
        assert source.report().dropped == dropped
        source.resume()
        next(frames)  # what was captured just before the pause, it may be
        after = next(frames)
    assert after.time - before.time > 0.7
    assert number_in(after.image) == (number_in(before.image) + round((after.time - before.time) * RATE_HZ)) % 40


def test_a_webcam_without_timestamps_goes_by_arrival() -> None:
    with Server(multipart_jpegs(0.1)) as server, open_live(f"http://127.0.0.1:{server.port}/video", PATIENT) as source:
        frames = take(source, 8)
        assert source.info.codec == "mjpeg" and source.info.rate_hz is None
    passed = frames[-1].captured - frames[0].captured
    assert passed > 0.3 and frames[-1].time - frames[0].time == pytest.approx(passed, abs=0.002)


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No lines among the tests'."""


@pytest.fixture
def file_server(sample_clip: Path, tmp_path: Path) -> Iterator[str]:
    """Serves sample.mkv, which needs no seeking."""
    with av.open(str(sample_clip)) as mp4, av.open(str(tmp_path / "sample.mkv"), "w") as mkv:
        stream = mkv.add_stream_from_template(mp4.streams.video[0])
        for packet in mp4.demux(mp4.streams.video[0]):
            if packet.size:
                packet.stream = stream
                mkv.mux(packet)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_url_that_declares_its_duration_is_a_file_at_its_pace(file_server: str) -> None:
    with open_live(f"{file_server}/sample.mkv") as source:
        frames = take(source, 20)
        assert source.info.duration == pytest.approx(9.01, abs=0.05) and source.info.codec == "h264"
    assert -0.01 < (frames[-1].captured - frames[0].captured) - (frames[-1].time - frames[0].time) < 3
    with pytest.raises(
        SourceError, match=r"absent.mkv cannot be opened: not found \(404\); check what follows the host"
    ):
        open_live(f"{file_server}/absent.mkv")


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("rtsp://127.0.0.1:1/x", "connection refused; is the server running, and is the port right?"),
        ("http://nowhere.invalid/x", "the host nowhere.invalid cannot be found; check its name, or use its IP address"),
        ("srt://127.0.0.1:1", "this FFmpeg cannot read srt://; have it sent by rtsp://, http:// or udp://"),
    ],
)
def test_a_wrong_address_is_one_plain_line(uri: str, text: str) -> None:
    with pytest.raises(SourceError, match=f"^{re.escape(uri)} cannot be opened: {re.escape(text)}$"):
        open_live(uri)


@pytest.mark.parametrize(
    ("scheme", "play", "text"),
    [
        ("tcp", lambda c: c.sendall(b"no video at all" * 9999), "what it sends is no video; check the address"),
        ("rtsp", answers("RTSP/1.0 401 Unauthorized\nCSeq: 1"), r"a password is needed \(401\); write USER@ before"),
        ("http", answers("HTTP/1.0 403 Forbidden"), r"access is forbidden \(403\); check the user and password"),
    ],
)
def test_a_wrong_answer_is_one_plain_line(scheme: str, play: Callable[[socket.socket], None], text: str) -> None:
    with Server(play) as server, pytest.raises(SourceError, match=rf"/x cannot be opened: {text}"):
        open_live(f"{scheme}://127.0.0.1:{server.port}/x")


@pytest.mark.parametrize(
    ("scheme", "play"), [("tcp", lambda c: threading.Event().wait(5)), ("rtsp", rtsp([], then_hangs=True))]
)
def test_a_server_that_is_silent(
    scheme: str, play: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "OPEN_S", 0.5)
    with Server(play) as server, pytest.raises(SourceError, match=r"no answer within 0\.5 s; is something sent there"):
        open_live(f"{scheme}://127.0.0.1:{server.port}/x")


def test_a_password_is_not_shown() -> None:
    with pytest.raises(SourceError, match=r"^rtsp://127.0.0.1:1/x cannot be opened: connection refused"):
        open_live("rtsp://me:secret@127.0.0.1:1/x")


def test_a_password_goes_no_further_than_the_server() -> None:
    play = answers("HTTP/1.0 200 OK\nContent-Type: video/mp2t", sends(PIECES))
    with Server(play) as server, open_live(f"http://me:secret@127.0.0.1:{server.port}/live", PATIENT) as source:
        assert source.info.uri == f"http://127.0.0.1:{server.port}/live"


def test_a_live_pipe_ends_where_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    file = io.FileIO(reading)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file, isatty=lambda: False))

    def write() -> None:
        with io.FileIO(writing, "w") as pipe:
            for piece in transport_stream(60):
                pipe.write(piece)
                time.sleep(0.01)

    threading.Thread(target=write, daemon=True).start()
    with open_live("-") as source:
        frames = list(source)
    assert_true_times(frames)
    assert number_in(frames[-1].image) == 59 % 40
    assert source.report().complete and source.report().warnings == ()


def test_a_pipe_that_holds_no_video(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no video at all" * 999)
    with (tmp_path / "notes").open("rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file, isatty=lambda: False))
        with pytest.raises(SourceError, match=r"^standard input cannot be read as a video; a video was expected whose"):
            open_live("-")
