"""The picture of edited faces: every expression, as others show it, on the identity of several test persons."""

from typing import NamedTuple

import numpy as np
import torch

from nets.pictures import crops_of
from nets.swap import read, swap
from tracker.drawing.strips import Cell, draw_grid
from train.disvae.tasks.trial import Trial

CAPTION = "below: read in the picture, encoded again  \u00b7  red: not the expression that is read in the column's head"


class Cast(NamedTuple):
    """Indices of the test faces that are shown."""

    identities: np.ndarray
    """(P,): one of each person, neutral where there is such."""
    expressions: np.ndarray
    """(K,): one of each expression but neutral, of other people as far as there are."""


def cast(trial: Trial) -> Cast:
    """Drawn by the seed: faces of different people, and strong expressions."""
    rng = np.random.default_rng(trial.config.seed)
    person, truth = trial.test.person, trial.truth
    people = rng.permutation(np.unique(person))[: trial.config.persons]
    calm = np.where(trial.neutral, -1, trial.degree)
    identities = [_first(rng, person == who, calm) for who in np.sort(people)]
    others = ~np.isin(person, people)
    shown = [truth == k for k in np.unique(truth[~trial.neutral])]
    return Cast(np.array(identities), np.array([_donor(rng, own, others, trial.degree) for own in shown]))


def _donor(rng: np.random.Generator, own: np.ndarray, others: np.ndarray, degree: np.ndarray) -> int:
    return _first(rng, own & others if (own & others).any() else own, -degree)


def _first(rng: np.random.Generator, among: np.ndarray, order: np.ndarray) -> int:
    """Of the faces where among (N,) holds one of those with the least order (N,), drawn."""
    index = np.flatnonzero(among)
    return int(rng.choice(index[order[index] == order[index].min()]))


@torch.no_grad()
def draw_edits(trial: Trial, title: str) -> bytes:
    """PNG: a row a person, the original at its left; a column an expression, its source at its head."""
    faces, (identities, expressions) = crops_of(trial.crops(trial.test).float() / 255), cast(trial)
    classes = trial.data.classes
    made = swap(trial.network, faces[identities], faces[expressions])
    read_in, again = read(trial.network, faces), read(trial.network, made)
    lefts = [Cell(faces[i], _who(trial, i), read_in.said(classes, i)) for i in identities]
    tops = [Cell(faces[i], _shown(trial, i), read_in.said(classes, i)) for i in expressions]
    wanted = read_in.likeliest[expressions]
    rows = [
        [
            Cell(made[r, c], below=again.said(classes, (r, c)), far=again.likeliest[r, c] != wanted[c])
            for c in range(len(expressions))
        ]
        for r in range(len(identities))
    ]
    return draw_grid(lefts, tops, rows, title, CAPTION)


def _who(trial: Trial, face: int) -> str:
    return trial.data.subjects[trial.test.person[face]][-18:]


def _shown(trial: Trial, face: int) -> str:
    degree = trial.degree[face]
    return trial.data.classes[trial.truth[face]] + (f" {degree}" if degree else "")
