"""Two runs at once, and runs that are killed: whole processes through the real batch, sinks and leases."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import pandas as pd
import pytest
from test_batch import make_clip

from tracker.leases import Held, Lease, is_held, lock_path
from tracker.sinks.files import parts_of
from tracker.sinks.parquet import repair_journal

ROOT = Path(__file__).parents[1]
FRAMES = 24
CHILD = """
import sys, time
from tracker import recording
from test_batch import FacelessEngine, SHA
from tracker.batch import run_batch
from tracker.commands.track import EXIT_CODES
from tracker.config import BatchConfig, OutputConfig, SourceOptions
from tracker.sinks import parquet

clips, out, end, pause = sys.argv[1].split("|"), sys.argv[2], sys.argv[3], float(sys.argv[4])
recording.Engine = FacelessEngine
parquet.BATCH_S = 0.01
FacelessEngine.at_frame = staticmethod(lambda index: time.sleep(pause))
output = OutputConfig(folder=out, jsonl=out + "/", parquet=True, video=True, plot=True)
source = SourceOptions(end=float(end) if end else None)
print("ready", flush=True)
sys.stdin.readline()
outcomes = run_batch(clips, BatchConfig(output=output, source=source), {"model": SHA})
for outcome in outcomes:
    print(outcome.state, outcome.rows, outcome.detail, flush=True)
sys.exit(max(EXIT_CODES[outcome.state] for outcome in outcomes))
"""


def child(clips: list[str], out: Path, end: str = "", pause: float = 0.001) -> subprocess.Popen:
    """A run in a process of its own, which begins when a line comes."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    command = [sys.executable, "-c", CHILD, "|".join(clips), str(out), end, str(pause)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


def begin(*processes: subprocess.Popen) -> None:
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()


def frames_of(path: Path) -> list[int]:
    """The frames of a table, CSV, JSON lines or Parquet; every line must be whole."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)["frame"].tolist()
    text = path.read_text()
    assert "\0" not in text and (text.endswith("\n") or not text)
    if path.suffix == ".jsonl":
        return [json.loads(line)["frame"] for line in text.splitlines()]
    table = list(csv.reader(text.splitlines()))
    assert {len(row) for row in table} == {25}
    return [int(row[0]) for row in table[1:]]


def whole(out: Path, stem: str, frames: int) -> None:
    for suffix in (".csv", ".jsonl", ".parquet"):
        assert frames_of(out / f"{stem}{suffix}") == list(range(frames))


def no_traces(out: Path) -> None:
    assert [path.name for path in out.iterdir() if ".part" in path.name or path.name.startswith(".")] == []


def pairs(tmp_path: Path, count: int, ends: tuple[str, str]) -> None:
    clips = [make_clip(tmp_path / f"{name}.mkv", FRAMES) for name in "ab"]
    for number in range(count):
        out = tmp_path / f"out{number}"
        runs = [child(clips, out, end) for end in ends]
        begin(*runs)
        told = [run.communicate(timeout=120) for run in runs]
        codes = [run.returncode for run in runs]
        no_traces(out)
        if ends[0] == ends[1]:
            assert codes == [0, 0], told
            for stem in "ab":
                whole(out, stem, FRAMES)
            states = [line.split()[0] for text, _ in told for line in text.splitlines()]
            assert states.count("done") == states.count("skipped") == 2
            continue
        assert set(codes) <= {0, 2} and all("refused" in t[0] for t, code in zip(told, codes, strict=True) if code), (
            told
        )
        for stem in "ab":
            options = json.loads((out / f"{stem}.meta.json").read_text())["options"]
            end = options["source"]["end"]
            whole(out, stem, FRAMES if end is None else round(end * 25))
        for (text, _), code, end in zip(told, codes, ends, strict=True):
            rows = FRAMES if not end else round(float(end) * 25)
            done = sum(line.startswith(f"done {rows} ") for line in text.splitlines())
            assert (done == 2) == (code == 0)


@pytest.mark.parametrize("ends", [("", ""), ("", "0.4")], ids=["same options", "other options"])
def test_two_runs_at_once(tmp_path: Path, ends: tuple[str, str]) -> None:
    pairs(tmp_path, 1, ends)


@pytest.mark.slow
@pytest.mark.parametrize("ends", [("", ""), ("", "0.4")], ids=["same options", "other options"])
def test_twenty_pairs_of_runs_at_once(tmp_path: Path, ends: tuple[str, str]) -> None:
    pairs(tmp_path, 20, ends)


def frames_shown(path: Path) -> int:
    """Frames of a video that can be decoded."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def kills(tmp_path: Path, count: int, number: signal.Signals) -> None:
    """Every output opens, holds the first frames without a gap, and the next run completes what was begun."""
    clip = make_clip(tmp_path / "a.mkv", 200)
    seed = random.SystemRandom().randrange(1 << 16)
    print("seed", seed)  # shown where the test fails
    dice = random.Random(seed)
    for attempt in range(count):
        out = tmp_path / f"out{attempt}"
        run = child([clip], out, pause=0.004)
        begin(run)
        time.sleep(dice.uniform(0.0, 2.5))
        run.send_signal(number)
        told, errors = run.communicate(timeout=60)
        if number == signal.SIGTERM and run.returncode != -signal.SIGTERM:  # it came before or after the run itself
            assert run.returncode in (0, 130) and "Traceback" not in errors, errors
            assert run.returncode == 0 or told.startswith("interrupted"), told
        if not out.is_dir():
            continue
        for suffix in (".csv", ".jsonl", ".parquet"):
            journals = parts_of(out / "a.arrows") if suffix == ".parquet" else []
            assert number == signal.SIGKILL or not journals
            parts = parts_of(out / f"a{suffix}")
            kept = parts or [repair_journal(path)[0] for path in journals]
            for path in kept:
                frames = frames_of(path)
                assert frames == list(range(len(frames)))
                if number == signal.SIGTERM:
                    assert len(frames) == int(told.split()[1])
        for video in parts_of(out / "a.overlay.mp4"):
            assert frames_shown(video) > 0
        for plot in parts_of(out / "a.png"):
            assert cv2.imread(str(plot)).std() > 5
        again = child([clip], out, pause=0)
        begin(again)
        said = again.communicate(timeout=60)[0]
        assert "done 200" in said or "is complete" in said or run.returncode == 0  # it may be killed when all is done
        whole(out, "a", 200)
        assert frames_shown(out / "a.overlay.mp4") == 200 and (out / "a.png").stat().st_size > 1000
        no_traces(out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_that_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    kills(tmp_path, 2, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_twenty_runs_that_are_ended(tmp_path: Path, number: signal.Signals) -> None:
    kills(tmp_path, 20, number)


def test_a_lease_is_held_once_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.meta.json"
    lease = Lease(target, "one")
    with pytest.raises(Held) as held:
        Lease(target, "two")
    assert held.value.holder.purpose == "one" and is_held(target)
    lease.check()
    lease.release()
    assert list(tmp_path.iterdir()) == [] and not is_held(target)


def forge(target: Path, **changes: object) -> None:
    """The lock of a holder that is not this process."""
    lease = Lease(target, "theirs")
    told = json.loads(lock_path(target).read_text())
    lease.release()
    lock_path(target).write_text(json.dumps({**told, **changes}))


def test_the_lease_of_a_dead_process_here_is_taken_over_at_once(tmp_path: Path) -> None:
    target = tmp_path / "a.meta.json"
    done = subprocess.Popen(["true"])
    done.wait()
    forge(target, pid=done.pid)
    before = time.monotonic()
    Lease(target, "mine").release()
    assert time.monotonic() - before < 1.0


def test_a_process_of_the_same_number_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    forge(tmp_path / "a", born="1")
    Lease(tmp_path / "a", "mine").release()


def test_a_lease_of_another_machine_counts_as_long_as_it_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.leases.STALE_S", 0.6)
    target = tmp_path / "a.meta.json"
    forge(target, host="elsewhere/1")
    beating = subprocess.Popen(["sh", "-c", f"while true; do touch '{lock_path(target)}'; sleep 0.1; done"])
    try:
        with pytest.raises(Held, match="on elsewhere"):
            Lease(target, "mine")
    finally:
        beating.kill()
        beating.wait()
    Lease(target, "mine").release()
    assert list(tmp_path.iterdir()) == []


def test_a_lease_that_was_lost_says_so(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a", "mine")
    lock_path(tmp_path / "a").unlink()
    other = Lease(tmp_path / "a", "theirs")
    with pytest.raises(Exception, match="was taken over by another run"):
        lease.check()
    lease.release()
    other.check()
    other.release()
