"""Tracks many sources in one call: what is complete is skipped, what fails does not stop the others."""

import os
import random
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from tracker.addresses import normal, shown
from tracker.config import AUTO, OWN, BatchConfig
from tracker.engine import Engine, track
from tracker.errors import SourceError, UsageError
from tracker.faults import one_line
from tracker.interrupt import Interrupt
from tracker.landmark_codes import digest
from tracker.manifest import add_lines, begin_manifest, line_of, read_manifest, source_key
from tracker.neutral import read_neutral
from tracker.outputs import (
    STDIN,
    Job,
    check_apart,
    check_outputs,
    claim,
    identity,
    names_of,
    plan,
    release,
    shard_of,
)
from tracker.recording import Recorder, left_alone
from tracker.sheets import Outcome
from tracker.sinks import SinkContext, open_sink
from tracker.sources import count_stills, expand_sources, open_source, root_of
from tracker.traces.baseline import Baseline, baselines_of, parse_choice
from tracker.traces.reading import TYPES, read_trace
from tracker.workers import track_by_workers

Report = Callable[[Outcome], Any]
"""Takes each outcome as it comes."""


def run_batch(patterns: Sequence[str], config: BatchConfig, models: Mapping[str, str]) -> list[Outcome]:
    """Track every source that the patterns name, or this call's shard of them. Ctrl-C leaves outcomes "interrupted".

    models are their SHA-256 by what a sheet calls them: model, landmark_model. The outcomes stand in the order of the
    sources, after those of patterns that name none.
    Raises UsageError for outputs that cannot be had together and a manifest of another run, SinkError for a folder that
    cannot be written.
    """
    patterns = [*patterns, *(read_list(config.listed, STDIN in patterns) if config.listed else ())]
    uris, roots, outcomes = find_sources(patterns, config.recursive)
    count = len(uris)
    check_outputs(config.output, count, config.workers)
    if STDIN in uris and config.workers > 1:
        raise UsageError("standard input cannot be read by --workers; track it in a call of its own")
    names = names_of(uris, roots, config)
    if config.shard:
        check_apart(names)
        part, parts = config.shard
        uris = [uri for uri in uris if shard_of(uri, parts) == part]
    if config.dry_run:
        jobs = plan(uris, Path(config.output.folder), names)
        return outcomes + [left_alone(job, config, models) or _planned(job, config) for job in jobs]
    neutral = _neutral(uris, config)
    if neutral is not None:
        models = {**models, "neutral": digest(neutral)}
    baseline = read_baseline(config)
    if baseline is not None:
        models = {**models, "baseline": digest(np.array([baseline.valence, baseline.arousal]))}
    manifest = Path(config.manifest) if config.manifest else None
    noted: Collection[str] = ()
    if manifest:
        begin_manifest(manifest, config, models, count)
        noted = read_manifest(manifest)[1]
    jobs = claim(uris, Path(config.output.folder), names)
    jobs = [replace(job, stills=count_stills(job.uri, config.source)) for job in jobs]
    todo = []
    for job in jobs:
        outcome = left_alone(job, config, models)
        if outcome and manifest and outcome.state == "skipped" and source_key(job) not in noted:
            outcome = None  # its process was killed before it could note that: whoever has the lease does
        todo += [] if outcome else [job]
        outcomes += [outcome] if outcome else []
    try:
        _run(todo, config, Start(config, models, neutral, count > 1, baseline), outcomes.append)
    finally:
        for job in jobs:
            release(job)
    if manifest:
        by_name = {job.name: job for job in jobs}
        lines = [line_of(each, by_name.get(each.uri)) for each in outcomes if each.state in ("failed", "refused")]
        add_lines(manifest, lines, unless_there=True)
    order = {job.name: place for place, job in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: order.get(outcome.uri, -1))


def read_list(file: str, taken: bool = False) -> list[str]:
    """The sources that a file names, one a line, or standard input for "-", which nothing else may have taken.

    Raises UsageError for a file that cannot be read, or names none.
    """
    if file == STDIN and taken:
        raise UsageError("standard input is both a source and the --list; give the list as a file")
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"--list {file} cannot be read: {(error.strerror or str(error)).lower()}") from error
    names = [os.fsdecode(line) for line in data.splitlines() if line.strip()]
    if not names:
        raise UsageError(f"--list {file} names no source; expected a source a line")
    if STDIN in names:
        raise UsageError(f"--list {file} names -, standard input; give that as a SOURCE")
    return names


def _planned(job: Job, config: BatchConfig) -> Outcome:
    """What a dry run tells of a source that would be tracked."""
    files = tuple(map(str, job.outputs(config.output).values()))
    told = f"would be written to {', '.join(files)}"
    return Outcome(job.name, "planned", told, str(job.folder / job.stem), files)


def find_sources(patterns: Iterable[str], recursive: bool = False) -> tuple[list[str], dict[str, str], list[Outcome]]:
    """The sources that the patterns name, each once, in order; the root of each that a folder or glob named.

    And a failed outcome for each pattern that names none, and for each source that the system refuses.
    """
    found: dict[str, str] = {}
    roots: dict[str, str] = {}
    failed = []

    def fail(uri: str, error: Exception) -> None:
        name = shown(normal(uri))
        why = error if isinstance(error, SourceError) else f"{name} cannot be read: {getattr(error, 'strerror', error)}"
        failed.append(Outcome(name, "failed", one_line(why)))

    for pattern in patterns:
        try:
            uris = expand_sources([pattern], recursive)
        except (SourceError, OSError) as error:
            fail(pattern, error)
            continue
        for uri in uris:
            try:
                path = identity(uri)["path"]
            except (SourceError, OSError) as error:
                fail(uri, error)
                continue
            if found.setdefault(path or uri, uri) == uri and (root := root_of(pattern)):
                roots.setdefault(uri, root)
    return list(found.values()), roots, failed


@dataclass(frozen=True)
class Start:
    """What every process of a run gets besides its flag."""

    config: BatchConfig
    models: Mapping[str, str]
    neutral: np.ndarray | None
    several: bool
    baseline: Baseline | None = None

    def recorder(self, interrupt: Interrupt, position: int | None = None) -> Recorder:
        """A recorder for a process; position is the line of its progress bar."""
        return Recorder(self.config, self.models, interrupt, self.neutral, position, self.several, self.baseline)


def _neutral(uris: Sequence[str], config: BatchConfig) -> np.ndarray | None:
    """(P, 3): everybody's neutral face, read before anything is written. Raises UsageError, SourceError."""
    for uri in uris:
        if config.tracker.neutral == OWN and (uri == STDIN or "://" in uri or Path(uri).is_fifo()):
            name = "standard input" if uri == STDIN else shown(uri)
            raise UsageError(f"--neutral own reads a source twice, and {name} comes once; give a picture or a video")
    return read_neutral(config.model, config.tracker)


def read_baseline(config: BatchConfig) -> Baseline | None:
    """The baseline of the person in the file that the configuration names, a trace or what is tracked for its sake.

    None where it names none. Raises UsageError for several persons, SourceError and DataError where there is none.
    """
    choice = config.output.baseline
    if choice is None or parse_choice(choice) != choice or choice in (OWN, AUTO):
        return None
    if config.tracker.faces > 1:
        raise UsageError(f"--baseline {choice} is one person's, and --faces is {config.tracker.faces}; give own, or 1")
    if not Path(choice).exists():
        raise UsageError(
            f"--baseline {choice} is no file; expected A:B (seconds), own, auto, a trace, a film or a picture"
        )
    if Path(choice).suffix in TYPES:
        trace = read_trace(Path(choice))
    else:
        with (
            TemporaryDirectory() as folder,
            open_source(choice) as source,
            Engine(config.model, config.tracker) as engine,
        ):
            file = Path(folder, "baseline.csv")
            with open_sink("csv", file, SinkContext(source.info, choice)) as sink:
                for tracked in track(source, engine):
                    sink.write(tracked)
            trace = read_trace(file)
    found = baselines_of(trace, OWN, one_person=True)
    if None not in found:
        raise SourceError(f"no baseline: no calm, frontal face is seen well in {choice}; expected a face at rest")
    return found[None]


def _run(jobs: Sequence[Job], config: BatchConfig, start: Start, report: Report) -> None:
    workers = min(config.workers, len(jobs))
    if workers > 1:
        shared = replace(start, config=_share_threads(replace(config, workers=workers)))
        track_by_workers(jobs, workers, shared.recorder, report)
    elif jobs:
        _run_here(jobs, start, report)


def _run_here(jobs: Sequence[Job], start: Start, report: Report) -> None:
    """Track one after another; those that another run is at wait until the others are done."""
    with Interrupt(threading.Event()) as interrupt, closing(start.recorder(interrupt)) as recorder:
        busy: list[Job] = []
        waiting = list(reversed(jobs))
        while waiting:
            outcome = recorder.attempt(job := waiting.pop(), patient=False)
            if outcome is None:
                if not busy:
                    random.shuffle(waiting)  # so that runs that share a folder do not follow one another
                busy.append(job)
            else:
                report(outcome)
        for job in busy:
            report(cast(Outcome, recorder.attempt(job)))


def _share_threads(config: BatchConfig) -> BatchConfig:
    """The same configuration with the machine's cores divided among the workers."""
    threads = max(1, (os.cpu_count() or 1) // config.workers)
    return replace(config, tracker=replace(config.tracker, threads=threads))
