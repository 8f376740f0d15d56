"""Trainings with one thing changed at a time, each measured alike: what each part is worth."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from nets.anclaf import Anclaf
from nets.files import write_whole
from tracker.errors import UsageError
from train import metrics, run
from train.anclaf import predict
from train.config import CONFIGS, Configuration, TrainingConfig, changed, config_path, read
from train.distortion import distort
from train.disvae.ablation import measure_disvae
from train.disvae.config import DisvaeTraining
from train.examples import Examples, examples
from train.folds import Rows
from train.pipeline import run_stage_one
from train.prepared import open_prepared
from train.scoring.table import aligned

ABLATIONS = CONFIGS / "ablations"
ROUNDS = 500
"""Of the bootstrap."""
AXES = ("valence", "arousal")
C = TypeVar("C", bound=Configuration)

Figures = Mapping[str, list[float] | None]
"""By name [value, low, high] of the 95 % interval; None where a variant has no such figure."""


def read_ablation(name: str, changes: dict[str, Any]) -> dict[str, Configuration]:
    """The variants of a file of train/configs/ablations/, or a path, each with `changes` on top."""
    path = config_path(name, ABLATIONS)
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
        base = changed(_base(KINDS[file.get("kind", "anclaf")], file["base"]), changes)
        return {name: changed(base, own) for name, own in file["variants"].items()}
    except UsageError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} is not an ablation, a base and its variants: {error}") from error


def _base(kind: type[C], base: Any) -> C:
    """What the variants change: a configuration's values, another ablation's base, or a configuration by its name."""
    if not isinstance(base, str):
        return kind.from_dict(base)
    path = config_path(base, ABLATIONS)
    return _base(kind, json.loads(path.read_text(encoding="utf-8"))["base"]) if path.exists() else read(kind, base)


def run_ablation(variants: dict[str, Any], data: Path, rows: Rows, out: Path, processes: int) -> str:
    """Train every variant, measure it on the test frames, and return the table; figures go to OUT/figures.json."""
    figures: dict[str, Figures] = {}
    for name, config in variants.items():
        folder = out / name.replace(" ", "-").replace("'", "")
        figures[name] = MEASURES[type(config)](config, data, rows, folder, processes)
        write_whole(out / "figures.json", json.dumps(figures, indent=2) + "\n")
    return table_of(figures)


def measure_stage_one(config: TrainingConfig, data: Path, rows: Rows, out: Path, processes: int) -> Figures:
    """Train ANCLaF's stage one and measure it."""
    folder = run_stage_one(config, data, rows, out, processes)
    test = examples(open_prepared(data), rows["test"], config.stage_one, training=False)
    return measure(averaged(config, folder), test, config.crop.margin)


KINDS: dict[str, type[Configuration]] = {"anclaf": TrainingConfig, "disvae": DisvaeTraining}
"""What a file's `kind` is a configuration of."""
MEASURES: dict[type[Configuration], Callable[..., Figures]] = {
    TrainingConfig: measure_stage_one,
    DisvaeTraining: measure_disvae,
}
"""Train a variant on the rows of a prepared set in a folder, in so many processes, and measure it."""


def averaged(config: TrainingConfig, folder: Path) -> Anclaf:
    """The averaged model of a run."""
    model = Anclaf(config.networks)
    run.fill(model, run.load_state(folder / run.STATE_FILE)["average"], folder / run.STATE_FILE)
    return model.eval()


def measure(model: Anclaf, test: Examples, margin: int) -> dict[str, list[float]]:
    """CCC of each axis and D's quadrant on clean and on distorted pictures: [value, low, high] of the 95 % interval."""
    figures = {}
    for kind, pictures in (("clean", test), ("distorted", distorted(test))):
        affect, quadrants = predict(model, pictures, margin)
        target = test.affect.numpy()
        for i, axis in enumerate(AXES):
            figures[f"{axis} {kind}"] = _with_interval(metrics.ccc, affect[:, i], target[:, i])
        named, true = quadrants.argmax(1), metrics.quadrant_of(target)
        figures[f"quadrant {kind}"] = _with_interval(lambda p, t: metrics.macro_accuracy(p, t, 4), named, true)
    return figures


def distorted(test: Examples) -> Examples:
    """The same frames, each spoilt as a camera does; the same in every call."""
    torch.manual_seed(0)
    parts = [distort(test.pictures(index).float()) for index in torch.arange(len(test)).split(256)]
    crops = torch.cat(parts).round().byte().permute(0, 2, 3, 1).numpy()
    return replace(test, crops=crops, rows=np.arange(len(test)))


def _with_interval(metric: Any, prediction: np.ndarray, target: np.ndarray) -> list[float]:
    interval = metrics.bootstrap_interval(lambda rows: metric(prediction[rows], target[rows]), len(target), ROUNDS)
    return [round(float(value), 4) for value in (metric(prediction, target), *interval)]


def table_of(figures: Mapping[str, Figures]) -> str:
    """Aligned text: one row a variant; each figure with its interval."""
    columns = list(next(iter(figures.values())))
    rows = [[name, *(_cell(row[column]) for column in columns)] for name, row in figures.items()]
    return aligned([["", *columns], *rows])


def _cell(figure: list[float] | None) -> str:
    return "-" if figure is None else "{:.3f} ({:.3f} to {:.3f})".format(*figure)
