"""The checkpoints that are compared, and what each says of faces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nets.card import ModelCard
from nets.levasa import Levasa
from nets.pictures import batch_of
from tracker.errors import UsageError
from train.levasa.tasks.faces import BATCH, Faces
from train.prepared import Prepared
from train.scoring.compared import check_crops, open_kind


@dataclass(frozen=True)
class Model:
    """A checkpoint that is compared."""

    label: str
    """Its name; its path where two have one name."""
    card: ModelCard
    network: Levasa

    @property
    def heads(self) -> str:
        """none for the vanilla model; scalar, repeat or classes for an aligned one."""
        return self.network.config.heads


@dataclass(frozen=True)
class Encoded:
    """What a model says of N faces; z is the latents' mean."""

    z: np.ndarray
    """(N, 3, 32) float32: z_v, z_a and z_z."""
    affect: np.ndarray | None
    """(N, 2): valence and arousal by the heads, kept within [-1, 1] as the tracker does; None for a model without."""
    log_shares: np.ndarray | None
    """(N, 2, 21): log probabilities of the tenths -10 to 10; None but for a discrete model."""


def open_models(names: Sequence[str], data: Prepared) -> tuple[Model, ...]:
    """LeVAsa's checkpoints by name or path.

    CheckpointError for one that cannot be used or is of another kind; DataError where its crops are not the set's;
    UsageError for one given twice.
    """
    opened = [open_kind(name, Levasa, "levasa") for name in names]
    titles = [card.name for _, card in opened]
    models = [
        Model(card.name if titles.count(card.name) == 1 else name, card, network)
        for name, (network, card) in zip(names, opened, strict=True)
    ]
    for model in models:
        check_crops(model.label, model.card.crop, data)
        if [other.label for other in models].count(model.label) > 1:
            raise UsageError(f"model {model.label} was given twice; expected each once")
    return tuple(models)


@torch.inference_mode()
def encode(model: Model, faces: Faces) -> Encoded:
    """The model's answer to every face."""
    network = model.network
    z = torch.cat([network.latents(crops).mean for crops in _batches(faces, f"encoding by {model.label}")])
    if model.heads == "none":
        return Encoded(z.numpy(), None, None)
    shares = torch.log_softmax(network.head_outputs(z), dim=2).numpy() if model.heads == "classes" else None
    return Encoded(z.numpy(), network.affect(z).clamp(-1, 1).numpy(), shares)


@torch.inference_mode()
def reconstruction_errors(model: Model, faces: Faces) -> np.ndarray:
    """(N,): mean squared error of the pixels, in [0, 1], of every face that is decoded from its latents' means."""
    network = model.network
    return np.concatenate([
        ((network.decode(network.latents(crops).mean) - network.scale(crops)) ** 2).mean(dim=(1, 2, 3)).numpy()
        for crops in _batches(faces, f"decoding by {model.label}")
    ])  # fmt: skip


@torch.inference_mode()
def reconstruct(model: Model, faces: Faces) -> np.ndarray:
    """The pictures (N, S, S, C) in [0, 1] of faces that are decoded from their latents' means."""
    pictures = model.network.decode(model.network.latents(batch_of(faces.crops())).mean)
    return pictures.permute(0, 2, 3, 1).clamp(0, 1).numpy()


def _batches(faces: Faces, title: str) -> Iterator[Tensor]:
    for crops in tqdm(faces.batches(), title, -(-len(faces) // BATCH), unit="batch", leave=False):
        yield batch_of(crops)
