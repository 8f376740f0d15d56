"""A face's trace at even steps, for programs and formats that know no timestamps."""

from dataclasses import dataclass

import numpy as np

from tracker.traces.reading import FaceTrace


@dataclass(frozen=True)
class EvenTrace:
    """The values of one face at even steps, from the first frame's time on."""

    rate_hz: float
    time: np.ndarray
    """(N,) seconds."""
    values: dict[str, np.ndarray]
    """(N,) float64 by column; NaN where nothing was measured."""
    status: np.ndarray
    """(N,) text; no_face where there is no frame."""


def even(face: FaceTrace, names: tuple[str, ...], rate_hz: float | None = None) -> EvenTrace:
    """The columns of a face at even steps: of each the frame nearest in time, nothing where none is within a step.

    rate_hz is by default the source's own: its average where frames come evenly, else that of the typical step. Frames
    that come evenly are taken as they are.
    """
    steps = np.diff(face.time)
    if rate_hz is None:
        typical = float(np.median(steps)) if len(steps) else 1.0
        evenly = not len(steps) or float(np.max(np.abs(steps - typical))) < 0.5 * typical
        rate_hz = 1.0 / (float(np.mean(steps)) if evenly and len(steps) else typical)
    count = round(float(face.time[-1] - face.time[0]) * rate_hz) + 1
    time = face.time[0] + np.arange(count) / rate_hz
    after = np.clip(np.searchsorted(face.time, time), 1, max(1, len(face.time) - 1))
    nearest = np.zeros(count, int)
    if len(face.time) > 1:
        nearest = np.where(time - face.time[after - 1] <= face.time[after] - time, after - 1, after)
    near = np.abs(face.time[nearest] - time) <= 1.000001 / rate_hz
    values = {name: np.where(near, face[name][nearest], np.nan) for name in names}
    return EvenTrace(rate_hz, time, values, np.where(near, face.status[nearest], "no_face"))
