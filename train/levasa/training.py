"""The training of a LeVAsa: reconstruction, Kullback-Leibler divergence of the latents, and the heads' affect."""

import time
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nets.card import ModelCard
from nets.checkpoint import save
from nets.levasa import Levasa
from nets.onnx.export import export_trained
from train import run
from train.config import StageOneConfig
from train.distortion import augment
from train.examples import Examples, examples, inner
from train.folds import Rows
from train.levasa.config import LevasaTraining
from train.levasa.labels import check_labels, labels_of
from train.levasa.losses import losses_of
from train.levasa.validation import validate, validation_of
from train.pipeline import describe
from train.prepared import Prepared, open_prepared

LONGEST_STEP = 5.0
"""Length to which the gradient is cut."""
STATE = ("model", "average", "optimiser", "schedule")


def train_levasa(config: LevasaTraining, data: Path, rows: Rows, out: Path, processes: int, command: str) -> Path:
    """Train on the rows of a prepared set; returns OUT/NAME.safetensors, the averaged weights in half precision.

    command: what makes the same weights again, for the card. A second call goes on where the first stopped.
    """
    run.make_folder(out)
    with run.torchrun():
        begun = LevasaRun(config, open_prepared(data), rows, out)
        if not begun.resume() or begun.epoch < config.epochs:
            run.in_processes(_train, processes, out, config, data, rows, out)
        if run.rank_and_world()[0] == 0:
            export(begun, command, describe(begun.data, config.labels.describe()))
    return checkpoint_path(config, out)


def _train(config: LevasaTraining, data: Path, rows: Rows, folder: Path) -> None:
    """The work of one process."""
    own = LevasaRun(config, open_prepared(data), rows, folder)
    own.resume()
    own.run()


class LevasaRun:
    """The training run: everything that a checkpoint has to hold to go on where it stopped.

    Where torch.distributed is initialised, each process works on its share of every batch.
    """

    def __init__(self, config: LevasaTraining, data: Prepared, rows: Rows, folder: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.data, self.folder = config, data, folder
        self.faces = faces_of(data, rows["train"], config)
        self.validation = validation_of(data, rows["validation"], config.labels)
        self.rank, self.world = run.rank_and_world()
        self.device, self.log = run.device(), run.Log(folder)
        self.model = Levasa(config.model).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.model).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.batch = min(config.batch, len(self.faces))
        self.steps = len(self.faces) // self.batch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.epoch = 0

    def _rate(self, step: int) -> float:
        """Share of the learning rate."""
        return run.rate_of(self.config.schedule, step, self.config.epochs * self.steps)

    def run(self) -> Levasa:
        """All epochs that are left; returns the averaged model."""
        while self.epoch < self.config.epochs:
            started = time.monotonic()
            losses = self._run_epoch()
            self.epoch += 1
            if self.rank == 0:
                self.save()
                seconds = round(time.monotonic() - started)
                scores = validate(self.average, self.validation, self.config.crop.margin)
                self.log.write(self.epoch, {"epoch": self.epoch, "seconds": seconds, **losses, **scores})
        return self.average

    def _run_epoch(self) -> dict[str, float]:
        """Every epoch draws from its own seed, so that a resumed run is the run that was stopped."""
        self.model.train()
        seed = self.config.seed
        self._labels = torch.from_numpy(labels_of(self.data, self.config.labels, self.epoch)[self.faces.rows])
        order = torch.randperm(len(self.faces), generator=torch.Generator().manual_seed(seed + self.epoch))
        torch.manual_seed((seed + 1000 * self.epoch) * self.world + self.rank)
        batches = order[: self.steps * self.batch].split(self.batch)
        bar = tqdm(batches, f"epoch {self.epoch + 1}/{self.config.epochs}", leave=False, disable=self.rank > 0)
        return run.mean_losses(self._step(index[self.rank :: self.world]) for index in bar)

    def _step(self, index: Tensor) -> dict[str, Tensor]:
        crops = self._pictures(index)
        with torch.autocast(self.device.type, torch.bfloat16):
            losses = losses_of(self.model, crops, self._labels[index].to(self.device))
        run.descend(self.optimiser, self.schedule, run.total_of(losses, self.config.weight), LONGEST_STEP)
        run.follow(self.average, self.model, self.config.average_decay, self.schedule.last_epoch)
        return {name: value.detach() for name, value in losses.items()}

    def _pictures(self, index: Tensor) -> Tensor:
        """(B, C, S, S) of 0 to 255."""
        crops, crop = self.faces.pictures(index), self.config.crop
        seen = augment(crops, crop.size) if self.config.augmented else inner(crops, crop.margin)
        return seen.contiguous(memory_format=torch.channels_last).to(self.device)

    def save(self) -> None:
        """Write the run's state to its folder, atomically."""
        run.save_run(self, STATE)

    def label_range(self) -> list[list[float]]:
        """Lowest and highest valence, then arousal, of the faces that train."""
        labels = labels_of(self.data, self.config.labels)[self.faces.rows].astype(np.float64)
        return np.stack([labels.min(axis=0), labels.max(axis=0)], axis=1).round(3).tolist()

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        return run.resume_run(self, STATE)


def faces_of(data: Prepared, keep: np.ndarray, config: LevasaTraining) -> Examples:
    """The faces that train, where keep (N,) bool holds; DataError where they have no labels, or no two that differ."""
    labelled = np.isfinite(labels_of(data, config.labels)).all(axis=1)
    faces = examples(data, keep & labelled, StageOneConfig(label_share=config.labels.label_share), training=True)
    check_labels(data, faces.rows, config.labels)
    return faces


def checkpoint_path(config: LevasaTraining, folder: Path) -> Path:
    """Of the model that a run in `folder` writes."""
    return folder / f"{config.name}.safetensors"


def export(trained: LevasaRun, command: str, origin: tuple[str, str]) -> None:
    """Write a run's averaged weights as a checkpoint in its folder; origin is what to say of data and terms."""
    config, folder = trained.config, trained.folder
    model, state = Levasa(config.model), run.load_state(folder / run.STATE_FILE)
    run.fill(model, state["average"], folder / run.STATE_FILE)
    card = ModelCard(
        name=config.name,
        kind="levasa",
        config=config.model.to_dict(),
        crop=config.crop.card(),
        data=origin[0],
        terms=origin[1],
        command=command,
        training={**config.to_dict(), "epochs_done": state["epoch"], "label_range": trained.label_range()},
    )
    save(checkpoint_path(config, folder), model, card, torch.float16)
    export_trained(checkpoint_path(config, folder))
