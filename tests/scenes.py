"""Faces, scenes and small networks that several test files share."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from nets.anclaf import Anclaf, AnclafConfig
from nets.anclaf.combiner import Recurrence
from nets.card import ModelCard
from nets.disvae import Disvae, DisvaeConfig
from nets.levasa import Heads, Levasa, LevasaConfig
from nets.network import Answer, Network, Shape
from nets.torch_runtime import TorchRuntime
from tracker.faces.align import ANCHORS, Template
from tracker.types import AffectSample, Face, Frame, TrackedFrame

CELL = 4
"""Pixels to which positions written into a picture are rounded."""


def shape(seed: int = 0) -> np.ndarray:
    """Landmarks (468, 3) of a made-up face, upright and towards the camera, in a box of 1 by 1 around 0."""
    points = np.random.default_rng(seed).uniform(-0.5, 0.5, (468, 3))
    for anchor, (x, y) in zip(ANCHORS, Template().points, strict=True):
        points[list(anchor)] = (x - 0.5, y - 0.5, 0.0)
    points[33], points[263] = (-0.25, -0.13, 0.0), (0.25, -0.13, 0.0)
    points[10], points[152] = (0.0, -0.5, 0.0), (0.0, 0.5, 0.0)
    points[234], points[454] = (-0.5, 0.0, 0.1), (0.5, 0.0, 0.1)
    return points.astype(np.float32)


def face_at(x: float, y: float, side: float, points: np.ndarray | None = None) -> Face:
    """A face with its middle at x, y px and a box of about `side` px, without an id."""
    landmarks = ((shape() if points is None else points) * side + (x, y, 0.0)).astype(np.float32)
    return Face(np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)]), landmarks, 0.9)


class WrittenFaces:
    """A face finder for drawn scenes: reads from a picture's first row where its faces are (see `scene`)."""

    def __init__(self) -> None:
        self.closed = False

    def detect(self, image: np.ndarray) -> list[Face]:
        """The faces, in the order in which they are written."""
        return [face_at(*(int(v) * CELL for v in pixel)) for pixel in image[0] if pixel.any()]

    def reset(self) -> None:
        """It remembers nothing."""

    def close(self) -> None:
        """Tell the test."""
        self.closed = True


class NoFaces(WrittenFaces):
    """A face finder that finds none, for tests of what passes through."""

    def detect(self, image: np.ndarray) -> list[Face]:
        """Nothing."""
        return []


def scene(index: int, time: float, places: list[tuple[float, float, float]], backdrop: int = 0) -> Frame:
    """A textured picture (160, 240, 3) with noise of its own, whose faces (x, y, side) px are written into its first
    row.
    """
    rng = np.random.default_rng(index)
    coarse = np.kron(np.random.default_rng(1000 + backdrop).integers(0, 256, (20, 30, 3)), np.ones((8, 8, 1)))
    image = np.clip(coarse + rng.normal(0, 20, coarse.shape), 0, 255).astype(np.uint8)
    image[0] = 0
    for column, place in enumerate(places):
        image[0, column] = np.round(np.array(place) / CELL)
    return Frame(image, time, index)


def two_walkers(count: int, rate_hz: float = 25.0, start: int = 0) -> Iterator[Frame]:
    """A face that stays, one that passes behind it, frames with neither, and uneven times."""
    for index in range(start, start + count):
        time = (index + 0.3 * np.sin(index)) / rate_hz
        places = [(60.0, 60.0, 56.0), (40.0 + 160.0 * ((index * 0.013) % 1.0), 110.0, 48.0)]
        places = places[::-1] if index % 3 else places
        yield scene(index, time, [] if index % 17 == 5 else places)


def card_of(name: str, kind: str, config: Shape, **more: object) -> ModelCard:
    """The card of a model with random weights."""
    return ModelCard(
        name=name,
        kind=kind,
        config=config.to_dict(),
        crop=Template(size=config.size, channels=config.channels).card(),
        data="none",
        terms="none",
        command="none",
        sha256="0" * 64,
        **more,
    )


def small_runtime(
    recurrence: str = "none", length: int = 8, rate_hz: float | None = 25.0, seed: int = 0
) -> TorchRuntime:
    """ANCLaF networks of a few thousand parameters with random weights, always the same."""
    torch.manual_seed(seed)
    config = AnclafConfig(
        size=32,
        channels=1,
        scaling="standard",
        generator_width=4,
        generator_blocks=(1, 1),
        generator_kernel=3,
        discriminator_width=4,
        discriminator_layers=3,
        combiner_widths=(8, 16),
        recurrence=recurrence,
        hidden=12,
    )
    window = {} if recurrence == "none" else {"sequence_length": length, "rate_hz": rate_hz}
    return TorchRuntime(Anclaf(config), card_of(f"random-{recurrence}", "anclaf", config, **window))


class Teller(Network):
    """ANCLaF and random heads for the expressions and for the deviation of valence and arousal."""

    has_expressions = has_deviation = True

    def __init__(self, config: AnclafConfig) -> None:
        super().__init__()
        self.config, self.inner = config, Anclaf(config)
        self.heads = nn.Linear(config.feature, 10)
        nn.init.normal_(self.heads.weight, 0, 20)

    def encode(self, crops: torch.Tensor) -> Answer:
        """All that there can be."""
        answer = self.inner.encode(crops)
        logits, spread = self.heads(answer.feature).split([8, 2], dim=1)
        deviation = 0.05 + 0.4 * torch.sigmoid(spread)
        return answer._replace(expressions=torch.softmax(logits, dim=1), deviation=deviation)

    def combine(self, window: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """ANCLaF's."""
        return self.inner.combine(window, valid)

    @property
    def recurrence(self) -> Recurrence | None:
        """ANCLaF's."""
        return self.inner.recurrence


def teller_runtime(recurrence: str = "none") -> TorchRuntime:
    """As small_runtime(), of a network that tells expressions and deviations too."""
    plain = small_runtime(recurrence)
    torch.manual_seed(1)
    return TorchRuntime(Teller(AnclafConfig.from_dict(plain.card.config)), plain.card)


def small_levasa(heads: Heads = "scalar", channels: int = 1) -> tuple[Levasa, ModelCard]:
    """A LeVAsa of a few thousand parameters whose random weights tell pictures apart, always the same, and its card."""
    torch.manual_seed(0)
    config = LevasaConfig(size=32, channels=channels, widths=(4, 8, 8, 8), hidden=(16, 12), latent=4, heads=heads)
    model = Levasa(config)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.orthogonal_(layer.weight)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.momentum = 1.0
    blots = torch.randint(0, 256, (256, channels, 5, 5)).float()
    model.decode(model.latents(nn.functional.interpolate(blots, (32, 32), mode="bilinear")).mean)
    return model.eval(), card_of(f"random-levasa-{heads}", "levasa", config)


def small_disvae(generative: bool = True, channels: int = 1) -> tuple[Disvae, ModelCard]:
    """A DisVAE of a few thousand parameters whose random weights tell pictures apart, always the same, and its card."""
    torch.manual_seed(0)
    config = DisvaeConfig(
        classes=("neutral", "anger", "happiness"),
        centres=((0.0, 0.0), (-0.6, 0.5), (0.7, 0.2)),
        size=32,
        channels=channels,
        widths=(4, 8, 8),
        latent=5,
        generative=generative,
    )
    model = Disvae(config)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    blots = nn.functional.interpolate(torch.randint(0, 256, (256, channels, 5, 5)).float(), (32, 32), mode="bilinear")
    code = model.expression(blots).mean
    model.classifier[1].weight.data *= 3 / model.classify(code).std()
    if generative:
        model.decode(model.fuse(model.identity(blots).mean, code))
        model.decoder[-1].bias.data += 0.5
    return model.eval(), card_of("random-disvae", "disvae", config)


def numbers(sample: AffectSample) -> np.ndarray:
    """Every number of a sample, in one row."""
    attention = [] if sample.attention is None else [*sample.attention, *sample.attention_age]
    told = [] if sample.expressions is None else [*sample.expressions, sample.valence_sd, sample.arousal_sd]
    plain = [sample.time, sample.track_id, sample.status == "ok", sample.confidence, *sample.pose, *sample.quadrant]
    affect = [sample.valence, sample.arousal, sample.valence_frame, sample.arousal_frame]
    return np.array([*plain, *affect, sample.valence_smooth, sample.arousal_smooth, *attention, *told], np.float64)


def assert_same(ours: list[TrackedFrame], theirs: list[TrackedFrame], tolerance: float = 0.0) -> None:
    """Both runs have the same frames, faces and samples."""
    assert [t.frame.index for t in ours] == [t.frame.index for t in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert [f.track_id for f in mine.faces] == [f.track_id for f in other.faces]
        for a, b in zip(mine.samples, other.samples, strict=True):
            np.testing.assert_allclose(numbers(a), numbers(b), rtol=0, atol=tolerance)
