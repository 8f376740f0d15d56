"""A camera, a stream or a file at its own pace, tracked in the background."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from affect.choices import live_config
from tracker.config import LiveConfig
from tracker.live import Live, LiveReport, opened
from tracker.types import AffectSample, TrackedFrame

KEPT = 100_000
"""Samples that wait for samples(); the oldest go."""
LOOK_S = 0.05
"""Between two looks whether the run is over."""


def live(source: int | str = 0, callback: Callable[[TrackedFrame], Any] | None = None, **keywords: Any) -> "LiveRun":
    """Begin to track a live source, and return at once.

    source: a camera by its number, "camera:1", rtsp://..., or a file, which is played at its own pace. callback is
    called with the newest tracked frame by a thread of its own; a slow one misses frames. Keywords are those of `affect
    live`: duration (seconds), record=True and out (its folder), ws, osc, lsl, width, height, and those of the model.
    Raises AffectError for what cannot be opened.
    """
    uri = f"camera:{source}" if isinstance(source, int) else str(source)
    return LiveRun(uri, live_config("live", keywords), callback)


class LiveRun:
    """A run that goes on in the background until stop(), the source's end, or its duration; a context manager."""

    def __init__(self, uri: str, config: LiveConfig, callback: Callable[[TrackedFrame], Any] | None) -> None:
        self._uri = uri
        self._lock, self._samples = Lock(), deque[AffectSample](maxlen=KEPT)
        self._stack = ExitStack()
        callbacks = [self._keep, *([callback] if callback else [])]
        self._live: Live = self._stack.enter_context(opened(uri, config, callbacks))
        self._live.start()
        self._ended = False
        self._watch = Thread(target=self._wait_for_end, name="affect.live", daemon=True)
        self._watch.start()

    def samples(self) -> list[AffectSample]:
        """What came since the last call, oldest first."""
        with self._lock:
            taken = list(self._samples)
            self._samples.clear()
        return taken

    @property
    def newest(self) -> TrackedFrame | None:
        """The newest tracked frame with its picture; None before the first."""
        return self._live.tracking.newest

    @property
    def running(self) -> bool:
        """Whether it still goes on."""
        return self._watch.is_alive()

    def mark(self) -> None:
        """Note a marker at the newest frame, for a recording."""
        self._live.mark()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended by itself, at most so long; whether it has."""
        self._watch.join(seconds)
        return not self.running

    def stop(self) -> LiveReport:
        """End the run, complete its recording and free the source; raises the error that ended it early."""
        self._ended = True
        self._watch.join()
        report = self._live.report()
        if report.error is not None:
            raise report.error
        return report

    def _wait_for_end(self) -> None:
        while not (self._ended or self._live.is_over):
            self._live.tracking.wait(LOOK_S)
        self._live.tracking.stop()
        self._stack.close()

    def _keep(self, tracked: TrackedFrame) -> None:
        with self._lock:
            self._samples.extend(tracked.samples)

    def __repr__(self) -> str:
        state = "running" if self.running else "ended"
        return f"<affect.LiveRun of {self._uri}, {state}, {self._live.tracking.meter.frames} frames>"

    def __enter__(self) -> "LiveRun":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._watch.join()
