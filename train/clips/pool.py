"""The faces of a prepared FER+ that synthetic clips are made of, and which of them go together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.errors import DataError
from train.clips.morph import NOSE, OVAL, Face
from train.datasets import ferplus
from train.prepared import SPLITS, Prepared

CONTRAST = (0.5, 2.0)
"""By how much a face's contrast may change to match the first face's."""
HANDFUL = 32
"""Faces among which the most alike is taken."""


@dataclass(frozen=True)
class Pool:
    """The F faces of one split that clips are made of."""

    rows: np.ndarray
    """(F,): of the prepared set."""
    affect: np.ndarray
    """(F, 2) float64: their true valence and arousal."""
    emotion: np.ndarray
    """(F,) int: the emotion with most votes."""
    look: np.ndarray
    """(F, K) float32: pose, shape and brightness; faces that are alike lie near each other."""
    chance: np.ndarray
    """(F,): to be chosen, by the root of their emotion's rarity."""

    @classmethod
    def of(cls, data: Prepared, split: str, least_votes: int, label_share: float) -> "Pool":
        """The faces found with at least so many votes; `label_share` of their truth is FER-2013's own label.

        DataError where the set lacks a column, or has too few faces that differ.
        """
        missing = [key for key in ("split", "emotions", "label", "votes_cast", "landmarks") if key not in data.extra]
        if missing:
            raise DataError(f"{data.folder} has no column {', '.join(missing)}; sequences are made of a prepared FER+: "
                            "affect prepare ferplus --root ... --out FOLDER")  # fmt: skip
        extra = data.extra
        keep = data.found & (extra["split"] == SPLITS[split]) & (extra["votes_cast"] >= least_votes)
        rows = np.flatnonzero(keep & np.isfinite(extra["landmarks"]).all(axis=(1, 2)))
        emotion = extra["emotions"][rows].argmax(axis=1)
        if len(set(emotion.tolist())) < 2:
            raise DataError(f"{data.folder} has {len(rows)} usable faces in its split {split}, not of two emotions; "
                            "expected a prepared FER+ with all its splits")  # fmt: skip
        chance = np.bincount(emotion)[emotion] ** -0.5
        affect = _truth(data, rows, label_share)
        return cls(rows, affect, emotion, _look(data, rows), chance / chance.sum())

    def choose(self, rng: np.random.Generator, count: int, distance: float) -> list[int]:
        """`count` faces, each like the one before but of another emotion, at least `distance` away in affect."""
        for _ in range(1000):
            chosen = [int(rng.choice(len(self.rows), p=self.chance))]
            while len(chosen) < count and (other := self._next(rng, chosen, distance)) is not None:
                chosen.append(other)
            if len(chosen) == count:
                return chosen
        raise DataError(f"no two of {len(self.rows)} faces lie {distance} apart in affect; lower `distance`")

    def _next(self, rng: np.random.Generator, chosen: list[int], distance: float) -> int | None:
        last = chosen[-1]
        far = np.abs(self.affect - self.affect[last]).sum(axis=1) >= distance
        far &= self.emotion != self.emotion[last]
        far[chosen] = False
        if not far.any():
            return None
        chance = self.chance * far
        some = rng.choice(len(far), HANDFUL, p=chance / chance.sum())
        return int(some[np.square(self.look[some] - self.look[last]).sum(axis=1).argmin()])


def cast(rows: Sequence[int], data: Prepared) -> tuple[Face, ...]:
    """The faces in the light of the first one: its mean and, within bounds, its contrast."""
    faces = [Face(np.array(data.crops[row, ..., 0]), data.extra["landmarks"][row].astype(np.float64)) for row in rows]
    margin = data.template.margin
    inner = slice(margin, margin + data.template.size)
    mean, deviation = (float(f(faces[0].image[inner, inner])) for f in (np.mean, np.std))
    lit = [faces[0]]
    for face in faces[1:]:
        seen = face.image[inner, inner]
        factor = np.clip(deviation / max(float(seen.std()), 1.0), *CONTRAST)
        image = (mean + (face.image - float(seen.mean())) * factor).clip(0, 255).round().astype(np.uint8)
        lit.append(Face(image, face.landmarks))
    return tuple(lit)


def _truth(data: Prepared, rows: np.ndarray, label_share: float) -> np.ndarray:
    shares = (1 - label_share) * data.extra["emotions"][rows].astype(np.float64)
    shares[np.arange(len(rows)), data.extra["label"][rows]] += label_share
    return shares @ ferplus.CENTRES.astype(np.float64)


def _look(data: Prepared, rows: np.ndarray) -> np.ndarray:
    """(F, K) float32: places of the nose and the oval in shares of the crop, and brightness."""
    places = data.extra["landmarks"][rows[:, None], [*NOSE, *OVAL]].astype(np.float32).reshape(len(rows), -1)
    grey = data.crops[:, ::4, ::4][rows].reshape(len(rows), -1)
    light = np.stack([grey.mean(axis=1), grey.std(axis=1)], axis=1) / 255
    return np.concatenate([places / data.template.size, 1.5 * light.astype(np.float32)], axis=1)
