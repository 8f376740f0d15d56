"""The compiled kernels: the only module that imports numba. Each has a numpy twin in the tests."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

TIE = 1e-6
"""Seconds: times that differ by less count as the same, whatever rounding does to them."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as machine code, kept on disk between runs; kept in memory alone where no folder can be written."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


@compiled
def nearest_rows(times: np.ndarray, newest: int, count: int, period: float, length: int) -> np.ndarray:
    """Which row of a ring stands in each of the last `length` slots: (length,) int64, oldest first; -1 where none does.

    times (capacity,) float64, rising, is the ring, written up to and with index `newest`; the last `count` are of use.
    Slot k before the last takes the row nearest to k periods before the newest, of two as near the newer; none stands
    more than half a period before the first row.
    """
    capacity = times.shape[0]
    picks = np.full(length, -1, np.int64)
    age = 0
    for k in range(length):
        time = times[newest] - k * period
        while age + 1 < count:
            older, younger = times[(newest - age - 1) % capacity], times[(newest - age) % capacity]
            if abs(older - time) >= abs(younger - time) - TIE:
                break
            age += 1
        if time >= times[(newest - count + 1) % capacity] - 0.5 * period - TIE:
            picks[length - 1 - k] = (newest - age) % capacity
    return picks
