"""Prepares a data set by several processes, part by part; stopped at any time, the same call goes on."""

import json
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tracker.errors import DataError, UsageError
from tracker.faces.align import Template
from train.datasets import module_of
from train.datasets.parts import Listing, Part
from train.prepared import LabelScale, Names, create_crops, write_prepared
from train.preparing.aligning import LANDMARKS, Finder, align_part
from train.preparing.blocks import NOTES, Note, Rows, claim, key_of, writing
from train.preparing.report import report_of

POINTS = "landmarks.part.npy"
"""The landmarks until all is done; then they are a column like the others."""


@dataclass(frozen=True)
class Job:
    """What all parts of a preparation share."""

    folder: Path
    template: Template
    faces: int

    def note(self, index: int) -> Path:
        """Where the note of a part lies once it is whole."""
        return self.folder / NOTES / f"{index:06d}.npz"


@dataclass(frozen=True)
class Task:
    """One part and the row of the prepared set at which it begins."""

    index: int
    start: int
    part: Part


def scale_with(name: str, low: float | None, high: float | None, threshold: float | None) -> LabelScale:
    """The data set's scale with what is given in place of its own; another range moves the threshold to its middle."""
    own: LabelScale = module_of(name).SCALE
    bounds = own.low if low is None else low, own.high if high is None else high
    if not bounds[0] < bounds[1]:
        raise UsageError(f"the range of labels is {bounds[0]:g} to {bounds[1]:g}; expected --low below --high")
    if threshold is None:
        threshold = own.threshold if low is None and high is None else sum(bounds) / 2
    if not bounds[0] <= threshold <= bounds[1]:
        raise UsageError(f"threshold is {threshold:g}; expected {bounds[0]:g} to {bounds[1]:g}")
    return LabelScale(*bounds, threshold)


def prepare_set(
    name: str, root: Path, out: Path, template: Template, scale: LabelScale, workers: int = 1, **options: Any
) -> dict[str, Any]:
    """Prepare a data set into the folder `out` and return its report, which is also report.json there.

    Options are those of the data set's `read`. Raises DataError for a data set that is not as expected, UsageError for
    a folder that holds something else, SinkError where it cannot be written.
    """
    root = root.resolve()
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; expected {module_of(name).EXPECTED}")
    listing: Listing = module_of(name).read(root, scale, **options)
    claim(out, key_of(name, template, scale, listing))
    if not (out / "set.json").is_file():
        job, tasks = Job(out, template, listing.faces), _tasks_of(listing)
        _make_files(job, tasks)
        _run([task for task in tasks if not _is_done(job, task)], job, workers, len_of(tasks))
        _finish(name, root, listing, job, tasks, scale)
    with writing(out):
        shutil.rmtree(out / NOTES, ignore_errors=True)
        (out / POINTS).unlink(missing_ok=True)
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def len_of(tasks: Sequence[Task]) -> int:
    """Rows of all tasks."""
    return sum(len(task.part.pictures) for task in tasks)


def _tasks_of(listing: Listing) -> list[Task]:
    starts = np.cumsum([0, *(len(part.pictures) for part in listing.parts)])
    return [Task(i, int(start), part) for i, (start, part) in enumerate(zip(starts, listing.parts, strict=False))]


def _make_files(job: Job, tasks: Sequence[Task]) -> None:
    count = len_of(tasks)
    create_crops(job.folder, job.template, count)
    path, shape = job.folder / POINTS, (count, LANDMARKS, 2)
    with writing(job.folder):
        if not path.exists() or np.load(path, mmap_mode="r").shape != shape:
            np.lib.format.open_memmap(path, "w+", np.float16, shape)


def _is_done(job: Job, task: Task) -> bool:
    try:
        return len(Note.read(job.note(task.index)).found) == len(task.part.pictures)
    except (OSError, ValueError, KeyError):
        return False


def write_part(task: Task, job: Job, finder: Finder, stopped: Callable[[], bool] = lambda: False) -> int:
    """Align a part into its rows and note it; returns their number. Without a note where it is stopped midway."""
    count = len(task.part.pictures)
    found, time = np.zeros(count, bool), np.zeros(count)
    faults: dict[str, list[str]] = {"missing": [], "corrupt": []}
    folder = job.folder
    with writing(folder), Rows(folder / "crops.npy") as crops, Rows(folder / POINTS) as points:
        for row in align_part(task.part, job.template, finder):
            if stopped():
                return 0
            crops.put(task.start + row.row, row.crop)
            points.put(task.start + row.row, row.landmarks)
            found[row.row], time[row.row] = row.found, row.time
            if row.fault:
                faults[row.fault].append(row.name)
    with writing(folder):
        note = Note(found, time, tuple(faults["missing"]), tuple(faults["corrupt"]), task.part.pictures.left_out())
        note.write(job.note(task.index))
    return count


def _run(tasks: Sequence[Task], job: Job, workers: int, total: int) -> None:
    with tqdm(total=total, initial=total - len_of(tasks), desc="aligning", unit="frame") as bar:
        if workers == 1 or len(tasks) < 2:
            with closing(Finder(job.faces)) as finder:
                for task in tasks:
                    bar.update(write_part(task, job, finder))
        else:
            _run_spread(tasks, job, min(workers, len(tasks)), bar)


def _run_spread(tasks: Sequence[Task], job: Job, workers: int, bar: tqdm) -> None:
    """Workers ignore Ctrl-C; they stop before their next frame when this process tells them to."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(workers, context, _start_worker, (job, stop)) as pool:
        futures = []
        try:
            with _interrupt_ignored():
                futures = [pool.submit(_work, task) for task in tasks]
            for future in as_completed(futures):
                bar.update(future.result())
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process died, perhaps for want of memory; run the same command again, with fewer --workers"
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _interrupt_ignored() -> Iterator[None]:
    """Processes that are started within ignore Ctrl-C from their beginning."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


class _Worker:
    """What a worker process keeps from one part to the next."""

    job: Job
    finder: Finder
    stop: Any


def _start_worker(job: Job, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Worker.job, _Worker.stop, _Worker.finder = job, stop, Finder(job.faces)


def _work(task: Task) -> int:
    return write_part(task, _Worker.job, _Worker.finder, _Worker.stop.is_set)


def _finish(name: str, root: Path, listing: Listing, job: Job, tasks: Sequence[Task], scale: LabelScale) -> None:
    notes = [Note.read(job.note(task.index)) for task in tasks]
    columns, names = _columns_of(listing, notes, scale)
    columns["landmarks"] = np.load(job.folder / POINTS, mmap_mode="r")
    report = {"dataset": name, "root": str(root), **report_of(listing, notes, columns)}
    with writing(job.folder):
        (job.folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        write_prepared(job.folder, name, job.template, scale, columns, names)


def _columns_of(listing: Listing, notes: Sequence[Note], scale: LabelScale) -> tuple[dict[str, np.ndarray], Names]:
    """The columns of the prepared set, and what their numbers stand for."""
    parts = listing.parts
    clips = [clip for part in parts for clip in part.clips]
    subjects = list(dict.fromkeys(subject for part in parts for subject in part.subjects))
    number = {subject: i for i, subject in enumerate(subjects)}
    lengths = np.concatenate([np.ones(len(p.clips), int) if p.alone else [len(p.pictures)] for p in parts])
    columns = {
        "affect": scale.to_affect(np.concatenate([part.labels for part in parts])),
        "found": np.concatenate([note.found for note in notes]),
        "clip": np.repeat(np.arange(len(clips)), lengths),
        "time": np.concatenate([note.time for note in notes]),
        "subject": np.repeat([number[subject] for part in parts for subject in part.subjects], lengths),
    }
    if parts[0].split is not None:
        columns["split"] = np.concatenate([part.split for part in parts if part.split is not None])
    columns |= {key: np.concatenate([part.extra[key] for part in parts]) for key in parts[0].extra}
    return columns, Names(clips, subjects, listing.classes)
