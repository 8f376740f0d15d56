"""Is memory flat over the length of a file: peak of a run over a clip repeated a few times against many times.

Each run is a fresh process, for a peak never goes down.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.report import Report, Round, markdown, medians
from benchmarks.resident import peak_mb
from benchmarks.scene import scene
from tracker.config import TrackerConfig
from tracker.engine import Engine, track
from tracker.sinks import SinkContext, open_sink
from tracker.sources import open_source

LIMIT_MB = 5.0
"""Many repetitions may need this much more than a few."""
SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "video": ".mp4", "plot": ".png"}
RUN = "import json, sys; from benchmarks.memory import run; print(run(**json.loads(sys.argv[1])))"


def measure(config: BenchConfig, clips: tuple[int, int], outputs: Sequence[str]) -> Report:
    """Rounds of a run over the clip repeated so many times and one over so many more. Raises AffectError."""
    with scene(config) as uri:
        few, many = ([peak_of(uri, times, config, outputs) for _ in range(config.repeat)] for times in clips)
    rounds = [dict(zip(map(_name, clips), pair, strict=True)) for pair in zip(few, many, strict=True)]
    text = f"{peak_table(rounds)}\n\nMore may be {LIMIT_MB:g} MB; into {', '.join(outputs)}, each run a fresh process."
    settings = config.settings() | {"clips": clips, "outputs": outputs}
    return Report("memory over clips", settings, rounds, text)


def peak_of(clip: str, times: int, config: BenchConfig, outputs: Sequence[str]) -> float:
    """`run` over the repeated clip in a fresh process: megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / f"{times} times{Path(clip).suffix}"
        write_repeated(clip, times, video)
        choice = {"uri": str(video), "model": config.model, "outputs": outputs, "tracker": config.choice()}
        command = [sys.executable, "-c", RUN, json.dumps(choice)]
        return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def run(uri: str, model: str, outputs: Sequence[str], tracker: dict[str, Any] | None = None) -> float:
    """Track a source into the outputs; peak memory of this process in MB."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = stack.enter_context(open_source(uri))
        engine = stack.enter_context(Engine(model, TrackerConfig(**tracker or {})))
        context = SinkContext(info=source.info, source_uri=uri)
        sinks = [stack.enter_context(open_sink(kind, folder / f"run{SUFFIXES[kind]}", context)) for kind in outputs]
        for tracked in track(source, engine):
            for sink in sinks:
                sink.write(tracked)
    return peak_mb()


def write_repeated(clip: str, times: int, path: Path) -> None:
    """Write the clip's video stream `times` times, one after another, as one video; packets are copied."""
    shift = 0
    with av.open(clip) as first, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(first.streams.video[0])
        for _ in range(times):
            end = shift
            for packet in packets_of(clip):
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                end = max(end, packet.pts + packet.duration)
                packet.stream = stream
                output.mux(packet)
            shift = end


def packets_of(clip: str) -> Iterator[Any]:
    """The packets of the clip's first video stream."""
    with av.open(clip) as container:
        yield from (packet for packet in container.demux(container.streams.video[0]) if packet.dts is not None)


def peak_table(rounds: Sequence[Round]) -> str:
    """Medians of the peaks, and of their difference."""
    few, many = rounds[0]
    more = float(np.median([each[many] - each[few] for each in rounds]))
    rows = [[name, f"{value:.1f}"] for name, value in medians(rounds).items()]
    return markdown(["peak of resident memory", "MB"], [*rows, ["difference", f"{more:+.1f}"]])


def _name(times: int) -> str:
    return f"clip {times} times, MB"
