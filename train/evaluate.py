"""`affect eval`: how well models' single-frame valence and arousal agree with people's, on FER+ or any pictures."""

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
import numpy as np
from tqdm import tqdm

from tracker.config import BatchConfig, default_of
from tracker.errors import CheckpointError, DataError, SinkError
from train import metrics

if TYPE_CHECKING:
    from nets.runtime import Runtime
    from tracker.faces.align import Template
    from train.datasets.ferplus import FerPlus
    from train.datasets.pictures import PictureTable
    from train.scoring.anatomy import Answer, Labels

BATCH = 64

CropsOf: TypeAlias = Callable[["Template"], tuple[np.ndarray, np.ndarray]]
"""The crops (N, S, S, C) uint8 of the pictures by a model's template, and where (N,) bool a face was found."""


def predict(runtime: "Runtime", crops: np.ndarray) -> "Answer":
    """The model's answer to crops (N, S, S, C) uint8, N > 0; affect is kept within [-1, 1], as the tracker does.

    DataError where the model gives deviations that are not above 0.
    """
    from nets.onnx.session import OnnxFault
    from train.scoring.anatomy import Answer

    starts = tqdm(range(0, len(crops), BATCH), "encoding", unit="batch", leave=False)
    try:
        batches = [runtime.encode(crops[start : start + BATCH]) for start in starts]
    except OnnxFault as fault:
        raise CheckpointError(f"the model {runtime.card.name} cannot be used: {fault}") from fault
    affect, quadrant, expressions, deviation = (
        None if getattr(batches[0], name) is None else np.concatenate([getattr(each, name) for each in batches])
        for name in ("affect", "quadrant", "expressions", "deviation")
    )
    assert affect is not None and quadrant is not None
    if deviation is not None and not ((deviation > 0) & np.isfinite(deviation)).all():
        raise DataError(f"{runtime.card.name} gives deviations that are no numbers above 0; expected each above 0")
    return Answer(affect.clip(-1, 1), quadrant.argmax(axis=1), expressions, deviation)


def score(runtimes: "Sequence[Runtime]", crops_of: CropsOf, labels: "Labels") -> dict[str, Any]:
    """The whole report on pictures; models with one template share their crops. DataError where no face was found."""
    from tracker.faces.align import Template
    from train.scoring import anatomy

    models: list[dict[str, Any]] = []
    cropped: dict[Template, tuple[np.ndarray, np.ndarray]] = {}
    for runtime in runtimes:
        template = Template.from_card(runtime.card.crop)
        if template not in cropped:
            cropped[template] = crops_of(template)
        crops, found = cropped[template]
        if not found.any():
            raise DataError(f"no face was found in any of the {len(found)} pictures; nothing can be scored")
        if not models:
            # a face is found before it is cropped: the same faces for every model
            seen = labels.select(found)
            drawn = anatomy.resamples_of(len(seen.target))
        answer = predict(runtime, crops[found])
        figures = anatomy.resampled_figures(answer, seen, drawn)
        if not models:
            first = figures
        difference = anatomy.differences(first, figures) if models else None
        facts = {"name": runtime.card.name, "sha256": runtime.card.sha256}
        models.append(facts | anatomy.anatomy_of(answer, seen, figures) | {"difference": difference})

    constant = np.tile(labels.baseline, (len(seen.target), 1))
    answer = anatomy.Answer(constant, metrics.quadrant_of(constant))
    of_constant = anatomy.resampled_figures(answer, seen, drawn[:1])
    return {
        "protocol": labels.protocol,
        "n": int(found.sum()),
        "missed": int((~found).sum()),
        "rounds": len(drawn) - 1,
        "alike": "quadrants" if labels.classes is None else "classes",
        "without_smiles": int(seen.calm.sum()),
        "constant": {name: {key: float(own[0]) for key, own in each.items()} for name, each in of_constant.items()},
        "models": models,
    }


def ferplus_labels(data: "FerPlus", train: "FerPlus", split: str) -> "Labels":
    """Faces of FER+ against their votes times the class centres; the constant is the mean over the training faces."""
    from train.datasets.ferplus import MIN_VOTES, affect_of_votes, majority
    from train.scoring.anatomy import Labels

    protocol = (
        f"FER+ {split} split, faces with at least {MIN_VOTES} votes for the eight emotions; single-frame valence and"
        " arousal against votes times class centres; a face's class is the emotion with most votes;"
        " constant: mean target of the training faces"
    )
    baseline = affect_of_votes(train.votes).mean(axis=0)
    return Labels(affect_of_votes(data.votes), majority(data.votes), baseline, protocol)


def pictures_labels(table: "PictureTable", name: str) -> "Labels":
    """Pictures against the labels of their table; the constant is the mean of the table."""
    from train.scoring.anatomy import Labels

    target = np.array([(row.valence, row.arousal) for row in table.rows])
    named = [row.expression for row in table.rows if row.expression is not None]
    classes = np.array(named) if named else None
    alike = "" if named else " no classes: the quadrants of people's affect weigh alike;"
    protocol = (
        f"{name}: the largest face of each picture; single-frame valence and arousal against {table.source};{alike}"
        " constant: mean of the table"
    )
    return Labels(target, classes, target.mean(axis=0), protocol)


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
    from nets.card import CheckpointFault
    from nets.runtime import load_runtime

    try:
        return load_runtime(model)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def _publish(report: dict[str, Any], file: Path | None) -> None:
    from train.scoring.anatomy_table import table_of

    click.echo(table_of(report))
    if file is not None:
        write_json(report, file)


def _options(command: Any) -> Any:
    """The options that both commands have."""
    default = default_of(BatchConfig, "model")
    command = click.option("--json", "file", type=Path, help="Write every figure to this file.")(command)
    return click.option("--model", "models", multiple=True, default=[default], show_default=True,
                        help="A name or a .safetensors file; others are compared with the first.")(command)  # fmt: skip


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
def evaluate_ferplus(data: Path, split: str, limit: int | None, models: tuple[str, ...], file: Path | None) -> None:
    """Score models on FER+, face by face, through the tracker's own detection and alignment.

    The report is that of `affect eval pictures`.
    """
    from train.datasets import ferplus

    check_folder(file)
    faces = ferplus.load(data)
    part = faces.part(split)
    part = part.select(np.arange(len(part.images))[:limit])

    def crops_of(template: "Template") -> tuple[np.ndarray, np.ndarray]:
        return ferplus.crops_of(tqdm(part.images, "aligning", unit="face"), template)

    labels = ferplus_labels(part, faces.part("train"), split)
    _publish(score([open_runtime(model) for model in models], crops_of, labels), file)


@evaluate.command("pictures")
@click.argument("table", metavar="FILE.csv", type=Path)
@_options
def evaluate_pictures(table: Path, models: tuple[str, ...], file: Path | None) -> None:
    """Score models on any labelled pictures, and tell where their errors lie: docs/pictures.md.

    FILE.csv has the column path (relative to itself), and any of valence,arousal (-1 to 1), expression (neutral,
    happiness, surprise, sadness, anger, disgust, fear, contempt), and p_neutral ... p_contempt (people's shares).
    """
    from train.datasets.pictures import crops_of_rows, read_table

    check_folder(file)
    pictures = read_table(table)

    def crops_of(template: "Template") -> tuple[np.ndarray, np.ndarray]:
        return crops_of_rows(pictures.rows, template)

    _publish(score([open_runtime(model) for model in models], crops_of, pictures_labels(pictures, table.name)), file)
