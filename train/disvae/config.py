"""What decides the weights of a DisVAE, as it stands in the files of train/configs/disvae/."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from nets.disvae import DisvaeConfig
from tracker.errors import UsageError
from tracker.faces.align import Template
from train.config import CONFIGS, Configuration, Weighted, check_crops

LOSSES = {"reconstruction": 1.0, "kl": 0.2, "classes": 0.5}
"""The authors' weights, which hold for their perceptual reconstruction alone."""
OUR_LOSSES = ("sameness", "strangeness", "swap")
Variant = Literal["two-stage", "end-to-end", "baseline"]
Stage = Literal["identity", "expression", "both", "classes"]


class Phase(NamedTuple):
    """Epochs in which the same networks learn."""

    stage: Stage
    epochs: int


@dataclass(frozen=True)
class DisvaeTraining(Weighted, Configuration):
    """A whole training."""

    folder: ClassVar[Path] = CONFIGS / "disvae"

    name: str
    """Of the model that comes out."""
    template: dict[str, Any]
    """Of the training crops; its margin leaves room for augmentation."""
    variant: Variant = "two-stage"
    """two-stage: the encoder of identity first, then, frozen, beside that of expression; end-to-end: all at once;
    baseline: the encoder of expression and its classifier alone."""
    model: dict[str, Any] = field(default_factory=dict)
    """Settings of DisvaeConfig; classes and centres come from the data set."""
    loss: dict[str, float] = field(default_factory=lambda: dict(LOSSES))
    """Weights. reconstruction: mean squared error of a pixel in [0, 1], or the perceptual one; kl: nats, the mean over
    a code's components; classes: cross-entropy of the expression. Ours: sameness, how unlike the identity codes of two
    pictures of a person are; strangeness, how alike their expression codes are; swap, the cross-entropy of the
    expression that is read in its picture on another person."""
    reconstruction: Literal["pixel", "vgg"] = "pixel"
    vgg: str | None = None
    """The file of VGG19's weights, where reconstruction is vgg."""
    identity_from: Literal["same", "other"] = "same"
    """Whose identity code goes beside the expression's: of the same picture (authors), or another of the person."""
    sampled: bool = False
    """Whether the expression's code is drawn in training; the authors take its mean."""
    augmentation: Literal["crops", "camera", "none"] = "crops"
    """crops: shifted by up to 3 pixels, and mirrored (authors); camera: turned, scaled and lit as well."""
    identity_epochs: int = 17
    epochs: int = 20
    batch: int = 64
    learning_rate: float = 5e-4
    schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: up over the first tenth of a phase's steps, then down to zero."""
    weight_decay: float = 0.0
    average_decay: float = 0.99
    """Of the moving average of the weights, per step; the average is what comes out."""
    seed: int = 1234

    def __post_init__(self) -> None:
        self.check_losses((*LOSSES, *OUR_LOSSES))
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} is {getattr(self, name)!r}; expected {', '.join(allowed)}")
        if self.reconstruction == "vgg" and not self.vgg:
            raise UsageError(
                "the reconstruction is vgg, which needs VGG19's weights; give torchvision's vgg19-dcbb9e9d.pth with "
                "--vgg FILE, or take --recon pixel"
            )

    @property
    def crop(self) -> Template:
        """The template of the training crops."""
        return Template(**self.template)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """What learns, and for how many epochs."""
        if self.variant == "two-stage":
            return Phase("identity", self.identity_epochs), Phase("expression", self.epochs)
        return (Phase("both" if self.variant == "end-to-end" else "classes", self.epochs),)

    def networks(self, classes: Sequence[str], centres: Sequence[tuple[float, float]]) -> DisvaeConfig:
        """The shape of the networks for a data set's classes and their valence and arousal."""
        generative = self.variant != "baseline"
        return DisvaeConfig.from_dict({**self.model, "classes": tuple(classes), "centres": tuple(centres),
                                       "generative": generative})  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DisvaeTraining":
        """From JSON's values; TypeError or ValueError for what is not one."""
        config = cls(**values)
        check_crops(config.networks(("a", "b"), ((0.0, 0.0), (0.0, 0.0))), config.crop)
        return config


CHOICES = {
    "variant": get_args(Variant),
    "reconstruction": ("pixel", "vgg"),
    "identity_from": ("same", "other"),
    "augmentation": ("crops", "camera", "none"),
    "schedule": ("cosine", "constant"),
}
