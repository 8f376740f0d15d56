"""What outlets say: the columns of the records under the same names, and the WebSocket's messages."""

import json
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tracker.outlets.outlet import OutletContext
from tracker.sinks import Columns, Extra
from tracker.sinks.records import COLUMNS, LAST, Row, extra_columns, first_frame, rows
from tracker.types import Event, TrackedFrame

SCHEMA = 1
"""Version of the WebSocket's messages; rises where a field goes or changes its meaning, not where one is added."""
OF_FRAME = ("frame", "timestamp")
"""Columns that say the same of every face of a frame."""


class Fields:
    """The columns that WebSocket, OSC and LSL send: those of the records, RELATIVE, and what the model tells besides.

    `of_face` names what a WebSocket message has of each face, `numbers` the columns that are numbers: what OSC and LSL
    send.
    """

    def __init__(self, extras: Iterable[Extra] = ()) -> None:
        self._extras = extra_columns(("relative", *(extra for extra in extras if extra in LAST)))
        columns = (*COLUMNS, *self._extras)
        self.of_face = tuple(column.name for column in columns if column.name not in OF_FRAME)
        self.numbers = tuple(column.name for column in columns if column.kind != "text")

    def face_rows(self, tracked: TrackedFrame) -> list[Row]:
        """The record of each face of a frame."""
        return rows(tracked, extras=self._extras) if tracked.samples else []

    def empty_row(self, tracked: TrackedFrame) -> Row:
        """The record of a frame in which no face was found, whatever is in this one."""
        return rows(replace(tracked, faces=(), samples=()), extras=self._extras)[0]


def event_row(event: Event, columns: Columns = "affect") -> Row:
    """An event as a JSON line; its frame is counted as in the records."""
    return {"event": event.name, "frame": event.index + first_frame(columns), "timestamp": event.time}


def hello_message(context: OutletContext) -> Row:
    """The first message to a WebSocket client."""
    return {
        **_head("hello"),
        "source": context.source,
        "model": context.model,
        "sha256": context.sha256,
        "max_faces": context.faces,
        "fields": Fields(context.extras).of_face,
    }


def frame_message(tracked: TrackedFrame, fields: Fields) -> Row:
    """The message of one frame: when it was, its size in pixels, and its faces; no face is an empty list."""
    frame = tracked.frame
    height, width = frame.image.shape[:2]
    return {
        **_head("frame"),
        "frame": frame.index,
        "timestamp": frame.time,
        "captured_ago_ms": None if frame.captured is None else round(1000 * (time.monotonic() - frame.captured), 1),
        "width": width,
        "height": height,
        "faces": [{name: row[name] for name in fields.of_face} for row in fields.face_rows(tracked)],
    }


def event_message(event: Event) -> Row:
    """The message of one event."""
    return {**_head("event"), **event_row(event)}


def text_of(message: Row) -> str:
    """Compact JSON, without a line break."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _head(kind: str) -> dict[str, Any]:
    return {"type": kind, "schema": SCHEMA}
