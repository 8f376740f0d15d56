"""Stored pictures turned upright, as the display matrix of a video says."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees

import numpy as np


@dataclass(frozen=True)
class Turn:
    """A picture is transposed, then mirrored left to right (x) and top to bottom (y)."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def clockwise(self) -> int:
        """Degrees clockwise: 0, 90, 180 or 270 (of a mirrored picture: after mirroring left to right)."""
        down_x = -1 if self.mirror_x else 1
        down_y = -1 if self.mirror_y else 1
        x, y = (down_x, 0) if self.transpose else (0, down_y)
        return round(degrees(atan2(-x, y))) % 360

    def upright(self, image: np.ndarray) -> np.ndarray:
        """The (H, W, C) picture as it is to be shown: contiguous; (W, H, C) where transposed."""
        shown = image.transpose(1, 0, 2) if self.transpose else image
        return np.ascontiguousarray(shown[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1])


def turn_of(matrix: Sequence[int]) -> Turn:
    """The turn nearest to a display matrix: 9 numbers a b u c d v x y w, x' = a x + c y, y' = b x + d y (y down)."""
    a, b, _, c, d = (int(value) for value in matrix[:5])
    if abs(b) > abs(a):
        return Turn(True, mirror_x=c < 0, mirror_y=b < 0)
    return Turn(False, mirror_x=a < 0, mirror_y=d < 0)
