"""The training of a DisVAE: phase by phase, each with its networks, its losses and its own optimiser."""

import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.card import ModelCard
from nets.checkpoint import save
from nets.disvae import Disvae
from nets.onnx.export import export_trained
from train import run
from train.disvae import losses
from train.disvae.config import DisvaeTraining, Stage
from train.disvae.faces import centres_of, faces_of, seen, training_faces
from train.disvae.perceptual import distance_of
from train.disvae.validation import validate
from train.folds import Rows
from train.pipeline import describe
from train.prepared import Prepared, open_prepared

LONGEST_STEP = 5.0
"""Length to which the gradient is cut."""
BETAS = (0.5, 0.999)
"""Of Adam's averages (the authors' code)."""
STATE = ("model", "average", "optimiser", "schedule")
LOSSES: dict[Stage, Callable[..., losses.Losses]] = {
    "identity": losses.identity_losses,
    "expression": losses.expression_losses,
    "both": losses.both_losses,
    "classes": losses.class_losses,
}
"""What each phase minimises."""


def train_disvae(config: DisvaeTraining, data: Path, rows: Rows, out: Path, command: str) -> Path:
    """Train on the rows of a prepared set; returns OUT/NAME.safetensors, the averaged weights in half precision.

    command: what makes the same weights again, for the card. A second call goes on where the first stopped.
    """
    run.make_folder(out)
    begun = DisvaeRun(config, open_prepared(data), rows, out)
    begun.resume()
    begun.run()
    export(begun, command)
    return checkpoint_path(config, out)


class DisvaeRun:
    """The training run: everything that a checkpoint has to hold to go on where it stopped."""

    def __init__(self, config: DisvaeTraining, data: Prepared, rows: Rows, folder: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.data, self.folder = config, data, folder
        self.faces, self.validation = training_faces(data, rows["train"]), faces_of(data, rows["validation"])
        self.networks = config.networks(data.classes, centres_of(data, rows["train"]))
        self.device, self.log = run.device(), run.Log(folder)
        self.distance = distance_of(config.vgg if config.reconstruction == "vgg" else None)
        self.model = Disvae(self.networks).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.model).eval()
        pairs = len(self.faces.pairs(config.seed))
        self.pairs = min(config.batch // 2, pairs)
        self.steps = pairs // self.pairs
        self.epoch = 0
        self._enter(0)

    @property
    def ends(self) -> list[int]:
        """Epochs that are done when each phase ends."""
        return list(accumulate(phase.epochs for phase in self.config.phases))

    def run(self) -> None:
        """All epochs that are left."""
        for number, (phase, end) in enumerate(zip(self.config.phases, self.ends, strict=True)):
            if self.epoch == end - phase.epochs:
                self._enter(number)
            while self.epoch < end:
                self._run_and_save()

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        path = self.folder / run.STATE_FILE
        if not path.exists():
            return False
        state = run.load_state(path)
        self._enter(self._phase_of(state["epoch"]))
        run.fill_all(self, STATE, state, path)
        self.epoch = state["epoch"]
        return True

    def _phase_of(self, epoch: int) -> int:
        """In which the last of so many epochs lies."""
        before = sum(end < epoch for end in self.ends)
        return min(before, len(self.ends) - 1)

    def save(self) -> None:
        """Write the run's state to its folder, atomically."""
        run.save_run(self, STATE)

    def _enter(self, phase: int) -> None:
        """Begin a phase: what learns in it, from the averages of the one before."""
        self.stage, epochs = self.config.phases[phase]
        if phase > 0:
            self.model.load_state_dict(self.average.state_dict())
        if self.stage == "expression":
            self.model.expression_encoder.load_state_dict(self.model.identity_encoder.state_dict())
            self.average.load_state_dict(self.model.state_dict())
        for part in self._parts():
            part.requires_grad_(self._learns(part))
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            parameters, self.config.learning_rate, BETAS, weight_decay=self.config.weight_decay, fused=True
        )
        total = epochs * self.steps
        rate = partial(run.rate_of, self.config.schedule, total=total)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, rate)

    def _parts(self) -> list[nn.Module]:
        return list(self.model.children())

    def _learns(self, part: nn.Module) -> bool:
        """In stage one everything but the expression's encoder, fusion and classifier; in stage two all but identity's
        encoder."""
        model = self.model
        if self.stage == "identity":
            return part in (model.identity_encoder, model.decoder)
        return self.stage != "expression" or part is not model.identity_encoder

    def _run_and_save(self) -> None:
        started = time.monotonic()
        found = self._run_epoch()
        self.epoch += 1
        self.save()
        record = {"epoch": self.epoch, "seconds": round(time.monotonic() - started, 1), **found}
        self.log.write(self.epoch, record | validate(self.average, self.validation))

    def _run_epoch(self) -> dict[str, float]:
        """Every epoch draws from its own seed, so that a resumed run is the run that was stopped."""
        for part in self._parts():
            part.train(self._learns(part))
        seed = self.config.seed + 1000 * self.epoch
        torch.manual_seed(seed)
        batches = self.faces.pairs(seed)[: self.steps * self.pairs].split(self.pairs)
        bar = tqdm(batches, f"{self.stage}: epoch {self.epoch + 1}/{self.ends[-1]}", leave=False)
        return run.mean_losses(self._step(pairs.T.flatten()) for pairs in bar)

    def _step(self, index: Tensor) -> dict[str, Tensor]:
        batch = losses.Batch(self._pictures(index), self.faces.classes[index].to(self.device))
        with torch.autocast(self.device.type, torch.bfloat16):
            found = LOSSES[self.stage](self.model, batch, self.config, self.distance)
        run.descend(self.optimiser, self.schedule, run.total_of(found, self._weight), LONGEST_STEP)
        run.follow(self.average, self.model, self.config.average_decay, self.schedule.last_epoch)
        return {name: value.detach() for name, value in found.items()}

    def _weight(self, loss: str) -> float:
        """A loss of the identity's weighs as the same of the expression's."""
        return self.config.weight(loss.removeprefix("identity_"))

    def _pictures(self, index: Tensor) -> Tensor:
        """(B, C, S, S) of 0 to 255."""
        pictures = seen(self.faces.pictures(index), self.networks.size, self.config.augmentation)
        return pictures.contiguous(memory_format=torch.channels_last).to(self.device)


def checkpoint_path(config: DisvaeTraining, folder: Path) -> Path:
    """Of the model that a run in `folder` writes."""
    return folder / f"{config.name}.safetensors"


def export(trained: DisvaeRun, command: str) -> None:
    """Write a run's averaged weights as a checkpoint in its folder."""
    config, (data, terms) = trained.config, describe(trained.data, "expressions: the data set's own")
    card = ModelCard(
        name=config.name,
        kind="disvae",
        config=trained.networks.to_dict(),
        crop=config.crop.card(),
        data=data,
        terms=terms,
        command=command,
        training={**config.to_dict(), "epochs_done": trained.epoch},
    )
    save(checkpoint_path(config, trained.folder), trained.average, card, torch.float16)
    export_trained(checkpoint_path(config, trained.folder))
