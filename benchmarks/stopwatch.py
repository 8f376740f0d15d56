"""Clocks around the stages of the engine."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any
from unittest.mock import patch

import tracker.engine
from tracker.engine import Engine
from tracker.faces.association import FaceAssociator
from tracker.faces.landmarks import FaceLandmarker
from tracker.landmark_codes import LandmarkCodes

STAGES: tuple[tuple[str, Any, str], ...] = (
    ("landmarks", FaceLandmarker, "detect"),
    ("associate", FaceAssociator, "update"),
    ("align", tracker.engine, "align"),
    ("pose, quality", tracker.engine, "head_pose"),
    ("pose, quality", tracker.engine, "picture_quality"),
    ("encode", Engine, "_encode"),
    ("combine, smooth", Engine, "_combine"),
    ("combine, smooth", tracker.engine, "_traces"),
    ("landmark code", LandmarkCodes, "read"),
)
"""The name of each stage, and where the function stands that does it."""
NAMES = tuple(dict.fromkeys(name for name, _, _ in STAGES))
COST_CALLS = 20_000

Stages = dict[str, float]
"""Milliseconds by the name of the stage."""


class Stopwatch:
    """Milliseconds of each stage, by the thread that did it; what a stage does several times is added up."""

    def __init__(self) -> None:
        self._spent: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))

    def timed(self, stage: str, function: Callable) -> Callable:
        """The function with a clock around it."""

        def clocked(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            answer = function(*args, **kwargs)
            self._spent[get_ident()][stage] += 1000 * (time.perf_counter() - started)
            return answer

        return clocked

    def take(self) -> Stages:
        """What this thread has spent since it last asked."""
        return dict(self._spent.pop(get_ident(), {}))


@contextmanager
def clocks(watch: Stopwatch) -> Iterator[None]:
    """Clocks around STAGES of every engine, taken off again at the end."""
    with ExitStack() as stack:
        for stage, owner, name in STAGES:
            stack.enter_context(patch.object(owner, name, watch.timed(stage, getattr(owner, name))))
        yield


def clock_cost_us() -> float:
    """Microseconds that one clock adds to the call it is around."""
    clocked, plain = Stopwatch().timed("nothing", _nothing), _nothing
    with_clock, without = _seconds_of(clocked), _seconds_of(plain)
    return 1e6 * max(0.0, with_clock - without) / COST_CALLS


def _seconds_of(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    for _ in range(COST_CALLS):
        function()
    return time.perf_counter() - started


def _nothing() -> None:
    """What a clock is put around to find its own cost."""
