"""Faces of known persons, one of which is drawn as the partner of another."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tracker.errors import DataError
from train.annotation_transfer import PRESETS
from train.datasets.expressions import NONE
from train.distortion import augment
from train.examples import inner
from train.prepared import Prepared

PRESET = "affectnet-8"
"""Of the classes' valence and arousal, where the data set has none of its own."""
SHIFT = 3
"""Pixels by which a crop is moved at most: the authors cut 64 out of 70."""


@dataclass(frozen=True)
class Faces:
    """N faces of a data set."""

    crops: np.ndarray
    """The data set's (M, S, S, C) uint8, with the template's margin."""
    rows: np.ndarray
    """(N,) int: which of them."""
    person: np.ndarray
    """(N,) int: who it is."""
    classes: Tensor
    """(N,) int: the expression; NONE where it is not told."""

    def __len__(self) -> int:
        return len(self.rows)

    def pictures(self, index: Tensor) -> Tensor:
        """The crops (B, C, S, S) uint8 of the faces at index (B,)."""
        return torch.from_numpy(self.crops[self.rows[index.numpy()]]).permute(0, 3, 1, 2)

    def pairs(self, seed: int) -> Tensor:
        """(P, 2) int: two faces of a person each, drawn; no face is in two pairs, and all but the odd ones in one."""
        rng = np.random.default_rng(seed)
        drawn = [rng.permutation(np.flatnonzero(self.person == person)) for person in np.unique(self.person)]
        pairs = np.concatenate([own[: len(own) // 2 * 2].reshape(-1, 2) for own in drawn])
        return torch.from_numpy(rng.permutation(pairs))


def faces_of(data: Prepared, keep: np.ndarray) -> Faces:
    """The faces that were found where keep (N,) bool holds; DataError where there is none."""
    rows = np.flatnonzero(keep & data.found)
    if not len(rows):
        raise DataError(f"{data.folder} has no face to train or to test on")
    classes = torch.from_numpy(expressions_of(data)[rows].astype(np.int64))
    return Faces(data.crops, rows, data.subject[rows], classes)


def training_faces(data: Prepared, keep: np.ndarray) -> Faces:
    """As faces_of; DataError where they are of one person, of one expression, or a person has one picture alone."""
    faces = faces_of(data, keep)
    persons, counts = np.unique(faces.person, return_counts=True)
    if len(persons) < 2:
        raise DataError(f"{data.folder}: all training faces are of one person; expected two persons or more")
    for person in persons[counts < 2][:1]:
        raise DataError(
            f"{data.folder}: of {data.subjects[person]!r} there is one picture; expected two or more of each person, "
            "for identity is what they have in common"
        )
    if len(set(faces.classes.tolist()) - {NONE}) < 2:
        raise DataError(f"{data.folder}: the training faces show fewer than two expressions; expected two or more")
    return faces


def expressions_of(data: Prepared) -> np.ndarray:
    """(M,) uint8: the expression of each row, an index of data.classes; DataError for a set without."""
    if "expression" not in data.extra or not data.classes:
        raise DataError(
            f"{data.folder} has no classes of expression; prepare a set with persons and expressions: "
            "see affect prepare --help"
        )
    return data.extra["expression"]


def centres_of(data: Prepared, keep: np.ndarray) -> list[tuple[float, float]]:
    """Valence and arousal of each class: the mean of the set's own labels where keep (M,) bool holds, or, where a class
    has none, the preset's."""
    known = keep & data.usable
    return [_centre(data, known & (expressions_of(data) == i), name) for i, name in enumerate(data.classes)]


def _centre(data: Prepared, rows: np.ndarray, name: str) -> tuple[float, float]:
    ellipses = PRESETS[PRESET]
    centre = data.affect[rows].astype(np.float64).mean(0) if rows.any() else ellipses.centres[ellipses.index(name)]
    valence, arousal = centre.round(4).tolist()
    return valence, arousal


def seen(crops: Tensor, size: int, augmentation: str) -> Tensor:
    """Crops with a margin (B, C, S + 2 margin, ...) as a training sees them, (B, C, size, size) of 0 to 255."""
    if augmentation == "camera":
        return augment(crops, size)
    margin = (crops.shape[-1] - size) // 2
    return shifted(crops, size, min(SHIFT, margin)) if augmentation == "crops" else inner(crops, margin)


def shifted(crops: Tensor, size: int, shift: int) -> Tensor:
    """Each cut out by up to `shift` pixels beside the middle, every second one mirrored.

    The two pictures of a person, which stand half a batch apart, alike: or the one would not tell where the other's
    light comes from.
    """
    pairs = len(crops) // 2
    corners = (crops.shape[-1] - size) // 2 + torch.randint(-shift, shift + 1, (pairs, 2)).repeat(2, 1)
    cut = [crop[:, y : y + size, x : x + size] for crop, (y, x) in zip(crops, corners.tolist(), strict=True)]
    mirrored = (torch.rand(pairs, 1, 1, 1) < 0.5).repeat(2, 1, 1, 1)
    pictures = torch.stack(cut)
    return torch.where(mirrored, pictures.flip(3), pictures)
