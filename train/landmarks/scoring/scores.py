"""What one repetition of Table II's protocol gives: every row's figures on one set of landmarks by one seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from train.landmarks.data import LandmarkSet
from train.landmarks.scoring.config import LESS, NONE, PCA
from train.landmarks.scoring.measures import components, satisfied, svm_accuracy
from train.landmarks.scoring.trained import Coded, Repetition, coded, open_model
from train.landmarks.triplets import Triplets
from train.prepared import SPLITS

ACTIVE = 0.01
"""A dimension whose means vary by more is in use (Burda, Grosse, Salakhutdinov 2016)."""


@dataclass(frozen=True)
class Score:
    """Of one row by one seed, on the test persons."""

    accuracy: float
    penalty: float
    """C of the SVM, as the validation persons chose it."""
    triplets: float
    """Share that is satisfied."""
    by_group: dict[str, float]
    """Of the triplets of each rule; or, where people judged, of each weight."""
    error: float | None = None
    """Root of the mean squared distance from a point to where it is decoded to, eye distances; None but for models."""
    nats: float | None = None
    active: float | None = None
    """Dimensions in use."""


Scores = dict[str, Score]
"""By row."""
Measure = Callable[[Score], float]


def accuracy(score: Score) -> float:
    """Of the SVM."""
    return score.accuracy


def triplets(score: Score) -> float:
    """Share of satisfied triplets."""
    return score.triplets


def of_group(name: str) -> Measure:
    """The share among the triplets of one rule or weight."""
    return lambda score: score.by_group[name]


def score_rows(repetition: Repetition) -> Scores:
    """Of the landmarks, their principal components, and every trained model, on the same test triplets."""
    faces, asked = repetition.faces, repetition.triplets["test"]
    learnt, count = faces.flat[faces.part("train")], repetition.jobs[0].config.model.latent
    rows = {NONE: _score(faces, faces.flat, asked)}
    rows[PCA] = _score(faces, components(learnt, faces.flat, count), asked)
    rows[LESS] = _score(faces, faces.flat - faces.flat[faces.neutral], asked)
    for job in repetition.jobs:
        known = coded(open_model(job.path), faces)
        rows[job.row] = _score(faces, known.z, asked, **_fit(faces, known))
    return rows


def _score(faces: LandmarkSet, z: np.ndarray, asked: Triplets, **fit: float) -> Score:
    right, penalty = svm_accuracy(z, faces.expression, {name: faces.part(name) for name in SPLITS})
    held, groups = satisfied(z, asked.rows), groups_of(faces.expression, asked)
    by_group = {name: float(held[groups == name].mean()) for name in dict.fromkeys(sorted(groups.tolist()))}
    return Score(right, penalty, float(held.mean()), by_group, **fit)


def groups_of(expression: np.ndarray, asked: Triplets) -> np.ndarray:
    """(T,) str: of each triplet the rule that says that the second is nearer, by the faces' expressions (N,); or, where
    people's weights differ, its weight."""
    if len(np.unique(asked.weights)) > 1:
        return np.array([f"weight {weight:g}" for weight in asked.weights.tolist()])
    reference, near, far = expression[asked.rows].T
    return np.where(near != reference, "neutral", np.where(far == reference, "degree", "class"))


def _fit(faces: LandmarkSet, known: Coded) -> dict[str, float]:
    """What a model's codes hold of the test persons' faces."""
    test = faces.part("test")
    own = Coded(known.z[test], known.divergence[test], known.decoded[test])
    squared = ((own.decoded - faces.flat[test]) ** 2).reshape(len(own.z), -1, 3).sum(axis=2)
    return {
        "error": float(np.sqrt(squared.mean())),
        "nats": float(own.nats.sum()),
        "active": int((own.z.var(axis=0) > ACTIVE).sum()),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
