"""The LSL outlet against pylsl's own inlets."""

import math
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from receivers import CONTEXT, PATIENCE_S, closed_soon, frame_at, sending_time, until
from tracked import tracked, without_face

from tracker.errors import UsageError
from tracker.outlets.messages import Fields
from tracker.types import Event

pylsl = pytest.importorskip("pylsl", reason="needs the extra lsl")
from tracker.outlets.lsl import LslOutlet, clock_lead  # noqa: E402

DEAF = """
import sys, time, pylsl
inlet = pylsl.StreamInlet(pylsl.resolve_byprop("name", sys.argv[1], 1, 15)[0])
inlet.open_stream(15)
inlet.pull_sample(15)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def name(request) -> str:
    """A name that no other stream on this network has."""
    return f"test-{os.getpid()}-{request.node.name}-{time.monotonic_ns()}"


@contextmanager
def inlet_of(name: str):
    """An inlet that is connected."""
    (found,) = pylsl.resolve_byprop("name", name, 1, PATIENCE_S)
    inlet = pylsl.StreamInlet(found)
    inlet.open_stream(PATIENCE_S)
    yield inlet
    inlet.close_stream()


def pulled(inlet) -> tuple[dict, float]:
    """The next sample by its labels, and its stamp on LSL's clock."""
    values, stamp = inlet.pull_sample(PATIENCE_S)
    return dict(zip(Fields().numbers, values, strict=True)), stamp


def channels(inlet) -> list[tuple[str, str, str]]:
    """Label, type and unit of each channel."""
    channel, told = inlet.info(PATIENCE_S).desc().child("channels").child("channel"), []
    while not channel.empty():
        told.append(tuple(channel.child_value(key) for key in ("label", "type", "unit")))
        channel = channel.next_sibling("channel")
    return told


def test_the_header_says_what_the_channels_are(name):
    with closed_soon(LslOutlet(name, CONTEXT)), inlet_of(name) as inlet:
        info = inlet.info(PATIENCE_S)
        assert (info.type(), info.nominal_srate(), info.channel_format()) == ("Affect", 0.0, pylsl.cf_double64)
        told = channels(inlet)
        assert tuple(label for label, _, _ in told) == Fields().numbers
        assert ("valence_smooth", "Affect", "normalized") in told
        assert ("FaceRectX", "Position", "pixels") in told
        assert ("confidence", "Quality", "normalized") in told
        made_by = info.desc().child("acquisition")
        assert made_by.child_value("sha256") == "ab" * 32
        assert made_by.child_value("source") == "rtsp://camera.local/live"


def test_samples_bear_the_time_of_capture(name):
    with closed_soon(LslOutlet(name, CONTEXT)) as outlet, inlet_of(name) as inlet:
        captured = time.monotonic() - 0.5
        frame = frame_at(20_000_001)
        outlet.send(replace(frame, frame=replace(frame.frame, captured=captured, time=800_000.001)))
        values, stamp = pulled(inlet)
        assert stamp == pytest.approx(captured + clock_lead(), abs=1e-3)
        assert (values["frame"], values["timestamp"]) == (20_000_001, 800_000.001)
        assert (values["face_id"], values["valence"], values["arousal_rel"]) == (0, 0.41, -0.5)
        before = pylsl.local_clock()
        outlet.send(without_face(6))
        values, stamp = pulled(inlet)
        assert before <= stamp <= pylsl.local_clock()
        assert (values["frame"], values["success"]) == (6, 0)
        assert math.isnan(values["face_id"]) and math.isnan(values["valence"])


def test_events_are_markers_at_their_frame(name):
    with closed_soon(LslOutlet(name, CONTEXT)) as outlet, inlet_of(f"{name}-events") as inlet:
        frame = frame_at(10)
        outlet.send(frame)
        outlet.mark(Event(frame.frame.time + 0.25, 16, "märker 1"))
        values, stamp = inlet.pull_sample(PATIENCE_S)
        assert values == ["märker 1"]
        assert stamp == pytest.approx(frame.frame.captured + clock_lead() + 0.25, abs=1e-3)
        assert inlet.info(PATIENCE_S).type() == "Markers"


def test_each_place_has_its_stream_and_a_face_keeps_its_place(name):
    two = replace(CONTEXT, faces=2)
    with (
        closed_soon(LslOutlet(name, two)) as outlet,
        inlet_of(f"{name}-1") as first,
        inlet_of(f"{name}-2") as second,
    ):
        both = frame_at(0, faces=2)
        alone = tracked(1, samples=both.samples[1:])
        outlet.send(both)
        outlet.send(alone)
        assert [pulled(first)[0]["face_id"], pulled(second)[0]["face_id"]] == [0, 1]
        assert math.isnan(pulled(first)[0]["face_id"])
        assert pulled(second)[0]["face_id"] == 1


def test_a_receiver_that_hangs_and_one_that_dies(name):
    with closed_soon(LslOutlet(name, CONTEXT)) as outlet, inlet_of(name) as inlet:
        reading = sending_time(outlet, 400)
        with subprocess.Popen([sys.executable, "-c", DEAF, name], stdout=subprocess.PIPE) as deaf:
            until(lambda: outlet.send(frame_at(0)) or _said_something(deaf))
            os.kill(deaf.pid, signal.SIGSTOP)
            assert sending_time(outlet, 400) < 5 * reading + 0.2
            handed = outlet.state().sent
            until(lambda: outlet.send(frame_at(0)) or outlet.state().sent > handed + 100)
            deaf.kill()
        outlet.send(frame_at(30_000))
        until(lambda: pulled(inlet)[0]["frame"] == 30_000)
        assert outlet.state().fault == ""


def _said_something(process: subprocess.Popen) -> bool:
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_closing_returns_while_a_receiver_hangs(name):
    with (
        closed_soon(LslOutlet(name, CONTEXT)) as outlet,
        subprocess.Popen([sys.executable, "-c", DEAF, name], stdout=subprocess.PIPE) as deaf,
    ):
        until(lambda: outlet.send(frame_at(0)) or _said_something(deaf))
        os.kill(deaf.pid, signal.SIGSTOP)
        sending_time(outlet, 400)
        start = time.monotonic()
        outlet.close()
        assert time.monotonic() - start < 3.0
        deaf.kill()


def test_a_stream_needs_a_name():
    with pytest.raises(UsageError, match=r"^the LSL streams have no name; expected one, such as affect$"):
        LslOutlet(" ", CONTEXT)
