"""The recordings of a live run, one after another."""

from collections.abc import Callable
from typing import Any

from tracker.config import LiveConfig
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.live.takes import Take, TakeOutcome
from tracker.types import Event, SourceInfo, SourceReport, Tell, TrackedFrame


class Recordings:
    """Begins and ends takes when asked; a disk that fails ends a take, never the run. For the tracking thread alone."""

    def __init__(self, config: LiveConfig, info: SourceInfo, engine: dict[str, Any], tell: Tell) -> None:
        self.done: list[TakeOutcome] = []
        """What was recorded until now."""
        self.seconds: float | None = None
        """Length of the take that is being recorded; None where none is."""
        self._settings = config, info, engine
        self._tell = tell
        self._take: Take | None = None

    def begin(self, dropped: int = 0) -> None:
        """Begin a take with the next frame; so many frames were dropped until now. Raises SinkError."""
        self._take = Take(*self._settings, dropped)
        self.seconds = 0.0

    def write(self, tracked: TrackedFrame) -> None:
        """Add a frame to the take, if one is being recorded."""
        if self._take is not None:
            self._attempt(self._take.write, tracked)
            self.seconds = self._take.seconds if self._take else None

    def mark(self, event: Event) -> None:
        """Add an event to the take, if one is being recorded."""
        if self._take is not None:
            self._attempt(self._take.mark, event)

    def end(self, error: Exception | None = None, report: SourceReport | None = None) -> None:
        """Complete the take, if one is being recorded; error is what ended it."""
        if self._take is not None:
            take, self._take, self.seconds = self._take, None, None
            self.done.append(take.finish(plain_line(error) if error else None, report))

    @property
    def active(self) -> bool:
        """Whether a take is being recorded."""
        return self._take is not None

    def _attempt(self, write: Callable[[Any], None], item: TrackedFrame | Event) -> None:
        try:
            write(item)
        except SinkError as error:
            self._tell(f"{plain_line(error)}; the recording has ended, the run goes on")
            self.end(error)
