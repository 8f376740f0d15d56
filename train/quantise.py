"""Ranges by which ANCLaF's encoder works on whole numbers of eight bits, measured on training pictures without labels.

The weights stay as they are; the card holds the ranges (see nets.onnx.quantised).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nets.anclaf import Anclaf
from nets.card import ModelCard, find
from nets.checkpoint import read_weights, save_weights
from nets.onnx.export import encoder_of, export_trained, quantise
from nets.onnx.session import OnnxFault
from tracker.errors import CheckpointError
from train.config import THEN, StageOneConfig
from train.distortion import augment, distort
from train.examples import Examples, examples
from train.folds import Rows
from train.prepared import open_prepared
from train.quadrant_head import open_anclaf
from train.scoring.compared import check_crops

FOLDER = "quantised"
"""Of the run, in the folder of all runs."""


@dataclass(frozen=True)
class QuantiseConfig:
    """What the ranges are measured on."""

    faces: int = 2048
    """Drawn from the training frames, augmented and distorted as in training."""
    held_out: int = 2048
    """Further ones, on which the loss is measured."""
    batch: int = 64
    seed: int = 11


@dataclass(frozen=True)
class Sight:
    """Faces as the tracker would see them: augmented and distorted as in training."""

    faces: Examples
    stage: StageOneConfig
    size: int
    """Of a crop, pixels."""
    batch: int

    def crops(self, index: Tensor) -> Iterator[np.ndarray]:
        """The faces at index (N,), as (B, S, S, C) uint8."""
        for part in tqdm(index.split(self.batch), "encoding", unit="batch", leave=False):
            clean = augment(self.faces.pictures(part), self.size)
            seen = distort(clean, self.stage.distorted, self.stage.distortion).round().clamp(0, 255)
            yield seen.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def quantise_models(models: Sequence[str], data: Path, rows: Rows, config: QuantiseConfig, out: Path) -> list[Path]:
    """Write every model with the ranges in its card as OUT/NAME.safetensors; returns the paths.

    Raises CheckpointError for a model that is no ANCLaF or cannot be run by ONNX Runtime, DataError where its crops are
    not the set's.
    """
    prepared = open_prepared(data)
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in models:
        model, card = open_anclaf(name)
        check_crops(card.name, card.crop, prepared)
        stage = StageOneConfig(**card.training.get("stage_one", {}))
        faces = examples(prepared, rows["train"], stage, training=True)
        sight = Sight(faces, stage, model.config.size, config.batch)
        paths.append(_write(find(name), quantised(model, card, sight, config), out))
    return paths


def quantised(model: Anclaf, card: ModelCard, sight: Sight, config: QuantiseConfig) -> ModelCard:
    """The card with the ranges, and with how far the answers then move. Raises CheckpointError."""
    torch.manual_seed(config.seed)
    seen, held = torch.randperm(len(sight.faces))[: config.faces + config.held_out].tensor_split([config.faces])
    try:
        told = replace(card, quantised=quantise(model, sight.crops(seen)))
        moved = moved_by(model, told, sight.crops(held))
    except OnnxFault as fault:
        raise CheckpointError(f"{card.name} cannot be quantised: {fault}") from fault
    step = f"{THEN}affect train quantise"
    command = f"{card.command.partition(step)[0]}{step} --model {card.name} --data FACES"
    training = {**card.training, "quantised": {**asdict(config), **moved}}
    return replace(told, command=command, training=training)


def moved_by(model: Anclaf, card: ModelCard, batches: Iterable[np.ndarray]) -> dict[str, float]:
    """Mean and 99th percentile of how far valence and arousal lie from those of the same encoder unrounded."""
    plain, whole = encoder_of(model), encoder_of(model, card.quantised)
    apart = np.concatenate([np.abs(plain(crops).affect - whole(crops).affect) for crops in batches])
    return {"moved": round(float(apart.mean()), 4), "moved_p99": round(float(np.percentile(apart, 99)), 4)}


def _write(source: Path, card: ModelCard, out: Path) -> Path:
    path = out / source.name
    save_weights(path, read_weights(source)[0], card)
    export_trained(path)
    return path
