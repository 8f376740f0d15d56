"""Live sources: a camera, a stream, or a file at its own pace, of which only the newest frame is kept."""

import math
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from threading import Condition, Thread, current_thread
from types import TracebackType
from typing import Protocol

from tracker.addresses import normal
from tracker.config import CaptureOptions
from tracker.errors import SourceError
from tracker.sources import LIVE, URLS
from tracker.sources.switch import Switch
from tracker.types import Frame, SourceInfo, SourceReport, Tell

CAMERA = re.compile(r"camera(?::(.*))?")
JOIN_S = 1.0
"""How long close() waits for a thread that is stuck in a read; it then ends by itself when that read does."""
POLL_S = 0.5


class Feed(Protocol):
    """What gives a live source its frames, in a thread of its own; while its switch is not on, it gives none."""

    @property
    def info(self) -> SourceInfo:
        """Known once the feed is open."""

    def frames(self) -> Iterator[Frame]:
        """Frames as they are captured; ends when the switch is closed. Raises SourceError where there are no more."""

    def report(self) -> SourceReport:
        """What it has to say of itself; complete where its end was reached."""

    def close(self) -> None:
        """Called once, by the thread that reads."""


class LiveSource:
    """The newest frame of a feed, captured by a thread from the opening on; the frames before it are dropped.

    Nothing is kept, and a file does not begin, before the iteration does. A frame's time is in whole milliseconds,
    strictly rising; its index counts the frames that the iteration gave. close() may be called at any time.
    """

    def __init__(self, feed: Feed, switch: Switch) -> None:
        self._feed = feed
        self._switch = switch
        self._news = Condition()
        self._newest: Frame | None = None
        self._error: BaseException | None = None
        self._ended = self._used = self._complete = False
        self._yielded = self._dropped = 0
        self._thread = Thread(target=self._capture, name="capture", daemon=True)
        self._thread.start()

    @property
    def info(self) -> SourceInfo:
        """What the source knows of itself before its first frame."""
        return replace(self._feed.info, time_base="1/1000")

    @property
    def paused(self) -> bool:
        """Whether it stands still by pause()."""
        return self._switch.paused

    def pause(self) -> None:
        """Throw away what a camera or a stream gives, uncounted; a file stands still."""
        self._switch.pause()

    def resume(self) -> None:
        """Go on with the newest frame; a file where it stood."""
        self._switch.resume()

    def report(self) -> SourceReport:
        """What was given and dropped until now; final after the end."""
        report = self._feed.report()
        complete = report.complete and self._complete
        return replace(report, decoded=self._yielded, dropped=self._dropped, complete=complete)

    def close(self) -> None:
        """End, at any time and from any thread: an iteration ends at once, even where a read hangs."""
        self._switch.close()
        with self._news:
            self._news.notify_all()
        if current_thread() is not self._thread:
            self._thread.join(JOIN_S)

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """The newest frame each time, waited for where it was given already; once.

        Raises SourceError where the source was read or closed before, and, after the frames before it, its fault.
        """
        if self._used or self._switch.closed:
            raise SourceError(f"{self.info.uri} was read or closed already; open it again")
        self._used = True
        return self._take()

    def _take(self) -> Iterator[Frame]:
        self._switch.start()
        try:
            while (frame := self._next()) is not None:
                self._yielded += 1
                yield replace(frame, index=self._yielded - 1)
            self._complete = not self._switch.closed
        finally:
            self.close()

    def _next(self) -> Frame | None:
        with self._news:
            while self._newest is None and not (self._ended or self._switch.closed):
                self._news.wait(POLL_S)
            frame, self._newest = self._newest, None
        if self._switch.closed:
            return None
        if frame is None and self._error is not None:
            raise self._error
        return frame

    def _capture(self) -> None:
        error, last, size = None, -math.inf, None
        try:
            with closing(self._feed):
                for frame in self._feed.frames():
                    last = max(round(1000 * frame.time), last + 1)
                    height, width = frame.image.shape[:2]
                    changed = (f"picture size {width}x{height}",) if size not in (None, (height, width)) else ()
                    size = height, width
                    self._put(replace(frame, time=last / 1000, events=frame.events + changed))
        except BaseException as fault:
            error = fault
        with self._news:
            self._ended, self._error = True, error
            self._news.notify_all()

    def _put(self, frame: Frame) -> None:
        with self._news:
            if self._newest is not None:  # it is dropped, but not what happened before it
                self._dropped += 1
                frame = replace(frame, events=self._newest.events + frame.events)
            self._newest = frame
            self._news.notify_all()


def open_live(uri: str, options: CaptureOptions | None = None, tell: Tell | None = None) -> LiveSource:
    """Open a camera (camera:0), a stream (rtsp://, http://, udp://, ...), a file at its pace, or "-" (a live pipe).

    tell is given plain lines on what happens later, from the capturing thread. Raises SourceError with one plain line
    where no frame can be had.
    """
    switch = Switch()
    return LiveSource(_open_feed(normal(str(uri)), options or CaptureOptions(), switch, tell or _say_nothing), switch)


def _open_feed(uri: str, options: CaptureOptions, switch: Switch, tell: Tell) -> Feed:
    if CAMERA.fullmatch(uri):
        from tracker.sources.camera import CameraFeed

        return CameraFeed(uri, options, switch, tell)
    if uri == "-" or uri.startswith(LIVE + URLS):
        from tracker.sources.network import StreamFeed

        stream = StreamFeed(uri, options, switch, tell)
        if uri == "-" or stream.info.duration is None:
            return stream
        stream.close()
    from tracker.sources.paced import PacedFeed

    return PacedFeed(uri, options, switch)


def _say_nothing(_: str) -> None:
    """Nobody wants to hear of it."""
