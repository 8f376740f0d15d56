"""LeVAsa: a variational autoencoder with latents that are aligned with valence and arousal (arXiv 2007.10058)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nets.bounds import check_config
from nets.gaussian import Gaussian
from nets.network import Answer, Network, joint_quadrants
from nets.products import TransposedConvolution

Heads = Literal["none", "repeat", "scalar", "classes"]
LEVELS = 21
"""Of discrete valence or arousal: the tenths from -10 to 10."""
HIGH = LEVELS // 2
"""The first level that counts as high: zero."""
LATENTS = ("valence", "arousal", "rest")
"""z_v, z_a and z_z, in the order of the latents' second axis."""
DEVIATION = 0.05
"""Of the first weights; batch normalisations' scales begin about 1 with .02 (the authors' notebooks)."""


@dataclass(frozen=True)
class LevasaConfig:
    """Shape of the networks. The defaults are the published size; ValueError for what cannot be built."""

    size: int = 64
    """Side of the crop, pixels."""
    channels: int = 3
    """3 RGB, 1 grey."""
    widths: tuple[int, ...] = (64, 128, 256, 512)
    """Of the convolutions, each of which halves the side."""
    hidden: tuple[int, ...] = (512, 128)
    """Widths of the layers between the convolutions and the latents."""
    latent: int = 32
    """Components of each of z_v, z_a and z_z."""
    heads: Heads = "scalar"
    """none: the vanilla autoencoder. scalar: V is linear in z_v, and A in z_a. repeat: every component of z_v is V (the
    authors' continuous model). classes: logits of the tenths -10 to 10 (their discrete one)."""
    output: Literal["sigmoid", "relu"] = "sigmoid"
    """Of the decoder's last layer; relu, after a batch normalisation, is the authors'."""

    def __post_init__(self) -> None:
        check_config(self)
        if not (self.widths and self.hidden):
            raise ValueError("widths or hidden is empty; expected the widths of its layers")
        if self.sides[-1] < 1:
            raise ValueError(f"size is {self.size} px, too small for {len(self.widths)} convolutions of stride 2")

    @property
    def sides(self) -> tuple[int, ...]:
        """Of the crop and after each convolution, pixels."""
        sides = [self.size]
        for _ in self.widths:
            sides.append((sides[-1] - 3) // 2 + 1)
        return tuple(sides)

    @property
    def feature(self) -> int:
        """Width of the feature that encode() gives: all three latents."""
        return len(LATENTS) * self.latent

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LevasaConfig":
        """From a model card's `config`; raises TypeError for a name that is not a setting."""
        settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """For a model card: JSON values only."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Latents(Gaussian):
    """Normal distributions (B, 3, latent) of z_v, z_a and z_z."""

    def divergence(self) -> Tensor:
        """(B, 3): Kullback-Leibler divergence of each latent from the standard normal distribution, nats."""
        return self.nats().sum(2)


class Levasa(Network):
    """Encoder, decoder and the heads of valence and arousal. It holds no state between calls."""

    config: LevasaConfig

    def __init__(self, config: LevasaConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Sequential(*_encoder_layers(config))
        self.mean = nn.Linear(config.hidden[-1], config.feature)
        self.log_variance = nn.Linear(config.hidden[-1], config.feature)
        self.decoder = nn.Sequential(*_decoder_layers(config))
        self.output: nn.Module = nn.Sigmoid()
        if config.output == "relu":
            self.output = nn.Sequential(nn.BatchNorm2d(config.channels), nn.ReLU())
        self.heads = nn.ModuleList(_head(config) for _ in range(0 if config.heads == "none" else 2))
        self.apply(_begin)

    def scale(self, crops: Tensor) -> Tensor:
        """Crops (B, C, S, S) of grey levels 0 to 255 to the pictures' range, [0, 1]."""
        return crops.float() / 255

    def latents(self, crops: Tensor) -> Latents:
        """Of crops (B, C, S, S) of grey levels 0 to 255."""
        hidden = self.encoder(self.scale(crops))
        shape = (-1, len(LATENTS), self.config.latent)
        return Latents(*(layer(hidden).float().view(shape) for layer in (self.mean, self.log_variance)))

    def decode(self, z: Tensor) -> Tensor:
        """The pictures (B, C, S, S) of z (B, 3, latent), in [0, 1]; with the output relu only roughly below 1."""
        return self.output(self.decoder(z.flatten(1)).float())

    def head_outputs(self, z: Tensor) -> Tensor:
        """What the heads say of z_v and z_a in z (B, 3, latent): (B, 2, K).

        K is 1 (scalar), the latent's width (repeat), or 21 logits (classes). ValueError for a model without heads.
        """
        if not self.heads:
            raise ValueError("a vanilla LeVAsa has no heads: it tells neither valence nor arousal")
        return torch.stack([head(z[:, i]).float() for i, head in enumerate(self.heads)], dim=1)

    def affect(self, z: Tensor) -> Tensor:
        """Valence and arousal (B, 2) that the heads read in z (B, 3, latent), in units of [-1, 1], unbounded."""
        return self._affect_of(self.head_outputs(z))

    def encode(self, crops: Tensor) -> Answer:
        """Crops (B, C, S, S) of 0 to 255 to feature (B, F), quadrant probabilities (B, 4) and affect (B, 2).

        The feature is the latents' means. Where the heads name no probabilities, the quadrant is certain.
        """
        mean = self.latents(crops).mean
        outputs = self.head_outputs(mean)
        affect = self._affect_of(outputs)
        high = (affect >= 0).float()
        if self.config.heads == "classes":
            high = torch.softmax(outputs, dim=2)[..., HIGH:].sum(2)
        return Answer(mean.flatten(1), joint_quadrants(high), affect)

    @property
    def has_affect(self) -> bool:
        """Whether it has heads; the vanilla autoencoder has none."""
        return self.config.heads != "none"

    def _affect_of(self, outputs: Tensor) -> Tensor:
        if self.config.heads != "classes":
            return outputs.mean(2)
        return torch.softmax(outputs, dim=2) @ torch.linspace(-1, 1, LEVELS, device=outputs.device)


def _encoder_layers(config: LevasaConfig) -> Iterator[nn.Module]:
    for before, after in pairwise((config.channels, *config.widths)):
        yield from (nn.Conv2d(before, after, 3, stride=2), nn.BatchNorm2d(after), nn.ReLU())
    yield nn.Flatten()
    for before, after in pairwise((config.widths[-1] * config.sides[-1] ** 2, *config.hidden)):
        yield from (nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU())


def _decoder_layers(config: LevasaConfig) -> Iterator[nn.Module]:
    """The encoder's mirror; the first layer alone has no batch normalisation (the authors' notebooks)."""
    shape = (config.widths[-1], config.sides[-1], config.sides[-1])
    yield from (nn.Linear(config.feature, config.hidden[-1]), nn.ReLU())
    for before, after in pairwise((*reversed(config.hidden), prod(shape))):
        yield from (nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU())
    yield nn.Unflatten(1, shape)
    sides, widths = config.sides[::-1], (*reversed(config.widths), config.channels)
    for number, ((before, after), (small, large)) in enumerate(zip(pairwise(widths), pairwise(sides), strict=True)):
        yield TransposedConvolution(before, after, large - 2 * (small - 1), stride=2)
        if number < len(config.widths) - 1:
            yield from (nn.BatchNorm2d(after), nn.ReLU())


def _head(config: LevasaConfig) -> nn.Module:
    if config.heads == "repeat":
        return nn.Identity()
    return nn.Linear(config.latent, LEVELS if config.heads == "classes" else 1)


def _begin(layer: nn.Module) -> None:
    """The published first weights."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(layer.weight, 0, DEVIATION)
    elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1, 0.02)
