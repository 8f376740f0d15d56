"""What decides the weights, as it stands in the files of train/configs/."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from nets.anclaf import AnclafConfig
from tracker.errors import UsageError
from tracker.faces.align import Template

THEN = " && "
"""Between the commands of a model card."""
CONFIGS = Path(__file__).parent / "configs"
SIZES: dict[str, Callable[[], AnclafConfig]] = {"paper": AnclafConfig, "compact": AnclafConfig.compact}
C = TypeVar("C", bound="Configuration")
S = TypeVar("S")


@dataclass(frozen=True)
class Configuration:
    """A training that a JSON file describes."""

    folder: ClassVar[Path] = CONFIGS
    """Of the files that can be named without a path."""

    @classmethod
    def from_dict(cls: type[C], values: dict[str, Any]) -> C:
        """From JSON's values; TypeError, KeyError or ValueError for what is not one."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """For a model card or a file."""
        return asdict(self)


PUBLISHED_LOSS = {
    "affect": 1.0,
    "emotion": 0.0,
    "quadrant": 1.0,
    "reconstruction": 10.0,
    "adversarial": 1.0,
    "penalty": 10.0,
}
"""Of the released code (main_gan): 1 for the classes, 10 for the reconstruction and the gradient penalty."""


class Weighted:
    """What weighs losses against one another."""

    loss: dict[str, float]

    def weight(self, loss: str) -> float:
        """A loss's weight; 0 where it is not named."""
        return self.loss.get(loss, 0.0)

    def check_losses(self, known: Collection[str]) -> None:
        """UsageError where a loss is weighed that there is not."""
        for name in sorted(set(self.loss) - set(known))[:1]:
            raise UsageError(f"no loss {name!r}; expected {', '.join(known)}")


@dataclass(frozen=True)
class StageOneConfig(Weighted):
    """G, D and C together, frame by frame."""

    label_share: float = 0.4
    """Of the picture's own label in the training target, where the set has votes and a label; the rest are votes."""
    weighting: Literal["bins", "emotions"] = "bins"
    """bins: each axis by the frequency of its ten bins, capped; emotions: each face by its emotions' frequency."""
    weight_power: float = 1.0
    """A face weighs its frequency to minus this: 0 as the data are, 1 all alike."""
    weight_cap: float = 10.0
    """Largest weight of a bin, as a multiple of the mean."""
    quadrant_width: float = 0.1
    """Affect over which a quadrant's border is soft: on an axis the target is half and half."""
    reconstruction: Literal["direct", "cycle"] = "direct"
    """direct: G's picture against the clean one; cycle: G's picture of its own picture (released code)."""
    distortion: Literal["camera", "published"] = "camera"
    """camera: any of several at once, continuous strengths; published: one of the paper's six, at three levels."""
    distorted: float = 1.0
    """Share of the pictures that may be distorted; 0 leaves G nothing to remove."""
    loss: dict[str, float] = field(default_factory=lambda: dict(PUBLISHED_LOSS))
    """Weights of affect, emotion, quadrant, reconstruction, adversarial and penalty; adversarial 0: no game."""
    critic_steps: int = 1
    """n_critic: D learns on every batch, G and C on every critic_steps-th (the released code counts epochs)."""
    penalty_pictures: int = 16
    """Pictures of a batch on which the gradient penalty is taken."""
    critic_rate: float = 4e-4
    """D's own learning rate when the game is on."""
    epochs: int = 30
    settle_epochs: int = 0
    """The last ones, in which fewer pictures are distorted: the weights settle on faces as they mostly are."""
    settle_distorted: float = 0.4
    settle_weight_power: float = 0.75
    batch: int = 128
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    average_decay: float = 0.998
    """Of the moving average of the weights, per step; the average is what ships."""

    def __post_init__(self) -> None:
        self.check_losses(PUBLISHED_LOSS)

    @property
    def game(self) -> bool:
        """Whether D judges the pictures."""
        return self.weight("adversarial") > 0


@dataclass(frozen=True)
class StageTwoConfig:
    """The LSTM over n stored features, then attention over its past states."""

    lengths: tuple[int, ...] = (2, 4, 8, 16, 32)
    """The curriculum: each n starts from the one before it."""
    rate_hz: float | None = None
    """Rows of a window lie this far apart; None: every frame."""
    max_gap_s: float = 0.5
    directions: int | None = None
    """None: the recurrence reads every feature, standardised. A number: the two directions of the single frame's head,
    and as many more in which features move most within a clip."""
    hidden: int = 512
    score: Literal["linear", "mlp"] = "linear"
    epochs: int = 10
    """Of each S-n."""
    attention_epochs: int = 10
    """Of each SA-n."""
    frames_per_batch: int = 4000
    """A batch has this many over n windows (released code)."""
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    average_decay: float = 0.995
    loss: dict[str, float] = field(default_factory=lambda: {"affect": 1.0, "change": 0.0})
    """Weights of the affect loss, and of the squared error of the frame-to-frame change."""
    steps: Literal["all", "last"] = "all"
    """The steps of a window that are scored."""
    weight_power: float = 1.0
    """Of the bins' inverse frequency."""
    weight_cap: float = 10.0


@dataclass(frozen=True)
class TrainingConfig(Configuration):
    """A whole training: where it starts, what it trains, and how."""

    name: str
    """Of the models that come out: NAME, NAME-S-n, NAME-SA-n."""
    model: dict[str, Any]
    """`size`: paper or compact; the other keys are settings of AnclafConfig in place of that size's."""
    template: dict[str, Any]
    """Of the training crops; its margin leaves room for augmentation."""
    start: str | None = None
    """The configuration whose stage one this one continues; trained first where it is not there."""
    stage_one: StageOneConfig = field(default_factory=StageOneConfig)
    stage_two: StageTwoConfig | None = None
    seed: int = 7

    @property
    def crop(self) -> Template:
        """The template of the training crops."""
        return Template(**self.template)

    @property
    def networks(self) -> AnclafConfig:
        """The shape of the single-frame model."""
        settings = dict(self.model)
        base = SIZES[settings.pop("size")]()
        return AnclafConfig.from_dict({**base.to_dict(), **settings})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainingConfig":
        """From JSON's values; TypeError, KeyError or ValueError for what is not one."""
        values = dict(values)
        stage_one = StageOneConfig(**values.pop("stage_one", {}))
        second = values.pop("stage_two", None)
        if second is not None:
            second = StageTwoConfig(**{**second, "lengths": tuple(second.get("lengths", StageTwoConfig.lengths))})
        config = cls(stage_one=stage_one, stage_two=second, **values)
        if config.networks.quadrant_head:
            raise ValueError("quadrant_head is for a model that is trained: see affect train quadrant-head")
        check_crops(config.networks, config.crop)
        return config


def check_crops(networks: Any, crop: Template) -> None:
    """ValueError where the networks (a config with size and channels) do not take the template's crops."""
    if (networks.size, networks.channels) != (crop.size, crop.channels):
        raise ValueError(f"model and template differ: {networks.size} px and {crop.size} px")


def config_path(name: str, folder: Path = CONFIGS) -> Path:
    """The file of a configuration: a name in the folder, or the path of a .json file."""
    return Path(name) if name.endswith(".json") else folder / f"{name}.json"


def read_config(name: str) -> TrainingConfig:
    """A name of train/configs/ or the path of a JSON file; UsageError where it is neither, or not a configuration."""
    return read(TrainingConfig, name)


def read(kind: type[C], name: str) -> C:
    """A name in the kind's folder or the path of a JSON file; UsageError where it is neither, or not of the kind."""
    path = config_path(name, kind.folder)
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in kind.folder.glob("*.json")))
        raise UsageError(f"no configuration {name!r}; expected one of {known}, or the path of a .json file")
    try:
        return kind.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except UsageError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"{path} is not a training configuration: {error}") from error


def settings(kind: type[S], changes: dict[str, Any]) -> S:
    """A dataclass of settings by its defaults with changes; UsageError for a name that is no setting."""
    known = [setting.name for setting in fields(kind)]  # type: ignore[arg-type]
    for name in sorted(set(changes) - set(known))[:1]:
        raise UsageError(f"no setting {name!r}; expected some of {', '.join(known)}")
    return kind(**changes)


def changed(config: C, changes: dict[str, Any]) -> C:
    """The configuration with values at dotted names (stage_one.loss.adversarial) replaced; UsageError otherwise."""
    values = config.to_dict()
    for name, value in changes.items():
        *path, last = name.split(".")
        place = values
        for key in path:
            place = place[key] if isinstance(place, dict) and isinstance(place.get(key), dict) else {}
        if last not in place and path[:1] != ["model"] and path[-1:] != ["loss"]:
            known = ", ".join(f.name for f in fields(config))
            raise UsageError(f"no setting {name!r}; expected a dotted name that begins with one of {known}")
        place[last] = value
    try:
        return config.from_dict(values)
    except UsageError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise UsageError(f"the changed configuration cannot be used: {error}") from error
