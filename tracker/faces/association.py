"""Which face is which: stable ids from frame to frame, by overlap and landmark distance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracker.types import Face

REACH, DRIFT = 0.5, 1.0
"""How far a face may lie from where it was expected, in sides of its box: at once, and how much more by max_gap_s."""
FORBIDDEN = 1e6
"""Cost of a pair that is out of reach."""
MEMORY = 0.5
"""Share of the old velocity in the new one."""
POINT_STEP = 6
"""Every so many landmarks are compared: 78 of 468."""
COAST_S = 0.2
"""A lost face is expected to slow down with this time constant."""


@dataclass
class Track:
    """A face as it was last seen."""

    track_id: int
    face: Face
    time: float
    """Seconds."""
    velocity: np.ndarray
    """(2,) px/s of its middle."""

    def expected(self, time: float) -> np.ndarray:
        """How far (2,) px the face should have moved by a later time."""
        return self.velocity * COAST_S * -np.expm1((self.time - time) / COAST_S)

    def seen(self, face: Face, time: float) -> "Track":
        """The track with its newest sight."""
        speed = (_middle(face) - _middle(self.face)) / (time - self.time)
        return Track(self.track_id, face, time, MEMORY * self.velocity + (1.0 - MEMORY) * speed)


class FaceAssociator:
    """Gives each face the id of the track that it continues, or the next new one; an id is never used again.

    A face that is lost keeps its id for max_gap_s seconds, expected where its motion would have taken it. The pairs of
    tracks and faces with the least total cost are taken, so the order in which faces are found does not matter.
    """

    def __init__(self, max_gap_s: float) -> None:
        self._max_gap = max_gap_s
        self._tracks: list[Track] = []
        self._next_id = 0

    def update(self, faces: Sequence[Face], time: float) -> list[Face]:
        """The faces of the frame at a later time (s), with ids and sorted by them."""
        self._tracks = [track for track in self._tracks if time - track.time <= self._max_gap]
        pairs = assign(self._costs(faces, time))
        known = {column: self._tracks[row] for row, column in pairs}
        seen = [self._follow(known.get(column), face, time) for column, face in enumerate(faces)]
        lost = [track for row, track in enumerate(self._tracks) if row not in dict(pairs)]
        self._tracks = lost + seen
        return [
            replace(track.face, track_id=track.track_id) for track in sorted(seen, key=lambda track: track.track_id)
        ]

    @property
    def alive(self) -> set[int]:
        """Ids that a face may still take up: seen in the newest frame, or lost for at most max_gap_s."""
        return {track.track_id for track in self._tracks}

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._tracks, self._next_id = [], 0

    def _follow(self, track: Track | None, face: Face, time: float) -> Track:
        if track is not None:
            return track.seen(face, time)
        self._next_id += 1
        return Track(self._next_id - 1, face, time, np.zeros(2))

    def _costs(self, faces: Sequence[Face], time: float) -> np.ndarray:
        """Cost (T, N) of each pair of a track and a face: landmark distance in sides, plus 1 less the overlap."""
        if not self._tracks or not faces:
            return np.zeros((len(self._tracks), len(faces)))
        shifts = np.stack([track.expected(time) for track in self._tracks])
        here, there = _boxes(track.face for track in self._tracks) + np.tile(shifts, 2), _boxes(faces)
        shapes = _outlines(track.face for track in self._tracks) + shifts[:, None]
        smaller = np.minimum(_sides(here)[:, None], _sides(there))
        distances = landmark_distances(shapes, _outlines(faces)) / smaller
        away = np.array([time - track.time for track in self._tracks]) / self._max_gap
        costs = distances + 1.0 - overlaps(here, there)
        return np.where(distances > REACH + DRIFT * away[:, None], FORBIDDEN, costs)


def landmark_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean distance (T, N) px between the points of each shape of a (T, P, 2) and each of b (N, P, 2)."""
    apart = a[:, None] - b[None]
    return np.sqrt((apart**2).sum(axis=3)).mean(axis=2)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union (T, N), [0, 1], of each box of a (T, 4) xyxy with each of b (N, 4)."""
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.maximum(sides, 0.0).prod(axis=2)
    return shared / np.maximum((_sides(a) ** 2)[:, None] + _sides(b) ** 2 - shared, 1e-9)


def assign(costs: np.ndarray) -> list[tuple[int, int]]:
    """The (row, column) pairs of the cheapest one-to-one assignment of costs (T, N); those FORBIDDEN are left out."""
    rows, columns = linear_sum_assignment(costs)
    return [pair for pair in zip(rows.tolist(), columns.tolist(), strict=True) if costs[pair] < FORBIDDEN]


def _boxes(faces: Iterable[Face]) -> np.ndarray:
    return np.stack([face.box for face in faces]).astype(np.float64)


def _outlines(faces: Iterable[Face]) -> np.ndarray:
    """Some of the landmarks (N, P, 2) px, spread over each face."""
    return np.stack([face.landmarks[::POINT_STEP, :2] for face in faces]).astype(np.float64)


def _sides(boxes: np.ndarray) -> np.ndarray:
    """Square root of the area of boxes (N, 4) xyxy."""
    return np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1.0))


def _middle(face: Face) -> np.ndarray:
    return (face.box[:2] + face.box[2:]) / 2.0
