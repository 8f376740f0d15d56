"""Tracks one source after another in this process, and writes the outputs and the sheet of each."""

import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from tracker.addresses import shown_in
from tracker.config import OWN, BatchConfig, ReportConfig
from tracker.engine import Engine, track
from tracker.errors import SinkError
from tracker.faults import plain_line
from tracker.interrupt import Interrupt
from tracker.leases import Held, Lease, lock_path
from tracker.manifest import add_lines, line_of
from tracker.neutral import neutral_faces
from tracker.outputs import (
    STDOUT,
    SUFFIXES,
    Job,
    Sheet,
    begin,
    ensure_claim,
    is_complete,
    private,
    read_sheet,
    settings,
)
from tracker.report import write_report
from tracker.sheets import Outcome, State, Tally, outcome_of, sheet_of
from tracker.sinks import Sink, SinkContext, open_sink, parts_of, write_meta
from tracker.sinks.files import JOURNAL, drafts_of
from tracker.sinks.records import columns_of
from tracker.sources import Source, open_source
from tracker.traces.baseline import Baseline, Baselines, baselines_of, lacking, parse_choice, told, write_relative
from tracker.traces.reading import read_trace
from tracker.types import SourceInfo, TrackedFrame

BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}, {rate_noinv_fmt}, {remaining} left"
BAR_WITHOUT_TOTAL = "{desc} {n_fmt} frames, {rate_noinv_fmt}, {elapsed}"
MADE_SINCE = "another run with the same options made it"
RECORDS = ("csv", "parquet", "jsonl")
"""Kinds of outputs that hold a trace."""
WAIT_S = 0.2
"""Between two looks at outputs that another run is writing."""
LOG_INTERVAL_S = 10.0
"""Seconds between two lines of progress where standard error is not a terminal."""


class Recorder:
    """One engine that tracks job after job; close() frees it."""

    def __init__(
        self,
        config: BatchConfig,
        models: Mapping[str, str],
        interrupt: Interrupt,
        neutral: np.ndarray | None = None,
        position: int | None = None,
        several: bool = False,
        baseline: Baseline | None = None,
    ) -> None:
        self.config = config
        self.models = models
        """SHA-256 of the models, as run_batch has them."""
        self.interrupt = interrupt
        self.neutral = neutral
        """(P, 3): everybody's neutral face, for a landmark model; None where none is given."""
        self.baseline = baseline
        """Everybody's, where it comes from a file of its own."""
        self.position = position
        """Line of the progress bar among those of other processes; None where there are none."""
        self.several = several
        """Whether rows of several sources go to standard output, and must tell whose they are."""

    @cached_property
    def engine(self) -> Engine:
        """Loaded when it is first needed."""
        engine = Engine(self.config.model, self.config.tracker)
        if engine.codes and self.neutral is not None:
            engine.codes.given = {None: self.neutral}
        return engine

    @cached_property
    def _settings(self) -> Sheet:
        return settings(self.config)

    def close(self) -> None:
        """Free the engine if it was loaded."""
        if "engine" in vars(self):
            self.engine.close()

    def attempt(self, job: Job, patient: bool = True) -> Outcome | None:
        """Track one source; the outcome and the sheet tell whatever goes wrong.

        No other run writes these outputs meanwhile. One that does and is the same as this is waited for, or, without
        patience, the answer is None; one with other options has this refused.
        """
        if self.interrupt.flag.is_set():
            return Outcome(job.name, "interrupted", "not started")
        if self._made_since(job):
            return Outcome(job.name, "skipped", MADE_SINCE, str(job.folder / job.stem))
        waited = False
        try:
            while True:
                try:
                    leases = self._lease(job)
                    break
                except Held as held:
                    if held.holder.purpose != self._purpose(job):
                        told = f"{job.folder / job.stem} is being written by {held.holder.told} with other options"
                        return Outcome(job.name, "refused", f"{told}; choose another folder with -o, or wait for it")
                    if not patient:
                        return None
                    waited = True
                    time.sleep(WAIT_S)
                    self.interrupt.check()
        except KeyboardInterrupt:
            return Outcome(job.name, "interrupted", "not started")
        except SinkError as error:
            return Outcome(job.name, "failed", plain_line(error))
        try:
            outcome = self._by_another(job, waited) or left_alone(job, self.config, self.models)
            return self._noted(job, outcome or self._attempt_alone(job, leases), made=outcome is None)
        finally:
            for lease in leases:
                lease.release()

    def _made_since(self, job: Job) -> bool:
        """Whether another run completed, and noted, a source since this run looked: who has many saves their leases."""
        sheet = read_sheet(job.sheet)
        return (
            not self.config.overwrite
            and sheet.get("complete") is True
            and sheet.get("tries", 0) > job.tries
            and sheet.get("options") == self._settings
            and all(sheet.get(name, {}).get("sha256") == digest for name, digest in self.models.items())
            and not lock_path(job.sheet).exists()
        )

    def _by_another(self, job: Job, waited: bool) -> Outcome | None:
        """What became of a source that another run with the same options tried since this one began; None: nothing."""
        name = str(job.folder / job.stem)
        if waited and is_complete(job, self.config, self.models):
            return Outcome(job.name, "skipped", MADE_SINCE, name)
        sheet = read_sheet(job.sheet)
        state = sheet.get("state")
        if (
            state not in ("failed", "truncated")
            or sheet.get("tries", 0) <= job.tries
            or sheet.get("options") != self._settings
        ):
            return None
        return Outcome(job.name, state, f"in another run: {'; '.join(sheet['warnings'])}", name)

    def _noted(self, job: Job, outcome: Outcome, made: bool) -> Outcome:
        """Add the outcome to the manifest, where there is one; made: by this try. The job's leases are held still."""
        if self.config.manifest and outcome.state != "interrupted":
            try:
                line = line_of(outcome, job, self.config)
                add_lines(Path(self.config.manifest), [line], unless_there=not made)
            except SinkError as error:
                return replace(outcome, state="failed", detail=plain_line(error))
        return outcome

    def _purpose(self, job: Job) -> str:
        """What two runs have in common that may wait for one another: source, options and models."""
        facts = (job.source, self._settings, sorted(self.models.items()))
        return sha256(json.dumps(facts).encode()).hexdigest()

    def _lease(self, job: Job) -> list[Lease]:
        """All leases of a job or none: Held, SinkError."""
        leases: list[Lease] = []
        try:
            for target in job.leased(self.config.output):
                target.parent.mkdir(parents=True, exist_ok=True)
                leases.append(Lease(target, self._purpose(job)))
            ensure_claim(job)
        except BaseException:
            for lease in leases:
                lease.release()
            raise
        return leases

    def _attempt_alone(self, job: Job, leases: Sequence[Lease]) -> Outcome:
        """Track a source whose outputs are leased."""
        tally = Tally()
        paths = [Path(path) for path in job.outputs(self.config.output).values() if path != STDOUT]
        paths += [path.with_suffix(JOURNAL) for path in paths if path.suffix == SUFFIXES["parquet"]]
        leftovers = [part for path in paths for part in parts_of(path)]
        for draft in [draft for path in (*paths, job.sheet) for draft in drafts_of(path)]:
            draft.unlink(missing_ok=True)  # of runs that were killed: this one holds the lease
        try:
            if self.config.tracker.neutral == OWN:
                self._learn_neutral(job)
            tally.engine = self.engine.meta()
            tally.tries = begin(job, self.config, self.models)
            tally.started = time.monotonic()
            self._record(job, tally, leases)
            if self.config.output.baseline:
                self._relate(job, tally, self.config.output.baseline)
            leases[0].give_back()
            state: State = "done" if tally.complete else "truncated"
            write_meta(job.sheet, self._sheet(job, tally, state))
            self._report(job)
        except (KeyboardInterrupt, Exception) as error:
            if self.config.debug and isinstance(error, Exception):
                print(shown_in(traceback.format_exc()), end="", file=sys.stderr)
            stopped = isinstance(error, KeyboardInterrupt) or self.interrupt.flag.is_set()
            tally.problems.append("interrupted" if isinstance(error, KeyboardInterrupt) else plain_line(error))
            leases[0].give_back()
            state = "interrupted" if stopped else "failed"
            with suppress(SinkError):
                leases[0].check()
                write_meta(job.sheet, self._sheet(job, tally, state))
            parts = [part for path in paths for part in parts_of(path) if part not in leftovers]
            return outcome_of(job, tally, state, map(str, parts))
        for part in leftovers:
            with suppress(OSError):
                part.unlink()
        files = map(str, job.outputs(self.config.output).values())
        return outcome_of(job, tally, state, files)

    def _sheet(self, job: Job, tally: Tally, state: State) -> Sheet:
        """What the sheet tells besides the run: how it ended, at which try, and what rerun needs."""
        told = {"state": state, "tries": tally.tries, "model_given": self.config.model}
        return sheet_of(job, tally, self.config) | private(told)

    def _report(self, job: Job) -> None:
        """Write the report, where wanted, of the table and the sheet."""
        outputs = job.outputs(self.config.output)
        if "report" in outputs:
            write_report(Path(outputs["csv"]), ReportConfig(overwrite=True), Path(outputs["report"]))

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

    def _relate(self, job: Job, tally: Tally, choice: str) -> None:
        """Take the baselines of the trace that was just written, and fill its relative columns."""
        paths = {kind: Path(path) for kind, path in job.outputs(self.config.output).items() if kind in RECORDS}
        trace = read_trace(next(path for kind in RECORDS if (path := paths.get(kind))))
        one_person = self.config.tracker.faces == 1
        baselines: Baselines = {None: self.baseline} if self.baseline else {}
        baselines = baselines or baselines_of(trace, parse_choice(choice), one_person)
        write_relative(paths, baselines)
        tally.baseline = told(choice, baselines, trace.face_ids, self.models.get("baseline"))
        tally.remarks += lacking(baselines, trace.face_ids)

    def _record(self, job: Job, tally: Tally, leases: Sequence[Lease]) -> None:
        with open_source(job.uri, self.config.source) as source:
            tally.info = source.info
            try:
                self._fill_sinks(job, tally, source, leases)
            finally:
                tally.report = source.report()

    def _fill_sinks(self, job: Job, tally: Tally, source: Source, leases: Sequence[Lease]) -> None:
        with self._bar(_name(job), source.info) as bar, logging_redirect_tqdm(), ExitStack() as stack:
            sinks = self._open_sinks(job, tally, source.info, stack)
            for tracked in track(source, self.engine):
                self.interrupt.check()
                with self.interrupt.held():
                    _write(sinks, tracked)
                    tally.count(tracked)
                bar.update()
            for lease in leases:
                lease.check()

    def _open_sinks(self, job: Job, tally: Tally, info: SourceInfo, stack: ExitStack) -> list[Sink]:
        output = self.config.output
        if output.report and info.kind == "stills":
            raise SinkError(
                f"{job.uri} is stills, and --report shows a trace over time; leave it out, or say --sequence"
            )
        context = SinkContext(
            info=info,
            source_uri=job.uri,
            columns=output.columns,
            blur_faces=output.blur_faces,
            empty=output.empty,
            start=self.config.source.start or 0.0,
            source_column=output.source_column,
            model=tally.engine["model"]["name"],
            window_rate_hz=tally.engine["window_rate_hz"],
            extras=(
                *(("attention",) if output.attention else ()),
                *(("relative",) if output.baseline else ()),
                *tally.engine["told"],
            ),
            readings=tuple(tally.engine["readings"]),
        )
        tally.columns = columns_of(context)
        named = replace(context, source_column=output.source_column or self.several)
        return [
            stack.enter_context(open_sink(kind, path, named if path == STDOUT else context))
            for kind, path in job.outputs(output).items()
            if kind != "report"
        ]

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
            disable=self.config.quiet,
        )


def _name(job: Job) -> str:
    return job.name if "://" in job.uri else Path(job.uri).name


def left_alone(job: Job, config: BatchConfig, models: Mapping[str, str]) -> Outcome | None:
    """The outcome of a job whose outputs are there already and may not be replaced; None where it is to be done."""
    if config.overwrite:
        return None
    name = str(job.folder / job.stem)
    paths = job.outputs(config.output).values()
    files = all(path != STDOUT and (Path(path).is_file() or Path(path).is_dir()) for path in paths)
    if is_complete(job, config, models) and (files or config.resume):
        return Outcome(job.name, "skipped", f"{name} is complete; --overwrite tracks it again", name)
    standing = job.standing(config.output)
    sheet = read_sheet(job.sheet)
    broken_off = not sheet.get("complete") and sheet.get("options") == settings(config)
    if not standing or (broken_off and (config.resume or sheet.get("state") == "begun")):
        return None  # begun: its process was killed before it could say how it ended
    told = f"{', '.join(map(str, standing))} exists"
    if sheet.get("complete") and sheet.get("options") != settings(config):
        told += ", made with other options"
    return Outcome(job.name, "refused", f"{told}; --overwrite replaces it, -o or --output-name keeps both", name)


def _write(sinks: list[Sink], tracked: TrackedFrame) -> None:
    for sink in sinks:
        sink.write(tracked)
