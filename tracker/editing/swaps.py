"""DisVAE's way to change faces: the expression of each on the identity of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nets.card import ModelCard
from nets.disvae import Disvae
from nets.swap import Reading, read, swap
from tracker.config import EditConfig, check_range
from tracker.drawing.strips import Cell, draw_grid
from tracker.editing.edit import Edit
from tracker.editing.faces import read_faces
from tracker.errors import CheckpointError, UsageError
from tracker.faces.align import Template

MOST = 25
"""Faces in a grid."""
WORD_ROOM = 18
"""Characters above a picture."""


@dataclass(frozen=True)
class Swaps:
    """N faces, and the N by N pictures made of them."""

    files: tuple[str, ...]
    classes: tuple[str, ...]
    """K names of expressions."""
    faces: np.ndarray
    """(N, S, S, C) uint8."""
    read: Reading
    """(N, ...): of the faces."""
    pictures: np.ndarray
    """(N, N, S, S, C) uint8: the identity by row, the expression by column."""
    read_again: Reading
    """(N, N, ...): of the pictures, encoded again."""

    @property
    def kept(self) -> np.ndarray:
        """(N, N) bool: the likeliest expression is that of the face which the expression was taken of."""
        return self.read_again.likeliest == self.read.likeliest

    @property
    def swapped(self) -> dict[str, int]:
        """Pictures with another's expression: how many, where it is kept, and where both faces look alike."""
        others = ~np.eye(len(self.files), dtype=bool)
        alike = self.read.likeliest[:, None] == self.read.likeliest
        return {"pictures": int(others.sum()), "kept": int(self.kept[others].sum()), "alike": int(alike[others].sum())}

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Row and column of each picture, row by row."""
        numbers = range(len(self.files))
        return product(numbers, numbers)


def swap_disvae(files: tuple[str, ...], network: Disvae, card: ModelCard, config: EditConfig) -> Edit:
    """Swap the expressions of the largest faces of files. Raises AffectError for what cannot be read or used."""
    if len(files) < 2:
        raise UsageError("a model of kind 'disvae' needs two faces or more: expression of B on the identity of A")
    check_range("the number of faces", len(files), 2, MOST)
    if not network.config.generative:
        raise CheckpointError(
            f"{card.name} is the CNN baseline, an encoder and a classifier: it has no decoder and makes no faces; "
            "expected a DisVAE, such as affect train disvae --config two-stage makes"
        )
    faces = read_faces(files, Template.from_card(card.crop), config.at)
    pictures = swap(network, faces, faces)
    swaps = Swaps(files, network.config.classes, faces, read(network, faces), pictures, read(network, pictures))
    return Edit(_drawn(swaps, card), _facts(swaps, card) | {"at_s": config.at}, _table(swaps), [_note(swaps)])


def _drawn(swaps: Swaps, card: ModelCard) -> bytes:
    names = [_shortened(Path(file).name) for file in swaps.files]
    said = [swaps.read.said(swaps.classes, i) for i in range(len(names))]
    heads = [Cell(*each) for each in zip(swaps.faces, names, said, strict=True)]
    cells = [
        Cell(swaps.pictures[pair], below=swaps.read_again.said(swaps.classes, pair), far=not swaps.kept[pair])
        for pair in swaps.pairs
    ]
    rows = [cells[start : start + len(heads)] for start in range(0, len(cells), len(heads))]
    caption = f"model {card.name}  \u00b7  below: read in the picture, encoded again"
    if not swaps.kept.all():
        caption += "  \u00b7  red: not the expression of the column's head"
    return draw_grid(heads, heads, rows, "Identity by row, expression by column", caption)


def _shortened(name: str) -> str:
    return name if len(name) <= WORD_ROOM else f"{name[: WORD_ROOM - 1]}\u2026"


def _facts(swaps: Swaps, card: ModelCard) -> dict[str, Any]:
    return {
        "model": {"name": card.name, "sha256": card.sha256},
        "faces": [{"file": file, "read": _named(swaps, swaps.read, i)} for i, file in enumerate(swaps.files)],
        "pictures": [
            {
                "identity": swaps.files[row],
                "expression": swaps.files[column],
                "encoded_again": _named(swaps, swaps.read_again, (row, column)),
                "expression_kept": bool(swaps.kept[row, column]),
            }
            for row, column in swaps.pairs
        ],
        "swapped": swaps.swapped,
    }


def _named(swaps: Swaps, reading: Reading, place: int | tuple[int, int]) -> dict[str, Any]:
    valence, arousal = reading.affect[place].tolist()
    return {
        "expression": swaps.classes[reading.likeliest[place]],
        "probabilities": dict(zip(swaps.classes, reading.probabilities[place].tolist(), strict=True)),
        "valence": valence,
        "arousal": arousal,
    }


def _table(swaps: Swaps) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("identity", "expression of", "read there", "encoded again")]
    for row, column in swaps.pairs:
        source = swaps.read.said(swaps.classes, column)
        again = swaps.read_again.said(swaps.classes, (row, column))
        rows.append((swaps.files[row], swaps.files[column], source, again))
    return rows


def _note(swaps: Swaps) -> str:
    return (
        "{kept} of {pictures} pictures with another's expression show what is read in that face; the identities' own "
        "faces would in {alike}"
    ).format(**swaps.swapped)
