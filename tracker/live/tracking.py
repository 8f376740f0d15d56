"""The thread of a live run that tracks: every frame goes to the receivers, to the recording, and to the window."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread

from tracker.engine import Engine, track
from tracker.live.baseline import NeutralBaseline
from tracker.live.meter import Meter
from tracker.live.recordings import Recordings
from tracker.outlets import Outlet
from tracker.sources.live import LiveSource
from tracker.types import Event, Tell, TrackedFrame

CUT = "cut"
"""Name of the event that another scene begins."""


class Tracking:
    """Tracks a live source until it ends or stop() is called; what it was asked meanwhile is done between two frames.

    The receivers come first, so that neither the recording nor the window is part of their latency.
    """

    def __init__(
        self,
        source: LiveSource,
        engine: Engine,
        outlets: Sequence[Outlet],
        recordings: Recordings,
        baseline: NeutralBaseline,
        tell: Tell,
    ) -> None:
        self.newest: TrackedFrame | None = None
        """The newest tracked frame."""
        self.meter = Meter()
        self.with_faces = 0
        self.error: Exception | None = None
        """What ended the run, where that was an error."""
        self._source = source
        self._engine = engine
        self._outlets = outlets
        self._recordings = recordings
        self._baseline = baseline
        self._tell = tell
        self._asked: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._ended = Flag()
        self._thread = Thread(target=self._run, name="tracking", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ask(self, action: Callable[[], None]) -> None:
        """Have the thread do something before the next frame."""
        self._asked.put(action)

    def mark(self, name: str) -> None:
        """Note an event at the newest frame; before the first frame there is nothing to note it at."""
        if self.newest is not None:
            event = Event(self.newest.frame.time, self.newest.frame.index, name)
            self.ask(lambda: self._mark(event))

    def wait(self, seconds: float) -> bool:
        """Whether the run has ended, after waiting so long for it."""
        return self._ended.wait(seconds)

    @property
    def ended(self) -> bool:
        """Whether the run has ended."""
        return self._ended.is_set()

    def stop(self) -> None:
        """End the run, the recording too, and wait until that is done."""
        self._source.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            for tracked in track(self._source, self._engine, ahead=1):
                self._pass_on(tracked)
        except Exception as error:
            self.error = error
        self._end()

    def _pass_on(self, tracked: TrackedFrame) -> None:
        try:
            self._hand_out(tracked)
        except Exception:
            self._source.close()  # the thread that finds faces may wait for a frame of it
            raise

    def _hand_out(self, tracked: TrackedFrame) -> None:
        self.meter.note(tracked.frame.captured)
        tracked = self._compare(tracked)
        for outlet in self._outlets:
            outlet.send(tracked)
        self._do_what_was_asked()
        self._recordings.write(tracked)
        for name in tracked.frame.events:
            self._mark(Event(tracked.frame.time, tracked.frame.index, name))
        if tracked.cut:
            self._mark(Event(tracked.frame.time, tracked.frame.index, CUT))
        self.with_faces += bool(tracked.faces)
        self.newest = tracked

    def _compare(self, tracked: TrackedFrame) -> TrackedFrame:
        """The frame beside its faces' neutral baselines; tells of one that has just been taken."""
        taking = self._baseline.progress is not None
        tracked = self._baseline.update(tracked)
        if taking and self._baseline.progress is None:
            self._tell(self._baseline.outcome)
            if self._engine.codes:
                self._engine.codes.take_relaxed(self._baseline.relaxed)
        return tracked

    def _end(self) -> None:
        try:
            self._do_what_was_asked()
        except Exception as error:
            self.error = self.error or error
        self._recordings.end(self.error, self._source.report())
        self._ended.set()

    def _do_what_was_asked(self) -> None:
        with suppress(Empty):
            while True:
                self._asked.get_nowait()()

    def _mark(self, event: Event) -> None:
        self._recordings.mark(event)
        for outlet in self._outlets:
            outlet.mark(event)
