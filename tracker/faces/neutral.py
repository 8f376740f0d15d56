"""The neutral face of somebody, out of the frames that have been seen."""

import numpy as np

from tracker.faces.shape import medoid

KEPT = 5
"""Calmest shapes that are kept: so many are enough to tell the neutral face."""
EVERY_S = 0.1
"""Between two of them at least, or they would all be of one moment."""


class CalmFaces:
    """The calmest shapes of one face so far; the medoid of them is taken for its neutral face."""

    def __init__(self) -> None:
        self._shapes: list[np.ndarray] = []
        self._away: list[float] = []
        self._newest = -np.inf
        self._medoid: np.ndarray | None = None

    def add(self, shape: np.ndarray, time: float, away: float) -> None:
        """See a shape (P, 3) at a time, seconds, rising; away: how far from calm it is."""
        if time - self._newest < EVERY_S or (self.settled and away >= max(self._away)):
            return
        self._newest, self._medoid = time, None
        if self.settled:
            worst = int(np.argmax(self._away))
            del self._shapes[worst], self._away[worst]
        self._shapes.append(shape)
        self._away.append(away)

    @property
    def settled(self) -> bool:
        """Whether enough was seen for the medoid to be a neutral face."""
        return len(self._shapes) == KEPT

    def medoid(self) -> np.ndarray | None:
        """(P, 3): of the calmest shapes the one that is nearest to all others; the same object until it changes."""
        if self._medoid is None and self._shapes:
            self._medoid = self._shapes[medoid(np.array(self._shapes))]
        return self._medoid
