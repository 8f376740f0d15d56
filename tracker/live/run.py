"""A live run and what can be asked of it while it goes on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tracker.config import LiveConfig
from tracker.engine import Engine
from tracker.errors import AffectError
from tracker.live.baseline import NeutralBaseline
from tracker.live.meter import Pace
from tracker.live.notices import Notices
from tracker.live.recordings import Recordings
from tracker.live.takes import TakeOutcome
from tracker.live.tracking import Tracking
from tracker.outlets import Outlet, OutletState
from tracker.sources.live import LiveSource
from tracker.types import LiveStatus


@dataclass(frozen=True)
class LiveReport:
    """How a live run went."""

    uri: str
    frames: int
    with_faces: int
    dropped: int
    """Frames that were never tracked, since a newer one was there."""
    pace: Pace
    takes: tuple[TakeOutcome, ...]
    outlets: tuple[OutletState, ...]
    error: Exception | None = None
    """What ended the run, where that was an error."""


class Live:
    """One live run: its source, its engine, and everything that its frames go to."""

    def __init__(
        self, config: LiveConfig, source: LiveSource, engine: Engine, outlets: Sequence[Outlet], notices: Notices
    ) -> None:
        self.config = config
        self.notices = notices
        self._source = source
        self._uri = source.info.uri
        self._engine = engine
        self._outlets = outlets
        self._baseline = NeutralBaseline(config.baseline_s, config.tracker.faces)
        self._recordings = Recordings(config, source.info, engine.meta(), notices.tell)
        self._markers = 0
        self.tracking = Tracking(source, engine, outlets, self._recordings, self._baseline, notices.tell)
        if config.record:
            self._recordings.begin()

    def toggle_pause(self) -> None:
        """Stop tracking for a while, or go on."""
        if self._source.paused:
            self._source.resume()
        else:
            self._source.pause()

    def toggle_recording(self) -> None:
        """Begin a recording with the next frame, or end the one that goes on."""
        self.tracking.ask(self._toggle_recording)

    def take_baseline(self) -> None:
        """Take the neutral baseline of the faces in view from now on."""
        self.tracking.mark("neutral baseline")
        self.tracking.ask(self._baseline.start)

    def mark(self) -> None:
        """Note the next marker at the newest frame."""
        self._markers += 1
        self.tracking.mark(f"marker {self._markers}")
        self.notices.tell(f"marker {self._markers}")

    @property
    def is_over(self) -> bool:
        """Whether its time is over, or it has ended by itself."""
        began, duration = self.tracking.meter.first, self.config.duration
        return self.tracking.ended or (duration is not None and time.monotonic() - began >= duration)

    def check_receivers(self) -> None:
        """Raise AffectError where nobody is left to hear of a run without a window."""
        faults = [fault for outlet in self._outlets if (fault := outlet.state().fault)]
        if self._outlets and len(faults) == len(self._outlets) and not self._recordings.active:
            raise AffectError(f"nothing is left that hears of the run: {'; '.join(faults)}")

    def status(self, help: bool = False) -> LiveStatus:
        """How the run goes just now."""
        pace, newest = self.tracking.meter.recent(), self.tracking.newest
        return LiveStatus(
            source=self._uri,
            model=self._engine.runtime.card.name,
            fps=pace.fps,
            latency_p50_ms=pace.p50_ms,
            latency_p95_ms=pace.p95_ms,
            dropped=self._source.report().dropped,
            recorded_s=self._recordings.seconds,
            baseline=self._baseline.progress,
            has_baseline=newest is not None and any(self._baseline.has(s.track_id) for s in newest.samples),
            paused=self._source.paused,
            help=help,
            notice=self.notices.current,
            outlets=tuple(str(outlet.state()) for outlet in self._outlets),
        )

    def _toggle_recording(self) -> None:
        report = self._source.report()
        if self._recordings.active:
            self._recordings.end(report=report)
        else:
            self._recordings.begin(report.dropped)

    def report(self) -> LiveReport:
        """How the run went, once it has ended."""
        tracking = self.tracking
        return LiveReport(
            uri=self._uri,
            frames=tracking.meter.frames,
            with_faces=tracking.with_faces,
            dropped=self._source.report().dropped,
            pace=tracking.meter.whole(),
            takes=tuple(self._recordings.done),
            outlets=tuple(outlet.state() for outlet in self._outlets),
            error=tracking.error,
        )
