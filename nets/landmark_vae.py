"""A variational autoencoder of landmarks that may know the neutral face: VAE, M1 and M2 (Mikheeva, Ek, Kjellstrom)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from nets.bounds import check_config
from nets.gaussian import Gaussian


@dataclass(frozen=True)
class LandmarkVaeConfig:
    """Shape of the networks. The defaults are the published size; ValueError for what cannot be built."""

    points: int = 83
    """Landmarks of three coordinates."""
    latent: int = 30
    """Components of the code."""
    encoder: tuple[int, ...] = (480, 240, 120, 60)
    """Widths of the hidden layers."""
    decoder: tuple[int, ...] = (300, 400, 300)
    conditional: bool = True
    """Encoder and decoder are told the neutral face of the same person (M1, M2); False: a plain VAE."""
    dropout: float = 0.1
    """Share of the hidden units that are left out in training."""
    layout: str = "mediapipe-83"
    """Name of what the points are: see tracker.faces.shape."""

    def __post_init__(self) -> None:
        check_config(self)
        if not (self.encoder and self.decoder):
            raise ValueError("encoder or decoder is empty; expected the widths of its layers")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; expected 0 to less than 1")

    @property
    def width(self) -> int:
        """Coordinates of a face, D."""
        return 3 * self.points

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LandmarkVaeConfig":
        """From a model card's `config`; raises TypeError for a name that is not a setting."""
        settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """For a model card: JSON values only."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Code(Gaussian):
    """q(z | x, y): normal distributions (B, K) of a code's components (Eq. 3)."""

    def divergence(self) -> Tensor:
        """(B,): Kullback-Leibler divergence from the standard normal distribution, nats."""
        return self.nats().sum(1)

    def rows(self, start: int, stop: int) -> "Code":
        """Of some of the faces."""
        return Code(self.mean[start:stop], self.log_variance[start:stop])


class LandmarkVae(nn.Module):
    """Faces (B, D) to codes and back, D = 3 N coordinates of normalised landmarks; it holds no state between calls.

    A conditional one must be given the neutral face (B, D) too; a plain one leaves it unread.
    """

    average: Tensor
    """(D,) mean of the training faces, which is subtracted."""

    def __init__(self, config: LandmarkVaeConfig) -> None:
        super().__init__()
        self.config = config
        told = config.width if config.conditional else 0
        self.encoder = nn.Sequential(*_layers((config.width + told, *config.encoder), config.dropout))
        self.mean = nn.Linear(config.encoder[-1], config.latent)
        self.log_variance = nn.Linear(config.encoder[-1], config.latent)
        self.decoder = nn.Sequential(
            *_layers((config.latent + told, *config.decoder), config.dropout),
            nn.Linear(config.decoder[-1], config.width),
        )
        self.register_buffer("average", torch.zeros(config.width))

    def encode(self, faces: Tensor, neutral: Tensor | None = None) -> Code:
        """The codes of faces (B, D)."""
        hidden = self.encoder(self._told(faces - self.average, neutral))
        return Code(self.mean(hidden), self.log_variance(hidden))

    def decode(self, z: Tensor, neutral: Tensor | None = None) -> Tensor:
        """The faces (..., D) of z (..., K)."""
        return self.average + self.decoder(self._told(z, neutral))

    def _told(self, values: Tensor, neutral: Tensor | None) -> Tensor:
        """The values (..., W) with the neutral face (B, D) behind them, where this model reads it."""
        if not self.config.conditional:
            return values
        if neutral is None:
            raise ValueError("a conditional model (M1, M2) needs the neutral face; got none")
        return torch.cat([values, (neutral - self.average).expand(*values.shape[:-1], -1)], dim=-1)


def _layers(widths: tuple[int, ...], dropout: float) -> Iterator[nn.Module]:
    for before, after in pairwise(widths):
        yield from (nn.Linear(before, after), nn.ELU(), nn.Dropout(dropout))
