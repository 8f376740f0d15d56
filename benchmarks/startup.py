"""How long until the tracker answers: python -m benchmarks.startup. Median of several fresh processes, milliseconds."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import CLIP, machine, machine_lines
from tracker.config import BatchConfig, default_of

IMPORT = "import tracker; from tracker import Engine, open_source, track; print('import', flush=True)"
RUN = """
import sys
from tracker import Engine, open_source, track

def told(frames):
    for frame in frames:
        if frame.index == 0:
            print("first frame", flush=True)
        yield frame

with open_source(sys.argv[1]) as source, Engine(sys.argv[2]) as engine:
    for tracked in track(told(source), engine):
        if tracked.samples:
            print("first sample", flush=True)
            break
"""


def events_of(arguments: list[str]) -> dict[str, float]:
    """Milliseconds from the start of a fresh Python with these arguments to each line it prints, and to its end."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        events = {line.strip(): 1000 * (time.perf_counter() - started) for line in process.stdout or ()}
        if process.wait() != 0:
            raise SystemExit(f"{' '.join(arguments)[:60]} ended with exit code {process.returncode}")
    return events | {"end": 1000 * (time.perf_counter() - started)}


def measure(source: str, model: str, repeat: int) -> dict[str, list[float]]:
    """Milliseconds of every run of `affect --help`, the import, the first frame and the first sample of source."""
    found: dict[str, list[float]] = {"affect --help": [], "import": [], "first frame": [], "first sample": []}
    for _ in range(repeat):
        found["affect --help"].append(events_of(["-m", "tracker.cli", "--help"])["end"])
        found["import"].append(events_of(["-c", IMPORT])["import"])
        events = events_of(["-c", RUN, source, model])
        for name in ("first frame", "first sample"):
            found[name].append(events[name])
    return found


def table_of(found: dict[str, list[float]]) -> str:
    """A markdown table: median, smallest and largest."""
    rows = [f"| {name} | {statistics.median(v):.0f} | {min(v):.0f} | {max(v):.0f} |" for name, v in found.items()]
    return "\n".join(["| until | median ms | least | most |", "|---|---:|---:|---:|", *rows])


def main(arguments: list[str] | None = None) -> None:
    """Measure, after one round that fills the disk's and numba's caches, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default=str(CLIP))
    parser.add_argument("--model", default=default_of(BatchConfig, "model"))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    measure(options.source, options.model, 1)
    found, measured_on = measure(options.source, options.model, options.repeat), machine()
    print(machine_lines(measured_on), table_of(found), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps({"machine": measured_on, "ms": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
