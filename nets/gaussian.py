"""Normal distributions whose components are independent: what the encoders of variational autoencoders tell."""

from typing import NamedTuple

import torch
from torch import Tensor


class Gaussian(NamedTuple):
    """Of every component by itself; a kind of code says in its own class what its axes are."""

    mean: Tensor
    log_variance: Tensor
    """Of the mean's shape."""

    def sample(self, *draws: int) -> Tensor:
        """One draw, or (*draws, ...) of them, by torch's global generator, through which gradients pass."""
        noise = torch.randn(*draws, *self.mean.shape, device=self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def nats(self) -> Tensor:
        """Kullback-Leibler divergence of each component from the standard normal distribution, of the mean's shape."""
        return 0.5 * (self.mean**2 + self.log_variance.exp() - self.log_variance - 1)
