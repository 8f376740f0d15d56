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
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import CLIP, machine, machine_lines
from tracker import Engine, open_source, track
from tracker.config import BatchConfig, default_of
from tracker.sinks import SinkContext, open_sink
from tracker.types import Frame

LIMIT_MB = 5.0
FEW, MANY = 3, 10
GAP_S = 0.04
"""From the last frame of one repetition to the first of the next."""
SUFFIXES = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "video": ".mp4", "plot": ".png"}


def repeated(uri: str, times: int) -> Iterator[Frame]:
    """The source's frames again and again, as one stream: time and index go on."""
    start, index = 0.0, 0
    for _ in range(times):
        with open_source(uri) as source:
            for frame in source:
                time = start + frame.time
                yield replace(frame, time=time, index=index)
                index += 1
        start = time + GAP_S


def peak_mb() -> float:
    """The largest resident memory that this process ever had, megabytes (10^6 bytes)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def run(uri: str, times: int, model: str, outputs: list[str]) -> float:
    """Track the repeated source into the outputs; peak memory of this process in MB."""
    with open_source(uri) as source:
        context = SinkContext(info=source.info, source_uri=uri)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine = stack.enter_context(Engine(model))
        sinks = [stack.enter_context(open_sink(kind, folder / f"run{SUFFIXES[kind]}", context)) for kind in outputs]
        for tracked in track(repeated(uri, times), engine):
            for sink in sinks:
                sink.write(tracked)
    return peak_mb()


def measure(uri: str, times: int, model: str, outputs: list[str]) -> float:
    """`run` in a fresh process."""
    choice = ["--source", uri, "--model", model, "--outputs", *outputs, "--run", str(times)]
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
        print(run(options.source, options.run, *choice))
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
    parser.add_argument("--run", type=int, help="only run, in this process, so many times, and print the peak in MB")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main()
