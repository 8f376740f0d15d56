"""Keywords as the configuration that they describe."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, NamedTuple

from tracker.config import (
    DEFAULT_MODEL,
    CaptureOptions,
    LiveConfig,
    OutletConfig,
    OutputConfig,
    SmoothingConfig,
    SourceOptions,
    TrackerConfig,
)
from tracker.errors import UsageError

OF_SOURCE = tuple(field.name for field in fields(SourceOptions) if field.name != "threads")
OF_TRACKER = tuple(field.name for field in fields(TrackerConfig))
OF_CAPTURE = tuple(field.name for field in fields(CaptureOptions))
OF_OUTLETS = ("ws", "osc", "lsl")
OF_RUN = ("duration", "record", "lossless", "picture", "baseline_s")


class Choices(NamedTuple):
    """What a call chose."""

    model: str
    tracker: TrackerConfig
    source: SourceOptions


def choices(call: str, given: Mapping[str, Any], film: bool = True) -> Choices:
    """Of keywords; film: whether a source may be one. UsageError for a name that is not known, or a value."""
    check_names(call, given, ("model", *OF_TRACKER, *(OF_SOURCE if film else ())))
    source = SourceOptions(**_some(given, OF_SOURCE))
    return Choices(str(given.get("model", DEFAULT_MODEL)), tracker_config(given), source)


def live_config(call: str, given: Mapping[str, Any]) -> LiveConfig:
    """Of a live run's keywords. UsageError likewise."""
    check_names(call, given, ("model", "out", *OF_TRACKER, *OF_CAPTURE, *OF_OUTLETS, *OF_RUN))
    return LiveConfig(
        model=str(given.get("model", DEFAULT_MODEL)),
        headless=True,
        capture=CaptureOptions(**_some(given, OF_CAPTURE)),
        tracker=tracker_config(given),
        output=OutputConfig(folder=str(given.get("out", OutputConfig.folder))),
        outlets=OutletConfig(**_some(given, OF_OUTLETS)),
        **_some(given, OF_RUN),
    )


def tracker_config(given: Mapping[str, Any]) -> TrackerConfig:
    """The part that an engine heeds."""
    chosen = _some(given, OF_TRACKER)
    smoothing = chosen.get("smoothing")
    if isinstance(smoothing, str):
        kinds = ("one-euro", "ema", "none")
        if smoothing not in kinds:
            raise UsageError(f"smoothing is {smoothing!r}; expected {', '.join(kinds)}, or a SmoothingConfig")
        chosen["smoothing"] = SmoothingConfig(smoothing)  # type: ignore[arg-type]
    try:
        return TrackerConfig(**chosen)
    except TypeError as error:  # a comparison of something that is no number
        raise UsageError(f"a value is of a wrong kind: {error}") from error


def check_names(call: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for a keyword that is not known, with the one that it may have been meant for."""
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"did you mean {near[0]}?" if near else f"it knows {', '.join(dict.fromkeys(known))}"
            raise UsageError(f"{call}() has no keyword {name!r}; {meant}")


def _some(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return dict(_picked(given, names))


def _picked(given: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    return ((name, given[name]) for name in names if name in given)
