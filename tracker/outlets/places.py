"""Places: a fixed number of seats for faces, so that a receiver finds the same person under the same address."""

from dataclasses import dataclass

from tracker.outlets.messages import Fields
from tracker.outlets.outlet import OutletContext
from tracker.sinks.records import Row
from tracker.types import TrackedFrame


@dataclass
class Place:
    """Who had it last, and when."""

    track_id: int
    seen: float
    """Seconds: time of the newest frame with that face."""


class Places:
    """Gives each face a place from 0, which it keeps while its id lives; a new face takes the lowest that is free."""

    def __init__(self, context: OutletContext) -> None:
        self.fields = Fields(context.extras)
        self._places: list[Place | None] = [None] * context.faces
        self._max_gap = context.max_gap_s

    def rows(self, tracked: TrackedFrame) -> list[Row]:
        """The record of each place: its face's, or that of a frame without one."""
        table = [self.fields.empty_row(tracked)] * len(self._places)
        for row, place in zip(self.fields.face_rows(tracked), self.seat(tracked), strict=True):
            table[place] = row
        return table

    def seat(self, tracked: TrackedFrame) -> list[int]:
        """The place of each face of the next frame."""
        time, ids = tracked.frame.time, [sample.track_id for sample in tracked.samples]
        known = {place.track_id: number for number, place in enumerate(self._places) if place}
        taken = {known[track_id] for track_id in ids if track_id in known}
        for track_id in ids:
            if track_id not in known:
                known[track_id] = self._free(time, taken)
                taken.add(known[track_id])
            self._places[known[track_id]] = Place(track_id, time)
        return [known[track_id] for track_id in ids]

    def _free(self, time: float, taken: set[int]) -> int:
        """The lowest place whose face is gone for good, or else the one whose face is away for longest."""
        open_places = [number for number in range(len(self._places)) if number not in taken]
        return max(open_places, key=lambda number: min(self._away(number, time), self._max_gap + 1e-9))

    def _away(self, number: int, time: float) -> float:
        place = self._places[number]
        return float("inf") if place is None else time - place.seen
