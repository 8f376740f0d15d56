"""Tracks one source after another in this process, and writes the outputs and the sheet of each."""

import sys
import time
import traceback
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tracker.config import OWN, BatchConfig
from tracker.engine import Engine, track
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.interrupt import Interrupt
from tracker.neutral import neutral_faces
from tracker.outputs import Job
from tracker.sheets import Outcome, State, Tally, outcome_of, sheet_of
from tracker.sinks import Sink, SinkContext, open_sink, part_path, write_meta
from tracker.sinks.records import columns_of
from tracker.sources import Source, open_source
from tracker.types import SourceInfo, TrackedFrame

BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"
BAR_WITHOUT_TOTAL = "{desc} {n_fmt} frames, {rate_noinv_fmt}, {elapsed}"
LOG_INTERVAL_S = 10.0
"""Seconds between two lines of progress where standard error is not a terminal."""


class Recorder:
    """One engine that tracks job after job; close() frees it."""

    def __init__(
        self,
        config: BatchConfig,
        interrupt: Interrupt,
        neutral: np.ndarray | None = None,
        position: int | None = None,
    ) -> None:
        self.config = config
        self.interrupt = interrupt
        self.neutral = neutral
        """(P, 3): everybody's neutral face, for a landmark model; None where none is given."""
        self.position = position
        """Line of the progress bar among those of other processes; None where there are none."""

    @cached_property
    def engine(self) -> Engine:
        """Loaded when it is first needed."""
        engine = Engine(self.config.model, self.config.tracker)
        if engine.codes and self.neutral is not None:
            engine.codes.given = {None: self.neutral}
        return engine

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
            if self.config.tracker.neutral == OWN:
                self._learn_neutral(job)
            tally.engine = self.engine.meta()
            tally.started = time.monotonic()
            self._record(job, tally)
            write_meta(job.sheet, sheet_of(job, tally, self.config))
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

    def _learn_neutral(self, job: Job) -> None:
        """Read the source once before it is tracked, for the neutral faces in it."""
        with (
            open_source(job.uri, self.config.source) as source,
            self._bar(f"{_name(job)} (neutral)", source.info) as bar,
        ):

            def passed() -> None:
                self.interrupt.check()
                bar.update()

            if codes := self.engine.codes:
                codes.given = neutral_faces(self.engine, source, passed)

    def _record(self, job: Job, tally: Tally) -> None:
        with open_source(job.uri, self.config.source) as source:
            tally.info = source.info
            try:
                self._fill_sinks(job, tally, source)
            finally:
                tally.report = source.report()

    def _fill_sinks(self, job: Job, tally: Tally, source: Source) -> None:
        with self._bar(_name(job), source.info) as bar, ExitStack() as stack:
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
            empty=output.empty,
            start=self.config.source.start or 0.0,
            model=tally.engine["model"]["name"],
            window_rate_hz=tally.engine["window_rate_hz"],
            extras=(*(("attention",) if output.attention else ()), *tally.engine["told"]),
            readings=tuple(tally.engine["readings"]),
        )
        tally.columns = columns_of(context)
        return [stack.enter_context(open_sink(kind, path, context)) for kind, path in job.outputs(output).items()]

    def _bar(self, name: str, info: SourceInfo) -> tqdm:
        return tqdm(
            desc=name,
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
            write_meta(job.sheet, sheet_of(job, tally, self.config))
        parts = [part_path(Path(path)) for path in job.outputs(self.config.output).values()]
        return outcome_of(job, tally, state, [str(part) for part in parts if part.exists()])


def _name(job: Job) -> str:
    return Path(job.uri).name


def _write(sinks: list[Sink], tracked: TrackedFrame) -> None:
    for sink in sinks:
        sink.write(tracked)
