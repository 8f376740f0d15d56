"""Checkpoints that share an encoder, as they ship: the first whole, of the others what it has not."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nets.card import Base, CheckpointFault, find
from nets.checkpoint import read_weights, save_weights
from nets.onnx.export import export_trained
from tracker.errors import CheckpointError, UsageError
from train.config import THEN
from train.preparing.blocks import writing

FOLDER = "shared"
"""Of the run, in the folder of all runs."""
STEP = "affect train share"


def share_models(base: str, models: Sequence[str], out: Path) -> list[Path]:
    """Write OUT/NAME.safetensors of all, with their cards; returns the paths.

    Raises UsageError for two files of one name, CheckpointError for what is no checkpoint or does not share base's
    encoder, before anything is written; SinkError where OUT cannot be written.
    """
    try:
        sources = [find(each) for each in (base, *models)]
        (whole, card), *others = [read_weights(source) for source in sources]
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error
    if len({source.name for source in sources}) < len(sources):
        raise UsageError(f"{', '.join(map(str, sources))}: expected files of different names, since all go into {out}")
    first, *further = [out / source.name for source in sources]
    parts = [without(tensors, whole, source) for (tensors, _), source in zip(others, sources[1:], strict=True)]
    with writing(out):
        known = Base(first.stem, save_weights(first, whole, card).sha256)
        for path, own, (_, card) in zip(further, parts, others, strict=True):
            step = f"{THEN}{STEP} {first.stem} {path.stem}"
            save_weights(path, own, replace(card, command=card.command.removesuffix(step) + step), known)
        for path in (first, *further):
            export_trained(path)
    return [first, *further]


def without(tensors: dict[str, Tensor], base: dict[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Those of a model's weights that base has not alike; source: where the model was read, for messages.

    Raises CheckpointError where less than half of base's are alike, or it has some by names that the model has not.
    """
    alike = {name for name in base.keys() & tensors.keys() if _same(base[name], tensors[name])}
    both, every = (sum(base[name].numel() for name in names) for names in (alike, base))
    if 2 * both < every or not base.keys() <= tensors.keys():
        raise CheckpointError(
            f"{source} has {both:,} of the base's {every:,} weights; expected models of one training, which share an "
            "encoder"
        )
    return {name: value for name, value in tensors.items() if name not in alike}


def _same(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)
