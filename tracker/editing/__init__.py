"""Faces changed by generative models: what `affect edit` is made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

from nets.card import ModelCard
from tracker.config import EditConfig
from tracker.editing.edit import Edit
from tracker.editing.swaps import swap_disvae
from tracker.editing.walks import walk_levasa


class Editor(NamedTuple):
    """How models of one kind change faces."""

    change: Callable[[tuple[str, ...], Any, ModelCard, EditConfig], Edit]
    """Of files, by a network of the kind and its card, as a configuration says."""
    heeds: tuple[str, ...]
    """What it heeds of the configuration."""


EDITORS: dict[str, Editor] = {
    "disvae": Editor(swap_disvae, ("at",)),
    "levasa": Editor(walk_levasa, ("walk", "steps", "range", "at")),
}
"""By the model's kind."""
