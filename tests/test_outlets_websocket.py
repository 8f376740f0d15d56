"""The WebSocket outlet against the real client of `websockets`."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from receivers import CONTEXT, PATIENCE_S, closed_soon, frame_at, sending_time, until
from tracked import without_face
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tracker.errors import SinkError, UsageError
from tracker.outlets import websocket
from tracker.outlets.websocket import WebSocketOutlet
from tracker.types import Event


@pytest.fixture
def outlet():
    """A server on a free port of loopback."""
    with closed_soon(WebSocketOutlet(":0", CONTEXT)) as outlet:
        yield outlet


@contextmanager
def client_of(outlet: WebSocketOutlet, **choices) -> Iterator[ClientConnection]:
    """A client that the outlet knows of, and then no more; it parts without waiting for an answer."""
    before = outlet.state().clients
    with connect(f"ws://{outlet.name.removeprefix('ws ')}", compression=None, close_timeout=0.1, **choices) as client:
        until(lambda: outlet.state().clients == before + 1)
        yield client
    until(lambda: outlet.state().clients <= before)


def heard(client: ClientConnection) -> dict:
    return json.loads(client.recv(PATIENCE_S))


def heard_until(client: ClientConnection, frame: int) -> list[dict]:
    """The messages up to that frame's."""
    messages = [heard(client)]
    while messages[-1].get("frame") != frame or messages[-1]["type"] != "frame":
        messages.append(heard(client))
    return messages


def test_the_messages_to_the_letter(outlet):
    with client_of(outlet) as client:
        hello = heard(client)
        outlet.send(frame_at(3))
        frame = heard(client)
        outlet.mark(Event(0.12, 3, "marker 1"))
        outlet.send(without_face(4))
        event, empty = heard(client), heard(client)
    assert hello == {
        "type": "hello",
        "schema": 1,
        "source": "rtsp://camera.local/live",
        "model": "model-S-8",
        "sha256": "ab" * 32,
        "max_faces": 1,
        "fields": list(frame["faces"][0]),
    }
    assert 0 <= frame.pop("captured_ago_ms") < 1000 * PATIENCE_S
    (face,) = frame.pop("faces")
    assert frame == {"type": "frame", "schema": 1, "frame": 3, "timestamp": 0.12, "width": 64, "height": 48}
    assert (face["face_id"], face["status"], face["valence"], face["FaceRectX"]) == (0, "ok", 0.41, 10.0)
    assert (face["valence_rel"], face["arousal_rel"]) == (0.25, -0.5)
    assert event == {"type": "event", "schema": 1, "event": "marker 1", "frame": 3, "timestamp": 0.12}
    assert (empty["frame"], empty["captured_ago_ms"], empty["faces"]) == (4, None, [])


def test_every_message_comes_in_its_order_or_is_counted(outlet):
    with client_of(outlet) as client:
        heard(client)
        for index in range(100):
            outlet.send(frame_at(index))
        until(lambda: sum((outlet.state().sent, outlet.state().lost)) == 100)
        frames = [heard(client)["frame"] for _ in range(outlet.state().sent)]
    assert frames == sorted(set(frames))
    assert frames[-1] == 99


def test_a_client_that_hangs_loses_its_own_messages_alone(outlet):
    with client_of(outlet) as reader:
        alone = sending_time(outlet, 400, faces=8)
        heard_until(reader, 399)
    with client_of(outlet):
        lost = outlet.state().lost
        beside = sending_time(outlet, 400, faces=8)
        until(lambda: outlet.state().lost > lost + 100)
        assert beside < 5 * alone + 0.2
        with client_of(outlet) as reader:
            outlet.send(frame_at(1000))
            outlet.mark(Event(40.0, 1000, "marker 1"))
            heard_until(reader, 1000)
            assert heard(reader)["event"] == "marker 1"
            assert str(outlet.state()) == f"{outlet.name}, 2 clients, {outlet.state().lost} lost"
        outlet.close()


def test_what_a_slow_client_reads_next_is_new_and_events_are_all_there(outlet):
    with client_of(outlet, max_queue=1) as client:
        for index in range(600):
            outlet.send(frame_at(index, faces=8))
            if index % 200 == 0:
                outlet.mark(Event(index / 25, index, f"marker {index}"))
            time.sleep(0.001)
        messages = heard_until(client, 599)
    frames = [message["frame"] for message in messages if message["type"] == "frame"]
    assert len(frames) < 500
    assert [m["event"] for m in messages if m["type"] == "event"] == ["marker 0", "marker 200", "marker 400"]


DYING = """
import sys, time
from websockets.sync.client import connect
with connect(sys.argv[1]):
    time.sleep(600)
"""


def test_a_client_that_dies_in_the_middle(outlet):
    with client_of(outlet) as staying:
        with subprocess.Popen([sys.executable, "-c", DYING, f"ws://{outlet.name.removeprefix('ws ')}"]) as dying:
            until(lambda: outlet.state().clients == 2)
            outlet.send(frame_at(0))
            heard_until(staying, 0)
            dying.kill()
        until(lambda: outlet.send(frame_at(1)) or outlet.state().clients == 1)
        outlet.send(frame_at(2))
        heard_until(staying, 2)
        assert outlet.state().fault == ""


def test_what_a_client_says_is_not_heard(outlet):
    with client_of(outlet) as client:
        heard(client)
        for _ in range(200):
            client.send("stop")
        outlet.send(frame_at(5))
        assert heard(client)["frame"] == 5


def test_closing_sends_what_is_left_and_says_good_bye(outlet):
    with client_of(outlet) as client:
        heard(client)
        outlet.send(frame_at(7))
        outlet.mark(Event(0.28, 7, "end"))
        outlet.close()
        assert [heard(client)["type"], heard(client)["type"]] == ["frame", "event"]
        with pytest.raises(ConnectionClosedOK, match="1001"):
            heard(client)
    with pytest.raises(OSError, match="refused"), client_of(outlet):
        pass


def test_pages_from_elsewhere_may_not_listen(outlet):
    with pytest.raises(InvalidStatus, match="403"), client_of(outlet, origin="https://elsewhere.example"):
        pass
    with client_of(outlet, origin="http://localhost:8000") as client:
        assert heard(client)["type"] == "hello"


def test_who_is_no_client_does_no_harm(outlet, capfd):
    host, port = outlet.name.removeprefix("ws ").split(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"SSH-2.0-probe\r\n\r\n")
        with client_of(outlet) as client:
            assert heard(client)["type"] == "hello"
    assert capfd.readouterr().err == ""


def test_a_port_that_is_in_use(outlet):
    address = outlet.name.removeprefix("ws ")
    with pytest.raises(SinkError, match=rf"^cannot serve at {address}: address already in use; choose a port that is"):
        WebSocketOutlet(address, CONTEXT)


@pytest.mark.parametrize("address", ["8765", "localhost", "host:", ":70000", "http://here:80", "a b:1", ""])
def test_what_is_no_address(address):
    with pytest.raises(UsageError, match=rf"^the WebSocket address is '{address}'; expected HOST:PORT, such as 127"):
        WebSocketOutlet(address, CONTEXT)


def test_an_ipv6_address():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with closed_soon(WebSocketOutlet("[::1]:0", CONTEXT)) as outlet, client_of(outlet) as client:
        assert outlet.name.startswith("ws [::1]:")
        assert heard(client)["type"] == "hello"


OPEN = "0.0.0.0:0"


@contextmanager
def served(address: str, **choices: Any) -> Iterator[tuple[WebSocketOutlet, int, list[str]]]:
    """A server, its port, and what it tells."""
    told: list[str] = []
    with closed_soon(WebSocketOutlet(address, CONTEXT, told.append, **choices)) as outlet:
        yield outlet, int(outlet.name.rpartition(":")[2]), told


def answer(port: int, path: str = "/", **choices: Any) -> str | int:
    """The type of the first message to a client, or the status that refuses it."""
    try:
        with connect(f"ws://127.0.0.1:{port}{path}", compression=None, close_timeout=0.1, **choices) as client:
            return heard(client)["type"]
    except InvalidStatus as refused:
        return refused.response.status_code


def test_beyond_loopback_nobody_comes_without_the_token_that_is_told():
    with served(OPEN) as (_, port, told):
        (line,) = told
        found = re.fullmatch(
            rf"warning: --ws 0\.0\.0\.0:{port} can be reached from the network, and nothing of it is encrypted; "
            rf"clients connect by ws://HOST:{port}(/\?token=[\w-]{{22}})",
            line,
        )
        assert found is not None
        assert answer(port) == answer(port, "/?token=wrong") == answer(port, "/?token=") == 401
        assert answer(port, found[1]) == "hello"
        bearer = {"Authorization": f"Bearer {found[1].partition('=')[2]}"}
        assert answer(port, additional_headers=bearer) == "hello"
        assert answer(port, found[1], origin="https://evil.example") == 403
        assert answer(port, found[1], origin="http://localhost:3000") == "hello"
    with served(OPEN) as (_, _, again):
        assert again[0].rpartition("=")[2] != found[1].rpartition("=")[2]


@pytest.mark.parametrize("address", [":0", OPEN])
def test_pages_come_only_from_origins_that_were_named(address):
    with served(address, origins=("https://good.example",), token="a-token-of-mine") as (_, port, told):
        assert len(told) == (address == OPEN)
        good = "/?token=a-token-of-mine"
        assert answer(port, good, origin="https://good.example") == answer(port, good) == "hello"
        for other in ("https://evil.example", "https://good.example.evil.example", "http://good.example", "null"):
            assert answer(port, good, origin=other) == 403
        assert answer(port, origin="https://good.example") == 401


def test_there_is_a_most_of_clients(outlet, monkeypatch):
    monkeypatch.setattr(websocket, "MOST_CLIENTS", 2)
    port = int(outlet.name.rpartition(":")[2])
    with client_of(outlet), client_of(outlet):
        assert answer(port) == 503 and outlet.state().clients == 2
    assert answer(port) == "hello"


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"token": "short"}, r"--ws-token has 5 characters; expected 8 or more of letters"),
        ({"token": "with a space"}, r"--ws-token has 12 characters; expected 8 or more of letters"),
        ({"origins": ("example.org",)}, r"--ws-origin is 'example.org'; expected one as browsers name it"),
        ({"origins": ("https://example.org/page",)}, r"--ws-origin is 'https://example.org/page'; expected one"),
    ],
)
def test_tokens_and_origins_that_cannot_be(choices, said):
    with pytest.raises(UsageError, match=said):
        WebSocketOutlet(":0", CONTEXT, **choices)


@pytest.mark.parametrize("address", ["..:9", "a..b:9", ":٨٧٦٥", "localhost:٩", f"{'a' * 70}:9", "[::::]:9", "x y:9"])
def test_odd_addresses_are_one_plain_line(address):
    with pytest.raises((UsageError, SinkError), match=r"^(the WebSocket address is '|cannot serve at )") as raised:
        WebSocketOutlet(address, CONTEXT)
    assert "\n" not in str(raised.value)
