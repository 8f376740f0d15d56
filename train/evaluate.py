"""`affect eval`: how well a model's single-frame valence and arousal agree with people's, on FER+ or any pictures."""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from tqdm import tqdm

from tracker.config import BatchConfig, default_of
from tracker.errors import CheckpointError, DataError, SinkError
from train import metrics

if TYPE_CHECKING:
    from nets.runtime import Runtime
    from train.datasets.ferplus import FerPlus
    from train.datasets.pictures import PictureRow

AXES = ("valence", "arousal")
QUADRANT_AXES = ("discriminator", "affect")
"""The quadrant Q as the model names it (ANCLaF by D), and, for comparison, the one in which its affect lies."""
MEASURES = ("ccc", "ccc_balanced", "pcc", "icc", "rmse", "sagr")
BATCH = 64

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Task:
    """What N pictures are scored against."""

    target: np.ndarray
    """(N, 2): true valence and arousal in [-1, 1]."""
    classes: np.ndarray
    """(N,) int: the classes that weigh alike in ccc_balanced."""
    baseline: np.ndarray
    """(2,): the constant answer to compare with."""
    protocol: str
    """What is measured, for the reader of the report."""

    def select(self, keep: np.ndarray) -> "Task":
        """The pictures where keep (N,) bool holds."""
        return Task(self.target[keep], self.classes[keep], self.baseline, self.protocol)


@dataclass(frozen=True)
class Answer:
    """What a model says of N pictures."""

    affect: np.ndarray
    """(N, 2): valence and arousal of the single frame."""
    quadrant: np.ndarray
    """(N,) int: D's most probable quadrant."""


def predict(runtime: "Runtime", crops: np.ndarray) -> Answer:
    """The model's answer to crops (N, S, S, C) uint8, N > 0; affect is kept within [-1, 1], as the tracker does."""
    from nets.onnx.session import OnnxFault

    starts = tqdm(range(0, len(crops), BATCH), "encoding", unit="batch", leave=False)
    try:
        batches = [runtime.encode(crops[start : start + BATCH]) for start in starts]
    except OnnxFault as fault:
        raise CheckpointError(f"the model {runtime.card.name} cannot be used: {fault}") from fault
    quadrant, affect = (np.concatenate([getattr(each, name) for each in batches]) for name in ("quadrant", "affect"))
    return Answer(affect.clip(-1, 1), quadrant.argmax(axis=1))


def figures_of(answer: Answer, task: Task) -> Figures:
    """Every figure of an answer: by axis, and the macro accuracy of the quadrant by name and by affect."""
    true, quadrants = metrics.quadrant_of(task.target), (answer.quadrant, metrics.quadrant_of(answer.affect))
    macro = [metrics.macro_accuracy(quadrant, true, 4) for quadrant in quadrants]
    return {
        "ccc": _by_axis(metrics.ccc, answer, task),
        "ccc_balanced": _by_axis(metrics.ccc, answer, task, metrics.balanced_weights(task.classes)),
        "pcc": _by_axis(metrics.pcc, answer, task),
        "icc": _by_axis(metrics.icc, answer, task),
        "rmse": _by_axis(metrics.rmse, answer, task),
        "sagr": _by_axis(metrics.sagr, answer, task),
        "quadrant": dict(zip(QUADRANT_AXES, macro, strict=True)),
    }


def _by_axis(metric: Callable, answer: Answer, task: Task, weights: np.ndarray | None = None) -> dict[str, float]:
    return {axis: metric(answer.affect[:, i], task.target[:, i], weights) for i, axis in enumerate(AXES)}


def intervals_of(answer: Answer, task: Task, rounds: int = 1000) -> dict[str, dict[str, list[float]]]:
    """95 % bootstrap interval [low, high] of every figure, in the shape of figures_of; pictures are drawn anew."""

    def resampled(rows: np.ndarray) -> list[float]:
        drawn = figures_of(Answer(answer.affect[rows], answer.quadrant[rows]), task.select(rows))
        return [value for by_axis in drawn.values() for value in by_axis.values()]

    bounds = iter(np.stack(metrics.bootstrap_interval(resampled, len(task.target), rounds), axis=1).tolist())
    return {name: {axis: next(bounds) for axis in by_axis} for name, by_axis in figures_of(answer, task).items()}


def baseline_of(task: Task) -> Figures:
    """The figures of the constant answer."""
    affect = np.tile(task.baseline, (len(task.target), 1))
    return figures_of(Answer(affect, metrics.quadrant_of(affect)), task)


def score(runtime: "Runtime", crops: np.ndarray, found: np.ndarray, task: Task) -> dict[str, Any]:
    """The whole report on crops (N, S, S, C) uint8 whose face was found (N,) bool; DataError where none was."""
    if not found.any():
        raise DataError(f"no face was found in any of the {len(found)} pictures; nothing can be scored")
    answer, task = predict(runtime, crops[found]), task.select(found)
    report = {"n": int(found.sum()), "missed": int((~found).sum()), **figures_of(answer, task)}
    report |= {"baseline": baseline_of(task), "intervals": intervals_of(answer, task)}
    return report | {"model": runtime.card.name, "sha256": runtime.card.sha256, "protocol": task.protocol}


def table_of(report: dict[str, Any]) -> str:
    """The report as aligned text: each figure with its interval, then the baseline's."""
    lines = [
        f"model     {report['model']}  sha256 {report['sha256'][:16]}",
        fill(f"protocol  {report['protocol']}", 90, subsequent_indent=" " * 10, break_on_hyphens=False),
        f"faces     {report['n']} scored, {report['missed']} not found",
        "",
        _line("", "valence", "95 %", "arousal", "95 %", "constant"),
    ]
    lines += [_figure_line(report, name, AXES) for name in MEASURES]
    lines += [
        "",
        _line("", "Q", "95 %", "from VA", "95 %", "constant"),
        _figure_line(report, "quadrant", QUADRANT_AXES),
    ]
    return "\n".join(lines)


def _figure_line(report: dict[str, Any], name: str, axes: tuple[str, str]) -> str:
    cells = []
    for axis in axes:
        low, high = report["intervals"][name][axis]
        cells += [f"{report[name][axis]:.3f}", f"{low:.3f} to {high:.3f}"]
    constant = " / ".join(f"{report['baseline'][name][axis]:.3f}" for axis in axes)
    return _line("quadrant (macro)" if name == "quadrant" else name, *cells, constant)


def _line(name: str, *cells: str) -> str:
    widths = (9, 17, 9, 17, 16)
    return f"{name:16}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def ferplus_task(data: "FerPlus", train: "FerPlus", split: str) -> Task:
    """Faces of FER+ against their votes times the class centres; the constant is the mean over the training faces."""
    from train.datasets.ferplus import MIN_VOTES, affect_of_votes, majority

    protocol = (
        f"FER+ {split} split, faces with at least {MIN_VOTES} votes for the eight emotions; single-frame valence and"
        " arousal against votes times class centres; ccc_balanced weighs the eight majority emotions alike;"
        " constant: mean target of the training faces"
    )
    baseline = affect_of_votes(train.votes).mean(axis=0)
    return Task(affect_of_votes(data.votes), majority(data.votes), baseline, protocol)


def ferplus_report(runtime: "Runtime", data: Path, split: str = "test", limit: int | None = None) -> dict[str, Any]:
    """The whole report on (the first `limit` faces of) a split of the FER+ .npz, through detection and alignment."""
    from tracker.faces.align import Template
    from train.datasets import ferplus

    faces = ferplus.load(data)
    part = faces.part(split)
    part = part.select(np.arange(len(part.images))[:limit])
    crops, found = ferplus.crops_of(tqdm(part.images, "aligning", unit="face"), Template.from_card(runtime.card.crop))
    return score(runtime, crops, found, ferplus_task(part, faces.part("train"), split))


def pictures_task(rows: "list[PictureRow]", table: Path) -> Task:
    """Pictures against the valence and arousal of their table; the constant is the mean of the table."""
    target = np.array([(row.valence, row.arousal) for row in rows])
    protocol = (
        f"{table.name}: the largest face of each picture; single-frame valence and arousal against the table's;"
        " ccc_balanced weighs the four quadrants of the true affect alike; constant: mean of the table"
    )
    return Task(target, metrics.quadrant_of(target), target.mean(axis=0), protocol)


def write_json(report: dict[str, Any], path: Path) -> None:
    """Write the report under a temporary name, then rename: the file is whole or not there. SinkError if it cannot.

    What is not a regular file (a device, a pipe) is written directly.
    """
    regular = path.is_file() or not path.exists()
    final = path.resolve() if regular else path
    temporary = final.with_name(final.name + ".part") if regular else path
    try:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        temporary.replace(final)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}; choose another file for --json") from error


def check_folder(file: Path | None) -> None:
    """SinkError where the folder of a file to be written is not there: said before the work, not after it."""
    if file is not None and not file.parent.is_dir():
        raise SinkError(f"{file} cannot be written: there is no folder {file.parent}; make it, or choose another")


def open_runtime(model: str) -> "Runtime":
    """The model's runtime on the CPU; CheckpointError where it cannot be used."""
    from nets.checkpoint import CheckpointFault
    from nets.runtime import load_runtime

    try:
        return load_runtime(model)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def _publish(report: dict[str, Any], file: Path | None) -> None:
    click.echo(table_of(report))
    if file is not None:
        write_json(report, file)


def _options(command: Any) -> Any:
    """The options that both commands have."""
    default = default_of(BatchConfig, "model")
    command = click.option("--json", "file", type=Path, help="Write every figure to this file.")(command)
    return click.option("--model", default=default, show_default=True, help="A name or a .safetensors or .onnx file.")(
        command
    )


class EvaluateGroup(click.Group):
    """Imports what stands in other modules when it is called; `--table` is another name of its command `table`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The rest of the arguments, with `--table` as the command."""
        return super().parse_args(ctx, ["table", *args[1:]] if args[:1] == ["--table"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return [*super().list_commands(ctx), *FURTHER]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        if cmd_name not in FURTHER:
            return super().get_command(ctx, cmd_name)
        module, _, name = FURTHER[cmd_name].partition(":")
        return getattr(importlib.import_module(module), name)


FURTHER = {
    "sequences": "train.scoring.sequences:evaluate_sequences",
    "synthetic": "train.scoring.synthetic:evaluate_synthetic",
    "apices": "train.scoring.apices:evaluate_apices",
    "folds": "train.folds:write_folds",
    "levasa": "train.levasa.tasks.command:evaluate_levasa",
    "disvae": "train.disvae.tasks.command:evaluate_disvae",
    "landmarks": "train.landmarks.scoring.command:evaluate_landmarks",
    "table": "train.scoring.published:print_tables",
}
"""Commands that stand in modules of their own."""


@click.group(cls=EvaluateGroup)
def evaluate() -> None:
    """Score a model's valence and arousal against people's.

    `affect eval --table [RESULTS.json]...` prints the paper's tables with our rows below the published ones.
    """


@evaluate.command("ferplus")
@click.option("--data", type=Path, required=True, help="The FER+ .npz.")
@click.option("--split", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first faces of the split.")
@_options
def evaluate_ferplus(data: Path, split: str, limit: int | None, model: str, file: Path | None) -> None:
    """Score a model on FER+, face by face, through the tracker's own detection and alignment."""
    check_folder(file)
    _publish(ferplus_report(open_runtime(model), data, split, limit), file)


@evaluate.command("images")
@click.argument("table", metavar="FILE.csv", type=Path)
@_options
def evaluate_images(table: Path, model: str, file: Path | None) -> None:
    """Score a model on pictures: a CSV with the columns path, valence, arousal, its paths relative to itself."""
    from tracker.faces.align import Template
    from train.datasets.pictures import crops_of_rows, read_rows

    check_folder(file)
    rows, runtime = read_rows(table), open_runtime(model)
    crops, found = crops_of_rows(rows, Template.from_card(runtime.card.crop))
    _publish(score(runtime, crops, found, pictures_task(rows, table)), file)
