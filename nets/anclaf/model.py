"""ANCLaF: affect from a denoised latent and adversarial quadrants (Aspandi, Sukno, Schuller, Binefa, VISAPP 2021)."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from nets.anclaf.combiner import Combiner, CombinerEncoder, FaceReader, Recurrence, Score
from nets.anclaf.discriminator import QUADRANTS, Discriminator, latent_head
from nets.anclaf.face import LEVELS, AreaShrink, FaceEncoder
from nets.anclaf.generator import Generator
from nets.anclaf.layers import Norm
from nets.bounds import check_config
from nets.network import Answer, Network


@dataclass(frozen=True)
class AnclafConfig:
    """Shape of the networks. The defaults are the paper's size; `compact()` is the one that ships.

    Raises ValueError for what cannot be built, or is beyond nets.bounds.
    """

    size: int = 128
    """Side of the crop, pixels."""
    shrink: int = 1
    """G's picture has a side of size / shrink: each of its pixels is the mean of shrink by shrink of the crop's."""
    channels: int = 3
    """3 RGB, 1 grey."""
    scaling: Literal["range", "standard"] = "range"
    """range: 0..255 to [-1, 1]. standard: each crop by its own mean and spread, so that dim light does not matter."""
    generator_width: int = 16
    generator_blocks: tuple[int, int] = (3, 2)
    """Residual blocks before and after Z."""
    generator_norm: Norm = "instance"
    generator_kernel: int = 7
    """Side of G's first and last convolution."""
    discriminator_width: int = 16
    discriminator_layers: int = 6
    quadrant: Literal["classify", "regress"] = "classify"
    """classify: D names the quadrant (the paper's text); regress: D's valence and arousal are thresholded (the released
    default)."""
    quadrant_planes: Literal[0, 1, 4] = 4
    """Planes of Q in ZQ: 4 probabilities; 1 (the quadrant's number) and 0 as in the released code."""
    quadrant_head: bool = False
    """encode() takes Q from a small head on Z, taught by D, so that neither G's decoder nor D runs in it."""
    combiner_widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    combiner_norm: Norm = "none"
    combiner_residual: bool = False
    face_levels: int = 0
    """Levels of the face network (nets.anclaf.face) whose maps of the crop C sees beside ZQ; 0: none. With it C tells
    expressions and deviations too."""
    face_widths: tuple[int, ...] = ()
    """Of C's encoder of those maps."""
    face_picture: int = 0
    """Side of what the face network sees, pixels: the whole crop, shrunk; 0: as it is."""
    recurrence: Literal["none", "lstm", "attention"] = "none"
    """none: ANCLaF. lstm: ANCLaF-S-n. attention: ANCLaF-SA-n."""
    hidden: int = 512
    score: Score = "linear"

    def __post_init__(self) -> None:
        check_config(self)
        if not self.combiner_widths or (self.face_levels and not self.face_widths):
            raise ValueError("combiner_widths or face_widths is empty; expected the widths of its layers")
        if self.picture < 2**self.discriminator_layers:
            raise ValueError(f"size is {self.size} px, too small for {self.discriminator_layers} halvings of D's")

    @property
    def feature(self) -> int:
        """Width F of the combiner's feature."""
        return self.combiner_widths[-1] + (self.face_widths[-1] if self.face_levels else 0)

    @property
    def picture(self) -> int:
        """Side of G's picture, pixels."""
        return self.size // self.shrink

    @classmethod
    def compact(cls) -> "AnclafConfig":
        """64 px grey, 2.7 M parameters."""
        return cls(
            size=64,
            channels=1,
            scaling="standard",
            generator_blocks=(3, 1),
            generator_norm="batch",
            generator_kernel=3,
            discriminator_width=24,
            discriminator_layers=4,
            combiner_widths=(64, 128, 224),
            combiner_norm="batch",
            combiner_residual=True,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "AnclafConfig":
        """From a model card's `config`; raises TypeError for a name that is not a setting."""
        settings: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**settings)

    def to_dict(self) -> dict[str, Any]:
        """For a model card: JSON values only."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Encoding(NamedTuple):
    """What the encoders say of B crops, for training and for the tracker alike."""

    reconstruction: Tensor
    """(B, C, S, S) in [-1, 1]: G's denoised picture."""
    realness: Tensor
    """(B, 1, s, s): D's critic values of it."""
    verdict: Tensor
    """D's second head: quadrant logits (B, 4), or valence and arousal (B, 2) of a D that regresses."""
    quadrant_logits: Tensor
    """(B, 4): D's; near certain where it regresses."""
    feature: Tensor
    """(B, F): C's."""
    affect: Tensor
    """(B, 2): C's single-frame valence and arousal, unbounded."""


class Anclaf(Network):
    """G, D and C. It holds no state between calls."""

    config: AnclafConfig

    def __init__(self, config: AnclafConfig) -> None:
        super().__init__()
        c = config
        self.config = c
        self.generator = Generator(
            c.channels, c.generator_width, c.generator_blocks, c.generator_norm, c.generator_kernel
        )
        outputs = QUADRANTS if c.quadrant == "classify" else 2
        self.discriminator = Discriminator(
            c.channels, c.discriminator_width, c.discriminator_layers, c.picture, outputs
        )
        latent = 4 * c.generator_width
        self.quadrant_head = latent_head(latent, c.picture // 4) if c.quadrant_head else None
        encoder = CombinerEncoder(latent + c.quadrant_planes, c.combiner_widths, c.combiner_norm, c.combiner_residual)
        recurrence = None
        if c.recurrence != "none":
            recurrence = Recurrence(c.feature, c.hidden, c.recurrence == "attention", c.score)
        self.face_shrink, self.face_encoder, reader = None, None, None
        if c.face_levels:
            picture = c.face_picture or c.size
            self.face_shrink = AreaShrink(c.size, picture) if picture < c.size else None
            self.face_encoder = FaceEncoder(picture, c.face_levels)
            width = LEVELS[c.face_levels - 1][0]
            reader = FaceReader(CombinerEncoder(width, c.face_widths, c.combiner_norm, c.combiner_residual), c.feature)
        self.combiner = Combiner(encoder, c.combiner_widths[-1], recurrence, reader)

    def scale(self, crops: Tensor) -> Tensor:
        """Crops (B, C, S, S) of grey levels 0 to 255 to G's pictures in [-1, 1]."""
        crops = crops.float()
        if self.config.shrink > 1:
            crops = nn.functional.avg_pool2d(crops, self.config.shrink)
        if self.config.scaling == "range":
            return crops / 127.5 - 1
        mean = crops.mean(dim=(1, 2, 3), keepdim=True)
        spread = crops.std(dim=(1, 2, 3), keepdim=True).clamp(min=4.0)
        return ((crops - mean) / (2.5 * spread)).clamp(-1, 1)

    def forward(self, image: Tensor) -> Encoding:
        """Scaled crops (B, C, S, S). Q reaches C without a gradient: C does not teach D (released code, main_gan).

        A model with a face network is not trained as a whole: see encode() and train.face.
        """
        return self.read(*self.generator(image))

    def read(self, latent: Tensor, reconstruction: Tensor) -> Encoding:
        """What D and C say of G's two answers."""
        realness, verdict = self.discriminator(reconstruction)
        logits = self._named(verdict)
        feature, reading = self.combiner(self._zq(latent, logits.detach()))
        return Encoding(reconstruction, realness, verdict, logits, feature, reading.affect)

    def encode(self, crops: Tensor) -> Answer:
        """What is read off crops (B, C, S, S) of 0 to 255."""
        latent = self.generator.encoder(self.scale(crops))
        logits = self.quadrant_logits(latent)
        maps = None if self.face_encoder is None else self.face_maps(crops)
        feature, reading = self.combiner(self._zq(latent, logits), maps)
        expressions, deviation = None, None
        if self.has_expressions:
            expressions, deviation = torch.softmax(reading.expression_logits, dim=1), reading.log_deviation.exp()
        return Answer(feature, torch.softmax(logits, dim=1), reading.affect, expressions, deviation)

    def face_maps(self, crops: Tensor) -> Tensor:
        """The face network's maps (B, width, t, t) of crops (B, C, S, S) of 0 to 255."""
        assert self.face_encoder is not None
        pictures = crops.float()
        if self.face_shrink is not None:
            pictures = self.face_shrink(pictures)
        return self.face_encoder(pictures / 127.5 - 1)

    def own_feature(self, crops: Tensor) -> Tensor:
        """C's feature (B, F) of ZQ alone, of crops (B, C, S, S) of 0 to 255."""
        latent = self.generator.encoder(self.scale(crops))
        return self.combiner.encoder(self._zq(latent, self.quadrant_logits(latent)))

    def quadrant_logits(self, latent: Tensor) -> Tensor:
        """Q's logits (B, 4) of Z (B, 4 width, S/4, S/4): by the head where there is one, else by D."""
        return self.judged(latent) if self.quadrant_head is None else self.quadrant_head(latent)

    def judged(self, latent: Tensor) -> Tensor:
        """D's quadrant logits (B, 4) of the picture that G makes of Z (B, 4 width, S/4, S/4)."""
        return self._named(self.discriminator(self.generator.decoder(latent))[1])

    def combine(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, n, F), valid (B, n) bool to affect (B, 2) and attention (B, n) or None: see Combiner.combine."""
        return self.combiner.combine(window, valid)

    @property
    def recurrence(self) -> Recurrence | None:
        """C's LSTM, of S-n and SA-n."""
        return self.combiner.recurrence

    @property
    def has_expressions(self) -> bool:
        """Whether C tells the probabilities of expressions: with a face network it does."""
        return self.config.face_levels > 0

    @property
    def has_deviation(self) -> bool:
        """Whether C tells how far off its valence and arousal may be: likewise."""
        return self.config.face_levels > 0

    def _named(self, verdict: Tensor) -> Tensor:
        """Quadrant logits (B, 4) of D's verdict."""
        return verdict if self.config.quadrant == "classify" else thresholded(verdict)

    def _zq(self, latent: Tensor, logits: Tensor) -> Tensor:
        """ZQ: the latent with Q as further planes, each constant."""
        if self.config.quadrant_planes == 0:
            return latent
        planes = torch.softmax(logits.float(), dim=1)
        if self.config.quadrant_planes == 1:
            planes = logits.argmax(dim=1, keepdim=True)
        planes = planes.to(latent.dtype)[:, :, None, None].expand(-1, -1, *latent.shape[2:])
        return torch.cat([latent, planes], dim=1)


def thresholded(affect: Tensor) -> Tensor:
    """Logits (B, 4) that are certain of the quadrant in which affect (B, 2) lies; zero counts as high."""
    high = torch.where(affect >= 0, 1.0, -1.0)
    signs = affect.new_tensor([[1, -1, -1, 1], [1, 1, -1, -1]])
    return 10 * high.to(affect.dtype) @ signs


def with_recurrence(model: Anclaf, recurrence: Literal["lstm", "attention"], **changes: Any) -> Anclaf:
    """A copy of the model one stage further: ANCLaF to S-n (a new LSTM), or S-n to SA-n.

    SA-n starts exactly at S-n's output. `changes` are further settings: hidden, score.
    """
    grown = Anclaf(replace(model.config, recurrence=recurrence, **changes))
    frame = {name: value for name, value in model.state_dict().items() if ".recurrence." not in name}
    grown.load_state_dict(frame, strict=False)
    if model.combiner.recurrence is not None:
        grown.combiner.recurrence = model.combiner.recurrence.with_attention(grown.config.score)
    return grown


def with_quadrant_head(model: Anclaf, head: bool = True) -> Anclaf:
    """A copy whose encode() takes Q from a head on Z, still untaught; or, with head False, from D."""
    grown = Anclaf(replace(model.config, quadrant_head=head))
    own = {name: value for name, value in model.state_dict().items() if not name.startswith("quadrant_head.")}
    grown.load_state_dict(own, strict=False)
    return grown


def with_face(model: Anclaf, levels: int, widths: tuple[int, ...], picture: int = 0) -> Anclaf:
    """A copy that sees the face network's maps beside ZQ, of crops twice as large; what is new is still untaught.

    picture: side to which the crops are shrunk for the face network; 0: they are not.
    """
    config = replace(
        model.config, size=2 * model.config.size, shrink=2, face_levels=levels, face_widths=widths, face_picture=picture
    )
    grown = Anclaf(config)
    grown.load_state_dict(model.state_dict(), strict=False)
    return grown


def parameter_count(module: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in module.parameters())
