"""What the tests of the outlets share: a context, frames for it, and a sender whose time is taken."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tracked import sample_at, tracked

from tracker.outlets import Outlet, OutletContext
from tracker.types import TrackedFrame

CONTEXT = OutletContext("rtsp://camera.local/live", "model-S-8", "ab" * 32)
PATIENCE_S = 15.0
"""How long the tests wait for what should come at once: a busy machine may be late."""


def frame_at(index: int, faces: int = 1) -> TrackedFrame:
    """A frame at 25 Hz with so many faces, captured just now."""
    samples = [replace(sample_at(index / 25, each), valence_rel=0.25, arousal_rel=-0.5) for each in range(faces)]
    frame = tracked(index, samples=samples, boxes=[(10, 12, 30.5, 36.25)] * faces)
    return replace(frame, frame=replace(frame.frame, captured=time.monotonic()))


def until(true: Callable[[], object]) -> None:
    """Wait for something; fails the test where it does not come."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def sending_time(outlet: Outlet, count: int, faces: int = 1) -> float:
    """Seconds that so many calls of send() take in all."""
    frames = [frame_at(index, faces) for index in range(count)]
    start = time.perf_counter()
    for frame in frames:
        outlet.send(frame)
    return time.perf_counter() - start


@contextmanager
def closed_soon(outlet: Outlet) -> Iterator[Outlet]:
    """Close the outlet at the end, and see that this takes about a second at most."""
    yield outlet
    start = time.monotonic()
    outlet.close()
    assert time.monotonic() - start < 3.0
