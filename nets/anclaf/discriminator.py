"""D: is the picture real, and which quadrant of the circumplex does it show (Aspandi et al. 2021, Eq. 2)."""

from itertools import pairwise

from torch import Tensor, nn

QUADRANTS = 4
"""Outputs of the quadrant head that classifies; one that regresses valence and arousal has two."""
SMALLEST = 4
"""Side, at most, of what the last layer of `latent_head` sees."""


class Discriminator(nn.Module):
    """Strided convolutions without normalisation (WGAN-GP forbids it across the batch) and two heads."""

    def __init__(self, channels: int, width: int, layers: int, size: int, outputs: int = QUADRANTS) -> None:
        super().__init__()
        widths = [channels, *(width * 2**i for i in range(layers))]
        body: list[nn.Module] = []
        for before, after in pairwise(widths):
            body += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*body)
        self.realness = nn.Conv2d(widths[-1], 1, 3, 1, 1, bias=False)
        self.quadrant = nn.Conv2d(widths[-1], outputs, size // 2**layers, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Picture (B, C, S, S) in [-1, 1] to critic values (B, 1, s, s) and quadrant logits (B, 4).

        Quadrants count counter-clockwise from V+A+. A head that regresses gives valence and arousal (B, 2) instead.
        """
        features = self.body(image)
        return self.realness(features), self.quadrant(features).flatten(1)


def latent_head(planes: int, side: int) -> nn.Sequential:
    """What reads D's quadrant logits (B, 4) of G's picture off Z (B, planes, side, side), without the picture."""
    body: list[nn.Module] = []
    while side > SMALLEST:
        body += [nn.Conv2d(planes, planes, 4, 2, 1), nn.LeakyReLU(0.01)]
        side //= 2
    return nn.Sequential(*body, nn.Conv2d(planes, QUADRANTS, side), nn.Flatten())
