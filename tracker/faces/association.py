"""Which face is which: stable ids from frame to frame, by place, and by looks where the place does not tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

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

SURE, OTHER, HARDLY = 0.7, 0.45, 0.3
"""Likeness, [-1, 1], from which two faces are one person's wherever they are; below which they are two persons', even
where the place says that they are one; and below which not even a half-hidden face comes out from behind another.
docs/identity.md has the figures."""
OWN = 0.15
"""Likeness by which a face is rather taken for the person who was at its place."""
JUMP = 0.6
"""Correlation below which what a face's box holds is another picture than in the frame before."""
HEAD = 0.3
"""Share of its sides by which a head is larger than the face's box, at each side."""
BEYOND = 0.1
"""Share of its sides by which the face's box may leave the picture without being cut off."""
NEAR, BEHIND_S = 2.5, 2.0
"""Sides of its box from where a face was hidden to where it may come out, and seconds for which it may be hidden."""
STEADY = 0.4
"""Cost below which a face that was seen in the frame before goes on, whatever other pairs there could be."""
LOOK_S, LOOKS = 0.12, 5
"""Seconds between two looks at a face that may be another's, and how many there are at most."""
VIEW_S, VIEWS, FIRST_VIEWS = 0.5, 6, 2
"""Seconds between two portraits of a person, how many are kept, and how many of these are the first ones."""
ASKEW = 2.2
"""A face whose nose lies so many times farther from one eye than from the other is turned too far for a portrait."""
PATCH = 16
"""Side of the small picture of a face that is compared from frame to frame, pixels."""


Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, pixels."""


class Identity(Protocol):
    """What tells persons apart; tracker.faces.identity.FaceIdentity is one."""

    def portrait(self, image: np.ndarray, face: Face) -> np.ndarray:
        """(S, S) uint8 of a face in image (H, W, 3)."""

    def describe(self, portraits: np.ndarray) -> np.ndarray:
        """(B, D) float32 of length 1, of portraits (B, S, S)."""


@dataclass(frozen=True, eq=False, slots=True)
class Track:
    """A face as it was last seen."""

    track_id: int
    face: Face
    time: float
    """Seconds."""
    velocity: tuple[float, float]
    """Px/s of its middle."""
    patch: np.ndarray | None = None
    """(PATCH, PATCH) float32 of length 1; None where the picture is not known."""

    def expected(self, time: float) -> tuple[float, float]:
        """How far, px, the face should have moved by a later time."""
        seconds = COAST_S * -math.expm1((self.time - time) / COAST_S)
        return self.velocity[0] * seconds, self.velocity[1] * seconds

    def seen(self, face: Face, time: float, patch: np.ndarray | None) -> "Track":
        """The track with its newest sight."""
        (x0, y0), (x1, y1), seconds = _middle(self.face), _middle(face), time - self.time
        x = MEMORY * self.velocity[0] + (1.0 - MEMORY) * (x1 - x0) / seconds
        y = MEMORY * self.velocity[1] + (1.0 - MEMORY) * (y1 - y0) / seconds
        return Track(self.track_id, face, time, (x, y), patch)


class Portraits:
    """How one person has looked so far; described when that is first asked."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._views: list[np.ndarray] = []
        self._described: np.ndarray | None = None
        self.newest = -math.inf
        """Time of the newest, seconds."""

    def add(self, view: np.ndarray, time: float) -> None:
        """Keep one more, and let go of one of the middle ones where there are too many."""
        self._views.append(view)
        if len(self._views) > VIEWS:
            del self._views[FIRST_VIEWS]
        self._described, self.newest = None, time

    def likeness(self, description: np.ndarray) -> float:
        """[-1, 1]: how like a description (D,) is to the two portraits that are most like it; NaN without any."""
        if not self._views:
            return math.nan
        if self._described is None:
            self._described = self._identity.describe(np.stack(self._views))
        return float(np.sort(self._described @ description)[-2:].mean())


@dataclass(slots=True)
class Doubt:
    """A face that may have become another person's without having been lost."""

    looks: int = 0
    refused: bool = False
    """Whether the newest look said that it is another's."""
    next: float = -math.inf
    """Time of the next look, seconds."""


class FaceAssociator:
    """Gives each face the id of the person that it is, or the next new one; an id is never used again.

    A face that is lost keeps its place for max_gap_s seconds, expected where its motion would have taken it. The pairs
    of tracks and faces with the least total cost are taken, so the order in which faces are found does not matter.

    With an identity looks decide where the place does not tell: whoever comes back within remember_s gets the id of
    old; a face that was lost, touched another or is suddenly another picture is looked at before it goes on. Who is in
    doubt gets a new id: one id must not serve two persons.
    """

    def __init__(self, max_gap_s: float, remember_s: float = 0.0, identity: Identity | None = None) -> None:
        """An identity is of use with remember_s above 0, and needs update()'s image."""
        self._identity = identity if remember_s > 0 else None
        self._max_gap, self._remember = max_gap_s, max(max_gap_s, remember_s if self._identity else 0.0)
        self.reset()

    def reset(self) -> None:
        """Forget every face; ids start from 0 again."""
        self._tracks: list[Track] = []
        self._portraits: dict[int, Portraits] = {}
        self._doubts: dict[int, Doubt] = {}
        self._next_id = 0
        self._newest = -math.inf
        self.ongoing: set[int] = set()

    @property
    def alive(self) -> set[int]:
        """Ids that a face may still take up: seen in the newest frame, or remembered."""
        return {track.track_id for track in self._tracks}

    def replaced(self, faces: Sequence[Face], image: np.ndarray) -> bool:
        """Whether half of the faces that go on at a place are suddenly other pictures: a cut not seen otherwise."""
        if self._identity is None:
            return False
        jumps = []
        for face in faces:
            box: Box = tuple(face.box.tolist())
            before = [
                track
                for track in self._tracks
                if track.time == self._newest and overlap(tuple(track.face.box.tolist()), box) > REACH
            ]
            jumps += [_jumped(track.patch, _patch(image, face)) for track in before]
        return bool(jumps) and 2 * sum(jumps) >= len(jumps)

    def update(
        self,
        faces: Sequence[Face],
        time: float,
        image: np.ndarray | None = None,
        cut: bool = False,
        anew: bool = False,
    ) -> list[Face]:
        """The faces of the frame image (H, W, 3) uint8 at a later time (s), with ids and sorted by them.

        After a cut places say nothing; anew: all were detected, and none followed from the frame before. `ongoing` then
        holds the ids of faces that go on without a gap, a cut, or a change of place: their window and filter go on.
        """
        self._tracks = [track for track in self._tracks if time - track.time <= self._remember]
        alive = self.alive
        self._portraits = {i: portraits for i, portraits in self._portraits.items() if i in alive}
        near = [] if cut else [track for track in self._tracks if time - track.time <= self._max_gap]
        placed = self._placed(near, faces, time)
        patches = [None if image is None or self._identity is None else _patch(image, face) for face in faces]
        known: Mapping[int, Track] = placed
        if image is not None and self._identity is not None:
            known = self._recognised(faces, placed, time, image, patches, anew)
        self.ongoing = {track.track_id for track in near} - {
            track.track_id for column, track in known.items() if placed.get(column) is not track
        }
        lost = [track for track in self._tracks if track not in known.values()]
        seen = [self._follow(known.get(column), face, time, patches[column]) for column, face in enumerate(faces)]
        self._tracks = lost + sorted(seen, key=lambda track: track.track_id)
        self._newest = time
        faces = [track.face for track in self._tracks[len(lost) :]]
        if image is not None and self._identity is not None:
            self._take_portraits(faces, time, image, self._identity)
        return faces

    def _placed(self, near: Sequence[Track], faces: Sequence[Face], time: float) -> dict[int, Track]:
        """The track of each face by its place."""
        costs = [self._costs(track, faces, time) for track in near]
        steady: dict[int, int] = {}
        for row, track in enumerate(near):
            column = min(costs[row], key=costs[row].__getitem__, default=None)
            if column is None or track.time != self._newest or costs[row][column] >= STEADY:
                continue
            if costs[row][column] <= min(each.get(column, math.inf) for each in costs):
                steady[column] = row
        rest = [row for row in range(len(near)) if row not in steady.values()]
        left = [{column: cost for column, cost in costs[row].items() if column not in steady} for row in rest]
        pairs = {column: rest[row] for row, column in assign(left)} | steady
        return {column: near[row] for column, row in pairs.items()}

    def _recognised(
        self,
        faces: Sequence[Face],
        placed: Mapping[int, Track],
        time: float,
        image: np.ndarray,
        patches: Sequence[np.ndarray | None],
        anew: bool,
    ) -> Mapping[int, Track]:
        """The track of each face by its place, and by its looks where these are asked."""
        assert self._identity is not None
        absent = [track for track in self._tracks if track not in placed.values()]
        poor = _poorly_seen(faces, image)
        looked_at = [column for column in range(len(faces)) if column not in placed and absent]
        for column, track in placed.items():
            lost = track.time < self._newest
            vanished = any(_near(other, track.face) for other in absent if other.time == self._newest)
            if lost or vanished or column in poor or _jumped(track.patch, patches[column]):
                refused = track.track_id in self._doubts and self._doubts[track.track_id].refused
                self._doubts[track.track_id] = Doubt(refused=refused)
            doubt = self._doubts.get(track.track_id)
            if doubt and time >= doubt.next and (column not in poor or lost or vanished or anew):
                looked_at.append(column)
        if not looked_at:
            return placed

        views = np.stack([self._identity.portrait(image, faces[column]) for column in looked_at])
        descriptions = self._identity.describe(views)
        persons = [*absent, *(placed[column] for column in looked_at if column in placed)]
        costs: list[dict[int, float]] = []
        for column, description in zip(looked_at, descriptions, strict=True):
            costs.append({})
            for row, person in enumerate(persons):
                own = placed.get(column) is person
                likeness = self._portraits[person.track_id].likeness(description)
                hidden = _near(person, faces[column]) and time - person.time <= BEHIND_S
                comes_out = column in poor and hidden
                if likeness >= (OTHER if own else HARDLY if comes_out else SURE):
                    costs[-1][row] = 1.0 - likeness - OWN * own
                elif own and (column in poor or math.isnan(likeness) or not self._refuses(person, anew)):
                    costs[-1][row] = 1.0 - OTHER - OWN
                if own and not (math.isnan(likeness) and column in poor):
                    self._look(person, likeness, time)
        known = {column: track for column, track in placed.items() if column not in looked_at}
        known |= {looked_at[index]: persons[row] for index, row in assign(costs)}
        for column in looked_at:
            before, now = placed.get(column), known.get(column)
            if before is not now:
                for changed in (before, now):
                    self._doubts.pop(-1 if changed is None else changed.track_id, None)
        return known

    def _refuses(self, person: Track, anew: bool) -> bool:
        """Whether a face at a person's place that looks like another's is one: landmarks that lag may look so once."""
        return anew or person.time < self._newest or self._doubts[person.track_id].refused

    def _look(self, person: Track, likeness: float, time: float) -> None:
        """Note a look at a face that is where the person was."""
        doubt = self._doubts[person.track_id]
        doubt.looks, doubt.refused = doubt.looks + 1, likeness < OTHER
        doubt.next = time if doubt.refused else time + LOOK_S
        if not likeness < SURE or doubt.looks >= LOOKS:
            del self._doubts[person.track_id]

    def _take_portraits(self, faces: Sequence[Face], time: float, image: np.ndarray, identity: Identity) -> None:
        """From time to time one of each person who is well seen and surely that person."""
        poor = _poorly_seen(faces, image)
        for column, face in enumerate(faces):
            track_id = face.track_id
            assert track_id is not None
            portraits = self._portraits.setdefault(track_id, Portraits(identity))
            if time - portraits.newest >= VIEW_S and track_id not in self._doubts and column not in poor:
                portraits.add(identity.portrait(image, face), time)

    def _follow(self, track: Track | None, face: Face, time: float, patch: np.ndarray | None) -> Track:
        """The track of a face that continues one, or a new one."""
        track_id = self._next_id if track is None else track.track_id
        known = Face(face.box, face.landmarks, face.score, track_id)
        if track is not None:
            return track.seen(known, time, patch)
        self._next_id += 1
        return Track(track_id, known, time, (0.0, 0.0), patch)

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


def _poorly_seen(faces: Sequence[Face], image: np.ndarray) -> set[int]:
    """Indices of the faces that another's head may cover, that the picture's edge cuts off, or that are turned away."""
    heads = [_head(face) for face in faces]
    poor = set()
    for index, face in enumerate(faces):
        box: Box = tuple(face.box.tolist())
        x0, y0, x1, y1 = box
        x, y, (height, width) = BEYOND * (x1 - x0), BEYOND * (y1 - y0), image.shape[:2]
        cut_off = x0 < -x or y0 < -y or x1 > width + x or y1 > height + y
        covered = any(overlap(box, other) > 0 for place, other in enumerate(heads) if place != index)
        if cut_off or covered or _askew(face):
            poor.add(index)
    return poor


def _head(face: Face) -> Box:
    x0, y0, x1, y1 = face.box.tolist()
    x, y = HEAD * (x1 - x0), HEAD * (y1 - y0)
    return x0 - x, y0 - y, x1 + x, y1 + y


def _near(track: Track, face: Face) -> bool:
    """Whether a face may be, or may hide, the one that was lost."""
    (x0, y0), (x1, y1) = _middle(track.face), _middle(face)
    box: Box = tuple(face.box.tolist())
    return math.hypot(x1 - x0, y1 - y0) < NEAR * math.sqrt(_area(box))


def _askew(face: Face) -> bool:
    """Whether the face is turned so far to a side that a portrait tells little."""
    right, left, nose = face.landmarks[[33, 263, 1], :2].tolist()
    a, b = math.dist(right, nose), math.dist(left, nose)
    return max(a, b) > ASKEW * max(min(a, b), 1e-6)


def _patch(image: np.ndarray, face: Face) -> np.ndarray | None:
    """(PATCH, PATCH) of what the face's box holds, less its mean and of length 1; None where it holds nothing."""
    x0, y0, x1, y1 = face.box.tolist()
    height, width = image.shape[:2]
    left, top, right, bottom = max(int(x0), 0), max(int(y0), 0), min(int(x1), width), min(int(y1), height)
    if right - left < 2 or bottom - top < 2:
        return None
    small = cv2.resize(image[top:bottom, left:right, 1], (PATCH, PATCH), interpolation=cv2.INTER_LINEAR)
    patch = small - small.mean(dtype=np.float32)
    length = float(np.linalg.norm(patch))
    return patch / length if length > PATCH else None


def _jumped(before: np.ndarray | None, now: np.ndarray | None) -> bool:
    return before is not None and now is not None and float((before * now).sum()) < JUMP
