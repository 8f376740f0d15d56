"""The adversarial game: its penalty on functions whose slope is known, and whom each step changes."""

import pytest
import torch
from torch import nn

from nets.anclaf.discriminator import Discriminator
from train.critic import critic_losses, frozen, gradient_penalty, realness


class Linear(nn.Module):
    """A critic whose slope has the given length everywhere."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((64,), slope / 8))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value = image.flatten(1) @ self.weight
        return value[:, None, None, None], value[:, None]


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_the_penalty_is_the_squared_distance_of_the_slope_from_one(slope: float) -> None:
    pictures = torch.randn(5, 1, 8, 8), torch.randn(5, 1, 8, 8)
    assert gradient_penalty(Linear(slope), *pictures).item() == pytest.approx((slope - 1) ** 2, abs=1e-5)


def test_the_penalty_teaches_the_critic() -> None:
    critic = Linear(3.0)
    gradient_penalty(critic, torch.randn(5, 1, 8, 8), torch.randn(5, 1, 8, 8)).backward()
    # d/ds (s - 1)^2 = 4 at s = 3, spread over 64 equal weights
    assert critic.weight.grad.sum().item() == pytest.approx(4 * 8, rel=1e-4)


def test_the_critic_learns_to_tell_bright_from_dark() -> None:
    torch.manual_seed(0)
    critic = Linear(0.1)
    optimiser = torch.optim.Adam(critic.parameters(), 0.02, betas=(0.0, 0.9))
    clean, dark = torch.rand(16, 1, 8, 8), -torch.rand(16, 1, 8, 8)
    for _ in range(60):
        losses = critic_losses(critic, clean, dark, 8)
        optimiser.zero_grad()
        (losses["critic"] + 10 * losses["penalty"]).backward()
        optimiser.step()
    real, fake = (realness(critic(p)[0]).mean().item() for p in (clean, dark))
    assert real - fake > 5
    assert critic.weight.norm().item() == pytest.approx(1, abs=0.5)


def test_what_the_game_asks_of_the_discriminator() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(1, 4, 3, 16)
    clean, denoised = torch.rand(6, 1, 16, 16), torch.rand(6, 1, 16, 16)
    losses = critic_losses(discriminator, clean, denoised, 4)
    real, fake = (realness(discriminator(p)[0]).mean() for p in (clean, denoised))
    assert losses["critic"].item() == pytest.approx((fake - real).item(), abs=1e-5)
    assert torch.allclose(losses["verdict"][6:], discriminator(denoised)[1], atol=1e-5)


def test_frozen_takes_no_gradient_and_lets_it_pass() -> None:
    layer, picture = nn.Linear(3, 1), torch.ones(2, 3, requires_grad=True)
    with frozen(layer):
        layer(picture).sum().backward()
    assert layer.weight.grad is None
    assert picture.grad is not None
    assert all(p.requires_grad for p in layer.parameters())
