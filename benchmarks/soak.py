"""Is memory flat over time: a clip in a loop at its own pace, live; resident memory, and what is left after."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.report import Report, markdown
from benchmarks.resident import resident_mb, system_threads, thread_names
from benchmarks.scene import scene
from tracker.config import CaptureOptions, LiveConfig, check_range
from tracker.live import LiveReport, run_live

SETTLED_MIN = 2.0
"""From this minute on memory is to be flat; of a short soak, from its middle on."""
LIMIT_MB = 10.0
INTERVAL_S = 5.0
FIRST_S = 2.0
"""Of the run before the soak, after which the libraries' own threads are there."""
SHOWN_MIN = (0, 1, 2, 3, 5, 10, 15, 20, 25, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600)


@dataclass
class Trace:
    """Resident memory over time."""

    seconds: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)

    def at(self, second: float) -> float:
        """The value noted nearest to that second."""
        return self.mb[int(np.argmin(np.abs(np.array(self.seconds) - second)))]

    def mb_an_hour(self, since: float) -> float:
        """Slope of a straight line through what was noted from that second on; 0 through fewer than three points."""
        seconds, mb = np.array(self.seconds), np.array(self.mb)
        later = seconds >= since
        return 3600 * float(np.polyfit(seconds[later], mb[later], 1)[0]) if later.sum() > 2 else 0.0


@dataclass(frozen=True)
class Soak:
    """One round."""

    trace: Trace
    live: LiveReport
    threads_before: int | None
    """As the system counts them, after the first short run."""
    threads_after: int | None
    left: list[str]
    """Python's threads that are there after the end and were not before."""


def measure(config: BenchConfig, minutes: float) -> Report:
    """Rounds of a soak. Raises AffectError; KeyboardInterrupt where the user ended one."""
    check_range("minutes", minutes, 0.01, 1e5)
    with scene(config) as uri:
        soaks = [soak(uri, config, 60 * minutes) for _ in range(config.repeat)]
    settled = 60 * min(SETTLED_MIN, minutes / 2)
    rounds = [{f"at {settled:g} s, MB": s.trace.at(settled), "at the end, MB": s.trace.mb[-1]} for s in soaks]
    text = "\n\n".join(f"{trace_table(each.trace)}\n\n{told(each, settled)}" for each in soaks)
    found = {"soaks": [facts(each) for each in soaks]}
    return Report("memory", config.settings() | {"minutes": minutes}, rounds, text, found=found)


def soak(uri: str, config: BenchConfig, seconds: float) -> Soak:
    """One round, after a short run that does not count."""
    _run(uri, config, FIRST_S)
    before, names = system_threads(), thread_names()
    with sampled(min(INTERVAL_S, seconds / 20)) as trace:
        report = _run(uri, config, seconds)
    gc.collect()
    left = [name for name in thread_names() if name not in names]
    return Soak(trace, report, before, system_threads(), left)


def _run(uri: str, config: BenchConfig, seconds: float) -> LiveReport:
    capture, started = CaptureOptions(loop=True), time.monotonic()
    live = LiveConfig(config.model, headless=True, duration=seconds, capture=capture, tracker=config.tracker)
    report = run_live(uri, live)
    if report.error:
        raise report.error
    if time.monotonic() - started < seconds:
        raise KeyboardInterrupt
    return report


@contextmanager
def sampled(interval_s: float) -> Iterator[Trace]:
    """Notes the resident memory every so often while it is entered."""
    trace, over, started = Trace(), Event(), time.monotonic()

    def watch() -> None:
        while not over.wait(interval_s):
            trace.seconds.append(time.monotonic() - started)
            trace.mb.append(resident_mb())

    thread = Thread(target=watch, name="resident memory", daemon=True)
    thread.start()
    try:
        yield trace
    finally:
        over.set()
        thread.join()


def trace_table(trace: Trace) -> str:
    """Resident memory at some minutes, and at the end."""
    end = trace.seconds[-1]
    marks = [minute for minute in SHOWN_MIN if 60 * minute < end]
    rows = [[str(minute), f"{trace.at(60 * minute):.1f}"] for minute in marks]
    return markdown(["minute", "resident MB"], [*rows, [f"{end / 60:.1f} (end)", f"{trace.mb[-1]:.1f}"]])


def told(soak: Soak, settled: float) -> str:
    """The difference that counts, what is left, and how the run went."""
    trace, live = soak.trace, soak.live
    more = trace.mb[-1] - trace.at(settled)
    left = ", ".join(soak.left) or "none"
    return (
        f"From {settled:g} s to the end: {more:+.1f} MB (at most {LIMIT_MB:g} is wanted), "
        f"{trace.mb_an_hour(settled):+.1f} MB an hour; most {max(trace.mb):.1f} MB. "
        f"Threads left after the end: {left}; the system counts {soak.threads_after}, {soak.threads_before} before. "
        f"{live.frames} frames, {live.dropped} dropped, p95 {live.speed.p95_ms:.1f} ms."
    )


def facts(soak: Soak) -> dict[str, object]:
    """A round for the file."""
    threads = {"before": soak.threads_before, "after": soak.threads_after, "left": soak.left}
    live = {"frames": soak.live.frames, "dropped": soak.live.dropped, "p95_ms": soak.live.speed.p95_ms}
    return {"seconds": soak.trace.seconds, "mb": soak.trace.mb, "threads": threads, "live": live}
