"""A DisVAE for each fold, some of them at a time."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from tracker.errors import UsageError
from train.command import rows_of
from train.disvae.config import DisvaeTraining
from train.disvae.training import train_disvae
from train.folds import Folds

Choice = tuple[Path | None, Sequence[int] | None]
"""A file of folds (None: the set's own split) and which of them test (None: each in turn)."""


def train_folds(
    config: DisvaeTraining, data: Path, choice: Choice, out: Path, processes: int, command: str
) -> Iterator[Path]:
    """Train a model a fold and give its checkpoint's path; `processes` folds at a time, each with its share of threads.

    Raises UsageError for all folds of no file, and what train_disvae raises.
    """
    folds, numbers = choice
    if folds is None and numbers is None:
        raise UsageError("--all-folds needs --folds FILE; make one with: affect eval folds SET --count 10 --out FILE")
    chosen = range(len(Folds.load(folds).folds)) if folds is not None and numbers is None else numbers or (0,)
    jobs = [(config, data, folds, number, folder_of(config, out, folds, number), command) for number in chosen]
    if len(jobs) == 1 or processes == 1:
        yield from (_train(*job) for job in jobs)
        return
    threads, context = max(1, torch.get_num_threads() // processes), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, torch.set_num_threads, (threads,)) as pool:
        for future in [pool.submit(_train, *job) for job in jobs]:
            yield future.result()


def folder_of(config: DisvaeTraining, out: Path, folds: Path | None, number: int) -> Path:
    """Where a fold's run lies: OUT/NAME-fold-N, or OUT/NAME for the set's own split."""
    return out / (config.name + (f"-fold-{number}" if folds else ""))


def _train(config: DisvaeTraining, data: Path, folds: Path | None, number: int, out: Path, command: str) -> Path:
    own = command.replace("--folds FILE", f"--folds FILE --fold {number}")
    return train_disvae(config, data, rows_of(data, folds, number), out, own)
