"""Is memory flat: python -m benchmarks.memory. Peak of a run over a clip repeated a few times against many times.

Each run is a fresh process, for a peak never goes down.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import av

from benchmarks.machine import CLIP, machine, machine_lines
from tracker import Engine, open_source, track
from tracker.config import BatchConfig, default_of
from tracker.sinks import SinkContext, open_sink

LIMIT_MB = 5.0
FEW, MANY = 3, 10
SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "video": ".mp4", "plot": ".png"}


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


def peak_mb() -> float:
    """The largest resident memory that this process ever had, megabytes (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def run(uri: str, model: str, outputs: list[str]) -> float:
    """Track a source into the outputs; peak memory of this process in MB."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        source = stack.enter_context(open_source(uri))
        engine = stack.enter_context(Engine(model))
        context = SinkContext(info=source.info, source_uri=uri)
        sinks = [stack.enter_context(open_sink(kind, folder / f"run{SUFFIXES[kind]}", context)) for kind in outputs]
        for tracked in track(source, engine):
            for sink in sinks:
                sink.write(tracked)
    return peak_mb()


def measure(clip: str, times: int, model: str, outputs: list[str]) -> float:
    """`run` over the repeated clip in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / f"{times} times{Path(clip).suffix}"
        write_repeated(clip, times, video)
        choice = ["--source", str(video), "--model", model, "--outputs", *outputs, "--run"]
        command = [sys.executable, "-m", "benchmarks.memory", *choice]
        return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])


def table_of(peaks: dict[int, float]) -> str:
    """A markdown table of the peaks by times repeated, and their difference."""
    few, many = peaks.values()
    rows = [f"| {times} times | {peak:.1f} |" for times, peak in peaks.items()]
    return "\n".join(["| clip repeated | peak MB |", "|---|---:|", *rows, f"| difference | {many - few:+.1f} |"])


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; exit code 1 where the difference is not below LIMIT_MB."""
    options = _parser().parse_args(arguments)
    choice = (options.model, options.outputs)
    if options.run:
        print(run(options.source, *choice))
        return
    peaks, measured_on = {times: measure(options.source, times, *choice) for times in options.repeat}, machine()
    print(machine_lines(measured_on), table_of(peaks), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps({"machine": measured_on, "mb": peaks}, indent=2) + "\n", encoding="utf-8")
    few, many = peaks.values()
    sys.exit(0 if many - few < LIMIT_MB else 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=str(CLIP))
    parser.add_argument("--repeat", type=int, nargs=2, default=(FEW, MANY), metavar=("FEW", "MANY"))
    parser.add_argument("--outputs", nargs="+", default=["csv"], choices=list(SUFFIXES))
    parser.add_argument("--model", default=default_of(BatchConfig, "model"))
    parser.add_argument("--run", action="store_true", help="only track the source, in this process: its peak in MB")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main()
