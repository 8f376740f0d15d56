"""`affect models`: the models that ship, or that lie in a folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracker.commands.tables import table
from tracker.config import TrackerConfig
from tracker.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from nets.card import ModelCard

HEADINGS = ("name", "kind", "MB", "parameters", "frames", "terms", "figures (valence/arousal)")
HEADLINE = "ccc"
"""The figure that the table shows, of each set of figures."""
HEADLINE_OF_CLASSES = "accuracy"
"""Likewise, of models that tell no valence and arousal."""

Answer = TypeVar("Answer")


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def models(folder: Path | None) -> None:
    """List the models that ship, or those in FOLDER: size, parameters, frames in the window, terms and figures."""
    from nets.card import WEIGHTS, model_files, read_card

    place = folder or WEIGHTS
    rows = [model_row(checked(read_card, path), path) for path in model_files(place)]
    click.echo("\n".join(table([HEADINGS, *rows], right=(2, 3, 4))) if rows else f"no models in {place}")


def checked(read: Callable[..., Answer], *arguments: Any) -> Answer:
    """What a function of nets.card answers; its faults become CheckpointError with the same text."""
    from nets.card import CheckpointFault

    try:
        return read(*arguments)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def model_card(model: str) -> "ModelCard":
    """The card of a model that ships, by name, or of a path; raises CheckpointError."""
    from nets.card import find, read_card

    return checked(read_card, checked(find, model))


def check_attention(card: "ModelCard", length: int | None) -> None:
    """Raise UsageError unless the model has attention that looks over a window of this length (None: its own)."""
    if not _has_attention(card):
        raise UsageError(
            f"--attention needs a model with attention (ANCLaF-SA-n), and {card.name} has none; {_where_attention_is()}"
        )
    if (length or card.sequence_length) < 2:
        raise UsageError("--attention needs a window of 2 frames or more, and this one has 1; see --sequence-length")


def check_landmark_model(config: TrackerConfig) -> "ModelCard":
    """The card of --landmark-model; raises UsageError for a --neutral that it does not read, CheckpointError."""
    from tracker.landmark_codes import layout_of

    card = model_card(str(config.landmark_model))
    layout_of(card)
    if config.neutral and not card.config.get("conditional", True):
        raise UsageError(f"{card.name} is a plain VAE, which reads no neutral face; leave --neutral out")
    return card


def _has_attention(card: "ModelCard") -> bool:
    return card.config.get("recurrence") == "attention"


def _where_attention_is() -> str:
    from nets.card import list_models

    names = [card.name for card in checked(list_models) if _has_attention(card)]
    if names:
        return f"choose one by --model: {', '.join(names)}"
    return "none ships: give --model the .safetensors file of one that `affect train anclaf` has made"


def model_row(card: "ModelCard", path: Path) -> Sequence[str]:
    """One line of the table, in the order of HEADINGS."""
    from nets.card import base_of

    size = f"{path.stat().st_size / 1e6:.1f}" if path.exists() else "?"
    base = checked(base_of, path) if path.exists() else None
    size += f" beside {base.name}" if base else ""
    return (
        card.name,
        card.kind,
        size,
        f"{card.parameters:,}" if card.parameters else "?",
        str(card.sequence_length),
        card.terms,
        headline(card.figures),
    )


def headline(figures: dict[str, Any]) -> str:
    """The main figure of a report, or of each report by its name: "ferplus ccc 0.91/0.86"."""
    found = figures.get(HEADLINE)
    if isinstance(found, dict) and {"valence", "arousal"} <= found.keys():
        return f"{HEADLINE} {found['valence']:.3f}/{found['arousal']:.3f}"
    if isinstance(figures.get(HEADLINE_OF_CLASSES), float):
        return f"{HEADLINE_OF_CLASSES} {figures[HEADLINE_OF_CLASSES]:.3f}"
    inner = {name: headline(value) for name, value in figures.items() if isinstance(value, dict)}
    return ", ".join(f"{name} {told}" for name, told in inner.items() if told)
