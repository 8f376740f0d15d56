"""The picture of a run, as a sink: gathers each face's trace in bounded memory and has it drawn at the end."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tracker.addresses import shown
from tracker.errors import SinkError
from tracker.sinks import Sink, SinkContext
from tracker.sinks.files import PartFile
from tracker.types import AffectSample, TrackedFrame
from tracker.words import counted

POINTS = 4000
"""Kept of each face; beyond, neighbours in time are merged."""
FIRST_BIN_S = 1e-3
FACES_KEPT, FACES_DRAWN = 32, 6
"""The longest of many faces."""
GAP_S, GAP_STEPS, GAP_BINS = 0.25, 1.5, 2.5
"""A face away for longer than all three, seconds, usual steps between its samples and bins, breaks its line."""

Draw = Callable[[Mapping[int, np.ndarray], tuple[float, float], str, str], bytes]
"""Curves, span, title and caption to a picture: tracker.drawing.plots.draw_traces."""


class Trace:
    """What is kept of one face: at most `places` means of its samples, each a time and `values` numbers.

    Samples that fall into one bin of time are averaged; when there are too many bins, they are made twice as wide.
    """

    def __init__(self, values: int = 4, places: int = POINTS) -> None:
        self._sums = np.zeros((places, 1 + values))
        self._counts = np.zeros(places)
        self._bins = np.zeros(places, np.int64)
        self._used = 0
        self.bin_s = FIRST_BIN_S
        """Width of a bin, seconds."""
        self.seen = 0
        """Samples added."""
        self.newest = -np.inf
        """Time of the last one."""

    def add(self, time: float, values: Sequence[float] | np.ndarray) -> None:
        """Add a sample: its time and its values."""
        index = int(time / self.bin_s)
        if self._used == 0 or self._bins[self._used - 1] != index:
            if self._used == len(self._bins):
                self._widen()
                index = int(time / self.bin_s)
            self._bins[self._used] = index
            self._used += 1
        self._sums[self._used - 1] += (time, *values)
        self._counts[self._used - 1] += 1
        self.seen += 1
        self.newest = time

    def points(self) -> np.ndarray:
        """(T, 1 + values) means, oldest first."""
        return self._sums[: self._used] / self._counts[: self._used, None]

    def _widen(self) -> None:
        """Merge bins until at most half of the places are used."""
        while self._used > len(self._bins) // 2:
            self.bin_s *= 2
            bins = self._bins[: self._used] // 2
            first = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
            for kept in (self._sums, self._counts):
                merged = np.add.reduceat(kept[: self._used], first, axis=0)
                kept[: self._used] = 0
                kept[: len(first)] = merged
            self._bins[: len(first)] = bins[first]
            self._used = len(first)


class PlotSink(Sink):
    """Draws the picture at the end; when aborted, of what there was until then."""

    places = POINTS
    """Kept of each face."""

    def __init__(self, path: Path, context: SinkContext, draw: Draw) -> None:
        self._context = context
        self._draw = draw
        self._traces: dict[int, Trace] = {}
        self._start: float | None = None
        self._end = 0.0
        self._faces = 0
        self._path = path
        self._ended = False
        PartFile(path, hidden=True).discard()  # says at once what cannot be written

    def write(self, tracked: TrackedFrame) -> None:
        """Take the samples of one frame."""
        now = tracked.frame.time
        self._start = now if self._start is None else self._start
        self._end = now
        for sample in tracked.samples:
            values = self._values(sample)
            if len(values) and np.isfinite(values).all():
                self._trace(sample.track_id, now, len(values)).add(now, values)

    def finish(self) -> None:
        """Draw the picture and give the file its name."""
        self._draw_file().finish()

    def abort(self) -> None:
        """Draw what there is; it stays under the temporary name."""
        if not self._ended:
            with contextlib.suppress(Exception):
                self._draw_file().abort()

    def _draw_file(self) -> PartFile:
        """The picture, whole under a temporary name."""
        self._ended = True
        picture = self._picture()
        file = PartFile(self._path, hidden=True)
        try:
            file.write(picture)
        except SinkError:
            file.discard()
            raise
        return file

    def curves(self) -> dict[int, np.ndarray]:
        """The longest faces' points by id, (T, 1 + values) each, with a row of NaN wherever the face was away."""
        longest = sorted(self._traces, key=lambda track_id: -self._traces[track_id].seen)[:FACES_DRAWN]
        return {track_id: _with_gaps(self._traces[track_id]) for track_id in sorted(longest)}

    def _values(self, sample: AffectSample) -> np.ndarray:
        """What is kept of a sample, its deviations where the model tells them; nothing where it does not count."""
        values = [sample.valence, sample.arousal, sample.valence_smooth, sample.arousal_smooth]
        if sample.valence_sd is not None and sample.arousal_sd is not None:
            values += [sample.valence_sd, sample.arousal_sd]
        return np.array(values)

    def _trace(self, track_id: int, now: float, values: int) -> Trace:
        """The face's trace; a new one takes the place of the shortest that has ended, where there are too many."""
        traces = self._traces
        if track_id not in traces:
            if len(traces) >= FACES_KEPT:
                del traces[min(traces, key=lambda k: (traces[k].newest == now, traces[k].seen))]
            traces[track_id] = Trace(values, self.places)
            self._faces = max(self._faces, track_id + 1)
        return traces[track_id]

    def _picture(self) -> bytes:
        curves = self.curves()
        return self._draw(curves, (self._start or 0.0, self._end), self._title(), self._caption(len(curves)))

    def _title(self) -> str:
        uri = self._context.source_uri
        return "standard input" if uri == "-" else shown(uri) if "://" in uri else Path(uri).resolve().name

    def _caption(self, drawn: int) -> str:
        faces = counted(self._faces, "face")
        shown = f"{faces}, the {drawn} longest shown" if self._faces > drawn else faces
        return f"{self._subject()}  \u00b7  {shown}"

    def _subject(self) -> str:
        return f"apparent affect, model {self._context.model or 'not named'}"


def _with_gaps(trace: Trace) -> np.ndarray:
    points = trace.points()
    steps = np.diff(points[:, 0])
    if not len(steps):
        return points
    gaps = steps > max(GAP_S, GAP_STEPS * float(np.median(steps)), GAP_BINS * trace.bin_s)
    return np.insert(points, np.flatnonzero(gaps) + 1, np.nan, axis=0)
