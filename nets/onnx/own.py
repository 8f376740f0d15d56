"""Encoders of one's own: any ONNX network that tells valence and arousal, by its card; see docs/own-encoder.md."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nets.answer import Answer
from nets.bounds import check_config
from nets.expressions import EXPRESSIONS
from nets.onnx.own_card import Classes, OwnCard, Place, read_own
from nets.onnx.session import OnnxFault, open_session, probes

KIND = "onnx"
SUFFIX = ".onnx"
INPUT_TYPES = {"float32": "tensor(float)", "uint8": "tensor(uint8)"}
EXTERNAL_DATA = b"\x0a\x08location\x12"
"""How a weight that stands in another file says so: the key of an entry of TensorProto.external_data."""
NEAR_ONE = 0.02
"""How far the sum of probabilities may lie from 1."""


class OwnEncoder:
    """Crops (B, S, S, C) uint8 to what the network says of them. It has no state, so that copies share it.

    Raises OnnxFault where the network is not as its card says; it is tried on a few pictures first.
    """

    name = "onnx"
    has_deviation = False

    def __init__(self, file: bytes, card: OwnCard, threads: int | None = None) -> None:
        self.card, self.threads = card, threads
        if EXTERNAL_DATA in file:
            raise OnnxFault("its weights stand in another file (external data); expected one file with all of it")
        try:
            self._session = open_session(file, threads)
        except OnnxFault:
            raise
        except Exception as error:
            raise OnnxFault(f"ONNX Runtime refuses it: {_first_line(error)}") from error
        self._input, self._together = self._check_input()
        self._outputs = self._check_outputs()
        self.feature_width = self(probes(card.feed.size, card.feed.channels)[:2]).feature.shape[1]

    def __call__(self, crops: np.ndarray) -> Answer:
        """Any number of crops, at least one; one by one where the network takes one alone."""
        fed = self._fed(crops)
        batches = [fed] if self._together else list(fed[:, None])
        try:
            runs = [self._session.run(self._outputs, {self._input: batch}) for batch in batches]
        except Exception as error:
            raise OnnxFault(f"ONNX Runtime stopped in it: {_first_line(error)}") from error
        outputs = {
            name: np.concatenate([_rows(name, run[i], len(batch)) for run, batch in zip(runs, batches, strict=True)])
            for i, name in enumerate(self._outputs)
        }
        return self._answer(outputs)

    @property
    def has_expressions(self) -> bool:
        """Whether its card names the output of expressions."""
        return self.card.expressions is not None

    def __deepcopy__(self, memo: dict) -> "OwnEncoder":
        return self

    def _fed(self, crops: np.ndarray) -> np.ndarray:
        """The crops as the network takes them."""
        feed = self.card.feed
        pictures = crops[..., ::-1] if feed.colour == "bgr" else crops
        if feed.dtype == "float32":
            mean, deviation = (np.array(each, np.float32) for each in (feed.mean, feed.deviation))
            pictures = (pictures.astype(np.float32) * np.float32(feed.scale) - mean) / deviation
        return np.ascontiguousarray(pictures if feed.last else pictures.transpose(0, 3, 1, 2))

    def _answer(self, outputs: dict[str, np.ndarray]) -> Answer:
        card = self.card
        affect = np.column_stack([_column(outputs, place) for place in (card.valence, card.arousal)])
        expressions = None if card.expressions is None else _probabilities(outputs, card.expressions)
        told = [affect] if expressions is None else [affect, expressions]
        feature = np.hstack(told) if card.feature is None else outputs[card.feature]
        return Answer(feature, _quadrants(affect), affect, expressions)

    def _check_input(self) -> tuple[str, bool]:
        """The input's name, and whether it takes any number of crops at once."""
        feed, inputs = self.card.feed, self._session.get_inputs()
        if len(inputs) != 1:
            raise OnnxFault(f"it has {len(inputs)} inputs ({', '.join(i.name for i in inputs)}); expected one")
        (only,) = inputs
        if only.type != INPUT_TYPES[feed.dtype]:
            raise OnnxFault(f"its input {only.name!r} is a {only.type}; its card says {feed.dtype}")
        expected = (feed.size, feed.size, feed.channels) if feed.last else (feed.channels, feed.size, feed.size)
        batch, *sides = only.shape or [None]
        layout = "NHWC" if feed.last else "NCHW"
        fits = len(sides) == 3 and all(
            not isinstance(side, int) or side == wanted for side, wanted in zip(sides, expected, strict=True)
        )
        if not fits:
            raise OnnxFault(
                f"its input {only.name!r} has the axes {only.shape}; its card says {layout} of {expected} behind the "
                "batch"
            )
        if isinstance(batch, int) and batch != 1:
            raise OnnxFault(f"its input {only.name!r} takes {batch} faces at once; expected 1, or an axis that is free")
        return only.name, batch != 1

    def _check_outputs(self) -> list[str]:
        """The outputs that the card names."""
        card, known = self.card, [output.name for output in self._session.get_outputs()]
        classes = [] if card.expressions is None else [card.expressions.output]
        names = [card.valence.output, card.arousal.output, *classes, *([card.feature] if card.feature else [])]
        for name in [name for name in names if name not in known][:1]:
            raise OnnxFault(f"it has no output {name!r}, which its card names; it has {', '.join(known)}")
        return list(dict.fromkeys(names))


def _quadrants(affect: np.ndarray) -> np.ndarray:
    """(B, 4): certain of the quadrant in which affect (B, 2) lies, in the order ++, -+, --, +-; zero counts as high."""
    valence, arousal = (affect >= 0).T
    joint = [valence & arousal, ~valence & arousal, ~valence & ~arousal, valence & ~arousal]
    return np.stack(joint, axis=1).astype(np.float32)


def _rows(name: str, values: Any, faces: int) -> np.ndarray:
    """An output as (B, K) float32, of finite numbers."""
    values = np.asarray(values)
    if values.dtype.kind != "f":
        raise OnnxFault(f"its output {name!r} holds {values.dtype}; expected floating-point numbers")
    if values.ndim == 0 or len(values) != faces:
        raise OnnxFault(f"its output {name!r} has the shape {values.shape} for {faces} faces; expected a row a face")
    rows = values.reshape(faces, -1).astype(np.float32)
    if not np.isfinite(rows).all():
        raise OnnxFault(f"its output {name!r} holds NaN or infinity for a face; expected finite numbers")
    return rows


def _column(outputs: dict[str, np.ndarray], place: Place) -> np.ndarray:
    rows = outputs[place.output]
    if place.number >= rows.shape[1]:
        raise OnnxFault(
            f"its output {place.output!r} has {rows.shape[1]} numbers a face; its card wants [{place.number}]"
        )
    return rows[:, place.number]


def _probabilities(outputs: dict[str, np.ndarray], classes: Classes) -> np.ndarray:
    """(B, 8) in the order of EXPRESSIONS; 0 for one that the network does not know."""
    rows = outputs[classes.output]
    if rows.shape[1] != len(classes.names):
        raise OnnxFault(
            f"its output {classes.output!r} has {rows.shape[1]} numbers a face; its card names {len(classes.names)} "
            "classes"
        )
    if classes.softmax:
        rows = np.exp(rows - rows.max(axis=1, keepdims=True))
    elif rows.min() < -NEAR_ONE or np.abs(rows.sum(axis=1) - 1).max() > NEAR_ONE:
        raise OnnxFault(
            f"its output {classes.output!r} holds no probabilities (they sum to {rows[0].sum():.3g}); for logits its "
            'card must say "activation": "softmax"'
        )
    told = np.zeros((len(rows), len(EXPRESSIONS)), np.float32)
    told[:, [EXPRESSIONS.index(name) for name in classes.names]] = rows.clip(0)
    return told / told.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class OwnConfig:
    """A network of one's own and the recurrence behind it; what stands in the card of a checkpoint of the kind."""

    card: dict[str, Any]
    """What FILE.json says."""
    file: str
    """Where FILE.onnx lies, from the folder of the checkpoint; one of its name beside the checkpoint goes before it."""
    sha256: str
    """Of FILE.onnx."""
    feature: int
    """Width F of what the recurrence reads."""
    recurrence: Literal["none", "lstm", "attention"] = "none"
    hidden: int = 0
    score: Literal["linear", "mlp"] = "linear"

    def __post_init__(self) -> None:
        check_config(self)
        self.own  # noqa: B018

    @cached_property
    def own(self) -> OwnCard:
        """The card, read; ValueError for one that is none."""
        return read_own(self.card, Path(self.file).stem)

    @property
    def size(self) -> int:
        """Side of the crop, pixels."""
        return self.own.feed.size

    @property
    def channels(self) -> int:
        """3 RGB, 1 grey."""
        return self.own.feed.channels

    def to_dict(self) -> dict[str, Any]:
        """For a model card: JSON values only."""
        return asdict(self)


def open_own(path: Path, threads: int | None = 1) -> tuple[OwnEncoder, OwnConfig]:
    """The encoder at FILE.onnx by its card FILE.json. Raises OnnxFault, ValueError for the card, OSError."""
    beside, file = path.with_suffix(".json"), path.read_bytes()
    if not beside.is_file():
        raise OnnxFault(f"it has no card; expected {beside.name} beside it: see docs/own-encoder.md")
    try:
        values = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{beside.name} is not JSON: {_first_line(error)}") from error
    try:
        card = read_own(values, path.stem)
    except ValueError as error:
        raise ValueError(f"{beside.name}: {error}") from error
    encoder = OwnEncoder(file, card, threads)
    return encoder, OwnConfig(values, path.name, hashlib.sha256(file).hexdigest(), encoder.feature_width)


def file_of(config: OwnConfig, folder: Path) -> bytes:
    """The FILE.onnx of a checkpoint in a folder: that beside it, else where the card says.

    Raises OnnxFault where neither is the file that the checkpoint was made with.
    """
    name = Path(config.file).name
    places = [place for place in (folder / name, folder / config.file) if place.is_file()]
    for place in places:
        file = place.read_bytes()
        if hashlib.sha256(file).hexdigest() == config.sha256:
            return file
    got = f"{places[0]} is another file" if places else f"{name} is not there"
    raise OnnxFault(
        f"its encoder is missing: {got}; expected the {name} with the SHA-256 {config.sha256[:12]}… beside it"
    )


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
