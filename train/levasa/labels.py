"""Valence and arousal for every face of a prepared set: drawn by its classes, or as the set has them."""

from collections.abc import Sequence

import numpy as np

from tracker.errors import DataError
from train.annotation_transfer import PRESETS, sample_mixture
from train.datasets.affectnet import EXPRESSIONS
from train.datasets.ferplus import EMOTIONS
from train.examples import emotion_shares
from train.levasa.config import LabelsConfig
from train.prepared import Prepared


def labels_of(data: Prepared, config: LabelsConfig, epoch: int = 0) -> np.ndarray:
    """(N, 2) float32 valence and arousal in [-1, 1], NaN where a face has none; DataError where the set has no classes.

    epoch: of the training, from 0; it matters where labels are drawn in every one.
    """
    if config.source == "set":
        return data.affect
    names, shares = classes_of(data, config.label_share)
    seed = config.seed + (epoch if config.draw == "epoch" else 0)
    return sample_mixture(PRESETS[config.preset].with_classes(names), shares, config.spread, config.shape, seed)


def expected_labels(data: Prepared, config: LabelsConfig) -> np.ndarray:
    """(N, 2) float32: the mean of what could be drawn for each face by its votes, or the set's own labels."""
    if config.source == "set":
        return data.affect
    names, shares = classes_of(data)
    return (shares @ PRESETS[config.preset].with_classes(names).centres).astype(np.float32)


def classes_of(data: Prepared, label_share: float = 0.0) -> tuple[Sequence[str], np.ndarray]:
    """The names of a set's K classes and each face's shares (N, K) of them; DataError where it has no classes."""
    if "emotions" in data.extra:
        return EMOTIONS, emotion_shares(data, np.arange(len(data.affect)), label_share)
    if "expression" in data.extra:
        names = data.classes or EXPRESSIONS  # sets of AffectNet did not always name them
        return names, np.equal.outer(data.extra["expression"], np.arange(len(names))).astype(float)
    raise DataError(
        f"{data.folder} has no classes of emotion to draw labels by; take its own with --set labels.source=set"
    )


def check_labels(data: Prepared, rows: np.ndarray, config: LabelsConfig) -> None:
    """DataError where the faces at rows (M,) have one class alone, or one label: there is nothing to learn."""
    if config.source == "set":
        if not np.ptp(data.affect[rows], axis=0).all():
            raise DataError(
                f"{data.folder}: all training faces have one valence, or one arousal; expected some that differ"
            )
        return
    names, shares = classes_of(data, config.label_share)
    present = np.flatnonzero(np.bincount(shares[rows].argmax(axis=1), minlength=len(names)))
    if len(present) < 2:
        raise DataError(
            f"{data.folder}: all training faces are of the class {names[present[0]]!r}; expected two classes or more"
        )
