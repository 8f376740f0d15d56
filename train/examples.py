"""Frames with their targets, as stage one reads them, out of a prepared data set."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tracker.errors import DataError
from train.config import StageOneConfig
from train.datasets.ferplus import CENTRES, MIN_VOTES
from train.losses import bin_weights, soft_quadrants
from train.prepared import Prepared


@dataclass(frozen=True)
class Batch:
    """B frames' targets."""

    affect: Tensor
    """(B, 2) in [-1, 1]."""
    quadrants: Tensor
    """(B, 4) distributions, soft on the axes."""
    emotions: Tensor | None
    """(B, 8) distributions, where the data set has them."""
    weights: Tensor
    """(B, 2): of each frame for valence and for arousal."""


@dataclass(frozen=True)
class Examples:
    """N frames of a data set."""

    crops: np.ndarray
    """The data set's (M, S, S, C) uint8, with the template's margin."""
    rows: np.ndarray
    """(N,) int: which of them."""
    affect: Tensor
    """(N, 2)."""
    quadrants: Tensor
    """(N, 4)."""
    emotions: Tensor | None
    """(N, 8) or None."""

    def __len__(self) -> int:
        return len(self.rows)

    def select(self, index: Tensor) -> "Examples":
        """The frames at index (M,) alone."""
        emotions = None if self.emotions is None else self.emotions[index]
        return Examples(self.crops, self.rows[index.numpy()], self.affect[index], self.quadrants[index], emotions)

    def pictures(self, index: Tensor) -> Tensor:
        """The crops (B, C, S, S) uint8 of the frames at index (B,)."""
        return torch.from_numpy(self.crops[self.rows[index.numpy()]]).permute(0, 3, 1, 2)

    def batch(self, index: Tensor, weights: Tensor) -> Batch:
        """The targets of the frames at index (B,); weights (N, 2) of all frames."""
        emotions = None if self.emotions is None else self.emotions[index]
        return Batch(self.affect[index], self.quadrants[index], emotions, weights[index])

    @property
    def frequency(self) -> Tensor | None:
        """(8,) of the emotions; one that never occurs counts as one in ten thousand."""
        return None if self.emotions is None else self.emotions.mean(0).clamp(min=1e-4)

    def weights(self, config: StageOneConfig, power: float) -> Tensor:
        """(N, 2), mean 1: each frame by its frequency to the power -`power`."""
        if config.weighting == "emotions" and self.emotions is not None and self.frequency is not None:
            weights = self.emotions @ self.frequency**-power
            return (weights / weights.mean())[:, None].expand(-1, 2)
        return torch.from_numpy(bin_weights(self.affect.numpy(), power=power, cap=config.weight_cap))


def inner(crops: Tensor, margin: int) -> Tensor:
    """Crops (B, C, S + 2 margin, S + 2 margin) without their margin."""
    side = crops.shape[-1]
    return crops[..., margin : side - margin, margin : side - margin]


def examples(data: Prepared, keep: np.ndarray, config: StageOneConfig, training: bool) -> Examples:
    """The usable frames where keep (N,) bool holds; training mixes a picture's own label into its votes.

    Faces with votes need one of them for training, and MIN_VOTES to be scored.
    """
    keep = keep & data.usable
    if "votes_cast" in data.extra:
        keep = keep & (data.extra["votes_cast"] >= (1 if training else MIN_VOTES))
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise DataError(f"{data.folder} has no annotated face for {'training' if training else 'validation'}")
    if "emotions" not in data.extra:
        affect = torch.from_numpy(data.affect[rows])
        return Examples(data.crops, rows, affect, soft_quadrants(affect, config.quadrant_width), None)
    emotions = torch.from_numpy(emotion_shares(data, rows, config.label_share if training else 0.0))
    centres = torch.from_numpy(CENTRES)
    quadrants = emotions @ soft_quadrants(centres, config.quadrant_width)
    return Examples(data.crops, rows, emotions @ centres, quadrants, emotions)


def emotion_shares(data: Prepared, rows: np.ndarray, label_share: float) -> np.ndarray:
    """(N, 8) float32: shares of the votes, mixed with the picture's own label where it has one."""
    votes = data.extra["emotions"][rows].astype(np.float32)
    label = data.extra["label"][rows] if "label" in data.extra else np.full(len(rows), 255)
    own = np.zeros_like(votes)
    known = np.flatnonzero(label < votes.shape[1])
    own[known, label[known]] = 1
    return np.where((label < votes.shape[1])[:, None], (1 - label_share) * votes + label_share * own, votes)
