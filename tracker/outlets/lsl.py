"""Lab Streaming Layer: an irregular stream of numbers for each place of a face, and one of markers."""

import math
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import pylsl
from pylsl.info import XMLElement

from tracker.errors import UsageError
from tracker.outlets.messages import Fields
from tracker.outlets.outlet import Outlet, OutletContext
from tracker.outlets.places import Places
from tracker.types import Event, Frame, Tell, TrackedFrame

BUFFERED = 60
"""Hundreds of samples that LSL keeps for a receiver that is slow: over three minutes at 30 Hz."""
OWN_CONFIGURATIONS = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")
WARNINGS_ALONE = "[log]\nlevel = -1\n"
DIMENSIONS = {
    "frame": ("Index", "count"),
    "face_id": ("Index", "count"),
    "timestamp": ("Time", "seconds"),
    "valence": ("Affect", "normalized"),
    "arousal": ("Affect", "normalized"),
    "q_": ("Probability", "normalized"),
    "p_": ("Probability", "normalized"),
    "FaceRect": ("Position", "pixels"),
    "pose_": ("Rotation", "radians"),
}
"""Type and unit of the channels whose label begins so."""
QUALITY = ("Quality", "normalized")
"""Of the rest: confidence, success, FaceScore."""


class LslOutlet(Outlet):
    """Streams NAME (NAME-1 to NAME-N for N faces) and NAME-events, from now on; raises UsageError without a name.

    Every frame gives each stream one sample, stamped with the frame's capture: NaN where the place has no face.
    """

    def __init__(self, name: str, context: OutletContext, tell: Tell | None = None) -> None:
        if not name.strip():
            raise UsageError("the LSL streams have no name; expected one, such as affect")
        _calm()
        self._places = Places(context)
        self._values = [values_stream(each, context) for each in stream_names(name, context.faces)]
        self._events = markers_stream(f"{name}-events", context)
        self._ahead = clock_lead()
        self._newest: tuple[float, float] | None = None
        super().__init__(f"lsl {name}", tell)

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        stamp = self._stamp(tracked.frame)
        self._newest = tracked.frame.time, stamp
        numbers = self._places.fields.numbers
        for stream, row in zip(self._values, self._places.rows(tracked), strict=True):
            stream.push_sample([math.nan if row[name] is None else float(row[name]) for name in numbers], stamp)

    def _hand_event(self, event: Event) -> None:
        time, stamp = self._newest or (event.time, pylsl.local_clock())
        self._events.push_sample([event.name], stamp + event.time - time)

    def _release(self) -> None:
        """Streams are taken back when nothing refers to them."""
        del self._values, self._events

    def _stamp(self, frame: Frame) -> float:
        return pylsl.local_clock() if frame.captured is None else frame.captured + self._ahead


def stream_names(name: str, faces: int) -> list[str]:
    """The names of the streams of numbers, one for each place."""
    return [name] if faces == 1 else [f"{name}-{place}" for place in range(1, faces + 1)]


def values_stream(name: str, context: OutletContext) -> pylsl.StreamOutlet:
    """An irregular stream of the columns that are numbers; double, so that frames and times are exact."""
    labels = Fields(context.extras).numbers
    info = pylsl.StreamInfo(name, "Affect", len(labels), pylsl.IRREGULAR_RATE, pylsl.cf_double64, source_id(name))
    channels = describe(info, context).append_child("channels")
    for label in labels:
        channel = channels.append_child("channel")
        for key, value in zip(("label", "type", "unit"), (label, *dimension(label)), strict=True):
            channel.append_child_value(key, value)
    return pylsl.StreamOutlet(info, max_buffered=BUFFERED)


def markers_stream(name: str, context: OutletContext) -> pylsl.StreamOutlet:
    """An irregular stream of texts: the names of the events."""
    info = pylsl.StreamInfo(name, "Markers", 1, pylsl.IRREGULAR_RATE, pylsl.cf_string, source_id(name))
    describe(info, context)
    return pylsl.StreamOutlet(info, max_buffered=BUFFERED)


def describe(info: pylsl.StreamInfo, context: OutletContext) -> XMLElement:
    """Write down in a stream's header what makes it; returns the header's root."""
    root = info.desc()
    made_by = root.append_child("acquisition")
    told = {"manufacturer": "affect-tracker", "model": context.model, "sha256": context.sha256}
    for key, value in {**told, "source": context.source}.items():
        made_by.append_child_value(key, value)
    return root


def source_id(name: str) -> str:
    """The same for every run on this machine, so that a recorder finds a stream again."""
    return f"affect-tracker:{socket.gethostname()}:{name}"


def dimension(label: str) -> tuple[str, str]:
    """Type and unit of a channel."""
    return next((told for start, told in DIMENSIONS.items() if label.startswith(start)), QUALITY)


def clock_lead() -> float:
    """Seconds by which LSL's clock is ahead of time.monotonic(): the tightest of a few readings."""
    return min(_reading() for _ in range(9))[1]


def _reading() -> tuple[float, float]:
    before, lsl, after = time.monotonic(), pylsl.local_clock(), time.monotonic()
    return after - before, lsl - (before + after) / 2


def _calm() -> None:
    """Let LSL say on standard error what goes wrong alone, unless its user configured it; older ones cannot."""
    configured = "LSLAPICFG" in os.environ or any(Path(each).expanduser().exists() for each in OWN_CONFIGURATIONS)
    if not configured:
        with suppress(AttributeError, NotImplementedError):
            pylsl.set_config_content(WARNINGS_ALONE)
