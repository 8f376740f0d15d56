"""Tracks one source after another in this process, and writes the outputs and the sheet of each."""

import sys
import time
import traceback
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

import tracker
from tracker.config import BatchConfig
from tracker.engine import Engine, track
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.interrupt import Interrupt
from tracker.outputs import Job, settings
from tracker.sinks import Sink, SinkContext, open_sink, part_path, write_meta
from tracker.sources import Source, open_source
from tracker.types import SourceInfo, SourceReport, TrackedFrame

State = Literal["done", "skipped", "truncated", "failed", "interrupted"]

BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"
BAR_WITHOUT_TOTAL = "{desc} {n_fmt} frames, {rate_noinv_fmt}, {elapsed}"
LOG_INTERVAL_S = 10.0
"""Seconds between two lines of progress where standard error is not a terminal."""


@dataclass(frozen=True)
class Outcome:
    """How the run over one source ended."""

    uri: str
    state: State
    detail: str = ""
    """What went wrong, or is worth knowing."""
    output: str = ""
    """Folder and beginning of the outputs' names."""
    files: tuple[str, ...] = ()
    """What was written, under temporary names where the run broke off."""
    rows: int = 0
    seconds: float = 0.0


@dataclass
class Tally:
    """What the run over one source has seen so far."""

    engine: dict[str, Any] = field(default_factory=dict)
    """What the engine says of itself."""
    started: float = field(default_factory=time.monotonic)
    info: SourceInfo | None = None
    report: SourceReport | None = None
    frames: int = 0
    with_faces: int = 0
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    """Why the run broke off."""

    def count(self, tracked: TrackedFrame) -> None:
        """Note one frame and its rows."""
        self.frames += 1
        self.with_faces += bool(tracked.faces)
        self.rows += max(1, len(tracked.samples))

    @property
    def complete(self) -> bool:
        """Whether the source was read to its end and all was written."""
        return not self.problems and self.report is not None and self.report.complete

    @property
    def warnings(self) -> list[str]:
        """Why the run broke off, and what the source has to say."""
        return self.problems + list(self.report.warnings if self.report else ())

    @property
    def seconds(self) -> float:
        """Seconds taken so far."""
        return round(time.monotonic() - self.started, 3)


class Recorder:
    """One engine that tracks job after job; close() frees it."""

    def __init__(self, config: BatchConfig, interrupt: Interrupt, position: int | None = None) -> None:
        self.config = config
        self.interrupt = interrupt
        self.position = position
        """Line of the progress bar among those of other processes; None where there are none."""

    @cached_property
    def engine(self) -> Engine:
        """Loaded when it is first needed."""
        return Engine(self.config.model, self.config.tracker)

    def close(self) -> None:
        """Free the engine if it was loaded."""
        if "engine" in vars(self):
            self.engine.close()

    def attempt(self, job: Job) -> Outcome:
        """Track one source; the outcome and the sheet tell whatever goes wrong."""
        if self.interrupt.flag.is_set():
            return Outcome(job.uri, "interrupted", "not started")
        tally = Tally()
        try:
            tally.engine = self.engine.meta()
            tally.started = time.monotonic()
            self._record(job, tally)
            write_meta(job.sheet, self._sheet(job, tally))
        except KeyboardInterrupt:
            return self._broken_off(job, tally, "interrupted", "interrupted")
        except Exception as error:
            if self.config.debug:
                traceback.print_exc()
            return self._broken_off(job, tally, self._why(), plain_line(error))
        files = map(str, job.outputs(self.config.output).values())
        return outcome_of(job, tally, "done" if tally.complete else "truncated", files)

    def _why(self) -> State:
        """What an error means: Ctrl-C where a library made an error of it, else a failure."""
        return "interrupted" if self.interrupt.flag.is_set() else "failed"

    def _record(self, job: Job, tally: Tally) -> None:
        with open_source(job.uri, self.config.source) as source:
            tally.info = source.info
            try:
                self._fill_sinks(job, tally, source)
            finally:
                tally.report = source.report()

    def _fill_sinks(self, job: Job, tally: Tally, source: Source) -> None:
        with self._bar(job.uri, source.info) as bar, ExitStack() as stack:
            sinks = self._open_sinks(job, tally, source.info, stack)
            for tracked in track(source, self.engine):
                self.interrupt.check()
                with self.interrupt.held():
                    _write(sinks, tracked)
                    tally.count(tracked)
                bar.update()

    def _open_sinks(self, job: Job, tally: Tally, info: SourceInfo, stack: ExitStack) -> list[Sink]:
        output = self.config.output
        context = SinkContext(
            info=info,
            source_uri=job.uri,
            columns=output.columns,
            blur_faces=output.blur_faces,
            start=self.config.source.start or 0.0,
            model=tally.engine["model"]["name"],
            window_rate_hz=tally.engine["window_rate_hz"],
            attention=output.attention,
        )
        return [stack.enter_context(open_sink(kind, path, context)) for kind, path in job.outputs(output).items()]

    def _bar(self, uri: str, info: SourceInfo) -> tqdm:
        return tqdm(
            desc=Path(uri).name,
            total=info.frames,
            unit=" frames",
            bar_format=BAR if info.frames else BAR_WITHOUT_TOTAL,
            mininterval=0.1 if sys.stderr.isatty() else LOG_INTERVAL_S,
            position=self.position,
            leave=self.position is None,
            dynamic_ncols=True,
        )

    def _broken_off(self, job: Job, tally: Tally, state: State, problem: str) -> Outcome:
        tally.problems.append(problem)
        with suppress(SinkError):
            write_meta(job.sheet, self._sheet(job, tally))
        parts = [part_path(Path(path)) for path in job.outputs(self.config.output).values()]
        return outcome_of(job, tally, state, [str(part) for part in parts if part.exists()])

    def _sheet(self, job: Job, tally: Tally) -> dict[str, Any]:
        report = tally.report
        return {
            "version": tracker.__version__,
            "complete": tally.complete,
            "source": job.source | (asdict(tally.info) if tally.info else {"uri": job.uri}),
            **tally.engine,
            "options": settings(self.config),
            "decoded": report.decoded if report else tally.frames,
            "repaired": report.repaired if report else 0,
            "with_faces": tally.with_faces,
            "rows": tally.rows,
            "seconds": tally.seconds,
            "outputs": {kind: _beside(path, job) for kind, path in job.outputs(self.config.output).items()},
            "warnings": tally.warnings,
        }


def _write(sinks: list[Sink], tracked: TrackedFrame) -> None:
    for sink in sinks:
        sink.write(tracked)


def _beside(path: Path | str, job: Job) -> str:
    """A path as the sheet names it: by its name alone where it lies beside the sheet."""
    return Path(path).name if Path(path).parent == job.folder else str(path)


def outcome_of(job: Job, tally: Tally, state: State, files: Iterable[str]) -> Outcome:
    """The outcome of a job that was begun."""
    detail = "; ".join(tally.warnings)
    return Outcome(job.uri, state, detail, str(job.folder / job.stem), tuple(files), tally.rows, tally.seconds)
