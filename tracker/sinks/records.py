"""Records: one row per frame and face, and one for a frame without a face. CSV and JSON lines; the columns of all."""

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tracker.sinks import Columns, Extra, Sink
from tracker.sinks.files import open_output
from tracker.types import QUADRANTS, AffectSample, Face, TrackedFrame

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, the decimals kept, and its name in py-feat where that has one."""

    name: str
    kind: Literal["int", "float", "text", "floats"]
    decimals: int = 0
    pyfeat: str | None = None


COLUMNS: tuple[Column, ...] = (
    Column("frame", "int"),
    Column("face_id", "int", pyfeat="Identity"),
    Column("timestamp", "float", 6),
    Column("confidence", "float", 4),
    Column("success", "int"),
    Column("status", "text"),
    Column("valence", "float", 6),
    Column("arousal", "float", 6),
    Column("valence_frame", "float", 6),
    Column("arousal_frame", "float", 6),
    Column("valence_smooth", "float", 6),
    Column("arousal_smooth", "float", 6),
    Column("quadrant", "text"),
    *(Column(f"q_{quadrant}", "float", 5) for quadrant in QUADRANTS),
    Column("FaceRectX", "float", 2),
    Column("FaceRectY", "float", 2),
    Column("FaceRectWidth", "float", 2),
    Column("FaceRectHeight", "float", 2),
    Column("FaceScore", "float", 4),
    Column("pose_Rx", "float", 5, pyfeat="Pitch"),
    Column("pose_Ry", "float", 5, pyfeat="Yaw"),
    Column("pose_Rz", "float", 5, pyfeat="Roll"),
)
"""The columns in their order.

affect    the names above; frame counts from 0.
openface  the same names (frame, face_id, timestamp, confidence, success and pose_R* are OpenFace's own, and it has none
          for the rest); frame counts from 1.
pyfeat    the third field's name where there is one; frame counts from 0. timestamp stays: py-feat's approx_time is text
          in whole seconds, made from an average frame rate. py-feat's input column is left to the .meta.json.
"""

ATTENTION: tuple[Column, ...] = (Column("attention", "floats", 4), Column("attention_age", "floats", 6))
"""The weight of each frame of the window, oldest first, and how many seconds before `timestamp` that frame was (null,
with the weight 0, where the window has no frame). CSV, which has no lists, leaves them out."""
RELATIVE: tuple[Column, ...] = (Column("valence_rel", "float", 6), Column("arousal_rel", "float", 6))
"""The smoothed values less those of the face's neutral baseline, in live outputs."""
EXTRAS: dict[Extra, tuple[Column, ...]] = {"attention": ATTENTION, "relative": RELATIVE}
"""Further columns, by one name in every convention, behind the others: so those stand where they always do."""

DECIMALS: dict[str, int] = {column.name: column.decimals for column in COLUMNS if column.kind == "float"}
EMPTY: Row = {column.name: None for column in COLUMNS}


def column_names(columns: Columns) -> tuple[str, ...]:
    """The names of all columns in their order, in one convention."""
    return tuple(c.pyfeat if columns == "pyfeat" and c.pyfeat else c.name for c in COLUMNS)


def first_frame(columns: Columns) -> int:
    """What the first frame is counted as."""
    return 1 if columns == "openface" else 0


def extra_columns(extras: Iterable[Extra]) -> tuple[Column, ...]:
    """The columns of these extras, in their order."""
    return tuple(column for extra in extras for column in EXTRAS[extra])


def rows(tracked: TrackedFrame, columns: Columns = "affect", extras: Sequence[Column] = ()) -> list[Row]:
    """The rows of one frame: name to int, float (rounded), text, or None for what was not measured.

    extras, such as RELATIVE or ATTENTION, follow behind the others; those of ATTENTION are lists of n floats.
    """
    frame: Row = {
        "frame": tracked.frame.index + first_frame(columns),
        "timestamp": tracked.frame.time,
        "confidence": 0.0,
        "success": 0,
        "status": "no_face",
    }
    measured = zip(tracked.faces, tracked.samples, strict=True)
    found = [{**EMPTY, **frame, **_face(face), **_sample(sample)} for face, sample in measured]
    names = column_names(columns)
    table = [dict(zip(names, _rounded(row), strict=True)) for row in found or [{**EMPTY, **frame}]]
    if not extras:
        return table
    return [{**row, **_extra(sample, extras)} for row, sample in zip(table, tracked.samples or [None], strict=True)]


def _face(face: Face) -> Row:
    x0, y0, x1, y1 = face.box.tolist()
    return {
        "FaceRectX": x0,
        "FaceRectY": y0,
        "FaceRectWidth": x1 - x0,
        "FaceRectHeight": y1 - y0,
        "FaceScore": face.score,
    }


def _sample(sample: AffectSample) -> Row:
    return {
        "face_id": sample.track_id,
        "confidence": sample.confidence,
        "success": 1,
        "status": sample.status,
        "valence": sample.valence,
        "arousal": sample.arousal,
        "valence_frame": sample.valence_frame,
        "arousal_frame": sample.arousal_frame,
        "valence_smooth": sample.valence_smooth,
        "arousal_smooth": sample.arousal_smooth,
        "quadrant": QUADRANTS[int(sample.quadrant.argmax())],
        **dict(zip((f"q_{quadrant}" for quadrant in QUADRANTS), sample.quadrant.tolist(), strict=True)),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), sample.pose.tolist(), strict=True)),
    }


def _extra(sample: AffectSample | None, extras: Sequence[Column]) -> Row:
    return {column.name: _value(getattr(sample, column.name, None), column.decimals) for column in extras}


def _value(value: np.ndarray | float | None, decimals: int) -> list[float | None] | float | None:
    if isinstance(value, np.ndarray):
        return [_round(each, decimals) for each in value.tolist()]
    return _round(value, decimals)


def _rounded(row: Row) -> list[Any]:
    return [_round(value, DECIMALS[name]) if name in DECIMALS else value for name, value in row.items()]


def _round(value: float | None, decimals: int) -> float | None:
    """A plain float, never -0.0; None for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), decimals) + 0.0


class CsvSink(Sink):
    """Comma-separated values, UTF-8, a header line; an empty field is a value that was not measured.

    Of the extras it has those that are no lists.
    """

    def __init__(self, path: Path, columns: Columns, extras: Iterable[Extra] = ()) -> None:
        flat = tuple(column for column in extra_columns(extras) if column.kind != "floats")
        self._choices = columns, flat
        self._output = open_output(path)
        self._output.write(csv_lines([[*column_names(columns), *(column.name for column in flat)]]))

    def write(self, tracked: TrackedFrame) -> None:
        """Add the rows of one frame; they are in the file when this returns."""
        self._output.write(csv_lines([row.values() for row in rows(tracked, *self._choices)]))

    def finish(self) -> None:
        """Give the file its name."""
        self._output.finish()

    def abort(self) -> None:
        """Leave the rows written so far under the temporary name."""
        self._output.abort()


def csv_lines(table: Iterable[Iterable[Any]]) -> bytes:
    """A table as comma-separated lines, UTF-8."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue().encode()


class JsonLinesSink(Sink):
    """One JSON object a line, null for what was not measured; the path "-" is standard output."""

    def __init__(self, path: Path, columns: Columns, extras: Iterable[Extra] = ()) -> None:
        self._choices = columns, extra_columns(extras)
        self._output = open_output(path)

    def write(self, tracked: TrackedFrame) -> None:
        """Add the rows of one frame; they are out when this returns."""
        lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in rows(tracked, *self._choices)]
        self._output.write("".join(lines).encode())

    def finish(self) -> None:
        """Give the file its name."""
        self._output.finish()

    def abort(self) -> None:
        """Leave the rows written so far under the temporary name."""
        self._output.abort()
