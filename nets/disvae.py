"""DisVAE: an autoencoder whose code of identity and code of expression lie apart (Wang, Zhang and Shang, FG 2023)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nets.bounds import check_config
from nets.gaussian import Gaussian
from nets.network import Answer, Network, joint_quadrants

Fusion = Literal["linear", "relu"]
SLOPE = 0.2
"""Of the leaky rectifiers (the authors' code)."""


@dataclass(frozen=True)
class DisvaeConfig:
    """Shape of the networks. The defaults are the published size; ValueError for what cannot be built."""

    classes: tuple[str, ...]
    """Names of the expressions."""
    centres: tuple[tuple[float, float], ...]
    """Valence and arousal of each class, in [-1, 1]: what its probabilities say of a face's affect."""
    size: int = 64
    """Side of the crop, pixels."""
    channels: int = 3
    """3 RGB, 1 grey."""
    widths: tuple[int, ...] = (32, 64, 128, 256)
    """Of an encoder's convolutions, each of which halves the side; the decoder is their mirror."""
    latent: int = 100
    """Components of each code."""
    fusion: Fusion = "linear"
    """What joins the codes: a linear layer (the authors' code), or one with a rectifier (the slides)."""
    dropout: float = 0.5
    """Before the classifier."""
    generative: bool = True
    """False: the encoder of expression and the classifier alone, the authors' CNN baseline."""

    def __post_init__(self) -> None:
        check_config(self)
        if len(self.classes) < 2 or len(self.classes) != len(self.centres):
            raise ValueError(f"{len(self.classes)} classes, {len(self.centres)} centres; expected as many, two or more")
        if not self.widths or self.size % 2 ** len(self.widths):
            raise ValueError(f"size is {self.size} px; expected a multiple of {2 ** len(self.widths)}")

    @property
    def side(self) -> int:
        """Of the smallest maps, pixels."""
        return self.size >> len(self.widths)

    @property
    def feature(self) -> int:
        """Width of the feature that encode() gives: the code of expression and the classes' probabilities."""
        return self.latent + len(self.classes)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DisvaeConfig":
        """From a model card's `config`; raises TypeError for a name that is not a setting."""
        settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**{**settings, "centres": tuple((float(v), float(a)) for v, a in settings["centres"])})

    def to_dict(self) -> dict[str, Any]:
        """For a model card: JSON values only."""
        values = asdict(self)
        lists = {name: list(values[name]) for name in ("classes", "widths")}
        return {**values, **lists, "centres": [list(centre) for centre in self.centres]}


class Code(Gaussian):
    """Normal distributions (B, L) of a code's components."""

    def divergence(self) -> Tensor:
        """(B,): Kullback-Leibler divergence from the standard normal distribution, nats, the components' mean."""
        return self.nats().mean(1)


class CodeEncoder(nn.Module):
    """Pictures (B, C, S, S) to a code."""

    def __init__(self, config: DisvaeConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_encoder_layers(config))
        width = config.widths[-1] * config.side**2
        self.mean, self.log_variance = nn.Linear(width, config.latent), nn.Linear(width, config.latent)

    def forward(self, pictures: Tensor) -> Code:
        """Their codes, float32 whatever the precision within."""
        hidden = self.layers(pictures)
        return Code(self.mean(hidden).float(), self.log_variance(hidden).float())


class Disvae(Network):
    """Encoders of identity and expression, what fuses their codes, decoder and classifier. No state between calls."""

    config: DisvaeConfig
    centres: Tensor

    def __init__(self, config: DisvaeConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("centres", torch.tensor(config.centres), persistent=False)
        self.expression_encoder = CodeEncoder(config)
        self.classifier = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.latent, len(config.classes)))
        if config.generative:
            self.identity_encoder = CodeEncoder(config)
            self.fusion = nn.Sequential(nn.Linear(2 * config.latent, config.latent))
            if config.fusion == "relu":
                self.fusion.append(nn.ReLU())
            self.decoder = nn.Sequential(*_decoder_layers(config))
        self.apply(_begin)

    def scale(self, crops: Tensor) -> Tensor:
        """Crops (B, C, S, S) of grey levels 0 to 255 to the pictures' range, [0, 1]."""
        return crops.float() / 255

    def identity(self, crops: Tensor) -> Code:
        """What crops (B, C, S, S) of grey levels 0 to 255 have of a person; ValueError for the CNN baseline."""
        self._require_generative()
        return self.identity_encoder(self.scale(crops))

    def expression(self, crops: Tensor) -> Code:
        """What crops (B, C, S, S) of grey levels 0 to 255 have of an expression."""
        return self.expression_encoder(self.scale(crops))

    def fuse(self, identity: Tensor, expression: Tensor) -> Tensor:
        """Codes (B, L) of both to what the decoder takes (B, L); ValueError for the CNN baseline."""
        self._require_generative()
        return self.fusion(torch.cat([identity, expression], dim=1)).float()

    def decode(self, z: Tensor) -> Tensor:
        """The pictures (B, C, S, S) of z (B, L): about [0, 1], for the last layer is linear; ValueError as above."""
        self._require_generative()
        return self.decoder(z).float()

    def classify(self, expression: Tensor) -> Tensor:
        """Logits (B, K) of the classes for codes of expression (B, L)."""
        return self.classifier(expression).float()

    def encode(self, crops: Tensor) -> Answer:
        """Crops (B, C, S, S) of 0 to 255 to feature (B, F), quadrant probabilities (B, 4) and affect (B, 2).

        The feature is the expression code's mean and the classes' probabilities; who it is, is not in it. Affect is the
        mean of the classes' centres by their probabilities, and the quadrant is the one in which it lies.
        """
        code = self.expression(crops).mean
        probabilities = torch.softmax(self.classify(code), dim=1)
        affect = probabilities @ self.centres
        return Answer(torch.cat([code, probabilities], dim=1), joint_quadrants((affect >= 0).float()), affect)

    @property
    def reading_names(self) -> tuple[str, ...]:
        """e_0 to e_99, the code of expression, then p_CLASS: the columns of the feature."""
        codes = (f"e_{i}" for i in range(self.config.latent))
        return (*codes, *(f"p_{name}" for name in self.config.classes))

    def _require_generative(self) -> None:
        if not self.config.generative:
            raise ValueError("this is the CNN baseline: it has no code of identity and makes no pictures")


def _encoder_layers(config: DisvaeConfig) -> Iterator[nn.Module]:
    for before, after in pairwise((config.channels, *config.widths)):
        yield from (nn.Conv2d(before, after, 4, stride=2, padding=1), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE))
    yield nn.Flatten()


def _decoder_layers(config: DisvaeConfig) -> Iterator[nn.Module]:
    shape = (config.widths[-1], config.side, config.side)
    yield from (nn.Linear(config.latent, shape[0] * config.side**2), nn.ReLU(), nn.Unflatten(1, shape))
    for before, after in pairwise(reversed(config.widths)):
        yield from (nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1))
        yield from (nn.BatchNorm2d(after, eps=1e-3), nn.LeakyReLU(SLOPE))
    yield from (nn.Upsample(scale_factor=2), nn.Conv2d(config.widths[0], config.channels, 3, padding=1))


def _begin(layer: nn.Module) -> None:
    """The published first weights, but for the batch normalisations' (the authors' begin about 0)."""
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, a=0.01)
    elif isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
