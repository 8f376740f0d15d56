"""Capture to sample of a live run at a given rate, by the code that `affect live` runs; and the lag added behind."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.journal import ORDER, Journal, Passage
from benchmarks.lag import Lags, step_lags
from benchmarks.report import PERCENTILES, Report, Round, gone_through, markdown, medians, percentile_rows
from benchmarks.scene import rate_of, scene
from benchmarks.stopwatch import STAGES, clock_cost_us
from tracker.config import CaptureOptions, LiveConfig, check_range
from tracker.live import run_live

TOTAL = "capture to sample"
DROPPED = "dropped, %"


@dataclass(frozen=True)
class Pace:
    """How a clip is played."""

    fps: float = 30.0
    """Frames a second: the clip's pace is scaled to it."""
    seconds: float = 60.0
    """Of each round, after its warm-up."""
    warm_up: float = 2.0
    """Seconds at the beginning of each round that do not count."""

    def __post_init__(self) -> None:
        check_range("fps", self.fps, 1.0, 1000.0)
        check_range("seconds", self.seconds, 0.5, 1e6)
        check_range("warm-up (seconds)", self.warm_up, 0.0, 3600.0)


@dataclass(frozen=True)
class Run:
    """One round."""

    passages: list[Passage]
    """Of the frames after the warm-up."""
    cut: int
    """Frames that were tracked before."""
    dropped: int
    """Of those captured after the warm-up."""
    dropped_at_all: int

    @property
    def dropped_percent(self) -> float:
        """Of the frames captured after the warm-up."""
        return 100 * self.dropped / (self.dropped + len(self.passages))

    def times(self) -> dict[str, list[float]]:
        """Milliseconds of each frame: from capture to sample, then of what that is made of."""
        parts = {name: [passage.stage_ms(name) for passage in self.passages] for name in ORDER}
        return {TOTAL: [passage.total_ms for passage in self.passages], **parts}

    def figures(self) -> Round:
        """The percentiles of the whole, the medians of its parts, what was dropped."""
        times = self.times()
        total = times.pop(TOTAL)
        whole = {f"{TOTAL}, p{p} ms": float(np.percentile(total, p)) for p in PERCENTILES}
        parts = {f"{name}, p50 ms": float(np.median(each)) for name, each in times.items()}
        return {**whole, **parts, DROPPED: self.dropped_percent}


def measure(config: BenchConfig, pace: Pace) -> Report:
    """Rounds of a live run, and the lags. Raises AffectError; KeyboardInterrupt where the user ended a round."""
    with scene(config) as uri:
        rate_hz = rate_of(uri)
        lags = step_lags(uri, config, pace.fps)
        runs = [live_run(uri, live_config(config, pace, rate_hz), pace) for _ in range(config.repeat)]
    rounds = gone_through([run.figures() for run in runs])
    middle = medians(rounds)[f"{TOTAL}, p50 ms"]
    text = "\n\n".join([latency_table(runs), told(runs, pace), lag_table(lags, pace, middle)])
    found = {"lag": vars(lags), "runs": [facts(run) for run in runs]}
    return Report("latency", config.settings() | vars(pace), rounds, text, found=found)


def live_config(config: BenchConfig, pace: Pace, rate_hz: float) -> LiveConfig:
    """`affect live CLIP --loop --headless` at the pace."""
    return LiveConfig(
        model=config.model,
        headless=True,
        duration=pace.warm_up + pace.seconds,
        capture=CaptureOptions(pace=pace.fps / rate_hz, loop=True),
        tracker=config.tracker,
    )


def live_run(uri: str, config: LiveConfig, pace: Pace) -> Run:
    """One round."""
    journal = Journal()
    with journal.kept():
        report = run_live(uri, config)
    if report.error:
        raise report.error
    passages = journal.passages
    if not passages or time.monotonic() - passages[0].noted < pace.warm_up + pace.seconds:
        raise KeyboardInterrupt
    return cut(passages, journal.offered, pace.warm_up, report.dropped)


def cut(passages: list[Passage], offered: list[float], warm_up: float, dropped_at_all: int) -> Run:
    """The round without what was captured in the seconds of warm-up after the first sample."""
    since = passages[0].noted + warm_up
    counted = [passage for passage in passages if passage.captured >= since]
    last = counted[-1].captured if counted else since
    captured = sum(since <= moment <= last for moment in offered)
    return Run(counted, len(passages) - len(counted), captured - len(counted), dropped_at_all)


def facts(run: Run) -> dict[str, Any]:
    """A round for the file: the latency of every frame, and what the table is made of."""
    stages = {name: np.percentile(each, PERCENTILES).round(3).tolist() for name, each in run.times().items()}
    latencies = np.round([passage.total_ms for passage in run.passages], 3).tolist()
    counts = {"cut": run.cut, "dropped": run.dropped, "dropped_at_all": run.dropped_at_all}
    return {**counts, "percentiles": PERCENTILES, "stages_ms": stages, "latencies_ms": latencies}


def latency_table(runs: list[Run]) -> str:
    """p50, p95 and p99 over the frames of all rounds."""
    all_times: dict[str, list[float]] = {}
    for run in runs:
        for name, each in run.times().items():
            all_times.setdefault(name, []).extend(each)
    return markdown(["ms a frame", *(f"p{p}" for p in PERCENTILES)], percentile_rows(all_times))


def told(runs: list[Run], pace: Pace) -> str:
    """What was counted, cut and dropped, and what the clocks cost."""
    passages = [passage for run in runs for passage in run.passages]
    dropped, cut = (sum(getattr(run, name) for run in runs) for name in ("dropped", "cut"))
    captured = dropped + len(passages)
    faces = np.mean([passage.faces for passage in passages])
    return (
        f"{len(passages)} frames at {pace.fps:g} a second, {faces:.2f} faces each, in {len(runs)} rounds; "
        f"{dropped} of {captured} dropped ({100 * dropped / captured:.2f} %). "
        f"Warm-up: the first {pace.warm_up:g} s of each round are cut ({cut} frames). "
        f"The parts of one frame add up to its latency, their percentiles do not. "
        f"Clocks: about {len(STAGES) + 4} a frame, {clock_cost_us():.1f} µs each."
    )


def lag_table(lags: Lags, pace: Pace, latency_ms: float) -> str:
    """What the answer's own delay adds to the path's."""
    whole = None if lags.both_ms is None else latency_ms + lags.both_ms
    rows = {
        "window of the model": lags.window_ms,
        "smoothing, a small step (0.2)": lags.smoothing_ms,
        "window and smoothing, from the clip's lowest valence to its highest": lags.both_ms,
        f"the same and {TOTAL} (p50)": whole,
    }
    cells = [[name, "-" if value is None else f"{value:.0f}"] for name, value in rows.items()]
    return markdown([f"lag at {pace.fps:g} frames a second: until half of a step is in the answer", "ms"], cells)
