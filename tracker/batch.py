"""Tracks many sources in one call: what is complete is skipped, what fails does not stop the others."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from tracker.addresses import normal, shown
from tracker.config import OWN, BatchConfig
from tracker.errors import SourceError, UsageError
from tracker.faults import one_line
from tracker.interrupt import ENDING, Flag, Interrupt, ignored
from tracker.landmark_codes import digest
from tracker.neutral import read_neutral
from tracker.outputs import STDIN, Job, check_outputs, claim, identity, names_of, release
from tracker.recording import Recorder, left_alone
from tracker.sheets import Outcome
from tracker.sources import expand_sources, root_of

Report = Callable[[Outcome], Any]
"""Takes each outcome as it comes."""
LAST_S = 5.0
"""That a worker has to close its files when it is left alone."""


def run_batch(patterns: Sequence[str], config: BatchConfig, models: Mapping[str, str]) -> list[Outcome]:
    """Track every source that the patterns name. Ctrl-C ends it with outcomes "interrupted".

    models are their SHA-256 by what a sheet calls them: model, landmark_model. The outcomes stand in the order of the
    sources, after those of patterns that name none.
    Raises UsageError for outputs that cannot be had together, SinkError for a folder that cannot be written.
    """
    uris, roots, outcomes = find_sources(patterns, config.recursive)
    check_outputs(config.output, len(uris), config.workers)
    if STDIN in uris and config.workers > 1:
        raise UsageError("standard input cannot be read by --workers; track it in a call of its own")
    names = names_of(uris, roots, config)
    neutral = _neutral(uris, config)
    if neutral is not None:
        models = {**models, "neutral": digest(neutral)}
    jobs = claim(uris, Path(config.output.folder), names)
    todo = []
    for job in jobs:
        outcome = left_alone(job, config, models)
        todo += [] if outcome else [job]
        outcomes += [outcome] if outcome else []
    try:
        _run(todo, config, Start(config, models, neutral, len(uris) > 1), outcomes.append)
    finally:
        for job in jobs:
            release(job)
    order = {job.name: place for place, job in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: order.get(outcome.uri, -1))


def find_sources(patterns: Iterable[str], recursive: bool = False) -> tuple[list[str], dict[str, str], list[Outcome]]:
    """The sources that the patterns name, each once, in order; the root of each that a folder or glob named.

    And a failed outcome for each pattern that names none, or that the system refuses.
    """
    found: dict[str, str] = {}
    roots: dict[str, str] = {}
    failed = []
    for pattern in patterns:
        try:
            for uri in expand_sources([pattern], recursive):
                if found.setdefault(identity(uri)["path"] or uri, uri) == uri and (root := root_of(pattern)):
                    roots.setdefault(uri, root)
        except (SourceError, OSError) as error:
            why = error if isinstance(error, SourceError) else f"{shown(pattern)} cannot be read: {error.strerror}"
            failed.append(Outcome(shown(normal(pattern)), "failed", one_line(why)))
    return list(found.values()), roots, failed


@dataclass(frozen=True)
class Start:
    """What every process of a run gets besides its flag."""

    config: BatchConfig
    models: Mapping[str, str]
    neutral: np.ndarray | None
    several: bool

    def recorder(self, interrupt: Interrupt, position: int | None = None) -> Recorder:
        """A recorder for a process; position is the line of its progress bar."""
        return Recorder(self.config, self.models, interrupt, self.neutral, position, self.several)


def _neutral(uris: Sequence[str], config: BatchConfig) -> np.ndarray | None:
    """(P, 3): everybody's neutral face, read before anything is written. Raises UsageError, SourceError."""
    for uri in uris:
        if config.tracker.neutral == OWN and (uri == STDIN or "://" in uri or Path(uri).is_fifo()):
            name = "standard input" if uri == STDIN else shown(uri)
            raise UsageError(f"--neutral own reads a source twice, and {name} comes once; give a picture or a video")
    return read_neutral(config.model, config.tracker)


def _run(jobs: Sequence[Job], config: BatchConfig, start: Start, report: Report) -> None:
    workers = min(config.workers, len(jobs))
    if workers > 1:
        _run_spread(jobs, replace(start, config=replace(config, workers=workers)), report)
    elif jobs:
        _run_here(jobs, start, report)


def _run_here(jobs: Sequence[Job], start: Start, report: Report) -> None:
    """Track one after another; those that another run is at wait until the others are done."""
    with Interrupt(threading.Event()) as interrupt, closing(start.recorder(interrupt)) as recorder:
        busy = []
        for job in jobs:
            outcome = recorder.attempt(job, patient=False)
            if outcome is None:
                busy.append(job)
            else:
                report(outcome)
        for job in busy:
            report(cast(Outcome, recorder.attempt(job)))


def _run_spread(jobs: Sequence[Job], start: Start, report: Report) -> None:
    """Spread the jobs over processes. These ignore signals to end and look at a flag, which it raises in this one."""
    context = multiprocessing.get_context("spawn")
    flag, positions = context.Event(), context.SimpleQueue()
    for position in range(start.config.workers):
        positions.put(position)
    shared = replace(start, config=_share_threads(start.config))
    pool = ProcessPoolExecutor(start.config.workers, context, _start_worker, (shared, flag, positions, context.RLock()))
    with Interrupt(flag, _end_workers) as interrupt, interrupt.held(), pool:
        with ignored():
            futures = {pool.submit(_attempt, job, False): job for job in jobs}
        busy = []
        for future in as_completed(futures):
            outcome = _result(future, futures[future])
            if outcome is None:
                busy.append(futures[future])
            else:
                report(outcome)
        for future, job in [(pool.submit(_attempt, job, True), job) for job in busy]:
            report(cast(Outcome, _result(future, job)))
    if sys.stderr.isatty():
        print(end="\r", file=sys.stderr)  # the workers' bars leave the cursor at the end of a cleared line


def _end_workers() -> None:
    for process in multiprocessing.active_children():
        process.kill()  # they ignore what would end them in good order; every output opens nevertheless


def _share_threads(config: BatchConfig) -> BatchConfig:
    """The same configuration with the machine's cores divided among the workers."""
    threads = max(1, (os.cpu_count() or 1) // config.workers)
    return replace(config, tracker=replace(config.tracker, threads=threads))


def _result(future: Future, job: Job) -> Outcome | None:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(job.name, "failed", "a worker process died, perhaps for want of memory; try fewer --workers")


class _Worker:
    """What a worker process keeps from one job to the next."""

    recorder: Recorder


def _start_worker(start: Start, flag: Flag, positions: Any, lock: Any) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(flag,), daemon=True).start()
    tqdm.set_lock(lock)
    _Worker.recorder = start.recorder(Interrupt(flag), positions.get())


def _end_with_parent(flag: Flag) -> None:
    """Where the process that started this one is killed, finish what is at hand and end too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        flag.set()
        time.sleep(LAST_S)
        os._exit(1)


def _attempt(job: Job, patient: bool) -> Outcome | None:
    return _Worker.recorder.attempt(job, patient)
