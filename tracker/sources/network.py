"""Streams from elsewhere, and the live pipe "-": opened again whenever they break off."""

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

from tracker.ahead import Ahead
from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources.connection import Connection, Lost, Unreachable
from tracker.sources.container import ToRgb, name_of
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport, Tell

Made = TypeVar("Made")
LASTING_S = 10.0
"""A connection that lasted so long was a good one: the waits begin anew."""
BURST_S = 2.0
"""Longest that old pictures are left out after a stream was opened again."""
CALM_S, CALM_PICTURES, FALL_S = 0.25, 6, 0.01
"""Pictures are no longer old once they have come no earlier, by more than FALL_S, for so long and so many."""
RECENT_S, END_S = 10.0, 0.5
"""How long before its end a connection's pictures tell how late they come: the sender's clock is not ours for ever."""


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
        self._news: tuple[str, ...] = ()
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
        for picture, stamp, captured in self._connection.pictures():
            if self._switch.closed:
                return
            at = self._timeline.place(stamp, captured)
            if self._switch.on and at is not None:
                if self._start is None:  # nothing happened in the run before it began
                    self._start, self._news = at, ()
                news, self._news = self._news, ()
                yield Frame(to_rgb(picture), at - self._start, 0, captured, events=news)

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
        self._news += (f"stream back after {away_s:.1f} s",)
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


class Lateness:
    """How late the pictures of a connection come: when they are decoded less their timestamp, seconds.

    What a network, a full buffer and a busy decoder add is never negative, so that the least is the connection's own.
    Where a stream ends, FFmpeg gives at once what it held back (about 0.2 s of MPEG-TS): these pictures do not count.
    """

    def __init__(self) -> None:
        self._pictures: deque[tuple[float, float]] = deque()
        """Capture and lateness of those of the last RECENT_S."""
        self._lowest = math.inf
        self._fell = self._began = 0.0
        """When the lateness last fell by more than FALL_S, and when the first picture came."""
        self._since_fall = 0

    def add(self, stamp: float, captured: float) -> None:
        """Take a picture with a timestamp (seconds) of its connection."""
        late = captured - stamp
        self._began = self._began if self._pictures else captured
        self._pictures.append((captured, late))
        while captured - self._pictures[0][0] > RECENT_S:
            self._pictures.popleft()
        self._since_fall += 1
        if late < self._lowest - FALL_S:
            self._fell, self._since_fall = captured, 0
        self._lowest = min(self._lowest, late)

    @property
    def is_settled(self) -> bool:
        """Whether what comes now is new: a server sends old pictures first, at once or as fast as the network lets."""
        newest = self._pictures[-1][0]
        calm = newest - self._fell >= CALM_S and self._since_fall >= CALM_PICTURES
        return calm or newest - self._began >= BURST_S

    def least(self, without_end: bool = False) -> float:
        """Of the last RECENT_S; without what came in END_S before the end."""
        newest = self._pictures[-1][0]
        early = [late for captured, late in self._pictures if captured < newest - END_S] if without_end else []
        return min(early or [late for _, late in self._pictures])


class Timeline:
    """Times from the first picture on, over any number of connections, each with a clock of its own.

    Two connections are joined by when their pictures come at the earliest, not by single pictures: the first ones of a
    connection are late, by what the server has kept and by the decoder's start, and the last ones are early.
    """

    def __init__(self) -> None:
        self.captured = 0.0
        """When the newest picture was captured (monotonic, seconds)."""
        self._time: float | None = None
        self._late = Lateness()
        self._earlier: Lateness | None = None
        self._offset = 0.0

    def join(self) -> None:
        """What follows comes from a new connection, with a clock of its own."""
        if self._time is not None and self._earlier is None:
            self._earlier = self._late
        self._late = Lateness()

    def place(self, stamp: float, captured: float) -> float | None:
        """The time of a picture with a timestamp (seconds) of its connection; None for an old one that is left out."""
        self._late.add(stamp, captured)
        if self._time is None:
            self._offset = -stamp
        elif self._earlier is not None:
            if not self._late.is_settled:
                return None
            self._offset += self._late.least() - self._earlier.least(without_end=True)
            if self._offset + stamp <= self._time:  # the earlier one had not come to its newest picture
                self._offset = self._time + captured - self.captured - stamp
            self._earlier = None
        self._time, self.captured = self._offset + stamp, captured
        return self._time


def _made_elsewhere(make: Callable[[], Made]) -> Made:
    """What `make` gives or raises, in a thread of its own: Ctrl-C does not have to wait for it."""
    return next(iter(Ahead((make() for _ in range(1)), depth=1, name="open", join_s=0)))
