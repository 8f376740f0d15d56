"""How fast something changes in a trace, measured over so long that trembling does not count."""

import numpy as np

OVER_S = 0.2
"""Seconds between the two frames that are compared."""


def steps_over(time: np.ndarray) -> int:
    """Frames in OVER_S, at least one; 0 for a single frame, and for pictures, which have no time."""
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    return min(len(time) - 1, max(1, round(OVER_S / step))) if step > 0 else 0


def speed(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(T,) units a second: how fast values (T, K) moved until each time (T,), seconds.

    NaN where either end was not measured, at the beginning, and over a gap in time twice as long as usual.
    """
    lag, moved = steps_over(time), np.full(len(time), np.nan)
    if lag:
        took = time[lag:] - time[:-lag]
        way = np.linalg.norm(values[lag:] - values[:-lag], axis=1) / took
        moved[lag:] = np.where(took < 2.0 * np.median(took), way, np.nan)
    return moved
