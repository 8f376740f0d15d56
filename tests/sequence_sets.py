"""Small prepared sets of drawn clips, and small random models, for the tests of the evaluation of sequences."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from nets.anclaf import Anclaf, AnclafConfig
from nets.anclaf.model import with_recurrence
from nets.card import ModelCard
from nets.checkpoint import save
from tracker.faces.align import Template
from train.clips.scripts import KINDS
from train.prepared import LabelScale, Names, Prepared, create_crops, write_prepared

RATE_HZ = 25.0
TEMPLATE = Template(size=32, channels=1, margin=4)
TINY = replace(
    AnclafConfig.compact(),
    size=32,
    generator_width=4,
    discriminator_width=4,
    combiner_widths=(8, 8, 12),
    hidden=6,
)


def truth_of(kind: str, length: int, rng: np.random.Generator) -> np.ndarray:
    """The trace (length, 2) of a clip: constant, a slow wave, a fast one, or a step amid."""
    level = rng.uniform(-0.4, 0.4, 2)
    if kind == "still":
        return np.tile(level, (length, 1))
    if kind == "step":
        return level + np.outer(np.arange(length) >= length // 2, np.where(level < 0, 0.5, -0.5))
    wave = np.sin(np.arange(length) / (20 if kind == "morph" else 4) + rng.uniform(0, 6))
    return level + 0.4 * np.outer(wave, (1, -0.5))


def columns_of(kinds: list[str], subjects: list[int], length: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    """The columns of clips of these kinds, one each, all faces found, all frames annotated."""
    rng = np.random.default_rng(seed)
    n = len(kinds) * length
    columns = {
        "affect": np.concatenate([truth_of(kind, length, rng) for kind in kinds]).astype(np.float32),
        "found": np.ones(n, bool),
        "clip": np.repeat(np.arange(len(kinds)), length),
        "time": np.tile(np.arange(length) / RATE_HZ, len(kinds)),
        "subject": np.repeat(subjects, length),
        "kind": np.repeat([KINDS[kind] for kind in kinds], length).astype(np.uint8),
    }
    return columns | {"covered": rng.random(n) < 0.2}


def write_set(
    folder: Path,
    columns: dict[str, np.ndarray],
    name: str = "drawn",
    template: Template = TEMPLATE,
    scale: LabelScale | None = None,
) -> Prepared:
    """A set whose crops are bright where the truth is high, with noise."""
    rng = np.random.default_rng(1)
    side, affect = template.size + 2 * template.margin, np.nan_to_num(columns["affect"])
    crops = create_crops(folder, template, len(affect))
    upper, lower = 128 + 100 * affect[:, :1, None], 128 + 100 * affect[:, 1:, None]
    picture = np.concatenate([np.broadcast_to(h, (len(affect), side // 2, side)) for h in (upper, lower)], axis=1)
    noisy = picture[..., None] + rng.normal(0, 12, (*picture.shape, template.channels))
    crops[:] = noisy.clip(0, 255).astype(np.uint8)
    clips = [f"clip{i}" for i in range(columns["clip"].max() + 1)]
    subjects = [f"face{i}" for i in range(columns["subject"].max() + 1)]
    return write_prepared(folder, name, template, scale or LabelScale(), columns, Names(clips, subjects))


def write_split_set(folder: Path, **changes: np.ndarray) -> Prepared:
    """Three faces to train, one to validate, three to test, each with a clip of every kind."""
    kinds, parts = list(KINDS), [0, 0, 0, 1, 2, 2, 2]
    columns = columns_of(kinds * len(parts), np.repeat(np.arange(len(parts)), len(kinds)).tolist())
    columns["split"] = np.array(parts, np.uint8)[columns["subject"]]
    return write_set(folder, columns | changes)


def write_model(
    folder: Path, name: str, length: int = 1, kind: Literal["none", "lstm", "attention"] = "none", seed: int = 0
) -> str:
    """The path of a random model; models of one seed share the encoder."""
    torch.manual_seed(seed)
    model = Anclaf(TINY).eval()
    torch.manual_seed(seed + length)
    if kind != "none":
        model = with_recurrence(model, "lstm")
    if kind == "attention":
        model = with_recurrence(model, "attention")
    rate = RATE_HZ if kind != "none" else None
    card = ModelCard(name, "anclaf", model.config.to_dict(), TEMPLATE.card(), "", "", "", length, rate)
    save(folder / f"{name}.safetensors", model, card)
    return str(folder / f"{name}.safetensors")
