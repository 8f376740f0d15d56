"""Bounds on what a model card may ask for: a card is a file from elsewhere, and must not take all time or memory."""

import math
import re
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

MOST_LAYERS = 64
"""Entries of one list of a config."""
MOST_WIDTH = 16384
"""Of any layer, code or count."""
LEAST_SPREAD = 0.02
"""Of a template's points, shares of the crop's side: root of the sum of squares across their longest direction."""
NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,100}")
LONGEST_TEXT = 10_000
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
MAY_BE_ZERO = {"hidden", "face_picture"}
"""Settings that may say that there is none of what they count."""


def check_config(config: Any) -> None:
    """Check each field of a network's configuration, a dataclass, by its type and size.

    Whole numbers lie within TIGHTER or from 1 to MOST_WIDTH, lists have at most MOST_LAYERS entries, numbers are
    finite, and of a few choices it is one. Raises ValueError with one plain line.
    """
    hints = get_type_hints(type(config))
    for field in fields(config):
        _check(field.name, getattr(config, field.name), hints[field.name])


def check_points(points: Any, called: str) -> None:
    """Check the five places [x, y] of a crop's template, shares of its side; ValueError.

    A crop reaches beyond a face, and some cut into it; points that lie nearly on one line fix no picture.
    """
    if (
        not isinstance(points, list | tuple)
        or len(points) != 5
        or any(not isinstance(point, list | tuple) or len(point) != 2 for point in points)
    ):
        raise ValueError(f"{called} are not five of two numbers; expected eyes, nose and corners of the mouth, [x, y]")
    for number in (number for point in points for number in point):
        if isinstance(number, bool) or not isinstance(number, int | float) or not -1.0 <= number <= 2.0:
            raise ValueError(f"{called} hold {_shown(number)}; expected shares of the crop's side, -1 to 2")
    places = np.array(points, float)
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    if spread[1] < LEAST_SPREAD:
        raise ValueError(f"{called} lie on one line, or in one place; expected those of a face seen from the front")
    if np.hypot(*(places[0] - places[1])) < LEAST_SPREAD:
        raise ValueError(f"{called} have both eyes in one place; expected them apart")


def check_name(name: Any, called: str) -> None:
    """Check a name that may become part of a file's; ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.strip(". ") == "":
        raise ValueError(f"{called} is {_shown(name)}; expected text of at most 100 characters, without / or \\")


def check_text(value: Any, called: str) -> None:
    """Check words for people: one line or several, of a length that can be shown; ValueError."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(f"{called} is {_shown(value)}; expected text of at most {LONGEST_TEXT} characters")


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
