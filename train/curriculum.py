"""Stage two as a curriculum: S-2 to S-32, each from the one before, and SA-n from the S-n of the same n."""

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nets.anclaf import Anclaf, with_recurrence
from nets.anclaf.combiner import Recurrence
from nets.checkpoint import ModelCard, save
from tracker.errors import DataError, UsageError
from train import run
from train.config import StageTwoConfig, TrainingConfig
from train.features import Features
from train.losses import bin_weights
from train.prepared import Prepared
from train.stage_two import Frames, StageTwo, Windows, windows_of

KINDS = {"lstm": "S", "attention": "SA"}


@dataclass(frozen=True)
class Standard:
    """Mean and spread of the features, (F,) each: the recurrence learns on standardised ones."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, feature: np.ndarray, rows: np.ndarray) -> "Standard":
        """Of features (N, F) where rows (N,) bool; a feature that hardly varies is not blown up."""
        part = torch.from_numpy(np.asarray(feature[rows], np.float32))
        spread = part.std(0, correction=0)
        return cls(part.mean(0), spread.clamp(min=max(0.05 * float(spread.median()), 1e-6)))

    def apply(self, feature: np.ndarray) -> Tensor:
        """Features (N, F) standardised."""
        return (torch.from_numpy(np.array(feature, np.float32)) - self.mean) / self.spread

    @torch.no_grad()
    def folded(self, recurrence: Recurrence) -> Recurrence:
        """The same function of features as they are: the standardisation becomes part of the LSTM's input weights."""
        recurrence = deepcopy(recurrence).cpu()
        inputs = recurrence.cell.weight_ih[:, : len(self.mean)]
        inputs /= self.spread
        recurrence.cell.bias_ih.sub_(inputs @ self.mean)
        return recurrence


def run_curriculum(
    config: TrainingConfig,
    model: Anclaf,
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
    model = with_recurrence(model, "lstm", hidden=two.hidden, score=two.score)
    standard = Standard.of(features.feature, rows["train"] & data.found)
    frames = frames_of(two, data, standard.apply(features.feature), rows["train"])
    written = []
    for length in two.lengths:
        windows = [windows_of(data, rows[part], length, two) for part in ("train", "validation")]
        material = (frames, windows[0], windows[1])
        model = train_recurrence(config, model, length, material, folder)
        attentive = train_recurrence(config, with_recurrence(model, "attention"), length, material, folder)
        written += [export(config, each, standard, card, length, folder) for each in (model, attentive)]
    return written


def frames_of(two: StageTwoConfig, data: Prepared, feature: Tensor, train: np.ndarray) -> Frames:
    """Features, targets and weights on the training device; DataError where nothing can be trained on."""
    kept = train & data.usable
    if not kept.any():
        raise DataError(f"{data.folder} has no training frame with a face and an annotation; expected some")
    device = run.device()
    weights = np.zeros((len(kept), 2), np.float32)
    weights[kept] = bin_weights(data.affect[kept], two.weight_power, two.weight_cap)
    affect = torch.from_numpy(np.nan_to_num(data.affect, nan=0.0))
    return Frames(feature.to(device), affect.to(device), torch.from_numpy(weights).to(device))


def train_recurrence(
    config: TrainingConfig, model: Anclaf, length: int, data: tuple[Frames, Windows, Windows], folder: Path
) -> Anclaf:
    """A stage trained from the model's own weights; its state and log lie in folder/S-n or folder/SA-n.

    data: the frames, and the windows of n that train and that validate.
    """
    frames, train, validation = data
    two, kind = _second(config), KINDS[model.config.recurrence]
    place = folder / f"{kind}-{length}"
    place.mkdir(parents=True, exist_ok=True)
    epochs = two.epochs if kind == "S" else two.attention_epochs
    stage = StageTwo(_recurrence(model), two, epochs, config.seed, (frames, train), place)
    stage.resume()
    trained = deepcopy(model)
    trained.combiner.recurrence = stage.run(validation).cpu().requires_grad_(True)
    return trained


def export(
    config: TrainingConfig, model: Anclaf, standard: Standard, card: ModelCard, length: int, folder: Path
) -> Path:
    """Write a stage's model in half precision as NAME-S-n or NAME-SA-n, with its card; returns its path."""
    name = f"{config.name}-{KINDS[model.config.recurrence]}-{length}"
    whole = deepcopy(model)
    whole.combiner.recurrence = standard.folded(_recurrence(model))
    own = replace(
        card,
        name=name,
        config=model.config.to_dict(),
        sequence_length=length,
        rate_hz=_second(config).rate_hz,
        training=config.to_dict(),
        figures={},
    )
    if run.rank_and_world()[0] == 0:
        save(folder / f"{name}.safetensors", whole, own, torch.float16)
    return folder / f"{name}.safetensors"


def _second(config: TrainingConfig) -> StageTwoConfig:
    if config.stage_two is None:
        raise UsageError(f"the configuration {config.name!r} has no stage_two; expected one for a curriculum")
    return config.stage_two


def _recurrence(model: Anclaf) -> Recurrence:
    assert model.combiner.recurrence is not None
    return model.combiner.recurrence
