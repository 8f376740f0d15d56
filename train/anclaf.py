"""ANCLaF's first stage (Aspandi et al. 2021, Eq. 1 to 3, 9, 10): G denoises, D judges and names Q, C regresses."""

import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.anclaf import Anclaf, AnclafConfig, Encoding
from nets.card import ModelCard
from nets.checkpoint import save
from nets.onnx.export import export_trained
from train import metrics, run
from train.config import TrainingConfig
from train.critic import critic_losses, frozen, realness
from train.distortion import augment, distort
from train.examples import Batch, Examples, inner
from train.losses import affect_loss, soft_cross_entropy

CRITIC_BETAS = (0.0, 0.9)
"""Adam's, of D in the game (Gulrajani et al. 2017)."""
LONGEST_STEP = 5.0
"""Length to which the gradient is cut."""


class Learner(nn.Module):
    """The model, and a head that only training has: the eight emotions from C's feature keep the rare ones apart."""

    def __init__(self, config: AnclafConfig, frequency: Tensor | None) -> None:
        super().__init__()
        self.model = Anclaf(config)
        self.emotions = None
        if frequency is not None:
            self.emotions = nn.Linear(config.feature, len(frequency))
            self.register_buffer("log_prior", frequency.log())

    def quadrant_loss(self, verdict: Tensor, batch: Batch) -> Tensor:
        """Of D's second head (B, K): cross-entropy against soft quadrants, or the affect loss of a D that regresses."""
        if self.model.config.quadrant == "regress":
            return affect_loss(verdict.float(), batch.affect, batch.weights)
        return soft_cross_entropy(verdict, batch.quadrants, batch.weights.mean(1))

    def losses(self, out: Encoding, again: Tensor, clean: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of G and C (and of D, where it plays no game): `again` is the picture that the reconstruction loss judges.

        The prior is added to the emotions' logits: they learn a posterior under balanced emotions (Menon et al. 2021).
        """
        losses = {
            "affect": affect_loss(out.affect.float(), batch.affect, batch.weights),
            "quadrant": self.quadrant_loss(out.verdict, batch),
            "reconstruction": (again.float() - clean).abs().mean(),
        }
        if self.emotions is not None and batch.emotions is not None:
            logits = self.emotions(out.feature).float() + self.log_prior
            losses["emotion"] = soft_cross_entropy(logits, batch.emotions, torch.ones_like(batch.weights[:, 0]))
        return losses


class StageOne:
    """The training run: everything that a checkpoint has to hold to go on where it stopped.

    Where torch.distributed is initialised, each process works on its share of every batch.
    """

    def __init__(self, config: TrainingConfig, train: Examples, folder: Path) -> None:
        torch.manual_seed(config.seed)
        self.whole, self.config, self.train, self.folder = config, config.stage_one, train, folder
        self.rank, self.world = run.rank_and_world()
        self.device, self.log = run.device(), run.Log(folder)
        self.learner = Learner(config.networks, train.frequency).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.learner.model).eval().requires_grad_(False)
        one = self.config
        self.optimiser = torch.optim.AdamW(
            self._taught(), one.learning_rate, betas=(0.9, 0.99), weight_decay=one.weight_decay
        )
        critic = self.learner.model.discriminator.parameters()
        self.critic = torch.optim.Adam(critic, one.critic_rate, betas=CRITIC_BETAS)
        self.steps = len(train) // one.batch
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.critic_schedule = torch.optim.lr_scheduler.LambdaLR(self.critic, self._rate)
        self.epoch = 0

    def _taught(self) -> list[nn.Parameter]:
        """The parameters that the main step changes: all, but for D's when it plays the game."""
        own = set(self.learner.model.discriminator.parameters()) if self.config.game else set()
        return [p for p in self.learner.parameters() if p not in own]

    def _rate(self, step: int) -> float:
        """Share of the learning rate."""
        return run.rise_and_fall(step, self.config.epochs * self.steps)

    def begin_with(self, state: dict[str, Any], path: Path) -> None:
        """Take the averaged weights of a finished run, and its emotion head, as a start."""
        run.fill(self.learner, state["learner"], path)
        run.fill(self.learner.model, state["average"], path)
        run.fill(self.average, state["average"], path)

    def run(self, validation: Examples) -> Anclaf:
        """All epochs that are left; returns the averaged model."""
        while self.epoch < self.config.epochs:
            started = time.monotonic()
            losses = self._run_epoch()
            self.epoch += 1
            if self.rank == 0:
                self.save()
                seconds = round(time.monotonic() - started)
                scores = validate(self.average, validation, self.whole.crop.margin)
                self.log.write(self.epoch, {"epoch": self.epoch, "seconds": seconds, **losses, **scores})
        return self.average

    def _run_epoch(self) -> dict[str, float]:
        """Every epoch draws from its own seed, so that a resumed run is the run that was stopped."""
        self.learner.train()
        config, seed = self.config, self.whole.seed
        power = config.settle_weight_power if self._settling else config.weight_power
        self._weights = self.train.weights(config, power)
        order = torch.randperm(len(self.train), generator=torch.Generator().manual_seed(seed + self.epoch))
        torch.manual_seed((seed + 1000 * self.epoch) * self.world + self.rank)
        batches = order[: self.steps * config.batch].split(config.batch)
        totals: dict[str, list[float]] = {}
        label = f"epoch {self.epoch + 1}/{config.epochs}"
        for number, index in enumerate(tqdm(batches, label, leave=False, disable=self.rank > 0)):
            for name, value in self._step(number, index[self.rank :: self.world]).items():
                totals.setdefault(name, []).append(float(value))
        return {name: round(sum(values) / len(values), 4) for name, values in totals.items()}

    def _step(self, number: int, index: Tensor) -> dict[str, Tensor]:
        """One batch: D learns, if there is a game; G and C learn on every critic_steps-th."""
        batch = self.train.batch(index, self._weights)
        clean, seen = self._pictures(index)
        with self._mixed():
            latent, picture = self.learner.model.generator(seen)
        losses = self._teach_critic(clean, picture.detach(), batch) if self.config.game else {}
        if not self.config.game or number % self.config.critic_steps == 0:
            losses |= self._teach(latent, picture, clean, batch)
        return {name: value.detach() for name, value in losses.items()}

    def _pictures(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """The augmented pictures and what G sees of them, (B, C, S, S) in [-1, 1]."""
        config, scale = self.config, self.learner.model.scale
        clean = augment(self.train.pictures(index), self.whole.crop.size)
        share = config.settle_distorted if self._settling else config.distorted
        seen = distort(clean, share, config.distortion)
        return tuple(scale(p).contiguous(memory_format=torch.channels_last).to(self.device) for p in (clean, seen))  # type: ignore[return-value]

    def _mixed(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _teach_critic(self, clean: Tensor, picture: Tensor, batch: Batch) -> dict[str, Tensor]:
        """D's step: WGAN-GP, and the quadrant of the clean and of the denoised pictures."""
        discriminator = self.learner.model.discriminator
        with self._mixed():
            losses = critic_losses(discriminator, clean, picture, self.config.penalty_pictures)
            real, fake = losses.pop("verdict").chunk(2)
            losses["quadrant_critic"] = self.learner.quadrant_loss(real, batch) + self.learner.quadrant_loss(
                fake, batch
            )
        weights = {
            "critic": 1.0,
            "penalty": self.config.weight("penalty"),
            "quadrant_critic": self.config.weight("quadrant"),
        }
        run.descend(self.critic, self.critic_schedule, run.total_of(losses, weights.__getitem__), LONGEST_STEP)
        return losses

    def _teach(self, latent: Tensor, picture: Tensor, clean: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The step of G and C; in the game D stays as it is, and G's gain is D's belief."""
        model, config = self.learner.model, self.config
        with self._mixed(), frozen(model.discriminator) if config.game else torch.enable_grad():
            out = model.read(latent, picture)
            again = model.generator(picture)[1] if config.reconstruction == "cycle" else picture
            losses = self.learner.losses(out, again, clean, batch)
            if config.game:
                losses["adversarial"] = -realness(out.realness).mean()
            total = run.total_of(losses, config.weight)
            run.descend(self.optimiser, self.schedule, total, LONGEST_STEP)
        run.follow(self.average, model, config.average_decay, self.schedule.last_epoch)
        return losses

    @property
    def _settling(self) -> bool:
        return self.epoch >= self.config.epochs - self.config.settle_epochs

    def save(self) -> None:
        """Write the run's state to its folder, atomically."""
        run.save_run(self, STATE)

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        return run.resume_run(self, STATE)


STATE = ("learner", "average", "optimiser", "schedule", "critic", "critic_schedule")


@torch.no_grad()
def predict(model: Anclaf, data: Examples, margin: int, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Affect (N, 2) in [-1, 1] and quadrant probabilities (N, 4) of the frames, undistorted."""
    parts = []
    for index in torch.arange(len(data)).split(batch):
        crops = inner(data.pictures(index), margin).to(next(model.parameters()).device)
        parts.append(model.encode(crops))
    affect, quadrant = (torch.cat([getattr(part, name).cpu() for part in parts]) for name in ("affect", "quadrant"))
    return affect.clamp(-1, 1).numpy(), quadrant.numpy()


def validate(model: Anclaf, data: Examples, margin: int) -> dict[str, float]:
    """CCC of valence and arousal, with the emotions weighing alike too where there are any, and D's macro accuracy."""
    affect, quadrants = predict(model, data, margin)
    target = data.affect.numpy()
    weightings: dict[str, np.ndarray | None] = {"ccc": None}
    if data.emotions is not None:
        weightings["ccc_balanced"] = metrics.balanced_weights(data.emotions.argmax(1).numpy())
    scores = {
        f"{name}_{axis}": metrics.ccc(affect[:, i], target[:, i], weights)
        for name, weights in weightings.items()
        for i, axis in enumerate(("valence", "arousal"))
    }
    scores["quadrant_accuracy"] = metrics.macro_accuracy(quadrants.argmax(1), metrics.quadrant_of(target), 4)
    return {name: round(float(value), 4) for name, value in scores.items()}


def export(config: TrainingConfig, folder: Path, path: Path, command: str, data: str, terms: str) -> Path:
    """Write the averaged weights of the run in `folder` as a checkpoint in half precision; returns its path."""
    model, state = Anclaf(config.networks), run.load_state(folder / run.STATE_FILE)
    run.fill(model, state["average"], folder / run.STATE_FILE)
    card = ModelCard(
        name=config.name,
        kind="anclaf",
        config=model.config.to_dict(),
        crop=config.crop.card(),
        data=data,
        terms=terms,
        command=command,
        training={**config.to_dict(), "epochs_done": state["epoch"]},
    )
    save(path, model, card, torch.float16)
    export_trained(path)
    return path
