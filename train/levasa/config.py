"""What decides the weights of a LeVAsa, as it stands in the files of train/configs/levasa/."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from nets.levasa import LevasaConfig
from tracker.errors import UsageError
from tracker.faces.align import Template
from train.annotation_transfer import PRESETS, SEED, Shape
from train.config import CONFIGS, Configuration, Weighted, check_crops

LOSSES = {"reconstruction": 1.0, "kl": 0.5, "affect": 0.3}
"""The published weights of the continuous model."""


@dataclass(frozen=True)
class LabelsConfig:
    """Where valence and arousal come from."""

    source: Literal["transfer", "set"] = "transfer"
    """transfer: drawn from the ellipse of the face's class; set: the data set's own."""
    preset: str = "affectnet-8"
    """Of the classes' ellipses."""
    spread: float = 1.0
    """Semi-axes of an ellipse, standard deviations of its class."""
    shape: Shape = "uniform"
    draw: Literal["once", "epoch"] = "once"
    """once: a face keeps what was drawn for it, as published; epoch: another draw in every one."""
    label_share: float = 0.0
    """Of the picture's own label, where the set has votes and a label; the rest are votes."""
    seed: int = SEED

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"no preset {self.preset!r}; expected {', '.join(PRESETS)}")

    def describe(self) -> str:
        """For a model card."""
        if self.source == "set":
            return "valence and arousal: the data set's own"
        when = "once" if self.draw == "once" else "anew in every epoch"
        how = f"{self.preset}, {self.spread:g} s.d., {self.shape}"
        return f"valence and arousal: drawn {when} in the ellipse of the face's emotion ({how}; arXiv 2007.10058)"


@dataclass(frozen=True)
class LevasaTraining(Weighted, Configuration):
    """A whole training."""

    folder: ClassVar[Path] = CONFIGS / "levasa"

    name: str
    """Of the model that comes out."""
    template: dict[str, Any]
    """Of the training crops; its margin leaves room for augmentation."""
    model: LevasaConfig = field(default_factory=LevasaConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    augmented: bool = True
    """Moved, turned, mirrored and lit anew in every epoch."""
    loss: dict[str, float] = field(default_factory=lambda: dict(LOSSES))
    """Weights. reconstruction: mean squared error of a pixel in [0, 1]; kl: nats of all three latents over the number
    of the picture's values, as published, so that the weight is twice the variance of a pixel that the decoder leaves
    unexplained; affect: the heads' error of valence plus that of arousal."""
    epochs: int = 30
    batch: int = 128
    learning_rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: up over the first tenth of the steps, then down to zero."""
    weight_decay: float = 0.0
    average_decay: float = 0.998
    """Of the moving average of the weights, per step; the average is what comes out."""
    seed: int = 7

    def __post_init__(self) -> None:
        self.check_losses(LOSSES)

    @property
    def crop(self) -> Template:
        """The template of the training crops."""
        return Template(**self.template)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LevasaTraining":
        """From JSON's values; TypeError or ValueError for what is not one."""
        values = dict(values)
        model, labels = LevasaConfig.from_dict(values.pop("model", {})), LabelsConfig(**values.pop("labels", {}))
        config = cls(model=model, labels=labels, **values)
        check_crops(config.model, config.crop)
        return config

    def to_dict(self) -> dict[str, Any]:
        """For a model card or a file: JSON values only."""
        return {**asdict(self), "model": self.model.to_dict()}
