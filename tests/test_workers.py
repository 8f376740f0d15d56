"""Processes that share the sources of a run, and what happens where they die."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from tests.processes import rest_of
from tracker.interrupt import Interrupt
from tracker.outputs import Job
from tracker.sheets import Outcome
from tracker.workers import TRIES, track_by_workers

ROOT = Path(__file__).parents[1]


@dataclass
class Deadly:
    """Stands for a recorder: the source "always" kills its worker, "once" does so the first time, "busy" waits once."""

    folder: Path

    def attempt(self, job: Job, patient: bool = True) -> Outcome | None:
        tried = self.folder / f"{job.uri}-{time.monotonic_ns()}-{os.getpid()}"
        first = not list(self.folder.glob(f"{job.uri}-*"))
        tried.touch()
        if job.uri == "always" or (job.uri == "once" and first):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.uri == "busy" and not patient:
            return None
        return Outcome(job.uri, "done", rows=1)


def make(folder: Path, interrupt: Interrupt, position: int) -> Deadly:
    return Deadly(folder)


def test_a_source_whose_worker_dies_is_tried_again_and_the_others_are_done(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    tries.mkdir()
    names = ["a", "always", "b", "once", "busy", "c"]
    jobs = [Job(name, tmp_path, name, {}) for name in names]
    outcomes: dict[str, Outcome] = {}
    track_by_workers(jobs, 2, partial(make, tries), lambda outcome: outcomes.setdefault(outcome.uri, outcome))
    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "a": "done", "b": "done", "c": "done", "once": "done", "busy": "done", "always": "failed",
    }  # fmt: skip
    assert outcomes["always"].detail == (
        f"its worker process died {TRIES} times (SIGKILL), perhaps for want of memory; try fewer --workers"
    )
    counts = {name: len(list(tries.glob(f"{name}-*"))) for name in names}
    assert counts == {"a": 1, "b": 1, "c": 1, "once": 2, "busy": 2, "always": TRIES}


def test_every_row_once_though_a_worker_is_killed(tmp_path: Path, sample_clip: Path) -> None:
    clips = [tmp_path / f"{name}.mp4" for name in "abc"]
    for clip in clips:
        clip.write_bytes(sample_clip.read_bytes())
    out = tmp_path / "out"
    call = [
        sys.executable,
        "-m",
        "tracker.cli",
        "track",
        *map(str, clips),
        "-o",
        str(out),
        "--end",
        "2",
        "--workers",
        "2",
    ]
    run = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("*.part.csv")):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.05)
    workers = [child for child in psutil.Process(run.pid).children() if "spawn_main" in " ".join(child.cmdline())]
    workers[0].kill()
    _, told = rest_of(run)
    assert run.returncode == 0, told
    tables = []
    for clip in clips:
        with (out / f"{clip.stem}.csv").open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    assert [int(row["frame"]) for row in tables[0]] == list(range(len(tables[0]))) and len(tables[0]) > 40
    assert tables[0] == tables[1] == tables[2]
    assert not list(out.glob("*.part*"))
