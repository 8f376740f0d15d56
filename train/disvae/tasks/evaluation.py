"""Which models there are, and what is found of each on the fold that it has not seen."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from joblib import Parallel, delayed
from tqdm import tqdm

from nets.disvae import Disvae
from tracker.errors import DataError, UsageError
from train.config import read
from train.disvae.config import DisvaeTraining
from train.disvae.fold_runs import folder_of
from train.disvae.tasks.accuracy import accuracy
from train.disvae.tasks.config import TasksConfig
from train.disvae.tasks.grid import draw_edits
from train.disvae.tasks.items import Findings
from train.disvae.tasks.leakage import leakage
from train.disvae.tasks.reconstruction import reconstruction
from train.disvae.tasks.report import Report, pictures_of
from train.disvae.tasks.study import Study
from train.disvae.tasks.swaps import swaps
from train.disvae.tasks.topology import topology
from train.disvae.tasks.trial import Trial
from train.disvae.training import checkpoint_path
from train.folds import Folds
from train.prepared import Prepared, open_prepared
from train.scoring.compared import check_crops, open_kind

MEASURES: tuple[Callable[[Trial], Findings], ...] = (accuracy, leakage, swaps, reconstruction, topology)


@dataclass(frozen=True)
class Options:
    """What is evaluated, as the command line says it."""

    data: Path
    """The folder of a prepared set."""
    folds: Path
    """The file of its folds."""
    runs: Path
    """The folder of the trainings' runs."""
    configs: Sequence[str]
    """Names or paths of trainings' configurations."""
    chosen: Sequence[int] = ()
    """The folds; none: all."""


class Job(NamedTuple):
    """A model on a fold."""

    name: str
    """Of its configuration."""
    fold: int
    checkpoint: Path
    judge: Path | None
    """The CNN baseline's of the same fold, where it is there."""


class Examined(NamedTuple):
    """What came of a job."""

    findings: Findings
    edits: bytes | None
    """PNG, where it was asked for."""


def jobs_of(options: Options) -> tuple[list[Job], list[str]]:
    """The models that are there, and what must be said of those that are not; DataError where none is."""
    configs, count = [read(DisvaeTraining, name) for name in options.configs], len(Folds.load(options.folds).folds)
    _check(Counter(config.name for config in configs), options.chosen, count)
    every = [_job(config, fold, configs, options) for config in configs for fold in options.chosen or range(count)]
    there = [job for job in every if job.checkpoint.exists()]
    if not there:
        raise DataError(
            f"{options.runs} holds none of the {len(every)} models, such as {every[0].checkpoint}; train them with: "
            f"affect train disvae --config {options.configs[0]} --folds {options.folds} --all-folds"
        )
    lost = {config.name: [j.fold for j in every if j.name == config.name and j not in there] for config in configs}
    return there, [f"Not there: {name}, fold {', '.join(map(str, folds))}." for name, folds in lost.items() if folds]


def _job(config: DisvaeTraining, fold: int, configs: Sequence[DisvaeTraining], options: Options) -> Job:
    paths = {c.name: checkpoint_path(c, folder_of(c, options.runs, options.folds, fold)) for c in configs}
    plain = [paths[c.name] for c in configs if c.variant == "baseline" and paths[c.name].exists()]
    return Job(config.name, fold, paths[config.name], plain[0] if plain else None)


def _check(names: Counter[str], chosen: Sequence[int], count: int) -> None:
    """UsageError for a configuration that is given twice, and for a fold that is not one of so many."""
    for name in [name for name, times in names.items() if times > 1][:1]:
        raise UsageError(f"configuration {name} was given twice; expected each once")
    for fold in [fold for fold in chosen if fold >= count][:1]:
        raise UsageError(f"fold is {fold}; expected 0 to {count - 1}")


def examine_all(jobs: Sequence[Job], options: Options, config: TasksConfig) -> list[Examined]:
    """What comes of each job, several at a time; the first of each configuration draws its edits."""
    first = {job.name: job for job in reversed(jobs)}
    work = [delayed(examine)(job, options, config, first[job.name] is job) for job in jobs]
    done = Parallel(config.processes, return_as="generator")(work)
    return list(tqdm(done, "models", len(jobs), unit="model", leave=False))


def examine(job: Job, options: Options, config: TasksConfig, drawing: bool) -> Examined:
    """What is found of a model on its test fold; DataError where it is not of this set."""
    data = open_prepared(options.data)
    network = open_model(job.checkpoint, data)
    judge = open_model(job.judge, data) if job.judge else None
    trial = Trial.of(network, data, Folds.load(options.folds).rows(data, job.fold), config, judge)
    drawn = drawing and network.config.generative
    return Examined(findings_of(trial), draw_edits(trial, f"{job.name}, fold {job.fold}") if drawn else None)


def findings_of(trial: Trial) -> Findings:
    """All that is measured of a model."""
    return {what: items for measure in MEASURES for what, items in measure(trial).items()}


def open_model(path: Path, data: Prepared) -> Disvae:
    """A DisVAE; CheckpointError where it cannot be used, DataError where its crops or classes are not the set's."""
    network, card = open_kind(str(path), Disvae, "disvae")
    check_crops(card.name, card.crop, data)
    if network.config.classes != data.classes:
        raise DataError(
            f"{path} knows the expressions {', '.join(network.config.classes)}; {data.folder} has "
            f"{', '.join(data.classes) or 'none'}: take the set that it was trained on"
        )
    return network


def report_of(options: Options, config: TasksConfig) -> Report:
    """All that there is to say of the models that are there."""
    data, (jobs, notes) = open_prepared(options.data), jobs_of(options)
    done = list(zip(jobs, examine_all(jobs, options, config), strict=True))
    found: dict[str, dict[int, Findings]] = {job.name: {} for job in jobs}
    for job, examined in done:
        found[job.name][job.fold] = examined.findings
    edits = {job.name: examined.edits for job, examined in done if examined.edits}
    study = Study(data.classes, found, config)
    return Report(data.name, study, notes, pictures_of(study, edits))
