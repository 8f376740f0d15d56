"""Which face is which: stable ids from frame to frame, by overlap and landmark distance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracker.kernels import mean_distance
from tracker.types import Face

REACH, DRIFT = 0.5, 1.0
"""How far a face may lie from where it was expected, in sides of its box: at once, and how much more by max_gap_s."""
LEFT_OUT = 1e6
"""Cost of a track without a face: so great that as many pairs are made as can be."""
MEMORY = 0.5
"""Share of the old velocity in the new one."""
POINT_STEP = 6
"""Every so many landmarks are compared: 78 of 468."""
COAST_S = 0.2
"""A lost face is expected to slow down with this time constant."""


Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """A face as it was last seen."""

    track_id: int
    face: Face
    time: float
    """Seconds."""
    velocity: tuple[float, float]
    """Px/s of its middle."""

    def expected(self, time: float) -> tuple[float, float]:
        """How far, px, the face should have moved by a later time."""
        seconds = COAST_S * -math.expm1((self.time - time) / COAST_S)
        return self.velocity[0] * seconds, self.velocity[1] * seconds

    def seen(self, face: Face, time: float) -> "Track":
        """The track with its newest sight."""
        (x0, y0), (x1, y1), seconds = _middle(self.face), _middle(face), time - self.time
        x = MEMORY * self.velocity[0] + (1.0 - MEMORY) * (x1 - x0) / seconds
        y = MEMORY * self.velocity[1] + (1.0 - MEMORY) * (y1 - y0) / seconds
        return Track(self.track_id, face, time, (x, y))


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
        pairs = assign([self._costs(track, faces, time) for track in self._tracks])
        known = {column: self._tracks[row] for row, column in pairs}
        lost = [track for track in self._tracks if track not in known.values()]
        seen = [self._follow(known.get(column), face, time) for column, face in enumerate(faces)]
        self._tracks = lost + sorted(seen, key=lambda track: track.track_id)
        return [track.face for track in self._tracks[len(lost) :]]

    @property
    def alive(self) -> set[int]:
        """Ids that a face may still take up: seen in the newest frame, or lost for at most max_gap_s."""
        return {track.track_id for track in self._tracks}

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._tracks, self._next_id = [], 0

    def _follow(self, track: Track | None, face: Face, time: float) -> Track:
        """The track of a face that continues one, or a new one."""
        track_id = self._next_id if track is None else track.track_id
        known = Face(face.box, face.landmarks, face.score, track_id)
        if track is not None:
            return track.seen(known, time)
        self._next_id += 1
        return Track(track_id, known, time, (0.0, 0.0))

    def _costs(self, track: Track, faces: Sequence[Face], time: float) -> dict[int, float]:
        """What each face in reach would cost, by its index: distance in sides of its box, plus 1 less the overlap."""
        dx, dy = track.expected(time)
        x0, y0, x1, y1 = track.face.box.tolist()
        here, reach = (x0 + dx, y0 + dy, x1 + dx, y1 + dy), REACH + DRIFT * (time - track.time) / self._max_gap
        costs = {}
        for column, face in enumerate(faces):
            there: Box = tuple(face.box.tolist())
            apart = mean_distance(track.face.landmarks, face.landmarks, POINT_STEP, dx, dy)
            distance = apart / math.sqrt(min(_area(here), _area(there)))
            if distance <= reach:
                costs[column] = distance + 1.0 - overlap(here, there)
        return costs


def overlap(a: Box, b: Box) -> float:
    """Intersection over union, [0, 1]."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / max(_area(a) + _area(b) - shared, 1e-9)


def assign(costs: Sequence[Mapping[int, float]]) -> list[tuple[int, int]]:
    """The (row, column) pairs of the cheapest one-to-one assignment, as many as can be, of each row's costs by column.

    Rows are taken in one by one, each along the cheapest chain of changes: successive shortest paths (Bellman-Ford).
    scipy's linear_sum_assignment, with which the tests compare it, takes half a second to load.
    """
    prices = [{**row, ~index: LEFT_OUT} for index, row in enumerate(costs)]
    held: dict[int, int] = {}
    for row in range(len(prices)):
        _take_in(row, prices, held)
    return sorted((row, column) for column, row in held.items() if column >= 0)


def _take_in(newest: int, prices: Sequence[Mapping[int, float]], held: dict[int, int]) -> None:
    """Give one more row a column, and each row that loses its own another; held is the row of each column taken."""
    cheapest = dict(prices[newest])
    giver: dict[int, int | None] = dict.fromkeys(cheapest)
    for _ in held:
        for column in held.keys() & cheapest.keys():
            freed = cheapest[column] - prices[held[column]][column]
            for other, price in prices[held[column]].items():
                if freed + price < cheapest.get(other, math.inf) - 1e-9:
                    cheapest[other], giver[other] = freed + price, column
    last = min(cheapest.keys() - held.keys(), key=cheapest.__getitem__)
    while (before := giver[last]) is not None:
        held[last], last = held[before], before
    held[last] = newest


def _area(box: Box) -> float:
    return max((box[2] - box[0]) * (box[3] - box[1]), 1.0)


def _middle(face: Face) -> tuple[float, float]:
    x0, y0, x1, y1 = face.box.tolist()
    return (x0 + x1) / 2, (y0 + y1) / 2
