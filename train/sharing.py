"""Checkpoints that share an encoder, as they ship: the first whole, of the others what it has not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from nets.checkpoint import CheckpointFault, ModelCard, find, read_weights, save_weights, without
from tracker.errors import CheckpointError, UsageError
from train.preparing.blocks import writing
from train.quadrant_head import THEN

FOLDER = "shared"
"""Of the run, in the folder of all runs."""
STEP = "affect train share"


def share_models(base: str, models: Sequence[str], out: Path) -> list[Path]:
    """Write OUT/NAME.safetensors of all, with their cards; returns the paths.

    Raises UsageError for two files of one name, and CheckpointError for what is no checkpoint or does not share base's
    encoder; base is then written, and the models before it. SinkError where OUT cannot be written.
    """
    try:
        sources = [find(each) for each in (base, *models)]
        if len({source.name for source in sources}) < len(sources):
            raise UsageError(
                f"{', '.join(map(str, sources))}: expected files of different names, since all go into {out}"
            )
        (whole, card), *others = [read_weights(source) for source in sources]
        with writing(out):
            save_weights(first := out / sources[0].name, whole, card)
            for source, (tensors, card) in zip(sources[1:], others, strict=True):
                _share(source, tensors, card, first)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
    return [out / source.name for source in sources]


def _share(source: Path, tensors: dict[str, Tensor], card: ModelCard, base: Path) -> None:
    """Write a model, whose weights and card were read from source, beside base."""
    try:
        own, told = without(tensors, base)
    except CheckpointFault as error:
        raise CheckpointFault(f"{source}: {error}") from error
    step = f"{THEN}{STEP} {told.name} {source.stem}"
    command = card.command.removesuffix(step) + step
    save_weights(base.with_name(source.name), own, replace(card, command=command), told)
