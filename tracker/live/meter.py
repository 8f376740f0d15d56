"""Rate and latency of a live run, in bounded memory."""

import math
import time
from collections import deque
from threading import Lock
from typing import NamedTuple

import numpy as np

RECENT_S = 5.0
"""What "recent" is."""
MOST_HZ = 1000
"""Samples kept of the recent ones, a second."""
BIN_MS, BINS = 0.25, 40_000
"""The whole run is kept as a histogram up to 10 s; what is slower counts as 10 s."""


class Speed(NamedTuple):
    """How fast frames pass."""

    fps: float
    """Frames a second; 0 before the first."""
    p50_ms: float
    """Capture to sample; NaN before the first."""
    p95_ms: float
    p99_ms: float


class Meter:
    """Notes when each frame's samples were there, and how long after the capture that was; for any threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._recent: deque[tuple[float, float]] = deque(maxlen=int(RECENT_S * MOST_HZ))
        self._counts = np.zeros(BINS + 1, np.int64)
        self.first = self._last = math.nan
        """Time of the first frame's samples (monotonic, seconds); NaN before them."""
        self.frames = 0

    def note(self, captured: float | None, now: float | None = None) -> None:
        """The samples of a frame captured at that time (monotonic, seconds; None counts as now) are there."""
        now = time.monotonic() if now is None else now
        latency_ms = 1000 * (now - (now if captured is None else captured))
        with self._lock:
            self.first = now if math.isnan(self.first) else self.first
            self._last = now
            self._recent.append((now, latency_ms))
            self._counts[min(BINS, max(0, int(latency_ms / BIN_MS)))] += 1
            self.frames += 1

    def recent(self, now: float | None = None) -> Speed:
        """Over the last RECENT_S."""
        now = time.monotonic() if now is None else now
        with self._lock:
            recent = [entry for entry in self._recent if entry[0] > now - RECENT_S]
        if not recent:
            return Speed(0.0, math.nan, math.nan, math.nan)
        noted, latencies = np.array(recent).T
        p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
        return Speed((len(recent) - 1) / max(float(noted[-1] - noted[0]), 1e-9), p50, p95, p99)

    def whole(self) -> Speed:
        """Over the whole run; the latencies to BIN_MS, rounded up."""
        with self._lock:
            seconds, total, below = self._last - self.first, self.frames, np.cumsum(self._counts)
        if not total:
            return Speed(0.0, math.nan, math.nan, math.nan)
        p50, p95, p99 = (BIN_MS * (1 + int(np.searchsorted(below, share * total))) for share in (0.5, 0.95, 0.99))
        return Speed((total - 1) / max(seconds, 1e-9), p50, p95, p99)
