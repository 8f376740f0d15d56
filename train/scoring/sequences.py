"""`affect eval sequences`: models over n frames against filters and constants, all on the same frames."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from tracker.config import BatchConfig, TrackerConfig, default_of
from tracker.errors import DataError, UsageError
from train.folds import Folds, split_rows
from train.prepared import Prepared, open_prepared
from train.scoring.report import frames_of, row_reports
from train.scoring.rows import Part, Row, is_step, knowing_rows, model_rows

if TYPE_CHECKING:
    from nets.network import Network
    from train.scoring.compared import Model

FOLD = "{fold}"
"""Stands for the fold's number in the name of a model."""

PROTOCOL = (
    "every model and filter answers for the newest frame of a window at each scored frame, so that all n are scored on "
    "the same frames; affect is kept within [-1, 1]; figures are of all frames pooled but those of the clips of kind "
    "step, intervals of resampled clips; lag: median time over the step clips from the truth's way through the middle "
    "of the step to the trace's way through the middle of its own two levels; trembling: mean frame-to-frame change "
    "while the truth is constant (in the still clips, where the set has kinds); filters run behind the single frame"
)


@dataclass(frozen=True)
class Options:
    """What is compared on which part of a set, and how."""

    models: tuple[str, ...]
    """Names or paths; {fold} in one stands for the fold's number."""
    split: str | None = None
    """Part of the set's own split: test or validation; or all. None: test, and all of a set that has no split."""
    folds: Path | None = None
    fold: int | None = None
    """The one that is the test set; None takes each in turn."""
    tune_on: str = "train"
    """Part on which filters are tuned and the constant is taken: train or validation."""
    features: Path | None = None
    """Folder of the stored features; None: `features` in the set's folder."""
    rounds: int = 1000
    seed: int = 0
    max_gap_s: float = default_of(TrackerConfig, "max_gap_s")

    def __post_init__(self) -> None:
        if self.folds is not None and self.split is not None:
            raise UsageError("--split and --folds were both given; expected one of them")
        if self.fold is not None and self.folds is None:
            raise UsageError("--fold needs the file of folds: --folds FILE (made by affect eval folds)")
        if self.folds is None and any(FOLD in model for model in self.models):
            raise UsageError(f"{FOLD} stands in the name of a model, but no --folds FILE was given")


def evaluate_set(data: Prepared, options: Options) -> dict[str, Any]:
    """The whole report on a set. DataError where there is nothing to score, or a model's crops are not the set's."""
    parts = _parts(data, options)
    rows, models = _answers(data, parts, options)
    fold = np.full(len(data.clip), -1)
    for number, part in parts.items():
        fold[part.scored] = number
    frames = frames_of(data, fold, options.max_gap_s, options.rounds, options.seed)
    return {
        "set": _facts(data, fold >= 0, parts, options),
        "seed": options.seed,
        "rounds": options.rounds,
        "protocol": PROTOCOL,
        "models": models,
        "notes": _notes(data, parts, rows, fold >= 0),
        "rows": row_reports(rows, frames, data.time, [step for part in parts.values() for step in part.steps]),
    }


def _answers(data: Prepared, parts: dict[int, Part], options: Options) -> tuple[list[Row], list[dict[str, Any]]]:
    """Every row, of all parts together, and what the report tells of the models."""
    from train.scoring.compared import open_models

    rows: dict[str, Row] = {}
    described: list[dict[str, Any]] = []
    for number, part in parts.items():
        models, networks = open_models([name.replace(FOLD, str(number)) for name in options.models], data)
        described += [_model_facts(model) | {"fold": number} for model in models]
        for row in _part_rows(part, models, networks, options.features):
            rows[row.name] = _merged(rows.get(row.name), row, part)
    return list(rows.values()), described


def set_digest(data: Prepared) -> str:
    """SHA-256 of a set's labels, times, clips, subjects and further columns; the crops do not count."""
    digest = hashlib.sha256(json.dumps([data.name, data.clips, data.subjects]).encode())
    columns = {key: getattr(data, key) for key in ("affect", "found", "clip", "time", "subject")} | dict(data.extra)
    for name in sorted(columns):
        digest.update(name.encode() + np.ascontiguousarray(columns[name]).tobytes())
    return digest.hexdigest()


def _parts(data: Prepared, options: Options) -> dict[int, Part]:
    """What is scored, by number of the fold; one part, 0, for the set's own split or all of it."""
    test = _scored_name(data, options)
    if test == "all":
        whole = np.ones(len(data.clip), bool)
        rows = {0: {"all": whole, "train": ~whole, "validation": ~whole}}
    elif options.folds is None:
        rows = {0: split_rows(data)}
    else:
        folds = Folds.load(options.folds)
        numbers = range(len(folds.folds)) if options.fold is None else [options.fold]
        rows = {number: folds.rows(data, number) for number in numbers}
    if test == options.tune_on:
        raise UsageError(f"filters cannot be tuned on the part that is scored, {test}; choose another --tune-on")
    parts = {k: Part(data, each[options.tune_on], each[test], options.max_gap_s) for k, each in rows.items()}
    for number, part in parts.items():
        if not (part.scored & ~is_step(data)).any():
            where = f"the {test} part" if options.folds is None else f"fold {number}"
            hint = "" if test == "all" else "; all of the set is scored with --split all"
            raise DataError(f"{where} of {data.folder} has no frame with a face and an annotation to score{hint}")
    return parts


def _scored_name(data: Prepared, options: Options) -> str:
    """The part that is scored: test, validation or all."""
    unparted = options.folds is None and "split" not in data.extra
    return options.split or ("all" if unparted else "test")


def _part_rows(part: Part, models: "list[Model]", networks: dict[str, "Network"], root: Path | None) -> Iterable[Row]:
    from train.features import features_folder, write_features

    yield from knowing_rows(part)
    for encoder, network in networks.items():
        features = write_features(network, part.data, features_folder(network, part.data, root))
        own = [model for model in models if model.encoder == encoder]
        yield from model_rows(part, features.affect, features.feature, own)


def _merged(before: Row | None, row: Row, part: Part) -> Row:
    """The rows of several parts as one."""
    if before is None:
        return row
    values = np.where(part.scored[:, None], row.values, before.values)
    return replace(before, values=values, settings=before.settings + row.settings)


def _facts(data: Prepared, scored: np.ndarray, parts: dict[int, Part], options: Options) -> dict[str, Any]:
    asked = np.any([part.test for part in parts.values()], axis=0)
    unannotated = asked & data.found & ~np.isfinite(data.affect).all(axis=1)
    facts = {
        "name": data.name,
        "folder": str(data.folder),
        "sha256": set_digest(data),
        "part": _scored_name(data, options) if options.folds is None else f"folds {', '.join(map(str, parts))}",
        "tuned_on": options.tune_on,
        "fold_numbers": [] if options.folds is None else list(parts),
        "half_range": data.scale.half_range,
        "frames": int(scored.sum()),
        "missed": int((asked & ~data.found).sum()),
        "unannotated": int(unannotated.sum()),
    }
    return facts | {name: len(np.unique(getattr(data, name[:-1])[scored])) for name in ("clips", "subjects")}


def _model_facts(model: "Model") -> dict[str, Any]:
    facts = {"label": model.label, "sha256": model.sha256, "kind": model.kind, "score": model.score}
    return facts | {"sequence_length": model.length, "rate_hz": model.rate_hz, "encoder": model.encoder}


def _notes(data: Prepared, parts: dict[int, Part], rows: list[Row], scored: np.ndarray) -> list[str]:
    notes, matched = [], {row.lag_of for row in rows}
    if len(np.unique(data.clip[scored])) > 1 and len(np.unique(data.subject[scored])) == 1:
        notes.append("one subject: the intervals tell of other clips of the same person, not of other people")
    steps = any(part.steps for part in parts.values())
    if not steps:
        notes.append("no clip of kind step: no lag can be measured, and filters at the lag of a model are left out")
    if not all(part.tuning.any() for part in parts.values()):
        notes.append("no annotated training frames: the constant and tuned filters are left out")
    for row in rows:
        if steps and row.kind == "recurrent" and row.name not in matched:
            notes.append(f"no filter of the single frame has the lag of {row.name} on these steps")
    if "kind" not in data.extra:
        notes.append("the set has no kinds: trembling is taken wherever the label is that of the frame before")
    return notes


@click.command("sequences")
@click.argument("folder", metavar="PREPARED", type=Path)
@click.option("--model", "models", multiple=True, default=[default_of(BatchConfig, "model")], show_default=True,
              help="A name or a .safetensors file, again for each; {fold} in it is the fold's number.")  # fmt: skip
@click.option("--split", type=click.Choice(["test", "validation", "all"]),
              help="Of the set's own split, or all of it.  [default: test; all where it has no split]")  # fmt: skip
@click.option("--folds", type=Path, help="A file made by affect eval folds, in place of the set's own split.")
@click.option("--fold", type=int, help="The fold to score; without it, each in turn.")
@click.option("--tune-on", type=click.Choice(["train", "validation"]), default="train", show_default=True)
@click.option("--features", type=Path, help="Folder of stored features.  [default: PREPARED/features]")
@click.option("--rounds", type=click.IntRange(10, 100_000), default=1000, show_default=True, help="Resamples.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "file", type=Path, help="Write every figure to this file.")
@click.option("--curve", type=Path, help="Draw accuracy over n into this .png.")
def evaluate_sequences(folder: Path, file: Path | None, curve: Path | None, **options: Any) -> None:
    """Score models over n frames, and filters behind the single frame, on the clips of a prepared set."""
    from train.evaluate import check_folder, write_json
    from train.scoring.curve import curve_of, write_curve
    from train.scoring.table import table_of

    check_folder(file)
    check_folder(curve)
    report = evaluate_set(open_prepared(folder), Options(**options))
    report["curve"] = curve_of(report)
    click.echo(table_of(report))
    if file is not None:
        write_json(report, file)
    if curve is not None:
        write_curve(report, curve)
