"""A head that reads Q off Z, taught by D: with it neither G's decoder nor D has to run for every frame.

What it is taught and what it is measured by is D's opinion of the training pictures; no label is read.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.anclaf import Anclaf, with_quadrant_head
from nets.card import ModelCard
from nets.checkpoint import save
from nets.onnx.export import export_trained
from nets.torch_runtime import fold_batch_norms
from tracker.errors import CheckpointError, UsageError
from train import run
from train.ablation import distorted
from train.anclaf import predict
from train.config import THEN, StageOneConfig
from train.distortion import augment, distort
from train.examples import Examples, examples
from train.features import encoder_key
from train.folds import Rows
from train.prepared import Prepared, open_prepared
from train.scoring.compared import check_crops, open_network

FOLDER = "quadrant-head"
"""Of the run, in the folder of all runs."""


@dataclass(frozen=True)
class HeadConfig:
    """How the head learns."""

    epochs: int = 4
    batch: int = 64
    learning_rate: float = 2e-3
    """The highest, of one cycle."""
    weight_decay: float = 1e-3
    held_out: float = 0.1
    """Share of the training frames on which the head is measured."""
    seed: int = 11


def add_heads(models: Sequence[str], data: Path, rows: Rows, config: HeadConfig, out: Path) -> list[Path]:
    """Teach one head on the training rows and write every model with it as OUT/NAME.safetensors; returns the paths.

    models: names or paths of some that share an encoder; UsageError where they do not. DataError where their crops are
    not the set's.
    """
    opened, prepared = [open_anclaf(name) for name in models], open_prepared(data)
    model = shared_encoder(opened, prepared)
    stage = StageOneConfig(**opened[0][1].training.get("stage_one", {}))
    faces = examples(prepared, rows["train"], stage, training=True)
    torch.manual_seed(config.seed)
    held, taught = torch.randperm(len(faces)).tensor_split([max(1, round(config.held_out * len(faces)))])
    lesson = Lesson(model, faces.select(taught), stage, config)
    out.mkdir(parents=True, exist_ok=True)
    lesson.give(run.Log(out))
    figures = figures_of(model, lesson.pupil, faces.select(held), prepared.template.margin)
    training = {"quadrant_head": {**asdict(config), "data": prepared.name, "held out": figures}}
    first = opened[0][1].name
    return [write(each, lesson.pupil, _told(card, training, first), out) for each, card in opened]


def open_anclaf(name: str) -> tuple[Anclaf, ModelCard]:
    """A model by name or path, and its card; CheckpointError where it cannot be used."""
    network, card = open_network(name)
    if not isinstance(network, Anclaf):
        raise CheckpointError(f"{card.name} is a model of kind {card.kind!r}; expected 'anclaf'")
    return network, card


def shared_encoder(opened: Sequence[tuple[Anclaf, ModelCard]], data: Prepared) -> Anclaf:
    """The first model, by D, whose encoder is that of all; UsageError where one has another."""
    by_d = [with_quadrant_head(model, False).eval() for model, _ in opened]
    keys = [encoder_key(model) for model in by_d]
    for (_, card), key in zip(opened, keys, strict=True):
        check_crops(card.name, card.crop, data)
        if key != keys[0]:
            raise UsageError(
                f"{card.name} has another encoder than {opened[0][1].name}; give the models of one training"
            )
    return by_d[0]


class Lesson:
    """The head's training; the rest of the model stays as it is."""

    def __init__(self, model: Anclaf, faces: Examples, stage: StageOneConfig, config: HeadConfig) -> None:
        self.faces, self.stage, self.config, self.device = faces, stage, config, run.device()
        self.pupil = with_quadrant_head(model).eval().to(self.device)
        self._fixed = fold_batch_norms(model).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        assert self.pupil.quadrant_head is not None
        self.head: nn.Sequential = self.pupil.quadrant_head
        self.optimiser = torch.optim.AdamW(
            self.head.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        total = config.epochs * -(-len(faces) // config.batch)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, config.learning_rate, total_steps=total)

    def give(self, log: run.Log) -> None:
        """All epochs."""
        for epoch in range(1, self.config.epochs + 1):
            order = torch.randperm(len(self.faces)).split(self.config.batch)
            label = f"epoch {epoch}/{self.config.epochs}"
            losses = [self._step(index) for index in tqdm(order, label, unit="batch", leave=False)]
            log.write(epoch, {"epoch": epoch, "divergence": round(sum(losses) / len(losses), 5)})

    def _step(self, index: Tensor) -> float:
        """One batch: Kullback-Leibler divergence of the head's quadrants from D's."""
        with torch.no_grad():
            latent = self._fixed.generator.encoder(self._pictures(index))
            target = torch.softmax(self._fixed.judged(latent), dim=1)
        loss = nn.functional.kl_div(torch.log_softmax(self.head(latent), dim=1), target, reduction="batchmean")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        return loss.item()

    def _pictures(self, index: Tensor) -> Tensor:
        """What G sees of them in training: augmented and distorted, (B, C, S, S) in [-1, 1]."""
        clean = augment(self.faces.pictures(index), self._fixed.config.size)
        seen = self._fixed.scale(distort(clean, self.stage.distorted, self.stage.distortion))
        return seen.contiguous(memory_format=torch.channels_last).to(self.device)


def figures_of(teacher: Anclaf, pupil: Anclaf, held: Examples, margin: int) -> dict[str, dict[str, float]]:
    """How near the answers with the head are to those with D, on clean and on distorted pictures.

    divergence: of the quadrants, nats; agreement: share of the pictures with the same quadrant; moved: mean and 99th
    percentile of how far C's valence and arousal are apart.
    """
    figures = {}
    for kind, faces in (("clean", held), ("distorted", distorted(held))):
        (affect, q), (own_affect, own_q) = (predict(fold_batch_norms(m), faces, margin) for m in (teacher, pupil))
        apart = np.abs(affect - own_affect)
        found = {
            "divergence": (q * np.log(q.clip(1e-9) / own_q.clip(1e-9))).sum(axis=1).mean(),
            "agreement": (q.argmax(axis=1) == own_q.argmax(axis=1)).mean(),
            "moved": apart.mean(),
            "moved_p99": np.percentile(apart, 99),
        }
        figures[kind] = {name: round(float(value), 4) for name, value in found.items()}
    return figures


def write(model: Anclaf, pupil: Anclaf, card: ModelCard, out: Path) -> Path:
    """Write the model with the pupil's head in half precision; returns the path."""
    assert pupil.quadrant_head is not None
    grown = with_quadrant_head(model)
    grown.quadrant_head = pupil.quadrant_head
    path = out / f"{card.name}.safetensors"
    save(path, grown, replace(card, config=grown.config.to_dict()), torch.float16)
    export_trained(path)
    return path


def _told(card: ModelCard, training: dict[str, Any], first: str) -> ModelCard:
    """The card with the training and the command that come on top; what was measured before does not hold any more.

    The command names the first model, by which the head is taught, and the card's own.
    """
    models = "".join(f" --model {name}" for name in dict.fromkeys((first, card.name)))
    command = THEN.join([card.command.partition(THEN)[0], f"affect train quadrant-head{models} --data FACES"])
    return replace(card, command=command, training={**card.training, **training}, figures={}, quantised={})
