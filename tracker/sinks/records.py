"""Records: one row per frame and face, and one for a frame without a face. CSV and JSON lines; the columns of all."""

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tracker.addresses import shown
from tracker.sinks import Columns, Extra, Sink, SinkContext
from tracker.sinks.files import open_output
from tracker.types import EXPRESSIONS, QUADRANTS, AffectSample, Face, Told, TrackedFrame

Row = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its name, its type, the decimals kept, and its name in py-feat where that has one."""

    name: str
    kind: Literal["int", "float", "text", "floats", "reading", "probability", "source", "file"]
    decimals: int = 0
    pyfeat: str | None = None
    value: str | None = None
    """Of every row, where the column is the source."""


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
          in whole seconds, made from an average frame rate. py-feat's input is the column source, where wanted.
"""

ATTENTION: tuple[Column, ...] = (Column("attention", "floats", 4), Column("attention_age", "floats", 6))
"""The weight of each frame of the window, oldest first, and how many seconds before `timestamp` that frame was (null,
with the weight 0, where the window has no frame). CSV, which has no lists, leaves them out."""
RELATIVE: tuple[Column, ...] = (Column("valence_rel", "float", 6), Column("arousal_rel", "float", 6))
"""The smoothed values less those of the face's neutral baseline, in live outputs."""
DEVIATION: tuple[Column, ...] = (Column("valence_sd", "float", 6), Column("arousal_sd", "float", 6))
"""Standard deviation of the error of valence and arousal, of a model that tells it."""
IN_PYFEAT = frozenset(EXPRESSIONS) - {"contempt"}
PROBABILITIES: tuple[Column, ...] = tuple(
    Column(f"p_{name}", "probability", 5, pyfeat=name if name in IN_PYFEAT else None) for name in EXPRESSIONS
)
"""Of the expressions, of a model that names them; py-feat calls seven of them by their bare names."""
EXTRAS: dict[Extra, tuple[Column, ...]] = {
    "attention": ATTENTION,
    "relative": RELATIVE,
    "deviation": DEVIATION,
    "expressions": PROBABILITIES,
}
"""Further columns, behind the others: so those stand where they always do."""
LAST = frozenset(get_args(Told))
"""Extras that stand behind the readings too, at the end of a row."""

FLAT = ("int", "float", "text", "probability", "source", "file")
"""Kinds of the columns that CSV has."""
DECIMALS = [column.decimals if column.kind == "float" else None for column in COLUMNS]


def column_names(columns: Columns, extras: Iterable[Column] = ()) -> tuple[str, ...]:
    """The names of all columns in their order, in one convention, and behind them those of extras."""
    return tuple(c.pyfeat if columns == "pyfeat" and c.pyfeat else c.name for c in (*COLUMNS, *extras))


def columns_of(context: SinkContext) -> tuple[str, ...]:
    """The names of a run's columns in their order; CSV leaves out the lists and the readings."""
    return column_names(context.columns, columns_behind(context))


def first_frame(columns: Columns) -> int:
    """What the first frame is counted as."""
    return 1 if columns == "openface" else 0


def extra_columns(extras: Iterable[Extra], readings: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns of these extras in their order; those of the readings stand before the extras of LAST."""
    early, late = ([extra for extra in extras if (extra in LAST) is last] for last in (False, True))
    return (*_columns_of(early), *(Column(name, "reading", 6) for name in readings), *_columns_of(late))


def columns_behind(context: SinkContext) -> tuple[Column, ...]:
    """The columns that a run has behind COLUMNS: its extras and readings, and at the end the source where wanted.

    Stills have it always, and behind it the name of each file.
    """
    stills = context.info.kind == "stills"
    named = shown(context.source_uri) if context.source_column or stills else None
    source = () if named is None else (Column("source", "source", pyfeat="input", value=named),)
    file = (Column("file", "file"),) if stills else ()
    return (*extra_columns(context.extras, context.readings), *source, *file)


def _columns_of(extras: Iterable[Extra]) -> Iterator[Column]:
    return (column for extra in extras for column in EXTRAS[extra])


def rows(tracked: TrackedFrame, columns: Columns = "affect", extras: Sequence[Column] = ()) -> list[Row]:
    """The rows of one frame: name to int, float (rounded), text, or None for what was not measured.

    extras (see extra_columns) follow behind the others; those of ATTENTION are lists of n floats.
    """
    names = column_names(columns, extras)
    return [dict(zip(names, values, strict=True)) for values in _table(tracked, columns, extras)]


def _table(tracked: TrackedFrame, columns: Columns, extras: Sequence[Column]) -> list[list[Any]]:
    """The values of one frame's rows, in the order of COLUMNS, and those of the extras."""
    start = tracked.frame.index + first_frame(columns), tracked.frame.time
    faces = zip(tracked.faces, tracked.samples, strict=True)
    table = [_rounded(_values(*start, face, sample)) for face, sample in faces] or [_rounded(_nothing(*start))]
    if not extras:
        return table
    samples = tracked.samples or [None]
    name = tracked.frame.name
    return [row + _extras(sample, extras, name) for row, sample in zip(table, samples, strict=True)]


def _nothing(index: int, time: float) -> list[Any]:
    values = [index, None, time, 0.0, 0, "no_face"]
    return values + [None] * (len(COLUMNS) - len(values))


def _values(index: int, time: float, face: Face, sample: AffectSample) -> list[Any]:
    """In the order of COLUMNS."""
    x0, y0, x1, y1 = face.box.tolist()
    quadrant = sample.quadrant.tolist()
    return [
        index,
        sample.track_id,
        time,
        sample.confidence,
        int(sample.status != "model_fault"),
        sample.status,
        sample.valence,
        sample.arousal,
        sample.valence_frame,
        sample.arousal_frame,
        sample.valence_smooth,
        sample.arousal_smooth,
        None if math.isnan(quadrant[0]) else QUADRANTS[quadrant.index(max(quadrant))],
        *quadrant,
        x0,
        y0,
        x1 - x0,
        y1 - y0,
        face.score,
        *sample.pose.tolist(),
    ]


def _extras(sample: AffectSample | None, columns: Sequence[Column], name: str | None) -> list[Any]:
    """In the order of the columns; the n-th reading belongs to the n-th of its kind, the n-th probability likewise."""
    arrays = {"reading": getattr(sample, "readings", None), "probability": getattr(sample, "expressions", None)}
    values = {kind: iter(() if array is None else array.tolist()) for kind, array in arrays.items()}
    return [
        _round(next(values[each.kind], None), each.decimals) if each.kind in values else _extra(sample, each, name)
        for each in columns
    ]


def _extra(sample: AffectSample | None, column: Column, name: str | None) -> list[float | None] | float | str | None:
    """name: of a still's file."""
    if column.kind in ("source", "file"):
        return column.value if column.kind == "source" else name
    value = getattr(sample, column.name, None)
    if isinstance(value, np.ndarray):
        return [_round(each, column.decimals) for each in value.tolist()]
    return _round(value, column.decimals)


def _rounded(values: list[Any]) -> list[Any]:
    places = zip(values, DECIMALS, strict=True)
    return [value if decimals is None else _round(value, decimals) for value, decimals in places]


def _round(value: float | None, decimals: int) -> float | None:
    """A plain float, never -0.0; None for what is missing or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), decimals) + 0.0


class CsvSink(Sink):
    """Comma-separated values, UTF-8, a header line; a value that was not measured is blank, a number "NaN" if wanted.

    Of the extras it has those in FLAT: no lists, and no readings, of which there may be a hundred.
    """

    def __init__(
        self,
        path: Path,
        columns: Columns,
        extras: Sequence[Column] = (),
        empty: Literal["blank", "nan"] = "blank",
    ) -> None:
        flat = [column for column in extras if column.kind in FLAT]
        self._choices = columns, flat
        self._missing = ["NaN" if empty == "nan" and each.kind != "text" else None for each in (*COLUMNS, *flat)]
        self._output = open_output(path, csv_lines([column_names(columns, flat)]))

    def write(self, tracked: TrackedFrame) -> None:
        """Add the rows of one frame; they are in the file when this returns."""
        table = _table(tracked, *self._choices)
        blanks = self._missing
        self._output.write(
            csv_lines([b if v is None else v for v, b in zip(row, blanks, strict=True)] for row in table)
        )

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

    def __init__(self, path: Path, columns: Columns, extras: Sequence[Column] = ()) -> None:
        self._choices = columns, extras
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
