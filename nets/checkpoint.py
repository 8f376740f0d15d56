"""Checkpoints: NAME.safetensors with the weights and, beside it, its model card NAME.json. No pickle is ever read.

An encoder of the user's own is a FILE.onnx with its own kind of card beside it: see nets.onnx.own.

One may leave out the weights that another beside it has, its base: models that share an encoder ship it once. What
base it is stands in the metadata of the .safetensors file, so that its SHA-256 still says which weights it has.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from nets.anclaf import Anclaf, AnclafConfig, parameter_count
from nets.bounds import LARGEST_PX, check_name, check_points, check_text
from nets.disvae import Disvae, DisvaeConfig
from nets.files import write_whole
from nets.landmark_vae import LandmarkVae, LandmarkVaeConfig
from nets.levasa import Levasa, LevasaConfig
from nets.onnx import own
from nets.onnx.session import OnnxFault

WEIGHTS = Path(__file__).parent / "weights"
"""The folder of the models that ship."""
KINDS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "anclaf": lambda config: Anclaf(AnclafConfig.from_dict(config)),
    "disvae": lambda config: Disvae(DisvaeConfig.from_dict(config)),
    "levasa": lambda config: Levasa(LevasaConfig.from_dict(config)),
    "landmark-vae": lambda config: LandmarkVae(LandmarkVaeConfig.from_dict(config)),
    own.KIND: lambda config: own.OwnNetwork(own.OwnConfig(**config)),
}
"""What builds a model of each kind from its card's config."""


SUFFIXES = (".safetensors", own.SUFFIX)

BASE = "base"
"""In a file's metadata: the JSON of a Base."""


LONGEST_WINDOW = 1024
"""Frames of a card's window."""


class Base(NamedTuple):
    """The checkpoint that has the weights which another leaves out."""

    name: str
    """Of its file, without .safetensors."""
    sha256: str


class CheckpointFault(Exception):
    """A checkpoint cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class ModelCard:
    """All that there is to know of a set of weights."""

    name: str
    kind: str
    """A key of KINDS."""
    config: dict[str, Any]
    """Shape of the networks."""
    crop: dict[str, Any]
    """The alignment's template: size, channels, points."""
    data: str
    """What it was trained on."""
    terms: str
    """Licence of the weights."""
    command: str
    """Makes the same weights again."""
    sequence_length: int = 1
    """Frames in the window that it was trained with."""
    rate_hz: float | None = None
    """Frame rate of the sequences it was trained on; None for a single-frame model."""
    training: dict[str, Any] = field(default_factory=dict)
    """The training's configuration."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured, and the command that measures it."""
    quantised: dict[str, Any] = field(default_factory=dict)
    """What runs the encoder on whole numbers of eight bits (see nets.onnx.session); empty where it was not measured."""
    parameters: int = 0
    sha256: str = ""
    """Of the .safetensors file, or of the .onnx file."""

    @property
    def path(self) -> Path:
        """Where a model of this name lies if it ships."""
        return WEIGHTS / f"{self.name}.safetensors"

    def brief(self) -> dict[str, str]:
        """Which weights they are, and their licence; of a recurrence behind an encoder of one's own that one's too."""
        told = {"name": self.name, "kind": self.kind, "sha256": self.sha256, "terms": self.terms}
        encoder = self.config.get("sha256", self.sha256)
        return told if encoder == self.sha256 else {**told, "encoder_sha256": encoder}


def save(path: Path | str, model: nn.Module, card: ModelCard, precision: torch.dtype = torch.float32) -> ModelCard:
    """Write weights and card, each atomically; returns the card with its parameters and SHA-256 filled in.

    precision float16 halves the file; the loaded model computes in float32 either way.
    """
    tensors = {
        name: value.to(precision).contiguous() if value.is_floating_point() else value.contiguous()
        for name, value in model.state_dict().items()
    }
    return save_weights(path, tensors, replace(card, parameters=parameter_count(model)))


def save_weights(path: Path | str, tensors: dict[str, Tensor], card: ModelCard, base: Base | None = None) -> ModelCard:
    """Write tensors as they are, all that there are or what base has not, and the card; returns it with its SHA-256."""
    path, metadata = Path(path), {BASE: json.dumps(base._asdict())} if base else None
    payload = save_tensors(tensors, metadata)
    card = replace(card, sha256=hashlib.sha256(payload).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, payload)
    write_card(path, card)
    return card


def write_card(path: Path | str, card: ModelCard) -> None:
    """Write (again) the card beside the checkpoint at path."""
    write_whole(Path(path).with_suffix(".json"), json.dumps(asdict(card), indent=2) + "\n")


def load(model: str | Path) -> tuple[nn.Module, ModelCard]:
    """The model, in evaluation mode and float32, and its card; by the name of one that ships, or by its path.

    Raises CheckpointFault where it is missing, damaged, of an unknown kind, or not what its card says.
    """
    path = find(model)
    if path.suffix == own.SUFFIX:
        return _open_own(path)
    tensors, card = read_weights(path)
    _check_count(path, card, tensors)
    network = _build(path, card)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise _other_weights(path, error) from error
    return network.float().eval(), card


def read_weights(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    """All weights of a checkpoint as they are stored, its base's among them, and its card. Raises CheckpointFault."""
    if path.suffix == own.SUFFIX:
        raise CheckpointFault(
            f"{path} is an encoder brought along, whose weights are its own; expected a .safetensors file"
        )
    card = read_card(path)
    payload = path.read_bytes()
    digest = hashlib.sha256(payload).hexdigest()
    if digest != card.sha256:
        raise CheckpointFault(
            f"{path} is truncated or was changed: its SHA-256 is {digest[:12]}…, its card expects {card.sha256[:12]}…; "
            "fetch it again, or make it again with the card's command"
        )
    try:
        tensors = load_tensors(payload)
    except SafetensorError as error:
        raise _other_weights(path, error) from error
    base = base_of(path)
    return {**(_weights_of_base(path, base) if base else {}), **tensors}, card


def base_of(path: Path) -> Base | None:
    """What the checkpoint at path must lie beside; None for one that has all its weights. Raises CheckpointFault."""
    if path.suffix == own.SUFFIX:
        return None
    try:
        with safe_open(path, "pt") as file:
            told = json.loads((file.metadata() or {}).get(BASE, "null"))
        if not told:
            return None
        check_name(told["name"], "the name of its base")
        return Base(told["name"], str(told["sha256"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointFault(f"{path} is not a checkpoint: {_first_line(error)}") from error


def base_path(path: Path, base: Base) -> Path:
    """Where the base of the checkpoint at path has to lie: beside it."""
    return path.parent / f"{base.name}.safetensors"


def _weights_of_base(path: Path, base: Base) -> dict[str, Tensor]:
    beside = base_path(path, base)
    if not beside.is_file():
        raise CheckpointFault(f"{path} has only the weights that {base.name} has not; expected {beside.name} beside it")
    digest = read_card(beside).sha256
    if digest != base.sha256 or base_of(beside):
        raise CheckpointFault(
            f"{path} has only the weights that {base.name} has not; expected that one whole, with the SHA-256 "
            f"{base.sha256[:12]}…, got {digest[:12]}…: fetch both again"
        )
    return read_weights(beside)[0]


def find(model: str | Path) -> Path:
    """The file of a model that ships, by name, or the path of a .safetensors or .onnx file."""
    path = Path(model)
    if path.suffix not in SUFFIXES and path.name == str(model) and not path.exists():
        path = WEIGHTS / f"{model}.safetensors"
    if path.is_file() and path.suffix in SUFFIXES:
        return path
    if path.is_file():
        raise CheckpointFault(
            f"{path} is not a checkpoint; expected a .safetensors or .onnx file with its .json card beside it"
        )
    known = ", ".join(card.name for card in list_models()) or "none ships"
    raise CheckpointFault(
        f"no model {str(model)!r}; expected a name ({known}) or the path of a .safetensors or .onnx file"
    )


def read_card(path: Path | str) -> ModelCard:
    """The card beside the checkpoint at path; raises CheckpointFault. That of a FILE.onnx is made of what it says."""
    if Path(path).suffix == own.SUFFIX:
        return _open_own(Path(path))[1]
    beside = Path(path).with_suffix(".json")
    try:
        values = {"quantised": {}, **json.loads(beside.read_text(encoding="utf-8"))}
        card = ModelCard(**{f.name: values[f.name] for f in fields(ModelCard)})
        _check_card(card)
        return card
    except FileNotFoundError as error:
        raise CheckpointFault(f"{path} has no model card; expected {beside.name} beside it") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointFault(f"{beside} is not a model card: {_first_line(error)}") from error


def _check_card(card: ModelCard) -> None:
    """Check what does not depend on the kind; KINDS check the config. Raises ValueError, TypeError."""
    check_name(card.name, "name")
    for name in ("kind", "data", "terms", "command", "sha256"):
        check_text(getattr(card, name), name)
    for name in ("config", "crop", "training", "figures", "quantised"):
        if not isinstance(getattr(card, name), dict):
            raise ValueError(f"{name} is no object; expected one")
    if type(card.sequence_length) is not int or not 1 <= card.sequence_length <= LONGEST_WINDOW:
        raise ValueError(f"sequence_length is {card.sequence_length!r}; expected 1 to {LONGEST_WINDOW}")
    if card.rate_hz is not None and not 0.1 <= card.rate_hz <= 1000:
        raise ValueError(f"rate_hz is {card.rate_hz!r}; expected 0.1 to 1000, or null")
    size, channels = card.crop.get("size", LARGEST_PX), card.crop.get("channels", 1)
    if type(size) is not int or not 8 <= size <= LARGEST_PX or channels not in (1, 3):
        raise ValueError(f"crop is of {size!r} px and {channels!r} channels; expected 8 to {LARGEST_PX} px, 1 or 3")
    if "points" in card.crop:
        check_points(card.crop["points"], "crop.points")


def list_models(folder: Path = WEIGHTS) -> list[ModelCard]:
    """Cards of the checkpoints in a folder, by name."""
    return [read_card(path) for path in model_files(folder)]


def model_files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by name; a .onnx file counts where it has a card."""
    brought = (path for path in folder.glob(f"*{own.SUFFIX}") if path.with_suffix(".json").is_file())
    return sorted([*folder.glob("*.safetensors"), *brought])


def _open_own(path: Path) -> tuple[nn.Module, ModelCard]:
    """An encoder of the user's own as a model, and its card as a model card."""
    try:
        network, card = own.open_own(path)
    except (OnnxFault, ValueError, OSError) as error:
        raise CheckpointFault(f"{path} cannot be used: {_first_line(error)}") from error
    config = network.config
    return network.eval(), ModelCard(
        name=card.name,
        kind=own.KIND,
        config=config.to_dict(),
        crop=card.crop,
        data="not said by its card",
        terms=card.terms,
        command=f"none: {path.name} was brought along",
        sha256=config.sha256,
    )


def _check_count(path: Path, card: ModelCard, tensors: dict[str, Tensor]) -> None:
    """See that there are weights for all that a card describes before memory is taken for it."""
    if card.kind == own.KIND:
        return
    with torch.device("meta"):
        described = parameter_count(_build(path, card))
    held = sum(tensor.numel() for tensor in tensors.values())
    if described > held:
        raise _other_weights(path, ValueError(f"it has {held:,} numbers for {described:,} parameters"))


def _build(path: Path, card: ModelCard) -> nn.Module:
    if card.kind not in KINDS:
        raise CheckpointFault(f"{path} is a model of kind {card.kind!r}; expected {', '.join(KINDS)}")
    try:
        network = KINDS[card.kind](card.config)
        return own.with_file(network.config, path.parent) if isinstance(network, own.OwnNetwork) else network
    except OnnxFault as error:
        raise CheckpointFault(f"{path}: {error}") from error
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointFault(f"{path}: the card's config is not one of {card.kind!r}: {_first_line(error)}") from error


def _other_weights(path: Path, error: Exception) -> CheckpointFault:
    return CheckpointFault(f"{path} does not hold the weights that its card describes: {_first_line(error)}")


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
