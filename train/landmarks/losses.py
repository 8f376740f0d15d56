"""What the landmark VAE's training minimises (Mikheeva, Ek, Kjellstrom, Eq. 5 to 13), per face."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.landmark_vae import Code


@dataclass(frozen=True)
class Terms:
    """The parts of the loss."""

    reconstruction: Tensor
    """() nats a face: minus the expected log-likelihood, without its constant."""
    kl: Tensor
    """() nats a face."""
    triplets: Tensor
    """() nats a face: minus the log of the topological prior; 0 without one."""

    def total(self, beta: float, beta_triplets: float) -> Tensor:
        """The loss under the priors' annealing factors, [0, 1]; with both 1 it is minus the ELBO."""
        return self.reconstruction + beta * self.kl + beta_triplets * self.triplets


def reconstruction_loss(drawn: Tensor, faces: Tensor, variance: float) -> Tensor:
    """() of decoded samples drawn (L, B, D) of faces (B, D): the summed squared error over twice the variance."""
    return (drawn - faces).square().sum(2).mean() / (2 * variance)


def triplet_loss(codes: tuple[Code, Code, Code], weights: Tensor, samples: int) -> Tensor:
    """() mean over triplets of the weighted softplus(d+ - d-), with Euclidean d between drawn codes.

    codes: of references, nearer and farther faces, (V, K) each; weights (V,); the mean of `samples` draws (Eq. 11).
    """
    reference, nearer, farther = (code.sample(samples) for code in codes)
    gap = (reference - nearer).norm(dim=2) - (reference - farther).norm(dim=2)
    return (weights * F.softplus(gap)).mean()


def nothing() -> Tensor:
    """The triplets' term of a model without them."""
    return torch.zeros(())
