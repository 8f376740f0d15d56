"""What one repetition of Table II's protocol gives: every row's figures on one set of landmarks by one seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from train.landmarks.data import LandmarkSet
from train.landmarks.scoring.config import LESS, NONE, PCA
from train.landmarks.scoring.measures import components, fitted_svm, satisfied
from train.landmarks.scoring.neutrals import GIVEN, stand_ins
from train.landmarks.scoring.published import ACCURACY, TRIPLETS
from train.landmarks.scoring.trained import Coded, Repetition, coded, codes_of, open_model
from train.landmarks.triplets import Triplets

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
    by_neutral: dict[str, dict[str, float]] = field(default_factory=dict)
    """ACCURACY and TRIPLETS by the way in which the test persons' neutral faces were chosen; empty for what reads
    none."""


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


def beside(way: str, name: str) -> Measure:
    """ACCURACY or TRIPLETS beside neutral faces that were chosen in this way."""
    return lambda score: score.by_neutral[way][name]


def score_rows(repetition: Repetition) -> Scores:
    """Of the landmarks, their principal components, and every trained model, on the same test triplets."""
    faces, asked = repetition.faces, repetition.triplets["test"]
    learnt, count = faces.flat[faces.part("train")], repetition.jobs[0].config.model.latent
    others = stand_ins(faces, repetition.jobs[0].config.seed)
    rows = {NONE: _score(faces, faces.flat, asked, {})}
    rows[PCA] = _score(faces, components(learnt, faces.flat, count), asked, {})
    less = {way: _less(faces, neutral) for way, neutral in others.items()}
    rows[LESS] = _score(faces, less[GIVEN], asked, less)
    for job in repetition.jobs:
        model = open_model(job.path)
        known, told = coded(model, faces), others if model.config.conditional else {}
        codes = {way: codes_of(model, faces.shapes, neutral) for way, neutral in told.items()}
        rows[job.row] = _score(faces, known.z, asked, codes, **_fit(faces, known))
    return rows


def _less(faces: LandmarkSet, neutral: np.ndarray) -> np.ndarray:
    """(N, 3 P): the faces less neutral ones (N, P, 3)."""
    return (faces.shapes - neutral).reshape(len(faces.shapes), -1)


def _score(faces: LandmarkSet, z: np.ndarray, asked: Triplets, others: Mapping[str, np.ndarray], **fit: float) -> Score:
    """Of codes z (N, K), and of `others` (N, K), which differ from them in the test persons' alone, by their names."""
    test = faces.part("test")
    svm, penalty = fitted_svm(z, faces.expression, faces.part("train"), faces.part("validation"))

    def shares(codes: np.ndarray) -> dict[str, float]:
        right = svm.score(codes[test], faces.expression[test])
        return {ACCURACY: float(right), TRIPLETS: float(satisfied(codes, asked.rows).mean())}

    held, groups = satisfied(z, asked.rows), groups_of(faces.expression, asked)
    by_group = {name: float(held[groups == name].mean()) for name in dict.fromkeys(sorted(groups.tolist()))}
    own, by_neutral = shares(z), {way: shares(codes) for way, codes in others.items()}
    return Score(own[ACCURACY], penalty, own[TRIPLETS], by_group, **fit, by_neutral=by_neutral)


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
