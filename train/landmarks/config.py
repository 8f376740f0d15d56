"""What decides the weights of a landmark VAE, as it stands in the files of train/configs/landmarks/."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from nets.landmark_vae import LandmarkVaeConfig
from tracker.errors import UsageError
from train.config import CONFIGS, Configuration

Annealing = Literal["none", "kl", "whole"]


@dataclass(frozen=True)
class TripletsConfig:
    """Artificial triplets: how many of each part's faces, and their draw."""

    train: int = 8000
    validation: int = 1000
    test: int = 1000
    seed: int = 5230

    @property
    def counts(self) -> dict[str, int]:
        """By part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class LandmarkTraining(Configuration):
    """A whole training. The defaults are the paper's, but for its length and pace."""

    folder: ClassVar[Path] = CONFIGS / "landmarks"

    name: str
    """Of the model that comes out."""
    model: LandmarkVaeConfig = field(default_factory=LandmarkVaeConfig)
    gamma: float | None = 0.04
    """Temperature of the topological prior (Eq. 9); None: no triplets (VAE, M1)."""
    triplets: TripletsConfig = field(default_factory=TripletsConfig)
    variance: float = 0.001
    """sigma^2 of a coordinate about the decoder's answer, eye distances squared."""
    samples: int = 3
    """L: codes drawn of a face for its reconstruction."""
    triplet_samples: int = 10
    """M: codes drawn of a face of a triplet."""
    batch: int = 200
    triplet_batch: int = 10
    annealing: Annealing = "kl"
    """What rises from 0 to 1 linearly over the training: nothing, the divergence alone, or the triplets' term too."""
    iterations: int = 100_000
    every: int = 2500
    """Iterations between two looks at the validation ELBO, whose best weights are kept."""
    learning_rate: float = 1e-4
    schedule: Literal["cosine", "constant"] = "constant"
    """cosine: up over the first tenth of the iterations, then down to zero."""
    jitter: float = 0.0
    """Standard deviation of the noise that is added to a set's known landmarks, eye distances."""
    seed: int = 7

    def __post_init__(self) -> None:
        if self.annealing not in get_args(Annealing):
            raise UsageError(f"annealing is {self.annealing!r}; expected {', '.join(get_args(Annealing))}")
        for name in ("samples", "triplet_samples", "batch", "triplet_batch", "iterations", "every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if min(self.variance, self.learning_rate, 1.0 if self.gamma is None else self.gamma) <= 0:
            raise UsageError("variance, gamma or learning_rate is not above 0; expected positive numbers")

    def betas(self, done: int) -> tuple[float, float]:
        """Factors of the divergence and of the triplets' term after `done` iterations."""
        rising = min(1.0, done / self.iterations)
        return (1.0 if self.annealing == "none" else rising), (rising if self.annealing == "whole" else 1.0)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LandmarkTraining":
        """From JSON's values; TypeError or ValueError for what is not one."""
        values = dict(values)
        model = LandmarkVaeConfig.from_dict(values.pop("model", {}))
        return cls(model=model, triplets=TripletsConfig(**values.pop("triplets", {})), **values)

    def to_dict(self) -> dict[str, Any]:
        """For a model card or a file: JSON values only."""
        return {**asdict(self), "model": self.model.to_dict()}
