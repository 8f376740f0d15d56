"""FER+: FER-2013's faces (Goodfellow et al. 2013) with the votes of ten people (Barsoum et al. 2016), in one .npz."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from nets.expressions import EXPRESSIONS
from tracker.errors import DataError
from tracker.faces.align import Template, align
from tracker.faces.landmarks import FaceLandmarker
from train.annotation_transfer import PRESETS
from train.prepared import SPLITS

EMOTIONS = EXPRESSIONS
"""The votes' first eight columns, in that order; unknown and not-a-face follow."""
CENTRES = PRESETS["affectnet-8"].with_classes(EMOTIONS).centres.astype(np.float32)
"""(8, 2): mean valence and arousal of each emotion in AffectNet; contempt's is a choice of ours."""
LABEL_EMOTIONS = (4, 5, 6, 1, 3, 2, 0)
"""FER-2013's own label (0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral) as an index of EMOTIONS."""
MIN_VOTES = 5
"""Votes for the eight emotions that a face needs to be scored."""


@dataclass(frozen=True)
class FerPlus:
    """N faces of one split, or of all."""

    images: np.ndarray
    """(N, 48, 48) uint8, grey."""
    votes: np.ndarray
    """(N, 10) uint8."""
    label: np.ndarray
    """(N,) uint8: FER-2013's own label."""
    split: np.ndarray
    """(N,) uint8: values of SPLITS; Training, PublicTest and PrivateTest."""

    def select(self, keep: np.ndarray) -> "FerPlus":
        """The faces at the indices, or where the mask holds."""
        return FerPlus(self.images[keep], self.votes[keep], self.label[keep], self.split[keep])

    def part(self, split: str) -> "FerPlus":
        """One split with the faces that have at least MIN_VOTES votes for the eight emotions."""
        return self.select((self.split == SPLITS[split]) & (self.votes[:, :8].sum(axis=1) >= MIN_VOTES))


def load(path: Path | str) -> FerPlus:
    """Read the .npz; raises DataError where it is not FER+."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = FerPlus(*(archive[name] for name in ("images", "votes", "label", "split")))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected the FER+ .npz with images, votes, label and split") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not the FER+ .npz with images, votes, label and split: {error}") from error
    if data.images.ndim != 3 or data.votes.shape != (len(data.images), 10):
        raise DataError(
            f"{path}: got images {data.images.shape} and votes {data.votes.shape}; expected (N, 48, 48) and (N, 10)"
        )
    return data


def vote_shares(votes: np.ndarray) -> np.ndarray:
    """(N, 8) float32: each emotion's share of the votes (N, 8 or more) that went to an emotion."""
    emotions = votes[:, :8].astype(np.float32)
    return emotions / np.maximum(emotions.sum(axis=1, keepdims=True), 1)


def affect_of_votes(votes: np.ndarray) -> np.ndarray:
    """(N, 2) float32: valence and arousal, the mean of the emotions' centres weighted by the votes (N, 8 or more)."""
    return vote_shares(votes) @ CENTRES


def majority(votes: np.ndarray) -> np.ndarray:
    """(N,) index of the emotion with most votes."""
    return votes[:, :8].argmax(axis=1)


def crops_of(images: Iterable[np.ndarray], template: Template) -> tuple[np.ndarray, np.ndarray]:
    """The tracker's own crops of grey pictures: (N, S, S, C) uint8, zeros where no face was found; and found (N,)."""
    side = template.size + 2 * template.margin
    crops, found = [], []
    landmarker = FaceLandmarker(still=True)
    try:
        for image in images:
            rgb = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            faces = landmarker.detect(rgb)
            found.append(bool(faces))
            blank = np.zeros((side, side, template.channels), np.uint8)
            crops.append(align(rgb, faces[0].landmarks, template) if faces else blank)
    finally:
        landmarker.close()
    return np.stack(crops), np.array(found)
