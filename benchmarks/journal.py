"""Where each frame of a live run spends its time, from capture to sample."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from benchmarks.stopwatch import Stages, Stopwatch, clocks
from tracker.engine import Engine
from tracker.live.meter import Meter
from tracker.sources.live import LiveSource
from tracker.types import Frame, TrackedFrame

WAIT_FIND, WAIT_MEASURE = "wait for the thread that finds", "wait for the thread that measures"
ORDER = (
    WAIT_FIND,
    "landmarks",
    "associate",
    WAIT_MEASURE,
    "align",
    "pose, quality",
    "encode",
    "combine, smooth",
    "landmark code",
    "rest",
)
"""What a frame's latency is made of."""


@dataclass
class Passage:
    """One frame on its way; times are time.monotonic(), seconds."""

    captured: float
    found: float = 0.0
    """When its faces were."""
    noted: float = 0.0
    """When its samples were there; 0 where they never were."""
    faces: int = 0
    stages: Stages = field(default_factory=dict)
    """Milliseconds of ORDER but for the rest."""

    @property
    def total_ms(self) -> float:
        """From capture to sample."""
        return 1000 * (self.noted - self.captured)

    def stage_ms(self, name: str) -> float:
        """Milliseconds of a stage; 0 where the frame had none of it."""
        return self.total_ms - sum(self.stages.values()) if name == "rest" else self.stages.get(name, 0.0)


class Journal:
    """Notes the passage of every frame of a live run that goes on while it is kept()."""

    def __init__(self) -> None:
        self.offered: list[float] = []
        """When each frame was captured, the dropped ones too."""
        self._passages: dict[float, Passage] = {}
        self._watch = Stopwatch()

    @property
    def passages(self) -> list[Passage]:
        """Of the frames whose samples came, in their order."""
        return [passage for passage in self._passages.values() if passage.noted]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Clocks in the code that users run: the capture, the engine's two halves and its stages, the meter."""
        places: list[tuple[Any, str, Callable]] = [
            (LiveSource, "_put", self._heard_put(LiveSource._put)),
            (Engine, "find", self._heard_find(Engine.find)),
            (Engine, "measure", self._heard_measure(Engine.measure)),
            (Meter, "note", self._heard_note(Meter.note)),
        ]
        with ExitStack() as stack:
            stack.enter_context(clocks(self._watch))
            for owner, name, heard in places:
                stack.enter_context(patch.object(owner, name, heard))
            yield

    def _heard_put(self, put: Callable) -> Callable:
        def heard(source: LiveSource, frame: Frame) -> None:
            self.offered.append(_captured(frame))
            put(source, frame)

        return heard

    def _heard_find(self, find: Callable) -> Callable:
        def heard(engine: Engine, frame: Frame) -> Any:
            begun, passage = time.monotonic(), Passage(_captured(frame))
            self._watch.take()
            found = find(engine, frame)
            passage.stages |= {WAIT_FIND: 1000 * (begun - passage.captured), **self._watch.take()}
            self._passages[passage.captured] = passage
            passage.found = time.monotonic()
            return found

        return heard

    def _heard_measure(self, measure: Callable) -> Callable:
        def heard(engine: Engine, found: Any) -> TrackedFrame:
            begun, passage = time.monotonic(), self._passages[_captured(found.frame)]
            self._watch.take()
            tracked = measure(engine, found)
            passage.stages |= {WAIT_MEASURE: 1000 * (begun - passage.found), **self._watch.take()}
            passage.faces = len(tracked.faces)
            return tracked

        return heard

    def _heard_note(self, note: Callable) -> Callable:
        def heard(meter: Meter, captured: float | None, now: float | None = None) -> None:
            now = time.monotonic() if now is None else now
            if captured is not None:
                self._passages[captured].noted = now
            note(meter, captured, now)

        return heard


def _captured(frame: Frame) -> float:
    assert frame.captured is not None, "a live source says when it captured"
    return frame.captured
