"""Faces that may stand in for a person's neutral one, where nobody gives it: what it is worth, stands in the report."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tracker.faces.neutral import KEPT
from tracker.faces.shape import medoid
from train.landmarks.data import TRACKER, TRUTH, LandmarkSet

GIVEN = "the neutral face"
CALMEST = {TRACKER: "calmest five, by the tracker", TRUTH: "calmest five, by the truth"}
ANY = "any five"
MEAN = "mean of all"
AVERAGE = "everybody's mean neutral"
WAYS = {
    GIVEN: "as the set gives it",
    CALMEST[TRACKER]: "the medoid of the five pictures in which the tracker finds valence and arousal nearest to 0",
    CALMEST[TRUTH]: "the medoid of the five in which they are nearest to 0",
    ANY: "the medoid of five pictures at random",
    MEAN: "the mean of the person's pictures",
    AVERAGE: "the mean of the training persons' neutral faces",
}
"""Where a person's neutral face comes from."""


def stand_ins(faces: LandmarkSet, seed: int) -> dict[str, np.ndarray]:
    """Neutral faces (N, P, 3) by the way in which those of the test persons were chosen; the others have their own.

    Of CALMEST those who were asked. seed: of what is drawn.
    """
    rng, own = np.random.default_rng(seed), faces.shapes[faces.neutral]
    average = own[faces.part("train")].mean(axis=0)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        ANY: lambda rows: _medoid(faces, rng.permutation(rows)[:KEPT]),
        MEAN: lambda rows: faces.shapes[rows].mean(axis=0),
        AVERAGE: lambda rows: average,
    }
    for who, away in faces.away.items():
        ways[CALMEST[who]] = partial(_calmest, faces, away)
    return {GIVEN: own, **{way: _replaced(faces, own, choose) for way, choose in ways.items()}}


def _replaced(faces: LandmarkSet, own: np.ndarray, choose: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """own (N, P, 3) with what is chosen of each test person's rows in place of that person's."""
    neutral, test = own.copy(), faces.part("test")
    for person in np.unique(faces.subject[test]).tolist():
        rows = np.flatnonzero(faces.subject == person)
        neutral[rows] = choose(rows)
    return neutral


def _calmest(faces: LandmarkSet, away: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(P, 3): the medoid of the calmest of rows by away (N,), as far as that is told of any."""
    told = rows[np.isfinite(away[rows])] if np.isfinite(away[rows]).any() else rows
    return _medoid(faces, told[np.argsort(away[told], kind="stable")[:KEPT]])


def _medoid(faces: LandmarkSet, rows: np.ndarray) -> np.ndarray:
    return faces.shapes[rows[medoid(faces.shapes[rows])]]
