"""Model cards and the weights beside them, as arrays: what there is to know of a checkpoint without running it.

A checkpoint is NAME.safetensors with the weights, its card NAME.json, and, once it was exported, its encoder as
NAME.float.onnx and NAME.int8.onnx: the graphs alone, whose weights stay in the .safetensors file. Together they are
what the tracker runs. An encoder of the user's own is a FILE.onnx with its own kind of card: see nets.onnx.own.

A checkpoint may leave out the weights that another beside it has, its base: models that share an encoder ship it once.
What base it is stands in the metadata of the .safetensors file, so that its SHA-256 still says which weights it has.
No pickle is ever read.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_arrays

from nets.bounds import LARGEST_PX, check_name, check_points, check_text
from nets.files import write_whole
from nets.onnx import own
from nets.onnx.session import OnnxFault

WEIGHTS = Path(__file__).parent / "weights"
"""The folder of the models that ship."""
SCHEMA = 1
"""Of a card; rises when an older release would read one wrongly."""
SUFFIXES = (".safetensors", own.SUFFIX)
ENCODERS = {"int8": ".int8.onnx", "onnx": ".float.onnx"}
"""Endings of an exported encoder's files by what runs them, the fastest first."""
LONGEST_WINDOW = 1024
"""Frames of a card's window."""
BASE = "base"
"""In a file's metadata: the JSON of a Base."""


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
    """A key of nets.checkpoint.KINDS."""
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
    artefact: dict[str, Any] = field(default_factory=dict)
    """What was exported: `sha256` of the encoder's files by the keys of ENCODERS, and `readings`, the names of the
    feature's columns where they are worth recording. Empty where nothing was; torch runs such a checkpoint."""
    schema: int = SCHEMA

    @property
    def path(self) -> Path:
        """Where a model of this name lies if it ships."""
        return WEIGHTS / f"{self.name}.safetensors"

    def brief(self) -> dict[str, str]:
        """Which weights they are, and their licence; of a recurrence behind an encoder of one's own that one's too."""
        told = {"name": self.name, "kind": self.kind, "sha256": self.sha256, "terms": self.terms}
        encoder = self.config.get("sha256", self.sha256)
        return told if encoder == self.sha256 else {**told, "encoder_sha256": encoder}


def write_card(path: Path | str, card: ModelCard) -> None:
    """Write (again) the card beside the checkpoint at path."""
    write_whole(Path(path).with_suffix(".json"), json.dumps(asdict(card), indent=2) + "\n")


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], ModelCard]:
    """All weights of a checkpoint as they are stored, its base's among them, and its card.

    Raises CheckpointFault where the file is damaged, is not what its card says, or holds what is no number.
    """
    if path.suffix == own.SUFFIX:
        raise CheckpointFault(
            f"{path} is an encoder brought along, whose weights are its own; expected a .safetensors file"
        )
    card = read_card(path)
    payload = checked_bytes(path, card.sha256)
    try:
        arrays = load_arrays(payload)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise other_weights(path, error) from error
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise CheckpointFault(f"{path} holds NaN or infinity among the weights {name}; expected finite numbers")
    base = base_of(path)
    return {**(_arrays_of_base(path, base) if base else {}), **arrays}, card


def checked_bytes(path: Path, sha256: str) -> bytes:
    """The content of a file; raises CheckpointFault unless it has that SHA-256."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointFault(f"{path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise CheckpointFault(
            f"{path} is truncated or was changed: its SHA-256 is {digest[:12]}…, its card expects {sha256[:12]}…; "
            "fetch it again, or make it again with the card's command"
        )
    return content


def encoder_path(path: Path, kind: str) -> Path:
    """Where the encoder of the checkpoint at path lies once it was exported; kind is a key of ENCODERS."""
    return path.with_name(path.stem + ENCODERS[kind])


def base_of(path: Path) -> Base | None:
    """What the checkpoint at path must lie beside; None for one that has all its weights. Raises CheckpointFault."""
    if path.suffix == own.SUFFIX:
        return None
    try:
        with safe_open(path, "np") as file:
            told = json.loads((file.metadata() or {}).get(BASE, "null"))
        if not told:
            return None
        check_name(told["name"], "the name of its base")
        return Base(told["name"], str(told["sha256"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointFault(f"{path} is not a checkpoint: {first_line(error)}") from error


def base_path(path: Path, base: Base) -> Path:
    """Where the base of the checkpoint at path has to lie: beside it."""
    return path.parent / f"{base.name}.safetensors"


def _arrays_of_base(path: Path, base: Base) -> dict[str, np.ndarray]:
    beside = base_path(path, base)
    if not beside.is_file():
        raise CheckpointFault(f"{path} has only the weights that {base.name} has not; expected {beside.name} beside it")
    digest = read_card(beside).sha256
    if digest != base.sha256 or base_of(beside):
        raise CheckpointFault(
            f"{path} has only the weights that {base.name} has not; expected that one whole, with the SHA-256 "
            f"{base.sha256[:12]}…, got {digest[:12]}…: fetch both again"
        )
    return read_arrays(beside)[0]


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
        return open_own(Path(path))[1]
    beside = Path(path).with_suffix(".json")
    try:
        values = {"quantised": {}, "artefact": {}, "schema": SCHEMA, **json.loads(beside.read_text(encoding="utf-8"))}
        schema = int(values["schema"])
        card = ModelCard(**{f.name: values[f.name] for f in fields(ModelCard)})
        _check_card(card)
    except FileNotFoundError as error:
        raise CheckpointFault(f"{path} has no model card; expected {beside.name} beside it") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointFault(f"{beside} is not a model card: {first_line(error)}") from error
    if schema > SCHEMA:
        raise CheckpointFault(f"{beside} is of schema {schema}, and this release reads {SCHEMA}; update affect-tracker")
    return card


def _check_card(card: ModelCard) -> None:
    """Check what does not depend on the kind; the networks check their config. Raises ValueError, TypeError."""
    check_name(card.name, "name")
    for name in ("kind", "data", "terms", "command", "sha256"):
        check_text(getattr(card, name), name)
    for name in ("config", "crop", "training", "figures", "quantised", "artefact"):
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


def open_own(path: Path, threads: int | None = 1) -> tuple[own.OwnEncoder, ModelCard]:
    """An encoder of the user's own, and its card as a model card. Raises CheckpointFault."""
    try:
        encoder, config = own.open_own(path, threads)
    except (OnnxFault, ValueError, OSError) as error:
        raise CheckpointFault(f"{path} cannot be used: {first_line(error)}") from error
    card = encoder.card
    return encoder, ModelCard(
        name=card.name,
        kind=own.KIND,
        config=config.to_dict(),
        crop=card.crop,
        data="not said by its card",
        terms=card.terms,
        command=f"none: {path.name} was brought along",
        sha256=config.sha256,
    )


def other_weights(path: Path, error: Exception) -> CheckpointFault:
    """That a file does not fit its card."""
    return CheckpointFault(f"{path} does not hold the weights that its card describes: {first_line(error)}")


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200]
