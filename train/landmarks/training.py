"""The training of a landmark VAE: VAE, M1 and M2, the weights of the highest validation ELBO kept."""

import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from nets.card import ModelCard
from nets.checkpoint import save
from nets.landmark_vae import LandmarkVae
from tracker.errors import DataError
from train import run
from train.landmarks.config import LandmarkTraining
from train.landmarks.data import LandmarkSet
from train.landmarks.losses import Terms, nothing, reconstruction_loss, triplet_loss
from train.landmarks.triplets import Triplets, artificial
from train.preparing.blocks import writing
from train.synthesis import sets

SAMPLES = 10
"""Codes drawn of each face for the validation ELBO."""
STATE = ("model", "best", "optimiser", "schedule")
TERMS = {sets.NAME: "Apache-2.0; trained on drawn faces (MakeHuman's shapes, CC0)"}
"""Of the weights, by data set; others are their user's own."""


@dataclass(frozen=True)
class Part:
    """N faces and T triplets of them as the run reads them."""

    faces: Tensor
    """(N, D)."""
    neutral: Tensor
    """(N, D): of the same persons."""
    triplets: Tensor
    """(T, 3) int: rows of `faces`."""
    weights: Tensor
    """(T,)."""

    @classmethod
    def of(cls, faces: LandmarkSet, triplets: Triplets, name: str) -> "Part":
        """Train, validation or test."""
        rows = np.flatnonzero(faces.part(name))
        place, flat = np.searchsorted(rows, triplets.rows), torch.from_numpy(faces.flat)
        return cls(flat[rows], flat[faces.neutral[rows]], torch.from_numpy(place), torch.from_numpy(triplets.weights))

    def terms(self, model: LandmarkVae, config: LandmarkTraining, index: Tensor, chosen: Tensor, samples: int) -> Terms:
        """Of the faces at index (B,), from so many samples of each code, and the triplets at chosen (V,)."""
        three = self.triplets[chosen]
        rows, count = torch.cat([index, three.T.flatten()]), len(index)
        code = model.encode(self.faces[rows], self.neutral[rows])
        own = code.rows(0, count)
        drawn = model.decode(own.sample(samples), self.neutral[index])
        reconstruction = reconstruction_loss(drawn, self.faces[index], config.variance)
        if config.gamma is None:
            return Terms(reconstruction, own.divergence().mean(), nothing())
        bounds = [count + i * len(three) for i in range(4)]
        codes = code.rows(*bounds[:2]), code.rows(*bounds[1:3]), code.rows(*bounds[2:])
        triplets = triplet_loss(codes, self.weights[chosen], config.triplet_samples)
        share = len(self.triplets) / (config.gamma * len(self.faces))
        return Terms(reconstruction, own.divergence().mean(), share * triplets)

    def draw(self, count: int, config: LandmarkTraining) -> list[tuple[Tensor, Tensor]]:
        """The faces and triplets of so many batches, by torch's global generator."""
        faces = torch.randint(len(self.faces), (count, config.batch))
        wanted = 0 if config.gamma is None else config.triplet_batch
        return list(zip(faces, torch.randint(len(self.triplets), (count, wanted)), strict=True))


class Best(nn.Module):
    """The weights of the highest validation ELBO so far."""

    elbo: Tensor

    def __init__(self, model: LandmarkVae) -> None:
        super().__init__()
        self.model = deepcopy(model).eval().requires_grad_(False)
        self.register_buffer("elbo", torch.tensor(-math.inf))

    def offer(self, model: LandmarkVae, elbo: float) -> None:
        """Take the weights if they are better."""
        if elbo > self.elbo:
            self.elbo.fill_(elbo)
            self.model.load_state_dict(model.state_dict())


class LandmarkRun:
    """The training run: everything that a checkpoint has to hold to go on where it stopped. Its epochs are rounds of
    `config.every` iterations."""

    def __init__(
        self, config: LandmarkTraining, faces: LandmarkSet, triplets: dict[str, Triplets], folder: Path
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.log = config, folder, run.Log(folder)
        self.train, self.validation = (Part.of(faces, triplets[name], name) for name in ("train", "validation"))
        self.model = LandmarkVae(config.model)
        self.model.average.copy_(self.train.faces.mean(0))
        self.best = Best(self.model)
        self.optimiser = torch.optim.Adam(self.model.parameters(), config.learning_rate, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.epoch = 0

    def _rate(self, step: int) -> float:
        """Share of the learning rate."""
        return run.rate_of(self.config.schedule, step, self.config.iterations)

    @property
    def done(self) -> int:
        """Iterations that are done."""
        return min(self.epoch * self.config.every, self.config.iterations)

    def run(self) -> LandmarkVae:
        """All rounds that are left; returns the best model."""
        while self.done < self.config.iterations:
            started = time.monotonic()
            losses = self._run_round()
            self.epoch += 1
            scores = self.validate()
            self.best.offer(self.model, scores["elbo"])
            self.save()
            seconds = round(time.monotonic() - started, 1)
            self.log.write(self.done, {"iteration": self.done, "seconds": seconds, **losses, **scores})
        return self.best.model

    def _run_round(self) -> dict[str, float]:
        """Every round draws from its own seed, so that a resumed run is the run that was stopped."""
        self.model.train()
        torch.manual_seed(self.config.seed + 1000 * (self.epoch + 1))
        count = min(self.config.every, self.config.iterations - self.done)
        batches = tqdm(self.train.draw(count, self.config), f"round {self.epoch + 1}", leave=False)
        return run.mean_losses(self._step(self.done + i, *batch) for i, batch in enumerate(batches))

    def _step(self, iteration: int, index: Tensor, chosen: Tensor) -> dict[str, Tensor]:
        terms = self.train.terms(self.model, self.config, index, chosen, self.config.samples)
        run.descend(self.optimiser, self.schedule, terms.total(*self.config.betas(iteration)), math.inf)
        return {name: value.detach() for name, value in vars(terms).items()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """The ELBO of a validation face, in nats, with beta 1 and the triplets' term, and its parts; always the same
        draws."""
        part = self.validation
        torch.manual_seed(self.config.seed)
        every = torch.arange(len(part.faces)), torch.arange(len(part.triplets))
        terms = part.terms(self.model.eval(), self.config, *every, SAMPLES)
        parts = {f"val_{name}": float(value) for name, value in vars(terms).items()}
        return {"elbo": -float(terms.total(1, 1)), **{name: round(value, 4) for name, value in parts.items()}}

    def save(self) -> None:
        """Write the run's state to its folder, atomically."""
        run.save_run(self, STATE)

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none."""
        return run.resume_run(self, STATE)


def train_landmarks(
    config: LandmarkTraining, faces: LandmarkSet, out: Path, command: str, triplets: dict[str, Triplets] | None = None
) -> Path:
    """Train on a set of landmark shapes; returns OUT/NAME.safetensors, the weights of the highest validation ELBO.

    triplets: of each part; None draws artificial ones, as the configuration says. command: what makes the same weights
    again, for the card. A second call goes on where the first stopped. DataError where the model does not fit the set.
    """
    _check_layout(config, faces)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    chosen = triplets or artificial(faces, config.triplets.counts, config.triplets.seed)
    own = LandmarkRun(config, faces, chosen, out)
    own.resume()
    own.run()
    return export(own, faces, command)


def _check_layout(config: LandmarkTraining, faces: LandmarkSet) -> None:
    model, layout = config.model, faces.layout
    if (model.points, model.layout) != (layout.points, layout.name):
        raise DataError(
            f"{faces.source} has {layout.points} landmarks of {layout.name}, the model {model.points} of"
            f" {model.layout}; give --set model.points={layout.points} --set model.layout={layout.name}"
        )


def export(trained: LandmarkRun, faces: LandmarkSet, command: str) -> Path:
    """Write a run's best weights as a checkpoint in its folder, in half precision."""
    config, path = trained.config, trained.folder / f"{trained.config.name}.safetensors"
    persons = len(np.unique(faces.subject[faces.part("train")]))
    card = ModelCard(
        name=config.name,
        kind="landmark-vae",
        config=config.model.to_dict(),
        crop={},
        data=f"{faces.name}, {int(faces.part('train').sum())} faces of {persons} training persons",
        terms=TERMS.get(faces.name, f"bound by the licence of {faces.name}"),
        command=command,
        training={**config.to_dict(), "iterations_done": trained.done, "validation_elbo": float(trained.best.elbo)},
    )
    save(path, trained.best.model, card, torch.float16)
    return path
