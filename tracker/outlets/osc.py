"""Open Sound Control by UDP: a bundle for each frame, one number a message."""

import errno
import math
import os
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.parsing.osc_types import write_float, write_int, write_string

from tracker.outlets.address import datagrams, parse_address, written
from tracker.outlets.messages import OF_FRAME
from tracker.outlets.outlet import Outlet, OutletContext
from tracker.outlets.places import Places
from tracker.types import Event, Tell, TrackedFrame

ROOT = "/affect"
ANSWER_S = 0.02
"""How long a refusal of the last datagram is waited for."""
IN_A_ROW_S = 2.5
MOST_ANSWERS = 8
EMPTY_BUNDLE = OscBundleBuilder(IMMEDIATELY).build().dgram
TAGS = {int: "i", float: "f", str: "s"}
WRITE: dict[type, Callable[[Any], bytes]] = {int: write_int, float: write_float, str: write_string}


class OscOutlet(Outlet):
    """Sends /affect/frame, /affect/timestamp and /affect/PLACE/COLUMN, and /affect/event; raises SinkError.

    A face keeps its place, from 0, while its id lives; what was not measured is left out.
    """

    def __init__(self, address: str, context: OutletContext, tell: Tell | None = None) -> None:
        host, port = parse_address(address, "OSC")
        self._socket = datagrams(host, port)
        self._places = Places(context)
        self._refused_at, self._since_refused = -math.inf, 0
        self._of_face = tuple(name for name in self._places.fields.numbers if name not in OF_FRAME)
        super().__init__(f"osc {written(host, port)}", tell)

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        table = self._places.rows(tracked)
        messages = [osc_message(f"{ROOT}/{name}", table[0][name]) for name in OF_FRAME]
        for place, row in enumerate(table):
            messages += [
                osc_message(f"{ROOT}/{place}/{name}", row[name]) for name in self._of_face if row[name] is not None
            ]
        self._put(osc_bundle(messages))

    def _hand_event(self, event: Event) -> None:
        self._put(osc_message(f"{ROOT}/event", event.name, event.index, event.time))

    def _release(self) -> None:
        time.sleep(ANSWER_S)
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED:
            self._note_refusal()
        self._socket.close()

    def _put(self, datagram: bytes) -> None:
        """Send, and learn what became of the datagrams before: where nobody listens, the next call is told so."""
        for _ in range(MOST_ANSWERS):
            try:
                self._socket.send(datagram)
                self._since_refused += 1
                return
            except ConnectionRefusedError:
                self._note_refusal()
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def _note_refusal(self) -> None:
        """Count as lost what went out since the refusal before, or one, where that is long ago.

        Computers refuse at most about one datagram a second aloud, and each of those between two refusals silently.
        """
        now = time.monotonic()
        lost = max(1, self._since_refused) if now - self._refused_at < IN_A_ROW_S else 1
        self._refused_at, self._since_refused = now, 0
        self._take_back(lost, ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)))


def osc_bundle(messages: list[bytes]) -> bytes:
    """A datagram of messages that take effect together, at once."""
    return b"".join([EMPTY_BUNDLE, *(WRITE[int](len(message)) + message for message in messages)])


def osc_message(address: str, *values: int | float | str) -> bytes:
    """A message of int32, float32 and text. OscMessageBuilder makes the same, four times as slowly."""
    tags = "".join(TAGS[type(value)] for value in values)
    return _head(address, tags) + b"".join(WRITE[type(value)](value) for value in values)


@lru_cache(maxsize=4096)
def _head(address: str, tags: str) -> bytes:
    return write_string(address) + write_string(f",{tags}")
