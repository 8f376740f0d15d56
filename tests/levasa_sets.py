"""A set of drawn faces with votes for emotions, and LeVAsas of which it is known how well they are aligned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from sequence_sets import TEMPLATE, write_set
from torch import Tensor

from nets.card import ModelCard
from nets.checkpoint import save
from nets.levasa import LEVELS, Heads, Latents, Levasa, LevasaConfig
from train.datasets import ferplus
from train.levasa.config import LabelsConfig
from train.levasa.tasks.config import TasksConfig
from train.levasa.tasks.encoded import Model
from train.levasa.tasks.faces import parts_of
from train.levasa.tasks.study import Study
from train.prepared import SPLITS, Prepared, open_prepared

TINY = LevasaConfig(size=TEMPLATE.size, channels=1, widths=(4, 4, 8), hidden=(16, 8), latent=4, heads="none")
QUICK = TasksConfig(faces=150, processes=1, rounds=60, mlp_epochs=20, mlp_width=8, map_faces=6, shown=9, tree_leaf=5)
LABELS = LabelsConfig()
TRAIN, TEST = 200, 120


def write_faces(folder: Path, without: tuple[str, ...] = (), **changes: np.ndarray) -> Prepared:
    """TRAIN faces to train and TEST to test, each of its own person, bright above where valence is high and below where
    arousal is."""
    count, rng = TRAIN + TEST, np.random.default_rng(3)
    votes = rng.multinomial(3, np.full(8, 0.125), count)
    votes[np.arange(count), rng.choice(8, count, p=[0.3, 0.25, 0.15, 0.1, 0.1, 0.04, 0.04, 0.02])] += 7
    columns = {
        "affect": ferplus.affect_of_votes(votes),
        "found": np.ones(count, bool),
        "clip": np.arange(count),
        "time": np.zeros(count),
        "subject": np.arange(count),
        "split": np.where(np.arange(count) < TRAIN, SPLITS["train"], SPLITS["test"]).astype(np.uint8),
        "emotions": ferplus.vote_shares(votes),
        "votes_cast": votes.sum(axis=1).astype(np.uint8),
    }
    return write_set(folder, {key: values for key, values in (columns | changes).items() if key not in without})


class Aligned(Levasa):
    """Every component of z_v is the valence that the picture shows, of z_a the arousal; z_z is 0."""

    def latents(self, crops: Tensor) -> Latents:
        shown = (crops.float().mean(dim=(1, 3)) - 128) / 100
        half = shown.shape[1] // 2
        affect = torch.stack([shown[:, :half].mean(1), shown[:, half:].mean(1)], dim=1)
        z = torch.nn.functional.pad(affect, (0, 1))[..., None].repeat(1, 1, self.config.latent)
        return Latents(z, torch.zeros_like(z))


class Blind(Levasa):
    """Its latents have nothing to do with the picture, and it draws every picture black."""

    def latents(self, crops: Tensor) -> Latents:
        drawn = torch.Generator().manual_seed(int(crops.long().sum()))
        z = torch.randn(len(crops), 3, self.config.latent, generator=drawn)
        return Latents(z, torch.zeros_like(z))

    def decode(self, z: Tensor) -> Tensor:
        return torch.zeros(len(z), 1, self.config.size, self.config.size)


def model(kind: type[Levasa], name: str, heads: Heads) -> Model:
    """In evaluation mode; discrete heads tell every tenth alike."""
    torch.manual_seed(0)
    network = kind(replace(TINY, heads=heads)).eval()
    if heads == "classes":
        for head in network.heads:
            torch.nn.init.zeros_(head.weight)
            head.bias.data = torch.linspace(-1, 1, LEVELS)
    return Model(name, ModelCard(name, "levasa", network.config.to_dict(), TEMPLATE.card(), "", "", ""), network)


def study_of(folder: Path, *models: Model, config: TasksConfig = QUICK) -> Study:
    """The models on the set in a folder."""
    data = open_prepared(folder)
    rows = {name: data.extra["split"] == value for name, value in SPLITS.items()}
    return Study(models, *parts_of(data, LABELS, rows), config, LABELS)


def write_levasa(folder: Path, heads: Heads, name: str = "", **changes: object) -> str:
    """The path of a random model as training writes it."""
    torch.manual_seed(1)
    name = name or f"levasa-{heads}"
    network = Levasa(replace(TINY, heads=heads)).eval()
    card = ModelCard(name, "levasa", network.config.to_dict(), TEMPLATE.card(), "", "", "", training={"labels": {}})
    path = folder / f"{name}.safetensors"
    save(path, network, replace(card, **changes))  # type: ignore[arg-type]
    return str(path)
