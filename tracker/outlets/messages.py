"""What outlets say: the columns of the records under the same names, and the WebSocket's messages."""

import json
import time
from dataclasses import replace
from typing import Any

from tracker.outlets.outlet import OutletContext
from tracker.sinks import Columns
from tracker.sinks.records import COLUMNS, RELATIVE, Row, first_frame, rows
from tracker.types import Event, TrackedFrame

SCHEMA = 1
"""Version of the WebSocket's messages; rises where a field goes or changes its meaning, not where one is added."""
LIVE_COLUMNS = (*COLUMNS, *RELATIVE)
OF_FRAME = ("frame", "timestamp")
"""Columns that say the same of every face of a frame."""
FACE_FIELDS = tuple(column.name for column in LIVE_COLUMNS if column.name not in OF_FRAME)
"""What a WebSocket message has of each face."""
NUMBERS = tuple(column.name for column in LIVE_COLUMNS if column.kind != "text")
"""The columns that are numbers: what OSC and LSL send."""


def face_rows(tracked: TrackedFrame) -> list[Row]:
    """The record of each face of a frame, in LIVE_COLUMNS."""
    return rows(tracked, extras=RELATIVE) if tracked.samples else []


def empty_row(tracked: TrackedFrame) -> Row:
    """The record of a frame in which no face was found, whatever is in this one."""
    return rows(replace(tracked, faces=(), samples=()), extras=RELATIVE)[0]


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
        "fields": FACE_FIELDS,
    }


def frame_message(tracked: TrackedFrame) -> Row:
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
        "faces": [{name: row[name] for name in FACE_FIELDS} for row in face_rows(tracked)],
    }


def event_message(event: Event) -> Row:
    """The message of one event."""
    return {**_head("event"), **event_row(event)}


def text_of(message: Row) -> str:
    """Compact JSON, without a line break."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _head(kind: str) -> dict[str, Any]:
    return {"type": kind, "schema": SCHEMA}
