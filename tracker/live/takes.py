"""Takes: recordings of a live run. Whatever ends one, its files are whole and its sheet says how it went."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tracker.config import LiveConfig
from tracker.errors import SinkError, UsageError
from tracker.faults import plain_line
from tracker.live.takefiles import TakeFiles, take_paths
from tracker.outputs import STDOUT, Sheet, claim_take, is_folder, release
from tracker.sheets import Tally, sheet_of
from tracker.sinks import Extra, SinkContext, write_meta
from tracker.sinks.records import columns_of, first_frame
from tracker.types import Event, Frame, SourceInfo, SourceReport, Told, TrackedFrame
from tracker.words import counted


@dataclass(frozen=True)
class TakeOutcome:
    """What became of a take; its text is one line."""

    name: str
    """Folder and beginning of the files' names."""
    files: tuple[str, ...] = ()
    """None where no frame came."""
    frames: int = 0
    rows: int = 0
    seconds: float = 0.0
    """From the first frame to the last."""
    problems: tuple[str, ...] = ()
    """What ended it early, or could not be written."""

    def __str__(self) -> str:
        why = f" ({'; '.join(self.problems)})" if self.problems else ""
        if not self.files:
            return f"recording {self.name}: no frame came, so nothing is kept{why}"
        count = f"{counted(self.frames, 'frame')}, {counted(self.rows, 'row')}, {self.seconds:.1f} s"
        return f"recording {self.name}: {count}: {', '.join(self.files)}{why}"


@dataclass(frozen=True)
class Zero:
    """The first frame of a take, from which its own clock counts."""

    time: float
    index: int
    wall: datetime
    """When it was captured."""

    def seconds(self, time: float) -> float:
        """A time of the run on the take's clock, as Matroska keeps it: whole milliseconds, not below 0."""
        return max(0, round((time - self.time) * 1000)) / 1000

    def frame(self, tracked: TrackedFrame) -> TrackedFrame:
        """A frame of the run as the take counts it."""
        seconds, index = self.seconds(tracked.frame.time), tracked.frame.index - self.index
        samples = tuple(replace(sample, time=seconds) for sample in tracked.samples)
        return replace(tracked, frame=replace(tracked.frame, time=seconds, index=index), samples=samples)

    def event(self, event: Event) -> Event:
        """An event of the run as the take counts it; one from before its first frame falls on that."""
        return Event(self.seconds(event.time), max(0, event.index - self.index), event.name)


class Take:
    """One recording of a live run, for one thread; the frames' times must rise and their indices have no gap.

    engine is Engine.meta(); dropped is how many frames the source had dropped before. The outputs are those of
    `affect track`, with the columns of RELATIVE, the events, and the video itself.
    Raises UsageError for choices that cannot be had together, SinkError for a folder that cannot be written.
    """

    def __init__(self, config: LiveConfig, info: SourceInfo, engine: dict[str, Any], dropped: int = 0) -> None:
        check_takes(config)
        self._config = config
        self._dropped = dropped
        self._tally = Tally(engine, info=info)
        self._job = claim_take(info.uri, Path(config.output.folder), f"live-{datetime.now():%Y%m%d-%H%M%S}")
        self._zero: Zero | None = None
        self._events: list[Event] = []
        """On the take's clock; before the first frame, on the run's."""
        try:
            context = self._context(info)
            self._tally.columns = columns_of(context)
            self._files = TakeFiles(take_paths(self._job, config), context)
        except BaseException:
            release(self._job)
            raise
        self.seconds = 0.0
        """From the first frame to the newest."""

    @property
    def name(self) -> str:
        """Folder and beginning of the files' names."""
        return str(self._job.folder / self._job.stem)

    def write(self, tracked: TrackedFrame) -> None:
        """Add a frame of the run. Raises SinkError where a file cannot be written; finish() keeps what there is."""
        own = (self._zero or self._begin(tracked.frame)).frame(tracked)
        self._files.write(own)
        self._tally.count(own)
        self.seconds = own.frame.time

    def mark(self, event: Event) -> None:
        """Add an event of the run. Raises SinkError."""
        if self._zero is None:
            self._events.append(event)
        else:
            self._note(self._zero.event(event))

    def finish(self, problem: str | None = None, report: SourceReport | None = None) -> TakeOutcome:
        """Complete the files and write the sheet; problem is what ended the take early. Never raises.

        report is the source's, now. A file that cannot be completed keeps what was written of it; a take without a
        frame leaves nothing.
        """
        if problem:
            self._blame(problem)
        if self._zero is None:
            self._files.discard()
            release(self._job)
            return TakeOutcome(self.name, problems=tuple(self._tally.problems))
        with suppress(SinkError):  # settle() tells of it
            self._note(Event(self.seconds, max(0, self._tally.frames - 1), "end"))
        self._blame(*self._files.settle())
        self._write_sheet(self._zero, report)
        return self._outcome()

    def _context(self, info: SourceInfo) -> SinkContext:
        """The take's name stands for its source: it is the plot's title, and there is no sound to be copied."""
        output, engine = self._config.output, self._tally.engine
        return SinkContext(
            info=info,
            source_uri=self._job.stem,
            columns=output.columns,
            blur_faces=output.blur_faces,
            model=engine["model"]["name"],
            window_rate_hz=engine["window_rate_hz"],
            extras=live_extras(self._config, engine["told"]),
            readings=tuple(engine["readings"]),
        )

    def _begin(self, frame: Frame) -> Zero:
        ago = 0.0 if frame.captured is None else time.monotonic() - frame.captured
        zero = self._zero = Zero(frame.time, frame.index, datetime.now().astimezone() - timedelta(seconds=ago))
        early, self._events = self._events, []
        for event in (Event(frame.time, frame.index, "start"), *early):
            self._note(zero.event(event))
        return zero

    def _note(self, event: Event) -> None:
        self._events.append(event)
        self._files.mark(event)

    def _blame(self, *problems: str) -> None:
        self._tally.problems += [problem for problem in problems if problem not in self._tally.problems]

    def _write_sheet(self, zero: Zero, report: SourceReport | None) -> None:
        warnings = report.warnings if report else ()
        self._tally.report = SourceReport(self._tally.frames, 0, warnings, complete=True)
        sheet = sheet_of(self._job, self._tally, self._config, self._files.kept)
        try:
            write_meta(self._job.sheet, sheet | {"recording": self._recording(zero, report)})
        except SinkError as error:
            self._blame(plain_line(error))

    def _recording(self, zero: Zero, report: SourceReport | None) -> Sheet:
        """What the sheet says of a take alone."""
        first = first_frame(self._config.output.columns)
        events = [{"frame": e.index + first, "timestamp": e.time, "event": e.name} for e in self._events]
        return {
            "began": zero.wall.isoformat(timespec="milliseconds"),
            "run_time": zero.time,
            "length": self.seconds,
            "dropped": report.dropped - self._dropped if report else None,
            "events": events,
        }

    def _outcome(self) -> TakeOutcome:
        tally, files = self._tally, tuple(map(str, self._files.kept.values()))
        return TakeOutcome(self.name, files, tally.frames, tally.rows, self.seconds, tuple(tally.problems))


def live_extras(config: LiveConfig, told: Iterable[Told]) -> tuple[Extra, ...]:
    """The further columns of a live run's records: Engine.told stands behind all the others."""
    return (*(("attention",) if config.output.attention else ()), "relative", *told)


def check_takes(config: LiveConfig) -> None:
    """Raise UsageError unless recordings can be made with these choices together."""
    jsonl = config.output.jsonl
    if config.lossless and config.output.blur_faces:
        raise UsageError(
            "--record-lossless keeps every face as it was captured, --blur-faces hides it; leave out one of the two"
        )
    if config.lossless and not config.picture:
        raise UsageError("--record-lossless asks for a video, --no-record-video for none; leave out one of the two")
    if jsonl is not None and jsonl != STDOUT and not is_folder(jsonl):
        raise UsageError(f"--jsonl {jsonl} is one file for any number of recordings; give a folder ({jsonl}/) or -")
