"""The adversarial game: D learns to tell clean pictures from G's (WGAN-GP, Gulrajani et al. 2017, Algorithm 1).

The paper prints a minimax game (Eq. 9); its released code plays this one, and so do we.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nets.anclaf.discriminator import Discriminator


def realness(critic: Tensor) -> Tensor:
    """(B,): mean of the critic's patches (B, 1, s, s)."""
    return critic.float().mean(dim=(1, 2, 3))


def gradient_penalty(discriminator: Discriminator, clean: Tensor, denoised: Tensor) -> Tensor:
    """Mean squared distance from 1 of the critic's slope, between clean and denoised pictures (B, C, S, S).

    The released code interpolates from the distorted picture instead, which is neither of the two.
    """
    share = torch.rand(len(clean), 1, 1, 1, device=clean.device)
    between = (share * clean + (1 - share) * denoised).requires_grad_(True)
    (slope,) = torch.autograd.grad(realness(discriminator(between)[0]).sum(), between, create_graph=True)
    return ((slope.float().flatten(1).norm(dim=1) - 1) ** 2).mean()


def critic_losses(discriminator: Discriminator, clean: Tensor, denoised: Tensor, count: int) -> dict[str, Tensor]:
    """D's losses in the game, and its answers: `critic`, `penalty` (on the first `count` pictures), `verdict`.

    clean and denoised (B, C, S, S) in [-1, 1], denoised without a gradient to G. verdict (2B, K) is D's second head for
    the clean pictures, then for the denoised ones.
    """
    judged, verdict = discriminator(torch.cat([clean, denoised]))
    real, fake = realness(judged).chunk(2)
    penalty = gradient_penalty(discriminator, clean[:count], denoised[:count])
    return {"critic": fake.mean() - real.mean(), "penalty": penalty, "verdict": verdict}


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within it the parameters of a module take no gradient; gradients still pass through the module."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
