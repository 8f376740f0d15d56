"""The card of an encoder of one's own: FILE.json beside FILE.onnx says how it is fed and what its outputs mean.

See docs/own-encoder.md. Whatever is wrong with a card is a ValueError of one plain line.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nets.bounds import LARGEST_PX, check_name, check_points, check_text
from nets.expressions import EXPRESSIONS
from nets.templates import TEMPLATES

MOST, LEAST = 1e6, 1e-6
"""Of the size of a number; nearer to zero, nothing can be divided by it."""
COLOURS = {3: ("rgb", "bgr"), 1: ("grey",)}
"""By the number of channels; the first is what is meant where none is named."""
BOX = "box"


class Place(NamedTuple):
    """One number of an output."""

    output: str
    number: int


class Classes(NamedTuple):
    """Where the probabilities of expressions stand."""

    output: str
    names: tuple[str, ...]
    """Of EXPRESSIONS, in the output's order."""
    softmax: bool
    """Whether the output is logits."""


@dataclass(frozen=True)
class Feed:
    """What a network is fed with: (B, C, S, S), or (B, S, S, C), of (level * scale - mean) / deviation."""

    size: int
    channels: int
    colour: str
    """rgb, bgr or grey."""
    last: bool
    """Whether the channels are the last axis."""
    dtype: str
    """float32, or uint8: the levels 0 to 255 as they are."""
    scale: float
    mean: tuple[float, ...]
    """Of each channel, in the network's order."""
    deviation: tuple[float, ...]
    """Likewise."""


@dataclass(frozen=True)
class OwnCard:
    """What a card says."""

    name: str
    terms: str
    feed: Feed
    crop: dict[str, Any]
    """A model card's `crop`: size, channels, and points or box."""
    valence: Place
    arousal: Place
    expressions: Classes | None
    feature: str | None
    """The output that a recurrence reads; None: valence, arousal and the expressions."""


def read_own(values: Any, name: str) -> OwnCard:
    """The card of JSON's values; name is the file's, for one that has none of its own. Raises ValueError."""
    card = _part(values, "the card", ("name", "input", "crop", "outputs", "terms"), needed=("input", "outputs"))
    feed = _feed(_part(card["input"], "input", FEED, needed=("size",)))
    outputs = _part(card["outputs"], "outputs", OUTPUTS, needed=("valence", "arousal"))
    feature = outputs.get("feature")
    called, terms = card.get("name", name), card.get("terms", "not said by its card")
    if "name" in card:
        check_name(called, "name")
    check_text(terms, "terms")
    return OwnCard(
        name=called,
        terms=terms or "not said by its card",
        feed=feed,
        crop={"size": feed.size, "channels": feed.channels, **_crop(card.get("crop", {"template": "anclaf"}))},
        valence=_place(outputs["valence"], "valence"),
        arousal=_place(outputs["arousal"], "arousal"),
        expressions=_classes(outputs["expressions"]) if "expressions" in outputs else None,
        feature=None if feature is None else _text(feature, "outputs.feature"),
    )


FEED = ("size", "channels", "color", "layout", "dtype", "scale", "mean", "deviation")
OUTPUTS = ("valence", "arousal", "expressions", "feature")


def _feed(given: Mapping[str, Any]) -> Feed:
    channels = _choice(given, "input.channels", (3, 1))
    dtype = _choice(given, "input.dtype", ("float32", "uint8"))
    scaled = [name for name in ("scale", "mean", "deviation") if name in given]
    if dtype == "uint8" and scaled:
        raise ValueError(f"input.{scaled[0]} is of no use to uint8, which takes the levels as they are; leave it out")
    deviation = _numbers(given.get("deviation", 1.0), "input.deviation", channels)
    scale = _number(given.get("scale", 1.0), "input.scale")
    if min(map(abs, (scale, *deviation))) < LEAST:
        raise ValueError(f"input.scale or input.deviation holds a number nearer to 0 than {LEAST:g}; expected others")
    return Feed(
        size=_size(given["size"]),
        channels=channels,
        colour=_choice(given, "input.color", COLOURS[channels]),
        last=_choice(given, "input.layout", ("NCHW", "NHWC")) == "NHWC",
        dtype=dtype,
        scale=scale,
        mean=_numbers(given.get("mean", 0.0), "input.mean", channels),
        deviation=deviation,
    )


def _size(value: Any) -> int:
    sides = value if isinstance(value, list) else [value, value]
    if len(sides) != 2 or any(type(side) is not int for side in sides) or not 16 <= sides[0] <= LARGEST_PX:
        raise ValueError(f"input.size is {value!r}; expected pixels, such as 112 or [112, 112], 16 to {LARGEST_PX}")
    if sides[0] != sides[1]:
        raise ValueError(f"input.size is {value!r}; crops are square: expected the same number twice")
    return sides[0]


def _crop(value: Any) -> dict[str, Any]:
    """The `crop` of a model card but for its size and channels."""
    given = _part(value, "crop", ("points", "template", "margin"))
    if ("points" in given) == ("template" in given):
        raise ValueError("crop has neither points nor a template, or both; expected one of them")
    template = _choice(given, "crop.template", (*TEMPLATES, BOX)) if "template" in given else None
    if "margin" in given and template != BOX:
        raise ValueError('crop.margin belongs to the template "box" alone; leave it out')
    if template == BOX:
        margin = _number(given.get("margin", 0.0), "crop.margin")
        if not -0.4 <= margin <= 2.0:
            raise ValueError(f"crop.margin is {margin:g}; expected -0.4 to 2, a share of the face's longer side")
        return {"box": margin}
    points = given["points"] if template is None else TEMPLATES[template]
    check_points(points, "crop.points")
    return {"points": [[float(x), float(y)] for x, y in points]}


def _place(value: Any, axis: str) -> Place:
    """ "name[3]", or a name alone for its first number."""
    found = re.fullmatch(r"(.+?)(?:\[(\d+)\])?", _text(value, f"outputs.{axis}"))
    assert found is not None
    return Place(found[1], int(found[2] or 0))


def _classes(value: Any) -> Classes:
    given = _part(value, "outputs.expressions", ("output", "classes", "activation"), needed=("output", "classes"))
    if not isinstance(given["classes"], list) or not given["classes"]:
        raise ValueError(f"outputs.expressions.classes is {given['classes']!r}; expected a list of names")
    names = tuple(str(name).lower() for name in given["classes"])
    unknown = [name for name in names if name not in EXPRESSIONS]
    if unknown:
        raise ValueError(
            f"outputs.expressions.classes has {unknown[0]!r}, which is not known; expected {', '.join(EXPRESSIONS)}"
        )
    if len(set(names)) < len(names):
        raise ValueError("outputs.expressions.classes names one twice; expected each once")
    activation = _choice(given, "outputs.expressions.activation", ("softmax", "none"))
    return Classes(_text(given["output"], "outputs.expressions.output"), names, activation == "softmax")


def _part(value: Any, called: str, known: Collection[str], needed: Collection[str] = ()) -> Mapping[str, Any]:
    """A JSON object that has what is needed and nothing that is not known."""
    if not isinstance(value, dict):
        raise ValueError(f"{called} is {value!r}; expected an object with {', '.join(known)}")
    for name in [name for name in value if name not in known][:1]:
        raise ValueError(f"{called} has {name!r}, which is not known; expected some of {', '.join(known)}")
    for name in [name for name in needed if name not in value][:1]:
        raise ValueError(f"{called} has no {name!r}; expected one")
    return value


def _choice(given: Mapping[str, Any], called: str, choices: Sequence[Any]) -> Any:
    """One of the choices, by the last part of its name; the first where it is not there."""
    value = given.get(called.rpartition(".")[2], choices[0])
    if value not in choices:
        raise ValueError(f"{called} is {value!r}; expected {' or '.join(map(str, choices))}")
    return value


def _text(value: Any, called: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{called} is {value!r}; expected the name of an output")
    return value


def _number(value: Any, called: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST <= value <= MOST:
        raise ValueError(f"{called} is {value!r}; expected a number of at most {MOST:g}")
    return float(value)


def _numbers(value: Any, called: str, count: int) -> tuple[float, ...]:
    """So many numbers; one alone stands for all."""
    values = list(value) if isinstance(value, list | tuple) else [value] * count
    if len(values) != count:
        raise ValueError(f"{called} has {len(values)} numbers; expected {count}")
    return tuple(_number(each, called) for each in values)
