"""One training from its configuration to its checkpoints: where it starts, stage one, the features, the curriculum."""

import os
from dataclasses import replace
from pathlib import Path

from nets.anclaf import Anclaf
from nets.card import CheckpointFault
from nets.checkpoint import load
from nets.onnx.own_network import OwnNetwork
from tracker.errors import CheckpointError
from train import anclaf, run
from train.config import THEN, TrainingConfig, read_config
from train.curriculum import run_curriculum
from train.examples import examples
from train.features import features_folder, write_features
from train.folds import Rows
from train.prepared import Prepared, open_prepared
from train.scoring.compared import check_crops

TERMS = {
    "ferplus": "Apache-2.0; trained on FER-2013 pictures (Kaggle challenge data: see their terms) with FER+ votes (MIT)"
}
"""Of the weights, by data set; others are their user's own."""
DATA = {
    "ferplus": "FER-2013 faces (Goodfellow et al. 2013, Kaggle challenge) with FER+ votes (Barsoum et al. 2016, MIT), "
    "training split"
}
LABELS = {
    "ferplus": "valence and arousal: votes and own label times AffectNet's class means as printed by LeVAsa's authors "
    "(arXiv 2007.10058), contempt at (-0.5, 0.6)"
}
"""How ANCLaF's training makes the labels, by data set; those of others are their own."""


def train_all(
    config: TrainingConfig,
    parts: list[tuple[Path, Rows]],
    out: Path,
    processes: int,
    command: str,
    encoder: str | None = None,
) -> list[Path]:
    """Stage one on the first part, and, where the configuration has it, stage two on the last; all checkpoints' paths.

    encoder: a FILE.onnx, or the checkpoint of an ANCLaF, in place of stage one.

    parts: the folder of a prepared set and which of its frames train and validate; one, or faces and then clips.
    command: what makes the same weights again, for the cards. A second call goes on where the first stopped.
    """
    data, rows = parts[0]
    with run.torchrun():
        if encoder is not None:
            return run_stage_two(config, encoder, *parts[-1], out, command)
        folder = run_stage_one(config, data, rows, out, processes)
        path, origin = out / f"{config.name}.safetensors", describe(open_prepared(data))
        with run.first_alone():
            if run.rank_and_world()[0] == 0:
                anclaf.export(config, folder, path, command, *origin)
        return [path, *(run_stage_two(config, path, *parts[-1], out) if config.stage_two else [])]


def run_stage_two(
    config: TrainingConfig, single: Path | str, data: Path, rows: Rows, out: Path, command: str = ""
) -> list[Path]:
    """The features of the single-frame model at `single`, then the curriculum on them; the checkpoints' paths.

    command: what makes these of a model that was not trained here; they then bear its name. A FILE.onnx is not copied:
    their cards say where it lies, and its SHA-256. Raises CheckpointError for a model that cannot be used.
    """
    try:
        (model, card), prepared = load(single), open_prepared(data)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(model, Anclaf | OwnNetwork):
        raise CheckpointError(f"{card.name} is a model of kind {card.kind!r}; expected an ANCLaF, or an ONNX file")
    check_crops(card.name, card.crop, prepared)
    if command:
        before = "" if isinstance(model, OwnNetwork) else f"{card.command}{THEN}"
        config, card = replace(config, name=card.name), replace(card, command=before + command)
    if isinstance(model, OwnNetwork):
        model.config = replace(model.config, file=os.path.relpath(single, out))
    with run.first_alone():
        features = write_features(model, prepared, features_folder(model, prepared), device=str(run.device()))
    if data.name not in card.data:
        card = replace(card, data=f"{card.data}; sequences: {prepared.name}")
    return run_curriculum(config, model, card, prepared, features, rows, out)


def run_stage_one(config: TrainingConfig, data: Path, rows: Rows, out: Path, processes: int) -> Path:
    """Train G, D and C, first those that the configuration starts from; returns the run's folder, OUT/stage-one.

    rows: which frames train and which validate, (N,) bool each. A second call goes on where the first stopped.
    """
    folder = out / "stage-one"
    folder.mkdir(parents=True, exist_ok=True)
    start = None
    if config.start and not (folder / run.STATE_FILE).exists():
        start = (
            run_stage_one(read_config(config.start), data, rows, out / Path(config.start).stem, processes)
            / run.STATE_FILE
        )
    if not _finished(config, folder):
        run.in_processes(_stage_one, processes, folder, config, data, rows, folder, start)
    return folder


def _finished(config: TrainingConfig, folder: Path) -> bool:
    path = folder / run.STATE_FILE
    return path.exists() and run.load_state(path)["epoch"] >= config.stage_one.epochs


def _stage_one(config: TrainingConfig, data: Path, rows: Rows, folder: Path, start: Path | None) -> None:
    """The work of one process."""
    prepared = open_prepared(data)
    stage = anclaf.StageOne(config, examples(prepared, rows["train"], config.stage_one, True), folder)
    if not stage.resume() and start is not None:
        stage.begin_with(run.load_state(start), start)
    stage.run(examples(prepared, rows["validation"], config.stage_one, False))


def describe(data: Prepared, labels: str = "") -> tuple[str, str]:
    """What a model card says of the data, of where the labels come from, and of the weights' terms."""
    own = f"{data.name}, {int(data.usable.sum())} annotated faces of {len(data.subjects)} subjects"
    said = [DATA.get(data.name, own), labels or LABELS.get(data.name, "")]
    return "; ".join(filter(None, said)), TERMS.get(data.name, f"bound by the licence of {data.name}")
