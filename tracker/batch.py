"""Tracks many sources in one call: what is complete is skipped, what fails does not stop the others."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tracker.config import OWN, BatchConfig
from tracker.errors import SourceError, UsageError
from tracker.faults import plain_line
from tracker.interrupt import Flag, Interrupt, ignored
from tracker.landmark_codes import digest
from tracker.neutral import read_neutral
from tracker.outputs import STDIN, Job, check_outputs, claim, identity, is_complete, release
from tracker.recording import Recorder
from tracker.sheets import Outcome
from tracker.sources import expand_sources, without_password

Report = Callable[[Outcome], Any]
"""Takes each outcome as it comes."""


def run_batch(patterns: Sequence[str], config: BatchConfig, models: Mapping[str, str]) -> list[Outcome]:
    """Track every source that the patterns name. Ctrl-C ends it with outcomes "interrupted".

    models are their SHA-256 by what a sheet calls them: model, landmark_model. The outcomes stand in the order of the
    sources, after those of patterns that name none.
    Raises UsageError for outputs that cannot be had together, SinkError for a folder that cannot be written.
    """
    uris, outcomes = find_sources(patterns)
    check_outputs(config.output, len(uris), config.workers)
    if STDIN in uris and config.workers > 1:
        raise UsageError("standard input cannot be read by --workers; track it in a call of its own")
    neutral = _neutral(uris, config)
    if neutral is not None:
        models = {**models, "neutral": digest(neutral)}
    jobs = claim(uris, Path(config.output.folder))
    skipped = [job for job in jobs if config.resume and is_complete(job, config, models)]
    outcomes += [Outcome(job.uri, "skipped", "complete", str(job.folder / job.stem)) for job in skipped]
    todo = [job for job in jobs if job not in skipped]
    try:
        _run(todo, config, neutral, outcomes.append)
    finally:
        for job in todo:
            release(job)
    order = {uri: place for place, uri in enumerate(uris)}
    return sorted(outcomes, key=lambda outcome: order.get(outcome.uri, -1))


def find_sources(patterns: Iterable[str]) -> tuple[list[str], list[Outcome]]:
    """The sources that the patterns name, each once, in order; a failed outcome for each pattern that names none."""
    found: dict[str, str] = {}
    failed = []
    for pattern in patterns:
        try:
            for uri in expand_sources([pattern]):
                found.setdefault(identity(uri)["path"] or uri, uri)
        except SourceError as error:
            failed.append(Outcome(pattern, "failed", plain_line(error)))
    return list(found.values()), failed


def _neutral(uris: Sequence[str], config: BatchConfig) -> np.ndarray | None:
    """(P, 3): everybody's neutral face, read before anything is written. Raises UsageError, SourceError."""
    for uri in uris:
        if config.tracker.neutral == OWN and (uri == STDIN or "://" in uri or Path(uri).is_fifo()):
            name = "standard input" if uri == STDIN else without_password(uri)
            raise UsageError(f"--neutral own reads a source twice, and {name} comes once; give a picture or a video")
    return read_neutral(config.model, config.tracker)


def _run(jobs: Sequence[Job], config: BatchConfig, neutral: np.ndarray | None, report: Report) -> None:
    workers = min(config.workers, len(jobs))
    if workers > 1:
        _run_spread(jobs, replace(config, workers=workers), neutral, report)
    elif jobs:
        _run_here(jobs, config, neutral, report)


def _run_here(jobs: Sequence[Job], config: BatchConfig, neutral: np.ndarray | None, report: Report) -> None:
    with Interrupt(threading.Event()) as interrupt, closing(Recorder(config, interrupt, neutral)) as recorder:
        for job in jobs:
            report(recorder.attempt(job))


def _run_spread(jobs: Sequence[Job], config: BatchConfig, neutral: np.ndarray | None, report: Report) -> None:
    """Spread the jobs over processes. These ignore Ctrl-C and look at a flag, which it raises in this process."""
    context = multiprocessing.get_context("spawn")
    flag, positions = context.Event(), context.SimpleQueue()
    for position in range(config.workers):
        positions.put(position)
    start = (_share_threads(config), neutral, flag, positions, context.RLock())
    pool = ProcessPoolExecutor(config.workers, context, _start_worker, start)
    with Interrupt(flag, _end_workers) as interrupt, interrupt.held(), pool:
        with ignored():
            futures = {pool.submit(_attempt, job): job for job in jobs}
        for future in as_completed(futures):
            report(_result(future, futures[future]))
    if sys.stderr.isatty():
        print(end="\r", file=sys.stderr)  # the workers' bars leave the cursor at the end of a cleared line


def _end_workers() -> None:
    for process in multiprocessing.active_children():
        process.terminate()


def _share_threads(config: BatchConfig) -> BatchConfig:
    """The same configuration with the machine's cores divided among the workers."""
    threads = max(1, (os.cpu_count() or 1) // config.workers)
    return replace(config, tracker=replace(config.tracker, threads=threads))


def _result(future: Future, job: Job) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return Outcome(job.uri, "failed", "a worker process died, perhaps for want of memory; try fewer --workers")


class _Worker:
    """What a worker process keeps from one job to the next."""

    recorder: Recorder


def _start_worker(config: BatchConfig, neutral: np.ndarray | None, flag: Flag, positions: Any, lock: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(lock)
    _Worker.recorder = Recorder(config, Interrupt(flag), neutral, positions.get())


def _attempt(job: Job) -> Outcome:
    return _Worker.recorder.attempt(job)
