"""EDF+: signals of whole numbers, a header, and annotations."""

import io
from collections.abc import Sequence
from datetime import date

import edfio
import numpy as np

from tracker.traces.events import TimedEvent
from tracker.traces.exports import signals_of
from tracker.traces.reading import FaceTrace, Trace

MISSING = -2.0
"""EDF has no word for what is missing: below every real value, and said in the header."""
LABELS = {
    "valence_smooth": "valence",
    "arousal_smooth": "arousal",
    "valence_frame": "valence frame",
    "arousal_frame": "arousal frame",
    "confidence": "confidence",
    "success": "success",
}
"""At most 16 letters."""


def edf(trace: Trace, face: FaceTrace, events: Sequence[TimedEvent]) -> bytes:
    """An EDF+ file of one face: records of one second, at the whole number of samples next to the source's rate.

    Nobody's name and no date of the recording stand in it. Values are told to 6e-5; what was not measured is MISSING.
    """
    typical = float(np.median(np.diff(face.time))) if len(face.time) > 1 else 1.0
    rate_hz = max(1, round(1.0 / typical))
    time, signals = signals_of(face, float(rate_hz))
    length = -(-len(time) // rate_hz) * rate_hz
    written = []
    for name, values in signals.items():
        padded = np.full(length, MISSING)
        padded[: len(values)] = np.where(np.isfinite(values), np.clip(values, -1.0, 1.0), MISSING)
        written.append(
            edfio.EdfSignal(
                padded,
                sampling_frequency=rate_hz,
                label=LABELS[name],
                transducer_type=f"affect-tracker; {MISSING:g} = not measured",
                physical_range=(MISSING, -MISSING),
            )
        )
    start = float(time[0])
    notes = [
        edfio.EdfAnnotation(each.start - start, None if each.end is None else each.end - each.start, each.condition)
        for each in events
        if each.start >= start
    ]
    person = f"face_{face.face_id}" if face.face_id is not None else "X"
    file = edfio.Edf(
        written,
        patient=edfio.Patient(code=person),
        recording=edfio.Recording(startdate=date(1985, 1, 1), equipment_code="affect-tracker"),
        data_record_duration=1.0,
        annotations=notes,
    )
    target = io.BytesIO()
    file.write(target)
    return target.getvalue()
