"""Checkpoints that share an encoder, as they ship: the first whole, of the others what it has not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nets.checkpoint import CheckpointFault, find, read_weights, save_weights, share, write_card
from tracker.errors import CheckpointError
from train.quadrant_head import THEN

STEP = f"{THEN}affect train share"


def share_models(base: str, models: Sequence[str], out: Path) -> list[Path]:
    """Write OUT/NAME.safetensors of all, with their cards; returns the paths.

    Raises CheckpointError for what is no checkpoint, and for a model that does not share base's encoder; base is then
    written, and the models before it.
    """
    try:
        whole = out / find(base).name
        told = save_weights(whole, *read_weights(find(base)))
        return [whole, *(_share(find(model), whole, f"{STEP} {told.name}", out) for model in models)]
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def _share(source: Path, base: Path, step: str, out: Path) -> Path:
    card, path = share(source, base, out), out / source.name
    write_card(path, replace(card, command=f"{card.command.partition(STEP)[0]}{step} {card.name}"))
    return path
