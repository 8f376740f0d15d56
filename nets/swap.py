"""DisVAE's swaps: the expression of one face on the identity of another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nets.disvae import Disvae
from nets.pictures import batch_of, crops_of


@dataclass(frozen=True)
class Reading:
    """What a DisVAE reads in pictures, by however many axes they are arranged."""

    probabilities: np.ndarray
    """(..., K) of the classes."""
    affect: np.ndarray
    """(..., 2): valence and arousal."""

    @property
    def likeliest(self) -> np.ndarray:
        """(...) int: the class."""
        return self.probabilities.argmax(axis=-1)

    def said(self, classes: Sequence[str], place: int | tuple[int, ...]) -> str:
        """Of one picture: the likeliest of the classes (K) and its probability, in words."""
        probabilities = self.probabilities[place]
        return f"{classes[probabilities.argmax()]} {probabilities.max():.2f}"


@torch.no_grad()
def read(model: Disvae, crops: np.ndarray) -> Reading:
    """What a model in evaluation mode reads in crops (..., S, S, C) uint8."""
    arranged, shape = crops.shape[:-3], crops.shape[-3:]
    answer = model.encode(batch_of(crops.reshape(-1, *shape)))
    probabilities = answer.feature[:, model.config.latent :]
    return Reading(probabilities.reshape(*arranged, -1).numpy(), answer.affect.reshape(*arranged, 2).numpy())


@torch.no_grad()
def swap(model: Disvae, identities: np.ndarray, expressions: np.ndarray) -> np.ndarray:
    """Pictures (N, M, S, S, C) uint8 of every expression (M, S, S, C) on every identity (N, S, S, C), crops uint8.

    The means of the two codes are fused and decoded. ValueError for the CNN baseline.
    """
    codes = model.expression(batch_of(expressions)).mean
    return np.stack([_worn(model, identity, codes) for identity in model.identity(batch_of(identities)).mean])


def _worn(model: Disvae, identity: Tensor, expressions: Tensor) -> np.ndarray:
    """Pictures (M, S, S, C) uint8 of codes of expression (M, L) on the code of one identity (L,)."""
    return crops_of(model.decode(model.fuse(identity.expand_as(expressions), expressions)))
