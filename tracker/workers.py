"""Processes that share the sources of a run. One that dies costs its source a try, and the others nothing."""

import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from tqdm import tqdm

from tracker.interrupt import ENDING, Flag, Interrupt, ignored
from tracker.outputs import Job
from tracker.sheets import Outcome

TRIES = 3
"""Of a source whose worker dies."""
LAST_S = 5.0
"""That a worker has to close its files when it is left alone."""
LONGEST_LOCK_S = 0.5
"""That a worker waits for its turn to draw a progress bar: the one that has it may be dead."""


class Recorder(Protocol):
    """What a worker does its jobs with."""

    def attempt(self, job: Job, patient: bool = True) -> Outcome | None:
        """The outcome, or, without patience, None where another run is at it."""


MakeRecorder = Callable[[Interrupt, int], Recorder]
"""For a worker: what tells it of Ctrl-C, and the line of its progress bar. It has to be picklable."""


class SharedFlag:
    """A flag for all processes. multiprocessing's Event would do, had it no lock that dies with who holds it."""

    def __init__(self) -> None:
        self._raised = multiprocessing.get_context("spawn").RawValue("b", 0)

    def set(self) -> None:
        """Raise the flag."""
        self._raised.value = 1

    def is_set(self) -> bool:
        """Whether it was raised."""
        return bool(self._raised.value)


class Turn:
    """A lock of all processes that is no longer waited for once its holder seems to have died with it.

    Bars may then be drawn over one another.
    """

    def __init__(self) -> None:
        self._lock = multiprocessing.get_context("spawn").RLock()
        self._held: list[bool] = []
        self._lost = False

    def acquire(self, *_: Any, **__: Any) -> bool:
        """Wait for the turn, though not for long."""
        got = not self._lost and self._lock.acquire(timeout=LONGEST_LOCK_S)
        self._lost = not got
        self._held.append(got)
        return True

    def release(self) -> None:
        """Give the turn to the next."""
        if self._held.pop():
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Worker:
    """A process that tracks one source at a time."""

    job: Job
    """What it was given last."""

    def __init__(self, make: MakeRecorder, flag: Flag, turn: Turn, position: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.position = position
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, make, flag, turn, position))
        with ignored():
            self.process.start()
        theirs.close()  # so that the connection ends with the process

    def give(self, job: Job, patient: bool) -> None:
        """Hand it a job; answer() gives the outcome."""
        self.job = job
        with suppress(OSError):  # where it has died, answer() finds out
            self.connection.send((job, patient))

    def answer(self) -> Outcome | None:
        """The outcome of its job. Raises EOFError where it has died."""
        try:
            return self.connection.recv()
        except OSError as error:
            raise EOFError from error

    def close(self) -> None:
        """Let it end once it has done what it is at."""
        self.connection.close()
        self.process.join()


def track_by_workers(jobs: Sequence[Job], workers: int, make: MakeRecorder, report: Callable[[Outcome], Any]) -> None:
    """Spread the jobs over processes and report each outcome as it comes.

    A job that another run is at is tried again after the others, and so is one whose worker died, up to TRIES times.
    Workers ignore signals to end and look at a flag, which Ctrl-C raises in this process.
    """
    flag, turn, deaths = SharedFlag(), Turn(), Counter[str]()
    waiting = deque((job, False) for job in jobs)
    free = list(range(workers))
    idle: list[Worker] = []
    busy: list[Worker] = []
    with Interrupt(flag, _end_workers) as interrupt, interrupt.held():
        try:
            while waiting or busy:
                while waiting and len(busy) < workers:
                    worker = idle.pop() if idle else Worker(make, flag, turn, free.pop())
                    worker.give(*waiting.popleft())
                    busy.append(worker)
                ready = wait([worker.connection for worker in busy])
                for worker in [worker for worker in busy if worker.connection in ready]:
                    busy.remove(worker)
                    try:
                        outcome = worker.answer()
                    except EOFError:
                        worker.close()
                        free.append(worker.position)
                        deaths[worker.job.uri] += 1
                        again = deaths[worker.job.uri] < TRIES and not flag.is_set()
                        outcome = None if again else _lost(worker, flag.is_set())
                    else:
                        idle.append(worker)
                    if outcome is None:
                        fresh = [each for each in waiting if not each[1]]
                        if len(fresh) == len(waiting):
                            random.shuffle(fresh)  # so that runs that share a folder do not follow one another
                            waiting = deque(fresh)
                        waiting.append((worker.job, True))
                    else:
                        report(outcome)
        except BaseException:
            flag.set()
            raise
        finally:
            for worker in [*idle, *busy]:
                worker.close()
    if sys.stderr.isatty():
        print(end="\r", file=sys.stderr)  # the workers' bars leave the cursor at the end of a cleared line


def _lost(worker: Worker, ended: bool) -> Outcome:
    """The outcome of a job whose worker died; ended: in a run that was interrupted."""
    if ended:
        return Outcome(worker.job.name, "interrupted", "its worker process was ended")
    code = worker.process.exitcode or 0
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    why = f"its worker process died {TRIES} times ({how}), perhaps for want of memory; try fewer --workers"
    return Outcome(worker.job.name, "failed", why)


def _end_workers() -> None:
    for process in multiprocessing.active_children():
        process.kill()  # they ignore what would end them in good order; every output opens nevertheless


def _work(connection: Connection, make: MakeRecorder, flag: Flag, turn: Turn, position: int) -> None:
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(flag,), daemon=True).start()
    tqdm.set_lock(turn)
    recorder = make(Interrupt(flag), position)
    with suppress(EOFError, OSError):  # the run has ended
        while True:
            job, patient = connection.recv()
            connection.send(recorder.attempt(job, patient))


def _end_with_parent(flag: Flag) -> None:
    """Where the process that started this one is killed, finish what is at hand and end too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        flag.set()
        time.sleep(LAST_S)
        os._exit(1)
