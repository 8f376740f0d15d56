"""Walks through LeVAsa's latents: the same face, looking more or less pleasant, or more or less activated."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nets.levasa import Levasa
from nets.pictures import batch_of, crops_of

STEPS, STEP, NEAR = 60, 0.5, 1e-4
"""Most steps of Newton's method, the longest of them for a head that is not linear (standard deviations of the latents'
prior), and how near an answer is good enough."""


@dataclass(frozen=True)
class Walk:
    """A face, and N pictures that the decoder makes of it on the way; affect is valence and arousal."""

    face: np.ndarray
    """(2,): affect that the model reads in the face."""
    reconstruction: np.ndarray
    """(S, S, C) uint8: the face decoded as it was encoded."""
    reconstructed: np.ndarray
    """(2,): affect read in the reconstruction."""
    pictures: np.ndarray
    """(N, S, S, C) uint8."""
    told: np.ndarray
    """(N, 2): affect that the heads tell of the latents that were decoded."""
    read: np.ndarray
    """(N, 2): affect read in the pictures, that is in what they show when they are encoded again."""
    moves: np.ndarray
    """(N, 2): how far z_v and z_a were moved, in units of the latents (standard deviations of their prior)."""


@torch.no_grad()
def walk(model: Levasa, crop: np.ndarray, targets: np.ndarray) -> Walk:
    """Move the latents of a crop (S, S, C) uint8 to N targets (N, 2) of valence and arousal; NaN leaves an axis."""
    z = model.latents(batch_of(crop[None])).mean
    moved = move(model, z.expand(len(targets), -1, -1), torch.from_numpy(targets).float())
    pictures = crops_of(model.decode(torch.cat([z, moved])))
    read = _affect(model, np.concatenate([crop[None], pictures]))
    moves = (moved - z)[:, :2].norm(dim=2).numpy()
    return Walk(read[0], pictures[0], read[1], pictures[1:], model.affect(moved).numpy(), read[2:], moves)


def move(model: Levasa, z: Tensor, targets: Tensor) -> Tensor:
    """z (B, 3, L) with the least change of z_v and z_a after which the heads tell the targets (B, 2); NaN: no change.

    Newton's method along the heads' gradients. A linear head needs one step, w (t - h(z)) / |w|^2: the shortest move,
    and so the likeliest under the latents' prior N(0, I). The other (classes: the expectation over the tenths) is bent
    and bounded: steps are kept short, and a target beyond its reach is only approached.
    """
    moved, longest = z.clone(), STEP if model.config.heads == "classes" else float("inf")
    for _ in range(STEPS):
        told, slopes = _slopes(model, moved)
        missing = (targets - told).nan_to_num(0.0)[..., None]
        if missing.abs().max() < NEAR:
            break
        step = missing * slopes / slopes.square().sum(2, keepdim=True).clamp(min=1e-12)
        length = step.norm(dim=2, keepdim=True)
        moved[:, :2] += step * (longest / length.clamp(min=1e-12)).clamp(max=1.0)
    return moved


@torch.enable_grad()
def _slopes(model: Levasa, z: Tensor) -> tuple[Tensor, Tensor]:
    """Affect (B, 2), and the gradient (B, 2, L) of each axis by its own latent, the only one that its head reads."""
    z = z.detach().requires_grad_()
    told = model.affect(z)
    (gradient,) = torch.autograd.grad(told.sum(), z)
    return told.detach(), gradient[:, :2]


def _affect(model: Levasa, crops: np.ndarray) -> np.ndarray:
    return model.encode(batch_of(crops)).affect.numpy()
