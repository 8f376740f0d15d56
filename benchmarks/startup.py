"""How long until the tracker answers, from the start of a fresh process."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

from benchmarks.config import BenchConfig
from benchmarks.report import Report, Round, markdown
from benchmarks.scene import scene
from tracker.errors import AffectError

IMPORT = "import tracker; from tracker import Engine, open_source, track; print('import', flush=True)"
RUN = """
import json, sys
from tracker import Engine, TrackerConfig, open_source, track

def told(frames):
    for frame in frames:
        if frame.index == 0:
            print("first frame", flush=True)
        yield frame

uri, model, choice = sys.argv[1:]
with open_source(uri) as source, Engine(model, TrackerConfig(**json.loads(choice))) as engine:
    for tracked in track(told(source), engine):
        if tracked.samples:
            print("first sample", flush=True)
            break
"""
PART = ["--no-csv", "--jsonl", "-"]
TRACK_S, LIVE_S = "0.3", "0.3"
"""Seconds that the two commands go on."""


def measure(config: BenchConfig) -> Report:
    """Rounds of every start, after one that fills the disk's and numba's caches. Raises AffectError."""
    with scene(config) as uri:
        one_round(uri, config)
        rounds = [one_round(uri, config) for _ in range(config.repeat)]
    text = f"{start_table(rounds)}\n\n{len(rounds)} rounds on a warm disk, after one that does not count."
    return Report("startup", config.settings(), rounds, text)


def one_round(uri: str, config: BenchConfig) -> Round:
    """Milliseconds from the start of each process."""
    choice = config.choice()
    python = events_of(["-c", RUN, uri, config.model, json.dumps(choice)])
    affect = ["-m", "tracker.cli"]
    return {
        "affect --help: end, ms": events_of([*affect, "--help"])["end"],
        "Python: import, ms": events_of(["-c", IMPORT])["import"],
        "Python: first frame, ms": python["first frame"],
        "Python: first sample, ms": python["first sample"],
        "affect track: first sample, ms": first_sample([*affect, *track_command(uri, config.model, choice)]),
        "affect live: first sample, ms": first_sample([*affect, *live_command(uri, config.model, choice)]),
    }


def track_command(uri: str, model: str, choice: dict[str, Any]) -> list[str]:
    """`affect track` of the first frames into JSON lines on standard output."""
    return ["track", uri, *PART, "--end", TRACK_S, *_options(model, choice)]


def live_command(uri: str, model: str, choice: dict[str, Any]) -> list[str]:
    """`affect live` likewise."""
    return ["live", uri, *PART, "--headless", "--duration", LIVE_S, *_options(model, choice)]


def events_of(arguments: Sequence[str]) -> dict[str, float]:
    """Milliseconds from the start of a fresh Python with these arguments to each line it prints, and to its end."""
    started, events = time.perf_counter(), dict[str, float]()
    with TemporaryFile("w+") as said, _started(arguments, said) as process:
        for line in process.stdout or ():
            events.setdefault(line.strip(), 1000 * (time.perf_counter() - started))
        if process.wait() != 0:
            said.seek(0)
            how = f"{process.returncode}: {said.read()[-300:]}"
            raise AffectError(f"{' '.join(arguments)[:60]} ended with exit code {how}")
    return events | {"end": 1000 * (time.perf_counter() - started)}


def _started(arguments: Sequence[str], said: IO[str]) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=said, text=True)


def first_sample(arguments: Sequence[str]) -> float:
    """Milliseconds to the first line on standard output that tells of a face."""
    for line, passed in events_of(arguments).items():
        if '"success":1' in line:
            return passed
    raise AffectError(f"{' '.join(arguments)[:60]} told of no face; give a --source that begins with one")


def start_table(rounds: Sequence[Round]) -> str:
    """Median, smallest and largest of each start."""
    columns = {name: [each[name] for each in rounds] for name in rounds[0]}
    rows = [[name, *(f"{value:.0f}" for value in (np.median(v), min(v), max(v)))] for name, v in columns.items()]
    return markdown(["from the start of the process until", "median", "least", "most"], rows)


def _options(model: str, choice: dict[str, Any]) -> list[str]:
    length = choice["sequence_length"]
    window = [] if length is None else ["--sequence-length", str(length)]
    return ["--model", model, *window, "--runtime", choice["runtime"], "--faces", str(choice["faces"])]
