"""The last seconds of every face's affect: what a rolling trace shows."""

from collections.abc import Iterator

import numpy as np

from tracker.types import AffectSample, TrackedFrame

STEP_S = 0.1
"""Of points nearer to each other than half of this, some are left out: no screen shows them."""
NONE = np.empty((0, 5))


class History:
    """The smoothed affect of each face over the last `seconds`, by time; frames come in the order of their times."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._points: dict[int, np.ndarray] = {}
        self.now = 0.0

    def add(self, tracked: TrackedFrame) -> None:
        """Take the faces of a frame; one that is not in it has a gap there. A time that goes back begins anew."""
        if tracked.frame.time < self.now:
            self._points.clear()
        self.now = tracked.frame.time
        seen = {s.track_id: _point(s) for s in tracked.samples}
        for track_id in self._points.keys() | seen.keys():
            points = self._points.get(track_id, NONE)
            self._points[track_id] = _extended(points, seen.get(track_id, (self.now, *[np.nan] * 4)))
        self._forget()

    def faces(self, seconds: float) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Each face's id, its points of the last `seconds`, and the indices of those that have a gap before them.

        A point is time, valence, arousal, and their standard deviations, NaN where the model tells none: (n, 5)
        float64, n > 0.
        """
        for track_id, points in self._points.items():
            late = points[np.searchsorted(points[:, 0], self.now - seconds) :]
            there = np.flatnonzero(np.isfinite(late[:, 1]))
            if len(there):
                yield track_id, late[there], np.flatnonzero(np.diff(there) > 1) + 1

    def _forget(self) -> None:
        kept = {k: v[np.searchsorted(v[:, 0], self.now - self._seconds) :] for k, v in self._points.items()}
        self._points = {k: points for k, points in kept.items() if np.isfinite(points[:, 1]).any()}


def _point(sample: AffectSample) -> tuple[float, ...]:
    value = sample.valence_smooth, sample.arousal_smooth
    if not np.isfinite(value).all():
        return (sample.time, *[np.nan] * 4)
    deviation = (np.nan if sd is None else sd for sd in (sample.valence_sd, sample.arousal_sd))
    return (sample.time, *value, *deviation)


def _extended(points: np.ndarray, point: tuple[float, ...]) -> np.ndarray:
    """The points and one more, NaN for a gap; in place of the newest where that brings nothing."""
    gap = np.isnan(points[-2:, 1])
    repeated = len(points) and gap[-1] and np.isnan(point[1])
    crowded = len(points) > 1 and not gap.any() and point[0] - points[-2, 0] < STEP_S and not np.isnan(point[1])
    return np.vstack((points[:-1] if repeated or crowded else points, point))
