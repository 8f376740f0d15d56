"""Faces changed by generative models: what `affect edit` is made of."""

from collections.abc import Callable

from tracker.config import EditConfig
from tracker.editing.edit import Edit
from tracker.editing.walks import walk_levasa

EDITORS: dict[str, Callable[[tuple[str, ...], str, EditConfig], Edit]] = {"levasa": walk_levasa}
"""By the model's kind, what changes the faces of files by a model (its name or path) as a configuration says."""
