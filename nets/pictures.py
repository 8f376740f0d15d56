"""Crops as numpy has them and as the networks take them, and back."""

import numpy as np
import torch
from torch import Tensor


def batch_of(crops: np.ndarray) -> Tensor:
    """Crops (B, S, S, C) uint8 as a model takes them: (B, C, S, S)."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)


def crops_of(pictures: Tensor) -> np.ndarray:
    """What a decoder makes, (B, C, S, S) in about [0, 1], as crops (B, S, S, C) uint8."""
    return (255 * pictures.clamp(0, 1)).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
