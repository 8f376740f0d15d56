"""A live run: its rate and latency, its keys, and what becomes of it however it ends."""

import csv
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from stream_servers import Server, sends, transport_stream

from tests.processes import rest_of
from tracker import live as live_module
from tracker.cli import main
from tracker.commands.live import live as command
from tracker.commands.live import live_config
from tracker.config import CaptureOptions, LiveConfig, OutputConfig
from tracker.engine import Engine
from tracker.errors import SinkError, SourceError
from tracker.live import run_live
from tracker.live.console import ProgressLine, Screen, progress_words
from tracker.live.meter import BIN_MS, Meter
from tracker.live.notices import Notices
from tracker.live.run import Live
from tracker.live.window import Window
from tracker.outlets import OutletContext
from tracker.outlets.standard_output import StdoutOutlet
from tracker.sinks.records import CsvSink
from tracker.sources import open_source
from tracker.sources.live import LiveSource, open_live
from tracker.types import Frame, TrackedFrame

ROOT = Path(__file__).parents[1]
SECONDS = 120
"""Longest that a run of these tests may take on a busy machine."""


def until(condition: Callable[[], object], step: Callable[[], object] = lambda: time.sleep(0.02)) -> None:
    """Step until the condition holds; fails where it never does."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        step()


# The meter


def test_the_meter_agrees_with_numpy() -> None:
    meter, latencies_ms = Meter(), np.random.default_rng(0).gamma(4.0, 6.0, 3000)
    for number, latency_ms in enumerate(latencies_ms):
        now = 100 + number / 30
        meter.note(now - latency_ms / 1000, now)
    whole, recent = meter.whole(), meter.recent(now)
    expected = np.percentile(latencies_ms, (50, 95, 99))
    assert np.abs(np.array(whole[1:]) - expected).max() <= 3 * BIN_MS
    np.testing.assert_allclose(recent[1:], np.percentile(latencies_ms[-150:], (50, 95, 99)), rtol=1e-6)
    assert abs(whole.fps - 30) < 1e-6 and abs(recent.fps - 30) < 0.3


def test_the_meter_forgets_what_is_not_recent() -> None:
    meter = Meter()
    assert meter.recent(5.0).fps == meter.whole().fps == 0
    meter.note(0.9, 1.0)
    assert meter.recent(100.0).fps == 0 and np.isnan(meter.recent(100.0).p50_ms)
    assert meter.whole().p50_ms == pytest.approx(100, abs=2 * BIN_MS)


# The run


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The default model."""
    with Engine() as engine:
        yield engine


def config_of(folder: Path, **choices: Any) -> LiveConfig:
    return LiveConfig(headless=True, output=OutputConfig(folder=str(folder)), **choices)


def test_a_file_at_its_pace_is_tracked_as_it_comes(sample_clip: Path, tmp_path: Path) -> None:
    seen: list[TrackedFrame] = []
    report = run_live(str(sample_clip), config_of(tmp_path, duration=3.0), [seen.append])
    assert report.error is None
    assert report.frames + report.dropped == pytest.approx(3 * 24, abs=12)
    assert report.frames >= len(seen) > 10
    assert all(tracked.samples for tracked in seen)
    assert 1 < report.speed.p50_ms <= report.speed.p95_ms
    assert not list(tmp_path.iterdir())


def test_a_program_may_run_it_in_a_thread(sample_clip: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        report = pool.submit(run_live, str(sample_clip), config_of(tmp_path, duration=0.5)).result(SECONDS)
    assert report.error is None and report.frames > 3


def test_a_file_that_ends_ends_the_run(sample_clip: Path, tmp_path: Path) -> None:
    seen: list[float] = []
    config = config_of(tmp_path, capture=CaptureOptions(pace=40.0))
    report = run_live(str(sample_clip), config, [lambda tracked: seen.append(tracked.frame.time)])
    assert report.error is None
    assert report.frames + report.dropped == 216 and report.dropped > 0
    assert seen == sorted(set(seen)) and seen[-1] == 8.967
    assert all(seconds == round(seconds * 1000) / 1000 for seconds in seen)


@pytest.fixture
def live(engine: Engine, sample_clip: Path, tmp_path: Path) -> Iterator[Live]:
    """A run over the sample clip in a loop, with three seconds of clip a second."""
    engine.reset()
    with open_live(str(sample_clip), CaptureOptions(loop=True, pace=3.0)) as source:
        live = Live(config_of(tmp_path, baseline_s=1.0), source, engine, [], Notices())
        live.start()
        yield live
        live.tracking.stop()


class FakeWindow:
    """Shows nothing; its user presses what a test puts in."""

    def __init__(self) -> None:
        self.pressed: list[str] = []
        self.shown: list[np.ndarray] = []
        self.closed = False

    def show(self, image: np.ndarray) -> None:
        self.shown.append(image)

    def close(self) -> None:
        """Nothing is open."""

    def key(self, wait_ms: int) -> str | None:
        time.sleep(wait_ms / 1000)
        return self.pressed.pop(0) if self.pressed else None


@pytest.fixture
def screen(live: Live) -> Screen:
    return Screen(live, cast(Window, FakeWindow()))


def press(screen: Screen, key: str) -> None:
    """Press a key, and step until it was heard."""
    pressed = screen._window.pressed  # type: ignore[attr-defined]
    pressed.append(key)
    until(lambda: not pressed, screen.step)


def test_the_keys(live: Live, screen: Screen, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    press(screen, "m")  # there may be no frame yet: no marker then, and no error
    until(lambda: live.tracking.newest, screen.step)
    press(screen, "r")
    until(lambda: (live.status().recorded_s or 0) > 0.5, screen.step)
    press(screen, "m")
    press(screen, "n")
    until(lambda: live.status().baseline is not None, screen.step)
    until(lambda: live.status().baseline is None, screen.step)
    recorded = live.status().recorded_s or 0
    until(lambda: (live.status().recorded_s or 0) > recorded + 0.3, screen.step)
    press(screen, "r")
    until(lambda: live.status().recorded_s is None, screen.step)
    until(lambda: live.notices.current.startswith(f"recording {tmp_path}/live-"), screen.step)
    press(screen, "s")
    press(screen, "h")
    assert not screen.wants_end
    press(screen, "q")
    assert screen.wants_end
    live.tracking.stop()
    check_recording(tmp_path)
    (picture,) = tmp_path.glob("*.png")
    assert cv2.imread(str(picture)).shape == (720, 1280, 3)
    said = capsys.readouterr().err
    assert f"screenshot: {picture}" in said and "marker 2" in said
    assert re.search(r"neutral baseline: V [+-]0\.\d\d, A [+-]0\.\d\d \(\d+ samples\)", said)


def check_recording(folder: Path) -> None:
    """One recording lies there, with a marker, and with a baseline from some row on."""
    (sheet,) = folder.glob("*.meta.json")
    told = json.loads(sheet.read_text(encoding="utf-8"))
    assert told["complete"] is True
    assert [event["event"] for event in told["recording"]["events"]] == ["start", "marker 2", "neutral baseline", "end"]
    with (folder / told["outputs"]["csv"]).open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in table] == list(range(told["decoded"]))
    relative = [row for row in table if row["valence_rel"]]
    assert 0 < len(relative) < len(table) and relative == table[-len(relative) :]
    drift = {round(float(row["valence_smooth"]) - float(row["valence_rel"]), 4) for row in relative}
    assert max(drift) - min(drift) < 0.001


def test_pause_and_go_on(live: Live, screen: Screen) -> None:
    until(lambda: live.tracking.newest, screen.step)
    press(screen, " ")
    assert live.status().paused
    time.sleep(0.5)
    frames = live.tracking.meter.frames
    time.sleep(0.3)
    assert live.tracking.meter.frames == frames
    press(screen, " ")
    until(lambda: live.tracking.meter.frames > frames + 3, screen.step)
    assert not live.status().paused


def test_closing_the_window_ends_the_run(screen: Screen) -> None:
    screen._window.closed = True  # type: ignore[misc]
    assert screen.wants_end


class Unplugged:
    """Stands in for a camera that is pulled out after some frames."""

    def __init__(self, source: LiveSource, after: int) -> None:
        self._source, self._after = source, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Iterator[Frame]:
        yield from itertools.islice(self._source, self._after)
        raise SourceError("camera:0 gives no more pictures; was it unplugged?")


def test_a_camera_that_is_unplugged_leaves_a_whole_recording(engine: Engine, sample_clip: Path, tmp_path: Path) -> None:
    engine.reset()
    with open_live(str(sample_clip)) as source:
        config = config_of(tmp_path, record=True, lossless=True)
        live = Live(config, cast(LiveSource, Unplugged(source, 12)), engine, [], Notices())
        live.start()
        until(lambda: live.is_over)
        live.tracking.stop()
        report = live.report()
    assert str(report.error) == "camera:0 gives no more pictures; was it unplugged?"
    assert "was it unplugged?" in str(report.takes[0])
    (video,) = tmp_path.glob("live-*.mkv")
    with open_source(str(video)) as source:
        assert len(list(source)) == report.frames == 12
    (sheet,) = tmp_path.glob("*.meta.json")
    told = json.loads(sheet.read_text(encoding="utf-8"))
    assert told["complete"] is False and told["warnings"] == ["camera:0 gives no more pictures; was it unplugged?"]


def test_a_run_that_nobody_hears_ends(engine: Engine, sample_clip: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    outlet = StdoutOutlet(OutletContext("clip", "model", "0"), descriptor=writer)
    engine.reset()
    with open_live(str(sample_clip)) as source:
        live = Live(config_of(tmp_path), source, engine, [outlet], Notices())
        live.start()
        line = ProgressLine(live)
        until(lambda: line.wants_end, line.step)
        line.close()
        live.tracking.stop()
    assert str(live.report().error).startswith(
        "nothing is left that hears of the run: stdout: its reader has closed it"
    )
    outlet.close()
    os.close(writer)


def test_a_recording_that_cannot_begin_is_an_error(sample_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    with pytest.raises(SinkError, match=f"cannot write to {tmp_path / 'taken'}"):
        run_live(str(sample_clip), config_of(tmp_path / "taken", record=True))


def test_a_disk_that_fails_ends_the_recording_alone(
    live: Live, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: live.tracking.newest, screen.step)
    press(screen, "r")
    until(lambda: (live.status().recorded_s or 0) > 0.2, screen.step)
    monkeypatch.setattr(CsvSink, "write", full_disk)
    until(lambda: live.status().recorded_s is None, screen.step)
    frames = live.tracking.meter.frames
    until(lambda: live.tracking.meter.frames > frames + 3, screen.step)
    (take,) = live.report().takes
    assert take.problems == ("cannot write trace.csv: no space left on device",)
    (sheet,) = tmp_path.glob("*.meta.json")
    assert json.loads(sheet.read_text(encoding="utf-8"))["complete"] is False


def full_disk(*_: object) -> None:
    raise SinkError("cannot write trace.csv: no space left on device")


def test_what_a_callback_draws_stays_out_of_the_recording(sample_clip: Path, tmp_path: Path) -> None:
    drawn: list[str] = []

    def draw(tracked: TrackedFrame) -> None:
        try:
            tracked.frame.image[:] = 255
        except ValueError as error:
            drawn.append(str(error))

    run_live(str(sample_clip), config_of(tmp_path, duration=0.5), [draw])
    assert set(drawn) == {"assignment destination is read-only"}


def test_a_recording_without_a_receiver_ends_a_headless_run(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    until(lambda: live.tracking.newest)
    live.toggle_recording()
    until(lambda: live.status().recorded_s is not None)
    assert live.check_receivers()
    monkeypatch.setattr(CsvSink, "write", full_disk)
    until(lambda: not live.check_receivers())
    assert "no space left on device" in str(live.report().error)


def test_the_line_of_progress(live: Live) -> None:
    until(lambda: live.tracking.meter.frames > 5)
    assert re.fullmatch(
        r".*sample\.mp4: \d+\.\d frames/s, capture to sample p50 \d+ ms, p95 \d+ ms, \d+ dropped",
        progress_words(live.status()),
    )


def test_a_recording_survives_a_reconnect_to_another_size(sample_clip: Path, tmp_path: Path) -> None:
    """The same face twice as large, and then half: what is measured stays in each frame's own pixels."""
    with open_source(str(sample_clip)) as source:
        large = next(iter(source)).image
    small = np.ascontiguousarray(large[::2, ::2])
    plays = [sends(transport_stream(75, each.shape[1::-1], each)) for each in (large, small)]
    messages: list[tuple[tuple[int, ...], float]] = []

    def hear(tracked: TrackedFrame) -> None:
        messages.extend((tracked.frame.image.shape, face.box[2] - face.box[0]) for face in tracked.faces)

    config = LiveConfig(
        headless=True,
        duration=9.0,
        record=True,
        lossless=True,
        output=OutputConfig(folder=str(tmp_path), video=True, plot=True),
        capture=CaptureOptions(stall_s=2.0, longest_wait_s=0.2),
    )
    with Server(*plays) as server:
        report = run_live(f"tcp://127.0.0.1:{server.port}", config, [hear])
    assert report.error is None and report.latency_from == "decoding"
    (take,) = report.takes
    assert not take.problems
    with Path(f"{take.name}.events.csv").open(newline="") as file:
        events = [row for row in csv.DictReader(file) if row["event"] not in ("start", "end")]
    place = [event["event"] for event in events].index("picture size 320x180")
    back, size = events[place - 1], events[place]
    assert back["event"].startswith("stream back after ")
    assert (back["frame"], back["timestamp"]) == (size["frame"], size["timestamp"])
    with Path(f"{take.name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (change,) = [row for row in rows if row["frame"] == size["frame"]]
    assert change["timestamp"] == size["timestamp"]
    at = rows.index(change)
    before, after = float(rows[at - 1]["FaceRectWidth"]), float(rows[at + 1]["FaceRectWidth"])
    assert after == pytest.approx(before / 2, rel=0.15)
    widths = dict(messages)
    assert widths[180, 320, 3] == pytest.approx(widths[360, 640, 3] / 2, rel=0.15)
    for suffix in (".mkv", ".overlay.mp4"):
        with open_source(f"{take.name}{suffix}") as source:
            pictures = [frame.image for frame in source]
        assert len(pictures) == len(rows) and len({picture.shape for picture in pictures}) == 1
    assert np.abs(pictures[at + 1].astype(int) - pictures[at - 1]).mean() < 12  # the shape is kept


def test_the_window_says_what_is_loading_before_anything_is_there(
    sample_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(live_module, "Window", lambda title: FakeWindow())
    monkeypatch.setattr(live_module, "show_loading", lambda *told: order.append(told[-1]))
    open_one, engine = live_module.open_live, live_module.Engine
    monkeypatch.setattr(live_module, "open_live", lambda *given: order.append("opened") or open_one(*given))
    monkeypatch.setattr(live_module, "Engine", lambda *given: order.append("loaded") or engine(*given))
    run_live(str(sample_clip), LiveConfig(duration=0.2, output=OutputConfig(folder=str(tmp_path))))
    assert order == ["the source", "opened", "the model", "loaded"]


def test_a_live_file_of_several_streams(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg2video", rate=25) for _ in range(2)]
        for stream, (width, height) in zip(streams, ((64, 48), (96, 64)), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(5):
            for stream in streams:
                picture = av.VideoFrame.from_ndarray(np.zeros((stream.height, stream.width, 3), np.uint8), "rgb24")
                picture.pts = number
                container.mux(stream.encode(picture))
        for stream in streams:
            container.mux(stream.encode(None))
    for number, size in ((0, (64, 48)), (1, (96, 64)), (None, (96, 64))):
        with open_live(str(path), CaptureOptions(stream=number)) as source:
            assert (source.info.width, source.info.height) == size
    result = CliRunner().invoke(main, ["live", "--headless", "--stream", "7", str(path)])
    assert result.exit_code == 1 and "stream 7 is no video; expected one of --stream 0, 1" in result.output


# The command


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "tracker.cli", "live", *map(str, arguments)]
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "start_new_session": True}
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True, **heard)  # type: ignore[call-overload]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_headless_run_in_good_order(number: int, sample_clip: Path, tmp_path: Path) -> None:
    run = start(sample_clip, "--headless", "--loop", "--record", "--jsonl", "-", "-o", tmp_path)
    assert run.stdout is not None
    lines = [json.loads(run.stdout.readline()) for _ in range(10)]
    run.send_signal(number)
    rest, told = rest_of(run)
    assert run.returncode == 0, told
    lines += map(json.loads, rest.splitlines())
    frames = [line["frame"] for line in lines]
    assert frames == sorted(set(frames)) and {"valence_smooth", "valence_rel"} <= lines[0].keys()
    assert re.search(rf"{len(frames)} frames \({len(frames)} with faces\), \d+\.\d a second, \d+ dropped", told)
    assert re.search(r"capture to sample: p50 \d+\.\d ms, p95 \d+\.\d ms, p99 \d+\.\d ms", told)
    (sheet,) = tmp_path.glob("*.meta.json")
    assert json.loads(sheet.read_text(encoding="utf-8"))["complete"] is True
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["camera:77", "--headless"], 1, r"error: camera:77 cannot be opened: there is no /dev/video77; .*"),
        ([], 1, r"error: no window can be opened: there is no display .*; run with --headless, .*"),
        (
            ["rtsp://127.0.0.1:1/x", "--headless"],
            1,
            r"error: rtsp://127.0.0.1:1/x cannot be opened: connection refused.*",
        ),
        (
            ["clip.mp4", "--headless", "--ws", "here"],
            2,
            r"error: the WebSocket address is 'here'; expected HOST:PORT.*",
        ),
        (["clip.mp4", "--headless", "--duration", "0"], 2, r"error: duration \(seconds\) is 0.0; expected 0.1 to .*"),
        (
            ["clip.mp4", "--headless", "--record-lossless", "--blur-faces"],
            2,
            r"error: --record-lossless keeps every .*",
        ),
    ],
)
def test_what_is_said_where_it_cannot_begin(arguments: list[str], code: int, line: str, sample_clip: Path) -> None:
    arguments = [str(sample_clip) if argument == "clip.mp4" else argument for argument in arguments]
    run = start(*arguments)
    _, told = run.communicate(timeout=SECONDS)
    assert run.returncode == code and re.fullmatch(line, told.strip()), told


@pytest.mark.parametrize("size", ["1280", "1280x", "axb"])
def test_a_size_that_is_none(size: str) -> None:
    result = CliRunner().invoke(main, ["live", "--size", size])
    assert result.exit_code == 2
    assert f"'{size}' is not a size; expected WIDTHxHEIGHT in pixels, such as 1280x720" in result.output


def test_the_options_reach_the_configuration() -> None:
    options = command.make_context("live", []).params
    del options["source"]
    assert live_config(dict(options)) == LiveConfig()
    chosen = live_config({**options, "size": (640, 480), "jsonl": "-", "record_lossless": True, "faces": 3})
    assert (chosen.capture.width, chosen.capture.height, chosen.tracker.faces) == (640, 480, 3)
    assert chosen.outlets.stdout and chosen.output.jsonl is None and chosen.record and chosen.lossless
