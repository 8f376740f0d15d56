"""Frames a second of the whole path, and the milliseconds of each stage: python -m benchmarks.throughput.

The first figure is a plain run, as `affect track` does it: decoding, tracking, a CSV. The stages are timed in further
runs, with a clock around each; decoding, which has a thread of its own, is timed alone.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import tracker.engine
from benchmarks.machine import CLIP, machine, machine_lines
from tracker import Engine, TrackerConfig, open_source, track
from tracker.config import BatchConfig, default_of
from tracker.sinks import Sink, SinkContext, open_sink
from tracker.types import Frame

WARM_UP = 30
"""Frames tracked before anything is timed."""
PERCENTILES = (50, 95, 99)
ENCODE = ("encode", "encode: G", "encode: D", "encode: C")
ORDER = (
    "decode",
    "landmarks",
    "associate",
    "align",
    *ENCODE,
    "combine, smooth",
    "pose, quality",
    "csv",
    "all but decode",
)


class Stopwatch:
    """Milliseconds of each stage in each frame; what a stage does several times in a frame is added up."""

    def __init__(self) -> None:
        self.frames: dict[str, list[float]] = defaultdict(list)
        self._frame: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable) -> Callable:
        """The function with a clock around it."""

        def clocked(*args: Any, **kwargs: Any) -> Any:
            with self.clock(stage):
                return function(*args, **kwargs)

        return clocked

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Time what happens within."""
        started = time.perf_counter()
        yield
        self._frame[stage] += 1000 * (time.perf_counter() - started)

    def end_frame(self) -> None:
        """Note the frame's stages and begin the next."""
        for stage, milliseconds in self._frame.items():
            self.frames[stage].append(milliseconds)
        self._frame.clear()


@contextmanager
def opened(uri: str, engine: Engine) -> Iterator[tuple[Iterable[Frame], Sink]]:
    """The source, a CSV in a folder that goes away, and the engine ready for a new stream."""
    engine.reset()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        source = stack.enter_context(open_source(uri))
        context = SinkContext(info=source.info, source_uri=uri)
        yield source, stack.enter_context(open_sink("csv", Path(folder) / "run.csv", context))


def plain_run(uri: str, engine: Engine, limit: int | None = None) -> tuple[int, float]:
    """Track a source, or its first frames, into a CSV: frames, and seconds from opening to the closed file."""
    started, frames = time.perf_counter(), 0
    with opened(uri, engine) as (source, sink):
        for tracked in track(islice(source, limit), engine):
            sink.write(tracked)
            frames += 1
    return frames, time.perf_counter() - started


def timed_run(uri: str, engine: Engine, watch: Stopwatch) -> None:
    """The same run with a clock around each stage."""
    with opened(uri, engine) as (source, sink), clocks(engine, watch):
        for frame in source:
            with watch.clock("all but decode"):
                for tracked in engine.step(frame):
                    with watch.clock("csv"):
                        sink.write(tracked)
            watch.end_frame()


def timed_decoding(uri: str, watch: Stopwatch) -> None:
    """Milliseconds from frame to frame where nothing but decoding happens."""
    with open_source(uri) as source:
        frames = iter(source)
        while True:
            with watch.clock("decode"):
                frame = next(frames, None)
            if frame is None:
                return
            watch.end_frame()


@torch.inference_mode()
def timed_networks(engine: Engine, watch: Stopwatch, count: int = 200) -> None:
    """G, D and C apart, called one by one, by torch; the tracker runs them as one program, which takes less."""
    model = engine.runtime._model
    image = torch.rand(1, model.config.channels, model.config.size, model.config.size) * 2 - 1
    for _ in range(count):
        with watch.clock("encode: G"):
            latent, reconstruction = model.generator(image)
        with watch.clock("encode: D"):
            _, logits = model.discriminator(reconstruction)
        with watch.clock("encode: C"):
            model.combiner(model._zq(latent, logits))
        watch.end_frame()


@contextmanager
def clocks(engine: Engine, watch: Stopwatch) -> Iterator[None]:
    """Clocks around the stages of the engine, taken off again at the end."""
    stages: list[tuple[str, Any, str]] = [
        ("landmarks", engine._landmarker, "detect"),
        ("associate", engine._associator, "update"),
        ("align", tracker.engine, "align"),
        ("encode", engine.runtime, "encode"),
        ("combine, smooth", engine, "_combine"),
        ("combine, smooth", tracker.engine, "_traces"),
        ("pose, quality", tracker.engine, "head_pose"),
        ("pose, quality", tracker.engine, "picture_quality"),
    ]
    with ExitStack() as stack:
        for stage, owner, name in stages:
            stack.enter_context(patch.object(owner, name, watch.timed(stage, getattr(owner, name))))
        yield


def measure(uri: str, engine: Engine, repeat: int) -> dict[str, Any]:
    """Frames, frames a second of each run, and p50, p95 and p99 of each stage in ms."""
    plain_run(uri, engine, WARM_UP)
    runs = [plain_run(uri, engine) for _ in range(repeat)]
    watch = Stopwatch()
    for _ in range(repeat):
        timed_decoding(uri, watch)
        timed_run(uri, engine, watch)
    timed_networks(engine, watch)
    stages = {stage: np.percentile(watch.frames[stage], PERCENTILES).round(3).tolist() for stage in watch.frames}
    return {"frames": runs[0][0], "fps": [round(frames / seconds, 2) for frames, seconds in runs], "stages_ms": stages}


def table_of(found: dict[str, Any]) -> str:
    """Markdown: the frames a second, then a row for each stage; encode is G, D and C as the tracker runs them."""
    head = (
        f"{np.median(found['fps']):.1f} frames a second: median of {len(found['fps'])} runs of {found['frames']} frames"
    )
    order = sorted(found["stages_ms"], key=ORDER.index)
    rows = [f"| {stage} | " + " | ".join(f"{v:.2f}" for v in found["stages_ms"][stage]) + " |" for stage in order]
    columns = " | ".join(f"p{p}" for p in PERCENTILES)
    return "\n".join([head, "", f"| stage, ms a frame | {columns} |", "|---|---:|---:|---:|", *rows])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=str(CLIP))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=default_of(TrackerConfig, "threads"), help="of the networks")
    parser.add_argument("--runtime", choices=["auto", "torch", "onnx"], default=default_of(TrackerConfig, "runtime"))
    parser.add_argument("--model", default=default_of(BatchConfig, "model"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with Engine(options.model, TrackerConfig(threads=options.threads, runtime=options.runtime)) as engine:
        found, card = measure(options.source, engine, options.repeat), engine.runtime.card
        kind = engine.runtime.kind
    found |= {
        "model": card.name,
        "sha256": card.sha256,
        "source": options.source,
        "threads": options.threads,
        "runtime": kind,
    }
    found["machine"] = machine()
    print(machine_lines(found["machine"]), f"model     {card.name} by {kind}\n\n{table_of(found)}", sep="\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
