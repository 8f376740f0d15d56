"""Stage two as a curriculum: S-2 to S-32, each from the one before, and SA-n from the S-n of the same n."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nets.anclaf import Anclaf, with_recurrence
from nets.anclaf.combiner import Recurrence
from nets.card import ModelCard
from nets.checkpoint import save
from nets.onnx.export import export_trained
from nets.onnx.own_network import OwnNetwork
from tracker.errors import DataError, UsageError
from train import run
from train.config import StageTwoConfig, TrainingConfig
from train.features import Features
from train.losses import bin_weights
from train.prepared import Prepared
from train.reading import Reading
from train.stage_two import Frames, StageTwo, Windows, windows_of


def run_curriculum(
    config: TrainingConfig,
    model: Anclaf | OwnNetwork,
    card: ModelCard,
    data: Prepared,
    features: Features,
    rows: dict[str, np.ndarray],
    folder: Path,
) -> list[Path]:
    """Train every S-n and SA-n on the features of a set of clips; returns their checkpoints, folder/NAME-S-n etc.

    model is the single-frame one that made the features and card its card, with the command that makes these. rows:
    which frames train and which validate, (N,) bool each. A second call goes on where the first stopped.
    """
    two = _second(config)
    torch.manual_seed(config.seed)
    reading = reading_of(two, model, data, features, rows["train"] & data.usable)
    recurrence = Recurrence(reading.width, two.hidden, False, two.score)
    frames = frames_of(two, data, reading.apply(features.feature), rows["train"])
    written = []
    for length in two.lengths:
        windows = [windows_of(data, rows[part], length, two) for part in ("train", "validation")]
        material = (frames, windows[0], windows[1])
        recurrence = train_recurrence(config, recurrence, length, material, folder)
        attentive = train_recurrence(config, recurrence.with_attention(two.score), length, material, folder)
        for each in (recurrence, attentive):
            written.append(export(config, model, reading.folded(each), card, length, folder))
    return written


def reading_of(
    two: StageTwoConfig, model: Anclaf | OwnNetwork, data: Prepared, features: Features, kept: np.ndarray
) -> Reading:
    """What the recurrence reads, by the frames that are kept (N,) bool; DataError where there is none."""
    if not kept.any():
        raise DataError(f"{data.folder} has no training frame with a face and an annotation; expected some")
    if two.directions is None:
        return Reading.whole(features.feature, kept)
    if isinstance(model, Anclaf) and model.combiner.face is None:
        head = model.combiner.head.weight.detach()
    else:
        head = linear_head(features.feature[kept], features.affect[kept])
    return Reading.moving(features.feature, kept, data.clip, head, two.directions)


def linear_head(feature: np.ndarray, affect: np.ndarray) -> Tensor:
    """(2, F): what of features (N, F) tells a network's own affect (N, 2), where no linear head is to be seen."""
    centred, told = (np.asarray(each, np.float64) - each.mean(axis=0) for each in (feature, affect))
    moments = centred.T @ centred
    ridge = 1e-6 * max(float(np.trace(moments)) / len(moments), 1e-12)
    return torch.from_numpy(np.linalg.solve(moments + ridge * np.eye(len(moments)), centred.T @ told).T)


def frames_of(two: StageTwoConfig, data: Prepared, feature: Tensor, train: np.ndarray) -> Frames:
    """Features, targets and weights on the training device."""
    kept = train & data.usable
    device = run.device()
    weights = np.zeros((len(kept), 2), np.float32)
    weights[kept] = bin_weights(data.affect[kept], two.weight_power, two.weight_cap)
    affect = torch.from_numpy(np.nan_to_num(data.affect, nan=0.0))
    return Frames(feature.to(device), affect.to(device), torch.from_numpy(weights).to(device))


def train_recurrence(
    config: TrainingConfig, recurrence: Recurrence, length: int, data: tuple[Frames, Windows, Windows], folder: Path
) -> Recurrence:
    """A stage trained from the recurrence's own weights; its state and log lie in folder/S-n or folder/SA-n.

    data: the frames, and the windows of n that train and that validate.
    """
    frames, train, validation = data
    two, kind = _second(config), kind_of(recurrence)
    place = folder / f"{kind}-{length}"
    place.mkdir(parents=True, exist_ok=True)
    epochs = two.epochs if kind == "S" else two.attention_epochs
    stage = StageTwo(recurrence, two, epochs, config.seed, (frames, train), place)
    stage.resume()
    return deepcopy(stage.run(validation)).cpu().requires_grad_(True)


def export(
    config: TrainingConfig,
    single: Anclaf | OwnNetwork,
    recurrence: Recurrence,
    card: ModelCard,
    length: int,
    folder: Path,
) -> Path:
    """Write the single-frame model with a recurrence in half precision as NAME-S-n or NAME-SA-n; returns the path."""
    kind, two = kind_of(recurrence), _second(config)
    name = f"{config.name}-{kind}-{length}"
    form: Literal["lstm", "attention"] = "lstm" if kind == "S" else "attention"
    whole: Anclaf | OwnNetwork
    if isinstance(single, OwnNetwork):
        whole = single.with_recurrence(form, two.hidden, two.score)
    else:
        whole = with_recurrence(single, form, hidden=two.hidden, score=two.score)
    whole.combiner.recurrence = recurrence
    own = replace(
        card,
        name=name,
        config=whole.config.to_dict(),
        sequence_length=length,
        rate_hz=two.rate_hz,
        training={**card.training, **config.to_dict()},
        figures={},
    )
    if run.rank_and_world()[0] == 0:
        save(folder / f"{name}.safetensors", whole, own, torch.float16)
        export_trained(folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def kind_of(recurrence: Recurrence) -> str:
    """S, or SA with attention."""
    return "SA" if recurrence.attention else "S"


def _second(config: TrainingConfig) -> StageTwoConfig:
    if config.stage_two is None:
        raise UsageError(f"the configuration {config.name!r} has no stage_two; expected one for a curriculum")
    return config.stage_two
