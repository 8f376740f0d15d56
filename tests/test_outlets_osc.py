"""The OSC outlet against python-osc's own server."""

import socket
import time
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from receivers import CONTEXT, PATIENCE_S, closed_soon, frame_at, sending_time, until
from tracked import without_face

from tracker.errors import SinkError, UsageError
from tracker.outlets import OutletContext
from tracker.outlets.osc import OscOutlet
from tracker.types import Event


@contextmanager
def listening(port: int = 0):
    """A server, and the messages (address, values...) that reach it."""
    heard, dispatcher = SimpleQueue(), Dispatcher()
    dispatcher.set_default_handler(lambda *message: heard.put(message))
    with BlockingOSCUDPServer(("127.0.0.1", port), dispatcher) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1], heard
        server.shutdown()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        return sender.getsockname()[1]


def frame_heard(heard: SimpleQueue) -> dict:
    """The messages of the next frame; what is measured of its last place comes last."""
    messages = [heard.get(timeout=PATIENCE_S)]
    while messages[-1][0] != "/affect/0/arousal_rel":
        messages.append(heard.get(timeout=PATIENCE_S))
    return dict(messages)


def test_the_messages_of_a_frame_to_the_letter():
    with listening() as (port, heard), closed_soon(OscOutlet(f":{port}", CONTEXT)) as outlet:
        outlet.send(frame_at(3))
        messages = frame_heard(heard)
        outlet.mark(Event(0.12, 3, "marker 1"))
        assert heard.get(timeout=PATIENCE_S) == ("/affect/event", "marker 1", 3, pytest.approx(0.12))
        assert outlet.name == f"osc 127.0.0.1:{port}"
        until(lambda: outlet.state().sent == 2)
        assert (outlet.state().lost, outlet.state().clients) == (0, None)
    assert list(messages)[:4] == ["/affect/frame", "/affect/timestamp", "/affect/0/face_id", "/affect/0/confidence"]
    wanted = {"face_id": 0, "success": 1, "valence": 0.41, "arousal_smooth": -0.1, "FaceRectWidth": 20.5, "q_pp": 0.5}
    assert {name: messages[f"/affect/0/{name}"] for name in wanted} == pytest.approx(wanted)
    assert [type(messages[f"/affect/{name}"]) for name in ("frame", "0/face_id", "0/valence")] == [int, int, float]
    assert (messages["/affect/frame"], messages["/affect/timestamp"]) == (3, pytest.approx(0.12))
    assert len(messages) == 25


def test_a_place_without_a_face_says_so_and_no_values():
    two = OutletContext("clip.mp4", "model", "", faces=2)
    with listening() as (port, heard), closed_soon(OscOutlet(f":{port}", two)) as outlet:
        outlet.send(without_face(4))
        messages = [heard.get(timeout=PATIENCE_S) for _ in range(6)]
        outlet.send(frame_at(5, faces=2))
        until(lambda: heard.qsize() == 2 + 2 * 23)
    empty = [(f"/affect/{place}/{name}", 0) for place in range(2) for name in ("confidence", "success")]
    assert messages == [("/affect/frame", 4), ("/affect/timestamp", pytest.approx(0.16)), *empty]


def test_a_receiver_that_hangs_delays_nobody():
    with listening() as (port, _), closed_soon(OscOutlet(f":{port}", CONTEXT)) as outlet:
        reading = sending_time(outlet, 400)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with closed_soon(OscOutlet(f":{deaf.getsockname()[1]}", CONTEXT)) as outlet:
            assert sending_time(outlet, 400) < 5 * reading + 0.2
            until(lambda: outlet.state().sent + outlet.state().lost == 400)


def test_a_receiver_that_goes_away_and_comes_back():
    told, port = [], free_port()
    with closed_soon(OscOutlet(f"localhost:{port}", CONTEXT, told.append)) as outlet:
        with listening(port) as (_, heard):
            outlet.send(frame_at(0))
            assert frame_heard(heard)["/affect/frame"] == 0
        for index in range(1, 41):
            outlet.send(frame_at(index))
        until(lambda: outlet.state().sent + outlet.state().lost == 41)
        assert outlet.state().lost in (39, 40)  # of the last, nobody knows yet
        line = "connection refused; the run goes on, what fails is counted as lost"
        assert told == [f"osc localhost:{port}: {line}"]
        with listening(port) as (_, heard):
            until(lambda: outlet.send(frame_at(100)) or not heard.empty())
            assert frame_heard(heard)["/affect/frame"] == 100
        assert outlet.state().fault == ""


def test_what_nobody_hears_is_counted_once_each():
    outlet = OscOutlet(f":{free_port()}", CONTEXT)
    for index in range(100):
        outlet.send(frame_at(index))
        time.sleep(0.002)
    outlet.close()
    assert (outlet.state().sent, outlet.state().lost) == (0, 100)
    with listening() as (port, heard):
        outlet = OscOutlet(f":{port}", CONTEXT)
        for index in range(20):
            outlet.send(frame_at(index))
        outlet.close()
        assert (outlet.state().sent, outlet.state().lost) == (20, 0)
        frame_heard(heard)


@pytest.mark.parametrize("address", ["..:9", "a..b:9", "localhost:٩", f"{'a' * 70}:9"])
def test_odd_addresses_are_one_plain_line(address):
    with pytest.raises((UsageError, SinkError), match=r"^(the OSC address is '|cannot send to )") as raised:
        OscOutlet(address, CONTEXT)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("address", ["9000", "here:", ":0", "a:b"])
def test_what_is_no_address(address):
    with pytest.raises(UsageError, match=f"^the OSC address is '{address}'; expected HOST:PORT, such as 127.0.0.1:87"):
        OscOutlet(address, CONTEXT)


def test_a_host_that_is_unknown(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    line = r"^cannot send to robot:9000: name or service not known; check the host's name and the network$"
    with pytest.raises(SinkError, match=line):
        OscOutlet("robot:9000", CONTEXT)
