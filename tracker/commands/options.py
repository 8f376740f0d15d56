"""Command line options that take their defaults and choices from the configuration classes."""

import os
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from tracker.addresses import PASSWORD
from tracker.config import TrackerConfig, default_of

DEBUG = "tracker.debug"
"""Key of click's shared context: whether an error shows its traceback."""

Config = TypeVar("Config")


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels, such as 1280x720."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """(width, height)."""
        parts = re.fullmatch(r"([0-9]+)x([0-9]+)", str(value))
        if parts is None:
            self.fail(f"'{value}' is not a size; expected WIDTHxHEIGHT in pixels, such as 1280x720", param, ctx)
        return int(parts[1]), int(parts[2])


class Part(click.ParamType):
    """I/N, such as 2/8."""

    name = "I/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """(I, N)."""
        parts = re.fullmatch(r"([0-9]+)/([0-9]+)", str(value))
        if parts is None:
            self.fail(f"'{value}' is no shard; expected I/N, the I-th of N parts, such as 2/8", param, ctx)
        return int(parts[1]), int(parts[2])


class Span(click.ParamType):
    """A:B in seconds, such as 0:4 or -1:2.5."""

    name = "A:B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """(A, B), A before B."""
        first, _, last = str(value).partition(":")
        try:
            start, end = float(first), float(last)
        except ValueError:
            start = end = 0.0
        if not start < end:
            self.fail(f"'{value}' is not a span; expected A:B in seconds, A before B, such as 0:4", param, ctx)
        return start, end


def setting(config: type, name: str, *flags: str, **attributes: Any) -> Callable:
    """A click option that sets one field of a configuration class, with the class's default and choices."""
    default = default_of(config, name)
    hint = get_type_hints(config)[name]
    if get_origin(hint) is Literal:
        attributes["type"] = click.Choice(get_args(hint))
    shown = default is not None and not isinstance(default, bool)
    return click.option(name, *flags, default=default, show_default=shown, **attributes)


def filled(config: type[Config], options: dict[str, Any]) -> Config:
    """An instance of a configuration class, its fields taken out of options; the others keep their default."""
    names = [field.name for field in fields(config) if field.name in options]  # type: ignore[arg-type]
    return config(**{name: options.pop(name) for name in names})


def face_options(command: Callable) -> Callable:
    """The options of how faces are found."""
    faces = setting(TrackerConfig, "faces", "--faces", metavar="N", help="Most faces followed at once.")
    smallest = setting(
        TrackerConfig,
        "min_face_px",
        "--min-face",
        metavar="PX",
        help="Width in pixels of the smallest face to look for.",
    )
    landmarker = setting(TrackerConfig, "landmarker", "--landmarker", help="What finds faces and their landmarks.")
    remember = setting(
        TrackerConfig,
        "remember_s",
        "--remember",
        metavar="S",
        help="Seconds for which a person who left keeps their id.",
    )
    return faces(smallest(landmarker(remember(command))))


def landmark_options(command: Callable) -> Callable:
    """The options of the second model, which reads landmarks."""
    model = setting(
        TrackerConfig,
        "landmark_model",
        "--landmark-model",
        metavar="NAME|PATH",
        help="A landmark VAE; adds its code to the output.",
    )
    neutral = setting(
        TrackerConfig, "neutral", "--neutral", metavar="FILE|own", help="The relaxed face that it compares with."
    )
    return model(neutral(command))


def password_option(command: Callable) -> Callable:
    """The option --ask-password, for addresses that name a user alone; the variable AFFECT_PASSWORD does the same."""
    return click.option(
        "--ask-password",
        is_flag=True,
        expose_value=False,
        callback=_ask_password,
        help=f"Ask for the password of USER@ in an address; {PASSWORD} in the environment does the same.",
    )(command)


def _ask_password(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        os.environ[PASSWORD] = click.prompt("Password", hide_input=True, err=True)


def debug_option(expose_value: bool = False) -> Callable:
    """The option --debug, which makes an error show its traceback."""
    return click.option(
        "--debug", is_flag=True, expose_value=expose_value, callback=_note_debug, help="Show the traceback of an error."
    )


def _note_debug(context: click.Context, _: click.Parameter, wanted: bool) -> bool:
    context.meta[DEBUG] = wanted or context.meta.get(DEBUG, False)
    return context.meta[DEBUG]
