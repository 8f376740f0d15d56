"""Outlets: where a live run goes while it goes on. None of them can delay the tracker, whatever its receiver does."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from threading import Event as Flag
from threading import Thread

import numpy as np

from tracker.config import TrackerConfig, default_of
from tracker.errors import SinkError
from tracker.outlets.mailbox import Mailbox
from tracker.sinks import Columns, Extra
from tracker.types import Event, Tell, TrackedFrame
from tracker.words import counted

GRACE_S, LAST_S = 0.8, 0.2
"""What close() gives a receiver to take the rest, and then the outlet's thread to break off."""


@dataclass(frozen=True)
class OutletContext:
    """What an outlet may tell of the run."""

    source: str
    """Its address, without a password."""
    model: str
    """Its name."""
    sha256: str
    """Of the model's weights."""
    faces: int = default_of(TrackerConfig, "faces")
    """Largest number of faces followed at once."""
    max_gap_s: float = default_of(TrackerConfig, "max_gap_s")
    """For so long a face that is away keeps its id."""
    columns: Columns = "affect"
    """Whose names the JSON lines on standard output bear."""
    extras: tuple[Extra, ...] = ("relative",)
    """Further fields: see tracker.sinks.records.EXTRAS; attention stands in the lines on standard output alone."""
    readings: tuple[str, ...] = ()
    """Names of further fields of these lines: see Engine.reading_names."""


@dataclass(frozen=True)
class OutletState:
    """How an outlet fares; as text one short line, such as "ws 127.0.0.1:8765, 2 clients, 3 lost"."""

    name: str
    sent: int
    """Frames and events that went out; with clients, the sum over these."""
    lost: int
    """Those that did not: a newer one took their place, or sending failed."""
    clients: int | None = None
    """Connected now; None where that cannot be known."""
    fault: str = ""
    """Why it has ended before the run; empty while it works."""

    def __str__(self) -> str:
        clients = "" if self.clients is None else f", {counted(self.clients, 'client')}"
        return f"{self.name}{clients}" + (f", {self.lost} lost" if self.lost else "")


class Outlet(ABC):
    """Takes tracked frames and events at once, and hands them on in a thread of its own.

    Where its receiver is slow, the oldest frames go; events have room of their own. An error of a hand-over loses that
    item, a SinkError everything after it too; each is counted, and told the first time.
    """

    ROOM = 64
    """Frames, and events, that may wait."""

    def __init__(self, name: str, tell: Tell | None = None) -> None:
        """Start the thread: what a hand-over needs must be there already."""
        self.name = name
        """Kind and address: "osc 127.0.0.1:9000"."""
        self._tell = tell or (lambda line: None)
        self._mailbox: Mailbox[TrackedFrame | Event] = Mailbox(self.ROOM)
        self._giving_up = Flag()
        self._sent = self._failed = 0
        self._fault = ""
        self._has_told = False
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def send(self, tracked: TrackedFrame) -> None:
        """Take one tracked frame; never blocks, never raises."""
        self._mailbox.put(without_picture(tracked))

    def mark(self, event: Event) -> None:
        """Take one event; never blocks, never raises."""
        self._mailbox.put(event, keep=True)

    def state(self) -> OutletState:
        """How it fares just now."""
        return OutletState(self.name, self._sent, self._mailbox.lost + self._failed, None, self._fault)

    def close(self) -> None:
        """Hand on what is left and end, within about a second whatever the receiver does; harmless when repeated."""
        self._mailbox.close()
        self._thread.join(GRACE_S)
        self._giving_up.set()
        self._mailbox.close(discard=True)
        self._thread.join(LAST_S)

    @abstractmethod
    def _hand_frame(self, tracked: TrackedFrame) -> None:
        """Hand on one frame, its picture without pixels; raises what it will, SinkError where nothing more can go."""

    @abstractmethod
    def _hand_event(self, event: Event) -> None:
        """Hand on one event; raises likewise."""

    def _release(self) -> None:  # noqa: B027
        """Give back what is open, at the end of the thread; most have nothing."""

    def _run(self) -> None:
        while (item := self._mailbox.take()) is not None:
            self._hand_on(item)
        self._release()

    def _hand_on(self, item: TrackedFrame | Event) -> None:
        try:
            if isinstance(item, Event):
                self._hand_event(item)
            else:
                self._hand_frame(item)
            self._sent += 1
        except SinkError as error:
            self._end(f"{self.name}: {error}")
        except Exception as error:
            self._miss(error)

    def _take_back(self, count: int, error: Exception) -> None:
        """Count as lost what was taken for sent, as is known only now."""
        count = min(count, self._sent)
        self._sent -= count
        self._failed += count
        self._tell_of(error)

    def _end(self, fault: str) -> None:
        self._failed += 1
        self._fault = fault
        self._mailbox.close(discard=True)
        self._tell(fault)

    def _miss(self, error: Exception) -> None:
        self._failed += 1
        self._tell_of(error)

    def _tell_of(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True
            self._tell(f"{self.name}: {in_words(error)}; the run goes on, what fails is counted as lost")


def without_picture(tracked: TrackedFrame) -> TrackedFrame:
    """The same with a picture of the same shape that holds no pixels, so that frames may wait at no cost."""
    blank = np.broadcast_to(np.uint8(0), tracked.frame.image.shape)
    return replace(tracked, frame=replace(tracked.frame, image=blank))


def in_words(error: Exception) -> str:
    """One plain line for an error: the operating system's own words, or its kind and text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.partition(" (")[0].lower()
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    return " ".join(f"{type(error).__name__}: {error}".split())
