"""Bounds on what a model card may ask for: a card is a file from elsewhere, and must not take all time or memory."""

import math
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

MOST_LAYERS = 64
"""Entries of one list of a config."""
MOST_WIDTH = 16384
"""Of any layer, code or count."""
LARGEST_PX = 1024
"""Side of a crop, as of an encoder of one's own."""
TIGHTER = {
    "size": (8, LARGEST_PX),
    "shrink": (1, 16),
    "channels": (1, 4),
    "generator_blocks": (0, MOST_LAYERS),
    "generator_kernel": (1, 63),
    "discriminator_layers": (1, 10),
    "face_levels": (0, 5),
}
"""Lowest and highest of settings, by name, whose number costs more than a layer's width does."""
MAY_BE_ZERO = {"hidden", "quadrant_planes"}


def check_config(config: Any) -> None:
    """Check each field of a network's configuration, a dataclass, by its type and size.

    Whole numbers lie within TIGHTER or from 1 to MOST_WIDTH, lists have at most MOST_LAYERS entries, numbers are
    finite, and of a few choices it is one. Raises ValueError with one plain line.
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        _check(field.name, getattr(config, field.name), hints[field.name])


def _check(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        count = None if kinds[-1] is Ellipsis else len(kinds)
        if not isinstance(value, tuple) or len(value) > MOST_LAYERS or count not in (None, len(value)):
            expected = f"at most {MOST_LAYERS}" if count is None else f"{count}"
            raise ValueError(f"{name} is {_shown(value)}; expected a list of {expected}")
        for each, kind in zip(value, kinds[:1] * len(value) if count is None else kinds, strict=True):
            _check(name, each, kind)
    elif get_origin(hint) is Literal:
        if not any(type(value) is type(choice) and value == choice for choice in get_args(hint)):
            raise ValueError(f"{name} is {_shown(value)}; expected {', '.join(map(str, get_args(hint)))}")
    elif hint is int:
        low, high = TIGHTER.get(name, (0 if name in MAY_BE_ZERO else 1, MOST_WIDTH))
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} is {_shown(value)}; expected a whole number, {low} to {high}")
    elif hint is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{name} is {_shown(value)}; expected a finite number")
    elif hint in (bool, str) and type(value) is not hint:
        raise ValueError(f"{name} is {_shown(value)}; expected {'true or false' if hint is bool else 'text'}")


def _shown(value: Any) -> str:
    """The value, cut where it is long."""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
