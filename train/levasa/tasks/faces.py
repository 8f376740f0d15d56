"""The faces of a part of a prepared set, with all that a model's answer is compared with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.errors import DataError
from train.annotation_transfer import PRESETS
from train.datasets.ferplus import MIN_VOTES
from train.folds import Rows
from train.levasa.config import LabelsConfig
from train.levasa.labels import check_labels, classes_of, labels_of
from train.prepared import Prepared

LEAST = {"train": 50, "test": 10}
"""Faces of each part without which nothing can be said."""
TRANSFERRED, EXPECTED, ANNOTATED = "transferred labels", "votes times centres", "annotated labels"
"""Labels drawn by the face's classes; the mean of what could have been drawn; those that the set has."""
BATCH = 128


@dataclass(frozen=True)
class Faces:
    """N faces of a prepared set."""

    data: Prepared
    rows: np.ndarray
    """(N,) int: which of the set's."""
    labels: dict[str, np.ndarray]
    """(N, 2) valence and arousal in [-1, 1] by their name: first those that models learn, last those nearest to what
    people say."""
    emotion: np.ndarray | None
    """(N,) int: the class with most votes, an index of names; None where the set has no classes."""
    names: Sequence[str] = ()
    """Of the classes."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def learnt(self) -> np.ndarray:
        """(N, 2): the labels that models learn."""
        return self.labels[next(iter(self.labels))]

    @property
    def judged_by(self) -> str:
        """The name of the labels nearest to what people say."""
        return list(self.labels)[-1]

    @property
    def words(self) -> np.ndarray | None:
        """(N,): each face's class by name."""
        return None if self.emotion is None else np.array(self.names)[self.emotion]

    def crops(self) -> np.ndarray:
        """(N, S, S, C) uint8, without the template's margin."""
        inner = slice(self.data.template.margin, self.data.template.margin + self.data.template.size)
        return self.data.crops[self.rows][:, inner, inner]

    def batches(self) -> Iterator[np.ndarray]:
        """The crops, BATCH at a time."""
        for start in range(0, len(self), BATCH):
            yield self.select(np.arange(start, min(start + BATCH, len(self)))).crops()

    def select(self, keep: np.ndarray) -> "Faces":
        """The faces at the indices, or where the mask holds."""
        labels = {name: values[keep] for name, values in self.labels.items()}
        emotion = None if self.emotion is None else self.emotion[keep]
        return replace(self, rows=self.rows[keep], labels=labels, emotion=emotion)


def parts_of(data: Prepared, labels: LabelsConfig, rows: Rows, test: str = "test") -> tuple[Faces, Faces]:
    """The faces of the training part and of the one that is scored that were found and are labelled.

    Where votes were counted, those with at least MIN_VOTES. DataError where there are too few, or all are alike.
    """
    labels = labels if has_classes(data) else replace(labels, source="set")
    everyone = _faces_of(data, labels)
    usable = data.found & np.all([np.isfinite(values).all(axis=1) for values in everyone.labels.values()], axis=0)
    if "votes_cast" in data.extra:
        usable &= data.extra["votes_cast"] >= MIN_VOTES
    train, scored = everyone.select(usable & rows["train"]), everyone.select(usable & rows[test])
    for name, part, least in (("train", train, LEAST["train"]), (test, scored, LEAST["test"])):
        if len(part) < least:
            raise DataError(
                f"the part {name} of {data.folder} has {len(part)} faces that were found and are labelled; expected at "
                f"least {least}"
            )
    check_labels(data, train.rows, labels)
    return train, scored


def has_classes(data: Prepared) -> bool:
    """Whether a set has classes of emotion."""
    try:
        return bool(classes_of(data))
    except DataError:
        return False


def _faces_of(data: Prepared, labels: LabelsConfig) -> Faces:
    """All faces of the set, labelled or not."""
    every = np.arange(len(data.found))
    if not has_classes(data):
        return Faces(data, every, {ANNOTATED: data.affect}, None)
    names, shares = classes_of(data)
    known = {ANNOTATED: data.affect}
    if labels.source == "transfer":
        expected = shares @ PRESETS[labels.preset].with_classes(names).centres
        known = {TRANSFERRED: labels_of(data, labels), EXPECTED: expected}
        if "emotions" not in data.extra:  # where there are votes, the set's own affect is made of them
            known[ANNOTATED] = data.affect
    return Faces(data, every, known, shares.argmax(axis=1), names)
