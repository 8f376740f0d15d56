"""Streams from elsewhere, and the live pipe "-": opened again whenever they break off."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from itertools import pairwise
from typing import TypeVar

from tracker.ahead import Ahead
from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources.connection import Connection, Lost, Picture, Unreachable
from tracker.sources.container import ToRgb, name_of
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport, Tell

Made = TypeVar("Made")
LASTING_S = 10.0
"""A connection that lasted so long was a good one: the waits begin anew."""
BURST_S = 2.0
"""Longest that old pictures are left out after a stream was opened again."""


class StreamFeed:
    """Frames of a stream, by their presentation timestamps within a connection, by the clock between two of them.

    Opening raises SourceError at once; a stream that is lost later is opened again for ever, after 1, 2, 4 ... seconds,
    and `tell` hears of it. The pipe "-" ends where it ends.
    """

    def __init__(self, uri: str, options: CaptureOptions, switch: Switch, tell: Tell) -> None:
        self._name = name_of(uri)
        self._is_pipe = uri == "-"
        self._longest_wait_s = options.longest_wait_s
        self._switch = switch
        self._tell = tell
        self._connect = lambda: Connection(uri, self._name, options)
        self._connection = _made_elsewhere(self._connect)
        self._opened, self._attempts = time.monotonic(), 0
        self._timeline = Timeline()
        self._start: float | None = None
        self._repaired = self._lost = 0
        self._away_s = 0.0
        self._ended = False
        self.info = self._describe()

    def frames(self) -> Iterator[Frame]:
        """Frames as they come; of a pipe, until it ends, and SourceError where it breaks off."""
        cause = yield from self._until_lost()
        while not (self._ended or self._switch.closed) and self._open_again(cause):
            cause = yield from self._until_lost()

    def report(self) -> SourceReport:
        """Timestamps repaired, and how often it was lost; complete once a pipe has ended."""
        warning = f"times the stream was lost: {self._lost} (without it, until it was back: {self._away_s:.1f} s)"
        repaired = self._repaired + self._connection.repaired
        return SourceReport(0, repaired, (warning,) if self._lost else (), self._ended)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _until_lost(self) -> Generator[Frame, None, str]:
        """The frames of one connection; gives why it ended."""
        try:
            yield from self._connected()
        except Lost as lost:
            if self._is_pipe:
                raise SourceError(f"{self._name} broke off: {lost}") from lost
            return str(lost)
        self._ended = self._is_pipe
        return "the stream ended"

    def _connected(self) -> Iterator[Frame]:
        to_rgb = ToRgb(self._name, self._connection.stream)
        self._timeline.join()
        pictures = self._connection.pictures()
        for picture, stamp, captured in without_burst(pictures) if self._lost else pictures:
            if self._switch.closed:
                return
            at = self._timeline.place(stamp, captured)
            if self._switch.on:
                self._start = at if self._start is None else self._start
                yield Frame(to_rgb(picture), at - self._start, 0, captured)

    def _open_again(self, cause: str) -> bool:
        """Wait and open until that succeeds; False once it is closed."""
        self._connection.close()
        self._lost += 1
        if time.monotonic() - self._opened > LASTING_S:
            self._attempts = 0
        while self._wait(cause):
            try:
                return self._go_on_with(self._connect())
            except SourceError as error:
                cause = error.cause if isinstance(error, Unreachable) else str(error)
        return False

    def _wait(self, cause: str) -> bool:
        """Before an attempt, 1, 2, 4 ... seconds; False once closed."""
        wait_s = min(2.0 ** min(self._attempts, 20), self._longest_wait_s)
        self._attempts += 1
        self._tell(f"{self._name}: {cause}; opening it again in {wait_s:g} s (attempt {self._attempts})")
        return self._switch.sleep(wait_s)

    def _go_on_with(self, connection: Connection) -> bool:
        self._repaired += self._connection.repaired
        self._connection = connection
        self._opened = time.monotonic()
        away_s = time.monotonic() - self._timeline.captured
        self._away_s += away_s
        self._tell(f"{self._name} is back after {away_s:.1f} s")
        return True

    def _describe(self) -> SourceInfo:
        stream, to_rgb = self._connection.stream, ToRgb(self._name, self._connection.stream)
        height, width = to_rgb(self._connection.first.picture).shape[:2]
        return SourceInfo(
            uri="-" if self._is_pipe else self._name,
            kind="stream",
            width=width,
            height=height,
            rate_hz=self._connection.rate_hz,
            frames=None,
            duration=self._connection.duration,
            time_base=str(stream.time_base),
            codec=stream.codec_context.name,
            rotation=to_rgb.turn.clockwise,
        )


def without_burst(pictures: Iterator[Picture]) -> Iterator[Picture]:
    """Leave out what a server sends at once when it is asked: old pictures, which come faster than they were taken.

    The first goes too, since nothing tells whether it is one of them; after BURST_S whatever comes is taken.
    """
    began = math.inf
    for before, picture in pairwise(pictures):
        began = min(began, before.captured)
        steady = picture.captured - before.captured > (picture.time - before.time) / 2
        if steady or picture.captured - began > BURST_S:
            yield picture
            break
    yield from pictures


class Timeline:
    """Times from the first picture on, over any number of connections: the gap between two is as long as it was."""

    def __init__(self) -> None:
        self.captured = 0.0
        """When the newest picture was captured (monotonic, seconds)."""
        self._time = 0.0
        self._offset: float | None = None
        self._empty = True

    def join(self) -> None:
        """What follows comes from a new connection, with a clock of its own."""
        self._offset = None

    def place(self, stamp: float, captured: float) -> float:
        """The time of a picture with a timestamp (seconds) of its connection."""
        if self._offset is None:
            gap = 0.0 if self._empty else captured - self.captured
            self._offset = self._time + gap - stamp
        self._time, self.captured, self._empty = self._offset + stamp, captured, False
        return self._time


def _made_elsewhere(make: Callable[[], Made]) -> Made:
    """What `make` gives or raises, in a thread of its own: Ctrl-C does not have to wait for it."""
    return next(iter(Ahead((make() for _ in range(1)), depth=1, name="open", join_s=0)))
