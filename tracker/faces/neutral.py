"""The neutral face of somebody, out of the frames that have been seen."""

import numpy as np

from tracker.faces.shape import medoid
from tracker.kernels import TIE

KEPT = 5
"""Calmest moments that are kept: so many are enough to tell the neutral face."""
EVERY_S = 0.1
"""Between two of them at least, or they would all be one."""


class CalmFaces:
    """The calmest shapes of one face so far; the medoid of them is taken for its neutral face."""

    def __init__(self) -> None:
        self._shapes: list[np.ndarray] = []
        self._away: list[float] = []
        self._newest = -np.inf
        self._medoid: np.ndarray | None = None

    def add(self, shape: np.ndarray, time: float, away: float) -> None:
        """See a shape (P, 3) at a time, seconds, rising; away: how far from calm it is."""
        full = len(self._shapes) == KEPT
        if time - self._newest < EVERY_S - TIE or (full and away >= max(self._away)):
            return
        self._newest, self._medoid = time, None
        if full:
            worst = int(np.argmax(self._away))
            del self._shapes[worst], self._away[worst]
        self._shapes.append(shape)
        self._away.append(away)

    def medoid(self, least: int = KEPT) -> np.ndarray | None:
        """(P, 3): of the calmest shapes the one that is nearest to all others; the same object until it changes.

        None where fewer than `least` moments were seen.
        """
        if len(self._shapes) < max(1, least):
            return None
        if self._medoid is None:
            self._medoid = self._shapes[medoid(np.array(self._shapes))]
        return self._medoid
