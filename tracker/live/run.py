"""A live run and what can be asked of it while it goes on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracker.config import LiveConfig
from tracker.engine import Engine
from tracker.errors import AffectError, SinkError
from tracker.faults import plain_line
from tracker.live.baseline import NeutralBaseline
from tracker.live.meter import Speed
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
    speed: Speed
    takes: tuple[TakeOutcome, ...]
    outlets: tuple[OutletState, ...]
    error: Exception | None = None
    """What ended the run, where that was an error."""
    latency_from: str = "capture"
    """Where the latency begins: a stream's at "decoding"."""


class Live:
    """One live run: its source, its engine, and everything that its frames go to."""

    def __init__(
        self, config: LiveConfig, source: LiveSource, engine: Engine, outlets: Sequence[Outlet], notices: Notices
    ) -> None:
        self.config = config
        self.notices = notices
        self._source = source
        self._uri = source.info.uri
        self._latency_from = "decoding" if source.info.kind == "stream" else "capture"
        self._engine = engine
        self._outlets = outlets
        self._baseline = NeutralBaseline(config.baseline_s, config.tracker.faces)
        self._recordings = Recordings(config, source.info, engine.meta(), notices.tell)
        self._markers = 0
        self.tracking = Tracking(source, engine, outlets, self._recordings, self._baseline, notices.tell)

    def start(self) -> None:
        """Begin, and record from the first frame on where that is asked for. Raises SinkError."""
        if self.config.record:
            self._recordings.begin()
        self.tracking.start()

    def toggle_pause(self) -> None:
        """Stop tracking for a while, or go on."""
        if self._source.paused:
            self._source.resume()
        else:
            self._source.pause()

    def toggle_recording(self) -> None:
        """Begin a recording with the next frame, or end the one that goes on."""
        self._ask(self._toggle_recording)

    def take_baseline(self) -> None:
        """Take the neutral baseline of the faces in view from now on."""
        self.tracking.mark("neutral baseline")
        self._ask(self._baseline.start)

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

    def check_receivers(self) -> bool:
        """Whether somebody hears of a run without a window, or nobody was ever to; the report's error says who left."""
        faults = [fault for outlet in self._outlets if (fault := outlet.state().fault)]
        faults += [problem for take in self._recordings.done for problem in take.problems]
        if not faults or self._recordings.active or any(not outlet.state().fault for outlet in self._outlets):
            return True
        self.tracking.error = AffectError(f"nothing is left that hears of the run: {'; '.join(faults)}")
        return False

    def status(self, help: bool = False) -> LiveStatus:
        """How the run goes just now."""
        speed = self.tracking.meter.recent()
        return LiveStatus(
            source=self._uri,
            model=self._engine.runtime.card.name,
            fps=speed.fps,
            latency_p50_ms=speed.p50_ms,
            latency_p95_ms=speed.p95_ms,
            dropped=self._source.report().dropped,
            latency_from=self._latency_from,
            recorded_s=self._recordings.seconds,
            baseline=self._baseline.progress,
            paused=self._source.paused,
            help=help,
            notice=self.notices.current,
            outlets=tuple(str(outlet.state()) for outlet in self._outlets),
        )

    def report(self) -> LiveReport:
        """How the run went, once it has ended."""
        tracking = self.tracking
        return LiveReport(
            uri=self._uri,
            frames=tracking.meter.frames,
            with_faces=tracking.with_faces,
            dropped=self._source.report().dropped,
            speed=tracking.meter.whole(),
            takes=tuple(self._recordings.done),
            outlets=tuple(outlet.state() for outlet in self._outlets),
            error=tracking.error,
            latency_from=self._latency_from,
        )

    def _ask(self, action: Callable[[], None]) -> None:
        """Have it done with the next frame."""
        self.tracking.ask(action)
        if self._source.paused:
            self.notices.tell("paused: that is done with the next frame")

    def _toggle_recording(self) -> None:
        report = self._source.report()
        if self._recordings.active:
            self._recordings.end(report=report)
            self.notices.tell(str(self._recordings.done[-1]))
            return
        try:
            self._recordings.begin(report.dropped)
        except SinkError as error:
            self.notices.tell(plain_line(error))
