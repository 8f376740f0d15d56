"""Outlets: nothing that a receiver does delays the tracker; standard output, callbacks, and how all are opened."""

import errno
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from receivers import CONTEXT, PATIENCE_S, closed_soon, frame_at, sending_time, until
from tracked import sample_at, tracked, without_face

from tracker.config import OutletConfig
from tracker.errors import SinkError, UsageError
from tracker.faults import plain_line
from tracker.outlets import open_outlets
from tracker.outlets.callback import CallbackOutlet
from tracker.outlets.mailbox import Mailbox
from tracker.outlets.outlet import without_picture
from tracker.outlets.places import Places
from tracker.outlets.standard_output import StdoutOutlet
from tracker.sinks.records import RELATIVE, rows
from tracker.types import Event


def test_the_newest_win_in_a_mailbox():
    mailbox = Mailbox(2)
    for item in (1, 2, 3):
        mailbox.put(item)
    assert [mailbox.take(0), mailbox.take(0), mailbox.take(0), mailbox.lost] == [2, 3, None, 1]


def test_what_is_to_be_kept_has_room_of_its_own_and_its_turn():
    mailbox = Mailbox(2)
    mailbox.put("early", keep=True)
    for item in range(10):
        mailbox.put(item)
    mailbox.put("late", keep=True)
    assert [mailbox.take(0) for _ in range(5)] == ["early", 8, 9, "late", None]
    for item in range(5):
        mailbox.put(item, keep=True)
    assert [mailbox.take(0), mailbox.take(0), mailbox.lost] == [3, 4, 8 + 3]


def test_a_closed_mailbox_gives_what_it_has_and_counts_the_rest():
    mailbox = Mailbox(4)
    for item in (1, 2, 3):
        mailbox.put(item)
    mailbox.close()
    mailbox.put(4)
    assert [mailbox.take(), mailbox.lost] == [1, 1]
    mailbox.close(discard=True)
    assert [mailbox.take(), mailbox.lost] == [None, 3]


def test_a_mailbox_wakes_who_waits():
    mailbox, taken = Mailbox(4), []
    threads = [threading.Thread(target=lambda: taken.append(mailbox.take(PATIENCE_S))) for _ in range(2)]
    for thread in threads:
        thread.start()
    mailbox.put("item")
    mailbox.close()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sorted(taken, key=str) == [None, "item"]


def test_frames_wait_without_their_pixels():
    frame = tracked(0, size=(1080, 1920))
    waiting = without_picture(frame).frame.image
    assert waiting.shape == (1080, 1920, 3)
    assert waiting.base.nbytes == 1
    assert frame.frame.image.any()


def lines_of(descriptor: int) -> list[dict]:
    """What a pipe holds, up to its end."""
    with os.fdopen(descriptor, "rb") as reader:
        return [json.loads(line) for line in reader.read().splitlines()]


@pytest.fixture
def pipe():
    """Both ends of a pipe, small where the system allows; each is closed where the test did not."""
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError as error:
            assert error.errno == errno.EBADF


def test_json_lines_are_those_of_affect_track_and_events(pipe):
    reader, writer = pipe
    frames = [frame_at(0, faces=2), without_face(1), frame_at(2)]
    with closed_soon(StdoutOutlet(CONTEXT, descriptor=writer)) as outlet:
        for frame in frames:
            outlet.send(frame)
        outlet.mark(Event(0.08, 2, "marker 1"))
    os.close(writer)
    assert lines_of(reader) == [
        *(row for frame in frames for row in rows(frame, extras=RELATIVE)),
        {"event": "marker 1", "frame": 2, "timestamp": 0.08},
    ]
    assert (outlet.state().sent, outlet.state().lost, str(outlet.state())) == (4, 0, "stdout")


def test_json_lines_bear_the_names_that_were_chosen(pipe):
    reader, writer = pipe
    with closed_soon(StdoutOutlet(replace(CONTEXT, columns="openface", extras=()), descriptor=writer)) as outlet:
        outlet.send(frame_at(0))
        outlet.mark(Event(0.0, 0, "start"))
    os.close(writer)
    first, event = lines_of(reader)
    assert first == rows(frame_at(0), "openface")[0]
    assert (first["frame"], event["frame"]) == (1, 1)


def test_a_reader_that_is_slow_gets_every_line(pipe):
    (reader, writer), read = pipe, []
    thread = threading.Thread(target=lambda: read.extend(lines_of(reader)))
    with closed_soon(StdoutOutlet(CONTEXT, descriptor=writer)) as outlet:
        for index in range(20):
            outlet.send(frame_at(index, faces=32))
        thread.start()
        until(lambda: outlet.state().sent == 20)
    os.close(writer)
    thread.join(PATIENCE_S)
    assert [(line["frame"], line["face_id"]) for line in read] == [(f, face) for f in range(20) for face in range(32)]


def test_a_reader_that_hangs_delays_nobody_and_gets_whole_lines(pipe):
    told, (reader, writer) = [], pipe
    null = os.open(os.devnull, os.O_WRONLY)
    with closed_soon(StdoutOutlet(CONTEXT, descriptor=null)) as outlet:
        reading = sending_time(outlet, 1000)
    os.close(null)
    with closed_soon(StdoutOutlet(CONTEXT, told.append, writer)) as outlet:
        assert sending_time(outlet, 1000) < 5 * reading + 0.2
        outlet.mark(Event(0.0, 0, "marker"))
        assert outlet.state().fault == ""
    assert outlet.state().sent + outlet.state().lost == 1001
    assert outlet.state().lost > 256
    assert told == ["stdout: its reader did not read; the rest is lost"]
    os.close(writer)
    frames = [line["frame"] for line in lines_of(reader)]
    assert frames == sorted(set(frames))
    assert len(frames) == outlet.state().sent


def test_a_reader_that_closes_its_end_ends_this_outlet_alone(pipe):
    told, (reader, writer) = [], pipe
    with closed_soon(StdoutOutlet(CONTEXT, told.append, writer)) as outlet:
        outlet.send(frame_at(0))
        until(lambda: outlet.state().sent == 1)
        os.close(reader)
        for index in range(1, 21):
            outlet.send(frame_at(index))
        until(lambda: outlet.state().lost == 20)
        assert told == ["stdout: its reader has closed it; nothing more is written there"]
        assert outlet.state().fault == told[0]


HANGING = """
import sys
sys.path.insert(0, "tests")
from receivers import CONTEXT, sending_time
from tracker.outlets.standard_output import StdoutOutlet
outlet = StdoutOutlet(CONTEXT)
sending_time(outlet, 2000)
print("sent", file=sys.stderr)
if sys.argv[1] == "close":
    outlet.close()
"""


@pytest.mark.parametrize("how", ["close", "leave"])
def test_the_interpreter_ends_while_its_reader_hangs(how):
    root = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", HANGING, how], stdout=subprocess.PIPE, cwd=root) as run:
        assert run.wait(PATIENCE_S) == 0
        assert run.stdout.read().endswith(b"}\n")


def test_a_callback_gets_frames_with_their_pictures():
    seen = []
    with closed_soon(CallbackOutlet(seen.append)) as outlet:
        frame = frame_at(0)
        outlet.send(frame)
        outlet.mark(Event(0.0, 0, "marker"))
    assert len(seen) == 1
    assert np.array_equal(seen[0].frame.image, frame.frame.image) and seen[0].samples is frame.samples
    with pytest.raises(ValueError, match="read-only"):
        seen[0].frame.image[:] = 0
    assert outlet.name == "callback append"


def test_a_callback_that_hangs_misses_frames():
    go_on, seen = threading.Event(), []

    def slow(frame):
        seen.append(frame.frame.index)
        go_on.wait(PATIENCE_S)

    with closed_soon(CallbackOutlet(lambda frame: None)) as outlet:
        quick = sending_time(outlet, 1000)
    with closed_soon(CallbackOutlet(slow)) as outlet:
        assert sending_time(outlet, 1000) < 5 * quick + 0.2
        go_on.set()
    assert seen[-2:] == [998, 999]
    assert outlet.state().lost == 1000 - len(seen) > 900


def test_closing_returns_while_a_callback_hangs():
    never, told = threading.Event(), []
    with closed_soon(CallbackOutlet(lambda frame: never.wait(), told.append)) as outlet:
        sending_time(outlet, 10)
    assert outlet.state().sent == 0
    assert outlet.state().lost in (9, 10)
    never.set()


def test_an_error_of_a_callback_is_told_once_and_counted():
    told = []

    def odd(frame):
        if frame.frame.index % 2:
            raise ValueError(f"frame {frame.frame.index}\nis odd")

    with closed_soon(CallbackOutlet(odd, told.append)) as outlet:
        for index in range(10):
            outlet.send(frame_at(index))
            until(lambda count=index + 1: outlet.state().sent + outlet.state().lost == count)
    line = "callback odd: ValueError: frame 1 is odd; the run goes on, what fails is counted as lost"
    assert told == [line]
    assert (outlet.state().sent, outlet.state().lost, outlet.state().fault) == (5, 5, "")
    assert str(outlet.state()) == "callback odd, 5 lost"


def test_all_are_opened_together_and_each_gets_everything():
    seen, port = [], 9
    config = OutletConfig(ws=":0", osc=f":{port}")
    outlets = open_outlets(config, CONTEXT, [seen.append, print])
    assert [outlet.name for outlet in outlets[1:]] == [f"osc 127.0.0.1:{port}", "callback append", "callback print"]
    assert re.fullmatch(r"ws 127\.0\.0\.1:\d+, 0 clients", str(outlets[0].state()))
    outlets[2].send(frame_at(0))
    for outlet in outlets:
        outlet.close()
        outlet.close()
    assert len(seen) == 1


def test_where_one_cannot_be_opened_none_stays_open():
    (first,) = open_outlets(OutletConfig(ws=":0"), CONTEXT)
    address = first.name.removeprefix("ws ")
    first.close()
    with pytest.raises(UsageError, match=r"^the OSC address is 'nowhere'; expected HOST:PORT"):
        open_outlets(OutletConfig(ws=address, osc="nowhere"), CONTEXT)
    (again,) = open_outlets(OutletConfig(ws=address), CONTEXT)
    with pytest.raises(SinkError, match=r"address already in use"):
        open_outlets(OutletConfig(ws=address), CONTEXT)
    again.close()


@pytest.mark.parametrize(
    ("config", "library", "package"),
    [
        (OutletConfig(lsl="x"), "pylsl", "affect-tracker[lsl]"),
        (OutletConfig(osc=":9"), "pythonosc", "affect-tracker"),
        (OutletConfig(ws=":0"), "websockets", "affect-tracker"),
    ],
)
def test_a_library_that_is_missing(monkeypatch, config, library, package):
    for module in [name for name in sys.modules if re.match(rf"{library}\b|tracker\.outlets\.(lsl|osc|webs)", name)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        open_outlets(config, CONTEXT)
    line = f"the Python package {library} is missing; install it with: pip install '{package}'"
    assert plain_line(caught.value) == line


def test_lsl_without_its_library(monkeypatch, tmp_path):
    (tmp_path / "pylsl.py").write_text("raise RuntimeError('LSL binary library file was not found.')")
    monkeypatch.syspath_prepend(tmp_path)
    for module in [name for name in sys.modules if re.match(r"pylsl\b|tracker\.outlets\.lsl", name)]:
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SinkError, match=r"^LSL cannot be used: pylsl finds no liblsl; most of its wheels bring it"):
        open_outlets(OutletConfig(lsl="x"), CONTEXT)


def seen_at(time: float, *ids: int):
    """A frame with these faces."""
    return tracked(round(time * 25), time, [sample_at(time, each) for each in ids], boxes=[(1, 2, 3, 4)] * len(ids))


def test_a_face_keeps_its_place_while_its_id_lives():
    places = Places(replace(CONTEXT, faces=3))
    assert places.seat(seen_at(0.0, 0, 1)) == [0, 1]
    assert places.seat(seen_at(0.1, 1)) == [1]
    assert places.seat(seen_at(0.2, 1, 2)) == [1, 2]
    assert places.seat(seen_at(0.4, 0, 1, 2)) == [0, 1, 2]
    assert places.seat(seen_at(1.0, 2, 3)) == [2, 0]
    assert places.seat(seen_at(1.1, 2, 3, 4)) == [2, 0, 1]


def test_a_single_place_goes_to_whoever_is_seen():
    places = Places(replace(CONTEXT, faces=1))
    assert [places.seat(seen_at(time, who)) for time, who in [(0, 0), (0.04, 1), (0.08, 0), (9, 7)]] == [[0]] * 4
