"""The last n feature rows of one face, by time."""

import math

import numpy as np

from tracker.kernels import nearest_rows

DENSEST_HZ = 125.0
"""Rows that come faster are thinned to it, so that the ring's storage can be fixed beforehand."""


class RingBuffer:
    """Keeps the rows of one face and answers with the window that the combiner reads.

    Without a rate the window is the last n rows. With a rate (Hz, at which the model's sequences were made) slot k
    before the newest takes the row nearest to k periods ago: a 60 fps camera is thinned, and a source slower than the
    model, or a short loss, repeats the nearest row, so that n slots span the same seconds at any frame rate. A slot is
    not valid only where it lies more than half a period before the first row. A gap longer than max_gap_s starts a new
    window. Storage is fixed: no memory is taken as frames pass.
    """

    def __init__(self, length: int, features: int, rate_hz: float | None, max_gap_s: float) -> None:
        self._period = 1.0 / rate_hz if rate_hz else 0.0
        self._spacing = 1.0 / DENSEST_HZ if rate_hz else 0.0
        self._max_gap = max_gap_s
        span = (length - 1) * self._period
        capacity = math.ceil(span * DENSEST_HZ) + 3 if rate_hz else length
        self._times = np.zeros(capacity, np.float64)
        self._rows = np.zeros((capacity, features), np.float32)
        self._length = length
        self._newest, self._count = -1, 0

    def push(self, time: float, row: np.ndarray) -> None:
        """Add the row (F,) of a later time, seconds."""
        if self._count and time - self._times[self._newest] > self._max_gap:
            self.reset()
        if not self._crowded():
            self._newest = (self._newest + 1) % len(self._times)
            self._count = min(self._count + 1, len(self._times))
        self._times[self._newest] = time
        self._rows[self._newest] = row

    def window(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, F) float32, oldest first and the newest row last, and which of them are valid (n,) bool."""
        picks = self._picks()
        window, valid = self._rows[picks], picks >= 0
        if picks[0] < 0:  # what is missing is missing at the old end
            window[~valid] = 0.0
        return window, valid

    def ages(self) -> np.ndarray:
        """How long before the newest row each row of the window came: seconds (n,) float32; NaN where not valid."""
        picks = self._picks()
        ages = self._times[self._newest] - self._times[picks]
        return np.where(picks >= 0, ages, np.nan).astype(np.float32)

    def reset(self) -> None:
        """Forget every row."""
        self._newest, self._count = -1, 0

    def _picks(self) -> np.ndarray:
        """Indices of the rows (n,), oldest first; -1 where there is none."""
        if self._period and self._count:
            return nearest_rows(self._times, self._newest, self._count, self._period, self._length)
        ages = np.arange(self._length)[::-1]
        return np.where(ages < self._count, (self._newest - ages) % len(self._times), -1)

    def _crowded(self) -> bool:
        """Whether the newest row came too soon after the one before it to be kept beside a newer one."""
        if self._count < 2:
            return False
        return bool(self._times[self._newest] - self._times[self._newest - 1] < self._spacing)
