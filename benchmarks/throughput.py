"""Frames a second of a file, as `affect track` works; the stages one after another beside it, and what each takes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.report import PERCENTILES, Report, Round, gone_through, markdown, percentile_rows
from benchmarks.scene import scene
from benchmarks.stopwatch import NAMES, STAGES, Stages, Stopwatch, clock_cost_us, clocks
from tracker.config import SourceOptions
from tracker.engine import Engine, track
from tracker.errors import SourceError
from tracker.sinks import Sink, SinkContext, open_sink
from tracker.sources import open_reader, open_source
from tracker.types import SourceInfo

WARM_UP = 30
"""Frames tracked before anything is timed."""
ORDER = ("decode", *NAMES, "csv", "rest")
WHOLE, ADDED = "whole, one after another", "all that is added to the landmarks"
PLAIN, SERIAL, GAIN = "overlapped, frames/s", "one after another, frames/s", "overlapped / one after another"
SHARE = "added / landmarks"


class Plain(NamedTuple):
    """The source as users track it."""

    frames: int
    seconds: float


class Serial(NamedTuple):
    """The source in one thread."""

    seconds: float
    faces: int
    """Sum over the frames."""
    stages: list[Stages]
    """Of each frame, ORDER but for the rest, and WHOLE."""


@dataclass(frozen=True)
class Pass:
    """One round."""

    plain: Plain
    serial: Serial

    def times(self) -> dict[str, list[float]]:
        """Milliseconds of each frame by the stage."""
        parts = {name: [each.get(name, 0.0) for each in self.serial.stages] for name in (*ORDER[:-1], WHOLE)}
        whole = parts.pop(WHOLE)
        parts["rest"] = (np.array(whole) - np.sum(list(parts.values()), axis=0)).tolist()
        return {**parts, WHOLE: whole, ADDED: (np.array(whole) - parts["landmarks"]).tolist()}

    def figures(self) -> Round:
        """Rates, ratios, and the medians of the stages."""
        times, frames = self.times(), self.plain.frames
        plain, serial = frames / self.plain.seconds, frames / self.serial.seconds
        share = sum(times[ADDED]) / sum(times["landmarks"])
        rates = {PLAIN: plain, SERIAL: serial, GAIN: plain / serial, SHARE: share}
        return rates | {f"{name}, p50 ms": float(np.median(each)) for name, each in times.items()}


def measure(config: BenchConfig) -> Report:
    """Rounds, each of both ways, whose order changes from round to round. Raises AffectError."""
    with scene(config) as uri, Engine(config.model, config.tracker) as engine:
        plain_run(uri, engine, WARM_UP)
        passes = [one_pass(uri, engine, plain_first=round % 2 == 0) for round in range(config.repeat)]
        times = all_times(passes) | _network_times(config.model)
        settings = config.settings() | {"sha256": engine.runtime.card.sha256[:12], "runs by": engine.runtime.kind}
    rounds = gone_through([each.figures() for each in passes])
    stages = markdown(["ms a frame", *(f"p{p}" for p in PERCENTILES)], percentile_rows(times))
    text = "\n\n".join([rate_table(rounds), told(passes), stages])
    found = {"frames": passes[0].plain.frames, "percentiles": PERCENTILES, "stages_ms": percentiles_of(times)}
    return Report("throughput", settings, rounds, text, more_is_better=(PLAIN, SERIAL, GAIN), found=found)


def _network_times(model: str) -> dict[str, list[float]]:
    """Those of the parts by torch; none without it."""
    if find_spec("torch") is None:
        return {}
    from benchmarks.networks import network_times

    return network_times(model)


def one_pass(uri: str, engine: Engine, plain_first: bool) -> Pass:
    """A round in one of the two orders."""
    if plain_first:
        return Pass(plain_run(uri, engine), serial_run(uri, engine))
    serial = serial_run(uri, engine)
    return Pass(plain_run(uri, engine), serial)


def plain_run(uri: str, engine: Engine, limit: int | None = None) -> Plain:
    """Track a source, or its first frames, into a CSV: frames, and seconds from opening to the closed file."""
    engine.reset()
    started, frames = time.perf_counter(), 0
    with open_source(uri) as source, table(source.info) as sink:
        for tracked in track(islice(source, limit), engine):
            sink.write(tracked)
            frames += 1
    if not frames:
        raise SourceError(f"{uri} gave no frame; there is nothing to measure")
    return Plain(frames, time.perf_counter() - started)


def serial_run(uri: str, engine: Engine) -> Serial:
    """The same in one thread, with a clock around each stage."""
    engine.reset()
    watch, stages, faces, started = Stopwatch(), [], 0, time.perf_counter()
    with one_thread(uri) as (frames, info), table(info) as sink, clocks(watch):
        decode, write = watch.timed("decode", lambda: next(frames, None)), watch.timed("csv", sink.write)
        step = watch.timed(WHOLE, lambda: _step(engine, decode, write))
        while (found := step()) is not None:
            faces += found
            stages.append(watch.take())
    return Serial(time.perf_counter() - started, faces, stages)


def _step(engine: Engine, decode: Callable, write: Callable) -> int | None:
    """One frame from the decoder to the table: its faces; None after the last."""
    frame = decode()
    if frame is None:
        return None
    (tracked,) = engine.step(frame)
    write(tracked)
    return len(tracked.faces)


@contextmanager
def one_thread(uri: str) -> Iterator[tuple[Iterator, SourceInfo]]:
    """The frames of a source decoded where they are asked for, by one thread of FFmpeg."""
    reader = open_reader(uri, SourceOptions(threads=1))
    try:
        yield iter(reader.frames()), reader.info
    finally:
        reader.close()


@contextmanager
def table(info: SourceInfo) -> Iterator[Sink]:
    """A CSV in a folder that goes away."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory())
        yield stack.enter_context(open_sink("csv", Path(folder) / "run.csv", SinkContext(info, info.uri)))


def percentiles_of(times: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """p50, p95 and p99 of each stage."""
    return {name: np.percentile(each, PERCENTILES).round(3).tolist() for name, each in times.items()}


def all_times(passes: Sequence[Pass]) -> dict[str, list[float]]:
    """Milliseconds of each frame of all rounds by the stage."""
    every = [each.times() for each in passes]
    return {name: [ms for times in every for ms in times[name]] for name in every[0]}


def rate_table(rounds: Sequence[Round]) -> str:
    """The rates and ratios: median, least and most of the rounds."""
    every = {name: [each[name] for each in rounds] for name in (PLAIN, SERIAL, GAIN, SHARE)}
    rows = [[name, *(f"{v:.2f}" for v in (np.median(v), min(v), max(v)))] for name, v in every.items()]
    return markdown(["rate", "median", "least", "most"], rows)


def told(passes: Sequence[Pass]) -> str:
    """What was counted, and what the words mean."""
    frames, faces = passes[0].plain.frames, passes[0].serial.faces
    return (
        f"{len(passes)} rounds of {frames} frames, {faces / frames:.2f} faces each; each round is the source as "
        f"`affect track` reads it into a CSV, and the same in one thread with clocks around the stages, in turn. "
        f"{SHARE}: everything but the landmarks over the landmarks, sums over a round. Warm-up: {WARM_UP} frames. "
        f"Clocks: about {len(STAGES) + 3} a frame, {clock_cost_us():.1f} µs each."
    )
