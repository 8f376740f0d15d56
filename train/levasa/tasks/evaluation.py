"""The tasks on several checkpoints side by side: which of them can run, and on what labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from tracker.errors import DataError, UsageError
from train.command import changes_of, rows_of
from train.config import settings
from train.levasa.config import LabelsConfig
from train.levasa.tasks.alignment import alignment
from train.levasa.tasks.circumplex import circumplex, neighbourhoods
from train.levasa.tasks.config import TITLES, TasksConfig
from train.levasa.tasks.encoded import Model, open_models
from train.levasa.tasks.faces import has_classes, parts_of
from train.levasa.tasks.prediction import emotion, inverse, regression
from train.levasa.tasks.reconstruction import reconstruction
from train.levasa.tasks.study import Study
from train.prepared import Prepared, open_prepared
from train.scoring.pages import Outcome

TASKS: dict[str, Callable[[Study], Outcome]] = {
    "reconstruction": reconstruction,
    "alignment": alignment,
    "emotion": emotion,
    "regression": regression,
    "inverse": inverse,
    "tsne": neighbourhoods,
    "circumplex": circumplex,
}
OF_CLASSES = ("emotion", "tsne")
"""Tasks that need classes."""


@dataclass(frozen=True)
class Options:
    """What is evaluated, as the command line says it."""

    models: Sequence[str]
    """Names or paths."""
    data: Path
    """The folder of a prepared set."""
    tasks: Sequence[str] = ()
    """Of TITLES; none, or all: those that can run."""
    part: Literal["test", "validation"] = "test"
    """Of the set, that is scored."""
    folds: Path | None = None
    """A file of folds in place of the set's own split."""
    fold: int = 0
    changes: tuple[str, ...] = ()
    """NAME=VALUE of TasksConfig."""


def open_study(options: Options) -> tuple[Study, list[str]]:
    """The models on the faces that they are measured on, and the tasks that are to run."""
    config, data = settings(TasksConfig, changes_of(options.changes)), open_prepared(options.data)
    models = open_models(options.models, data)
    tasks, left_out = chosen_tasks(options.tasks, data)
    labels, others = labels_config(models)
    faces = parts_of(data, labels, rows_of(options.data, options.folds, options.fold), options.part)
    return Study(models, *faces, config, labels, (*left_out, *others)), tasks


def run_tasks(study: Study, tasks: Sequence[str]) -> dict[str, Outcome]:
    """What each task gives, in their order."""
    bar = tqdm([name for name in TITLES if name in tasks], unit="task")
    outcomes = {}
    for name in bar:
        bar.set_description(name)
        outcomes[name] = TASKS[name](study)
    return outcomes


def chosen_tasks(asked: Sequence[str], data: Prepared) -> tuple[list[str], list[str]]:
    """The tasks that are asked for, or all that can run, and what must be said of the others.

    DataError where the set has no classes and one that needs them is asked for by name.
    """
    able = [name for name in TITLES if has_classes(data) or name not in OF_CLASSES]
    missing = [name for name in asked if name != "all" and name not in able]
    told = f"{data.folder} has no classes of emotion, which {' and '.join(OF_CLASSES)} need"
    if missing:
        raise DataError(f"{told}; on this set run: {' '.join(f'--task {name}' for name in able)}")
    notes = [] if len(able) == len(TITLES) else [f"Left out: {told}."]
    return (able, notes) if not asked or "all" in asked else (list(asked), [])


def labels_config(models: Sequence[Model]) -> tuple[LabelsConfig, list[str]]:
    """The labels of the first model that learnt any, by which all are judged; and a note on each that learnt others.

    Votes alone count in them, and each face has one draw, however a training shared and drew them.
    """
    configs = {model.label: _labels(model) for model in models if model.heads != "none"}
    first = next(iter(configs.values()), _labels(models[0]))
    others = [label for label, config in configs.items() if config != first]
    return first, [f"Note: {label} learnt other labels than those that it is judged by here." for label in others]


def _labels(model: Model) -> LabelsConfig:
    try:
        learnt = LabelsConfig(**model.card.training.get("labels", {}))
        return replace(learnt, draw="once", label_share=0.0)
    except (TypeError, UsageError) as error:
        raise DataError(f"the card of {model.label} has labels that cannot be made again: {error}") from error
