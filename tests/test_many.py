"""Many machines: shards, runs that share a folder, the manifest, and what reads it; whole processes, no network."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from test_batch import SHA, FacelessEngine, make_clip, states

from tests.tracked import sample_at, tracked, without_face
from tracker import batch, recording
from tracker.batch import run_batch
from tracker.cli import main
from tracker.config import BatchConfig, OutputConfig
from tracker.errors import DataError, SinkError, UsageError
from tracker.interrupt import Interrupt
from tracker.leases import Lease, lock_path
from tracker.manifest import add_lines, begin_manifest, read_manifest
from tracker.merging import merge_tables
from tracker.outputs import claim, read_sheet, shard_of
from tracker.recording import Recorder
from tracker.sheets import Outcome
from tracker.status import status_of
from tracker.types import Frame, TrackedFrame

ROOT = Path(__file__).parents[1]
MODELS = {"model": SHA}
NAMES = ("a", "b", "c", "d", "x/e", "x/f", "x/clip", "y/clip", "y/g")
FRAMES = {f"{name}.mkv": 3 + number for number, name in enumerate(NAMES)}


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "Engine", FacelessEngine)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A tree of nine short films, two of one name."""
    folder = tmp_path / "videos"
    for name, frames in FRAMES.items():
        make_clip(folder / name, frames)
    return folder


def run(videos: Path, out: Path, **changes: object) -> list[Outcome]:
    config = BatchConfig(recursive=True, quiet=True, output=OutputConfig(folder=str(out)))
    return run_batch([str(videos)], replace(config, **changes), MODELS)


def cli(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def tables(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.csv")}


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shards_in_any_order_are_the_serial_run(videos: Path, tmp_path: Path, parts: int) -> None:
    run(videos, tmp_path / "serial")
    calls = list(range(1, parts + 1))
    random.Random(parts).shuffle(calls)
    done: Counter[str] = Counter()
    for part in [*calls, calls[0]]:  # one is called again
        for outcome in run(videos, tmp_path / "out", shard=(part, parts), manifest=str(tmp_path / "run.jsonl")):
            done[outcome.uri] += outcome.state == "done"
    assert tables(tmp_path / "out") == tables(tmp_path / "serial")
    assert len(done) == 9 and set(done.values()) == {1}
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 1 + 9


def test_a_source_has_its_shard_whatever_else_is_named(videos: Path, tmp_path: Path) -> None:
    sources = [str(path) for path in videos.rglob("*.mkv")]
    shards = [shard_of(uri, 2) for uri in sources]
    assert set(shards) == {1, 2} and shards == [shard_of(os.path.relpath(uri), 2) for uri in sources]
    many = [str(tmp_path / f"{number}.mp4") for number in range(700)]
    for uri in many:
        Path(uri).touch()
    spread = Counter(shard_of(uri, 7) for uri in many)
    assert set(spread) == set(range(1, 8)) and 60 < min(spread.values()) <= max(spread.values()) < 140


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1/0", "three", "1/3/5", "-1/2"])
def test_a_shard_that_is_none_is_one_line(shard: str) -> None:
    result = cli("track", "a.mkv", f"--shard={shard}")
    assert result.exit_code == 2 and "Traceback" not in result.output
    assert "such as 2/8" in result.output.splitlines()[-1]


def test_two_sources_of_one_name_are_refused_in_shards(videos: Path, tmp_path: Path) -> None:
    output = OutputConfig(folder=str(tmp_path / "out"), name="{name}")
    with pytest.raises(UsageError, match=r"x/clip.mkv and .*y/clip.mkv would both be written as clip") as told:
        run(videos, tmp_path, shard=(1, 2), output=output)
    assert "\n" not in str(told.value) and not (tmp_path / "out").exists()


def test_standard_input_has_no_shard(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="standard input cannot be read by --shard"):
        run_batch(["-"], BatchConfig(shard=(1, 2), output=OutputConfig(str(tmp_path / "out"))), MODELS)


def test_the_manifest_tells_of_every_source_once(videos: Path, tmp_path: Path) -> None:
    (videos / "bad.mkv").write_text("not a film")
    out, manifest = tmp_path / "out", tmp_path / "run.jsonl"
    assert states(run(videos, out, manifest=str(manifest)))["bad.mkv"] == "failed"
    told, lines = read_manifest(manifest)
    assert told["sources"] == 10 and told["models"] == MODELS
    assert set(lines) == {str(path) for path in videos.rglob("*.mkv")}
    clip = lines[str(videos / "a.mkv")]
    assert (clip["state"], clip["rows"], clip["faces"], clip["tries"]) == ("done", 3, 0, 1) and clip["seconds"] > 0
    digests = {"source": videos / "a.mkv", "csv": out / "a.csv"}
    assert clip["sha256"] == {kind: sha256(path.read_bytes()).hexdigest() for kind, path in digests.items()}
    assert lines[str(videos / "bad.mkv")]["state"] == "failed" and "bad.mkv" in lines[str(videos / "bad.mkv")]["detail"]
    run(videos, out, manifest=str(manifest))
    again = read_manifest(manifest)[1]
    assert again.pop(str(videos / "bad.mkv"))["tries"] == 2
    assert again == {source: line for source, line in lines.items() if "bad" not in source}


def test_what_was_done_and_not_noted_is_noted_by_the_next_run(videos: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "run.jsonl"
    run(videos, tmp_path / "out", manifest=str(manifest))
    whole = read_manifest(manifest)
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:4]) + lines[4][:40])  # killed while it wrote its line
    run(videos, tmp_path / "out", manifest=str(manifest))
    assert read_manifest(manifest) == whole
    assert len(manifest.read_text().splitlines()) == 1 + 9 + 1


def test_a_manifest_of_another_run_is_one_line(videos: Path, tmp_path: Path) -> None:
    manifest = str(tmp_path / "run.jsonl")
    run(videos, tmp_path / "out", manifest=manifest)
    before = Path(manifest).read_bytes()
    output = OutputConfig(folder=str(tmp_path / "out"), columns="openface")
    with pytest.raises(UsageError, match=r"another run \(options.output.columns affect, here openface\)"):
        run(videos, tmp_path / "out", manifest=manifest, output=output)
    with pytest.raises(UsageError, match="another run"):
        run(videos, tmp_path / "other", manifest=manifest)
    (tmp_path / "notes.txt").write_text("notes\n")
    with pytest.raises(UsageError, match="is no manifest"):
        run(videos, tmp_path / "out", manifest=str(tmp_path / "notes.txt"))
    with pytest.raises(SinkError, match="cannot write"):
        run(videos, tmp_path / "out", manifest=str(videos / "a.mkv" / "run.jsonl"))
    assert Path(manifest).read_bytes() == before and (tmp_path / "notes.txt").read_text() == "notes\n"


ADDER = """
import sys
from pathlib import Path
from tracker.manifest import add_lines
for number in range(int(sys.argv[3])):
    add_lines(Path(sys.argv[1]), [{"source": f"{sys.argv[2]}-{number}", "state": "done", "detail": "x" * 5000}])
"""


def test_processes_add_whole_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "run.jsonl"
    begin_manifest(manifest, BatchConfig(), MODELS, 400)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", ADDER, str(manifest)]
    adders = [subprocess.Popen([*command, name, "100"], env=environment) for name in "abcd"]
    assert [adder.wait(120) for adder in adders] == [0] * 4
    assert set(read_manifest(manifest)[1]) == {f"{name}-{number}" for name in "abcd" for number in range(100)}
    assert all(json.loads(line) for line in manifest.read_text().splitlines())
    add_lines(manifest, [{"source": "a-0", "state": "failed"}], unless_there=True)
    assert read_manifest(manifest)[1]["a-0"]["state"] == "done"


def test_a_dry_run_tells_and_writes_nothing(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcomes = run(videos, out, dry_run=True, manifest=str(tmp_path / "run.jsonl"))
    assert {outcome.state for outcome in outcomes} == {"planned"} and not out.exists()
    assert not (tmp_path / "run.jsonl").exists()
    planned = {outcome.files[0] for outcome in outcomes}
    made = {outcome.files[0] for outcome in run(videos, out)}
    assert planned == made
    assert {outcome.state for outcome in run(videos, out, dry_run=True)} == {"skipped"}


def test_a_list_names_the_sources(videos: Path, tmp_path: Path) -> None:
    names = [str(videos / "a.mkv"), str(videos / "x")]
    (tmp_path / "list.txt").write_text("\n".join([names[0], "", names[1]]) + "\n")
    config = BatchConfig(quiet=True, listed=str(tmp_path / "list.txt"), output=OutputConfig(str(tmp_path / "out")))
    assert list(states(run_batch([], config, MODELS))) == ["a.mkv", "clip.mkv", "e.mkv", "f.mkv"]


@pytest.mark.parametrize(
    ("text", "sources", "told"),
    [
        (None, [], "cannot be read: no such file"),
        ("\n \n", [], "names no source"),
        ("-\n", [], "names -, standard input"),
        ("stdin", ["-"], "standard input is both a source and the --list"),
    ],
)
def test_a_list_that_is_none_is_one_line(tmp_path: Path, text: str | None, sources: list[str], told: str) -> None:
    listed = tmp_path / "list.txt"
    if text is not None:
        listed.write_text(text)
    with pytest.raises(UsageError, match=told):
        run_batch(sources, BatchConfig(listed="-" if text == "stdin" else str(listed)), MODELS)


def test_the_command_takes_a_list_by_standard_input(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = ["track", "--list", "-", "--dry-run", "-o", str(out)]
    result = CliRunner().invoke(main, call, input=f"{videos / 'a.mkv'}\n{videos / 'b.mkv'}\n")
    assert result.exit_code == 0 and not out.exists()
    assert f"would be written to {out / 'a.csv'}" in result.output and str(out / "b.csv") in result.output
    result = cli("track", videos / "a.mkv", "--shard", f"{3 - shard_of(str(videos / 'a.mkv'), 2)}/2", "-o", out)
    assert (result.exit_code, result.output) == (0, "no source falls to this shard\n")


def test_a_source_that_failed_in_another_run_meanwhile_is_not_tried_again(videos: Path, tmp_path: Path) -> None:
    bad = videos / "bad.mkv"
    bad.write_text("not a film")
    config = BatchConfig(quiet=True, output=OutputConfig(str(tmp_path / "out")))
    (job,) = claim([str(bad)], tmp_path / "out")
    run_batch([str(bad)], config, MODELS)
    recorder = Recorder(config, MODELS, Interrupt(threading.Event()))
    outcome = recorder.attempt(job)
    assert outcome and outcome.state == "failed" and outcome.detail.startswith("in another run: ")
    assert read_sheet(job.sheet)["tries"] == 1
    (later,) = run_batch([str(bad)], config, MODELS)
    assert later.state == "failed" and read_sheet(job.sheet)["tries"] == 2


def test_a_source_whose_worker_dies_is_in_the_manifest(videos: Path, tmp_path: Path) -> None:
    code = (
        "import sys, test_many, pathlib\n"
        "if __name__ == '__main__': test_many.with_deadly_workers(*map(pathlib.Path, sys.argv[1:]))"
    )
    script = tmp_path / "deadly.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    call = [sys.executable, str(script), str(videos), str(tmp_path)]
    subprocess.run(call, env=environment, check=True, timeout=240)
    lines = read_manifest(tmp_path / "run.jsonl")[1]
    states = {Path(source).name: line["state"] for source, line in lines.items()}
    assert states == {"a.mkv": "failed", "b.mkv": "done"}
    assert "died 3 times (SIGKILL)" in lines[str(videos / "a.mkv")]["detail"]


class DeadlyEngine(FacelessEngine):
    """Kills its process at a film of three frames."""

    def run(self, frames: Iterable[Frame], ahead: int) -> Iterator[TrackedFrame]:
        held = list(frames)
        if len(held) == FRAMES["a.mkv"]:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().run(held, ahead)


class DeadlyStart(batch.Start):
    """Gives each worker a DeadlyEngine."""

    def recorder(self, interrupt: Interrupt, position: int | None = None) -> Recorder:
        recording.Engine = DeadlyEngine
        return super().recorder(interrupt, position)


def with_deadly_workers(videos: Path, folder: Path) -> None:
    batch.Start = DeadlyStart
    manifest, output = str(folder / "run.jsonl"), OutputConfig(folder=str(folder / "out"))
    config = BatchConfig(quiet=True, workers=2, manifest=manifest, output=output)
    run_batch([str(videos / "a.mkv"), str(videos / "b.mkv")], config, MODELS)


def test_quiet_tells_of_faults_alone(videos: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    run(videos, tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_status_tells_what_is_done_failed_stale_and_in_work(videos: Path, tmp_path: Path) -> None:
    (videos / "bad.mkv").write_text("not a film")
    out, manifest = tmp_path / "out", tmp_path / "run.jsonl"
    run(videos, out, manifest=str(manifest))
    for name in "abcd":
        sheet = read_sheet(out / f"{name}.meta.json")
        (out / f"{name}.csv").unlink()
        begun = {"source": sheet["source"], "complete": False, "state": "begun", "tries": 1}
        (out / f"{name}.meta.json").write_text(json.dumps(begun))
    dead = subprocess.Popen(["true"])
    dead.wait()
    Lease(out / "b.meta.json", "theirs").release()
    lease = Lease(out / "a.meta.json", "mine")
    holder = json.loads(lock_path(out / "a.meta.json").read_text())
    lock_path(out / "b.meta.json").write_text(json.dumps({**holder, "pid": dead.pid}))
    (out / "c.meta.json").unlink()
    (out / "d.meta.json").write_text(json.dumps({"source": {"path": "/d.mkv"}, "complete": False}))
    try:
        status = status_of(out, manifest)
        told = cli("status", out, "--manifest", manifest).output
    finally:
        lease.release()
    counts = {state: set(names) for state, names in status.sources.items() if names}
    assert counts == {
        "done": {"x/e", "x/f", "x/clip", "y/clip", "y/g"},
        "failed": {"bad"},
        "in work": {"a"},
        "stale": {"b"},
        "waiting": {"d"},
    }
    assert status.unclaimed == 1 and status.rows == 7 + 8 + 9 + 10 + 11
    seconds = [read_sheet(out / f"{name}.meta.json")["seconds"] for name in counts["done"]]
    assert status.left_s == pytest.approx(4 * sum(seconds) / 5)
    assert [line.split()[:2] for line in told.splitlines()][:2] == [["done", "5"], ["failed", "1"]]
    assert "bad.mkv" in told and "time left" in told


def test_status_of_nothing_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        result = cli("status", folder)
        assert result.exit_code == 2 and result.output.count("\n") == 1 and str(folder) in result.output


def test_what_a_process_that_was_killed_left_is_done_again_by_the_same_call(videos: Path, tmp_path: Path) -> None:
    """Killed between the table's last line and the sheet: the table has its own name."""
    out = tmp_path / "out"
    run(videos, out)
    whole = tables(out)
    for name, state in (("a", "begun"), ("b", "truncated")):
        sheet = read_sheet(out / f"{name}.meta.json")
        (out / f"{name}.meta.json").write_text(json.dumps({**sheet, "complete": False, "state": state}))
        (out / f"{name}.csv").write_text("rows")
    told = states(run(videos, out))
    assert (told["a.mkv"], told["b.mkv"]) == ("done", "refused")
    assert {**tables(out), "b.csv": whole["b.csv"]} == whole


class TwoFaces(FacelessEngine):
    """Finds two faces in every frame but the first."""

    def step(self, frame: Frame) -> list[TrackedFrame]:
        if not frame.index:
            return [replace(without_face(0), frame=frame)]
        samples = [sample_at(frame.time, number) for number in (0, 1)]
        return [replace(tracked(frame.index, samples=samples), frame=frame)]


@pytest.fixture
def merged(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a table of each of the videos, two faces in them."""
    monkeypatch.setattr(recording, "Engine", TwoFaces)
    run(videos, tmp_path / "out", manifest=str(tmp_path / "run.jsonl"))
    yield tmp_path / "out"


def test_merge_makes_one_table_of_all(merged: Path, tmp_path: Path, videos: Path) -> None:
    assert read_manifest(tmp_path / "run.jsonl")[1][str(videos / "a.mkv")]["faces"] == 2
    result = cli("merge", merged, "--manifest", tmp_path / "run.jsonl")
    assert result.exit_code == 0, result.output
    table = pd.read_parquet(tmp_path / "out.parquet")
    counts = {str(path): 2 * (number - 1) + 1 for path, number in FRAMES.items()}
    assert table.groupby("source").size().to_dict() == {str(videos / name): count for name, count in counts.items()}
    assert not table.duplicated(["source", "frame", "face_id"]).any()
    assert table["frame"].dtype == "int32" and table["valence"].dtype == "float32"
    assert cli("merge", merged).exit_code == 2


def test_merge_of_parquet_is_that_of_csv(merged: Path, videos: Path, tmp_path: Path) -> None:
    config = BatchConfig(recursive=True, quiet=True)
    run_batch([str(videos)], replace(config, output=OutputConfig(str(tmp_path / "typed"), parquet=True)), MODELS)
    for folder in ("out", "typed"):
        merge_tables(tmp_path / folder, tmp_path / f"{folder}.parquet")
    of_csv, of_parquet = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("out", "typed"))
    pd.testing.assert_frame_equal(of_csv, of_parquet)


def lose_a_row(out: Path) -> None:
    lines = (out / "a.csv").read_text().splitlines(keepends=True)
    (out / "a.csv").write_text("".join(lines[:-1]))


def double_a_row(out: Path) -> None:
    lines = (out / "a.csv").read_text().splitlines(keepends=True)
    (out / "a.csv").write_text("".join([*lines[:-1], lines[-2]]))


def break_off(out: Path) -> None:
    sheet = read_sheet(out / "a.meta.json")
    (out / "a.meta.json").write_text(json.dumps({**sheet, "complete": False}))


def lose_a_table(out: Path) -> None:
    (out / "a.csv").unlink()


def lose_a_source(out: Path) -> None:
    (out / "a.meta.json").unlink()


def track_twice(out: Path) -> None:
    for suffix in (".csv", ".meta.json"):
        (out / f"a-9{suffix}").write_bytes((out / f"a{suffix}").read_bytes())


def other_columns(out: Path) -> None:
    (out / "c.csv").write_text("\n".join(f"{line},0" for line in (out / "c.csv").read_text().splitlines()))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lose_a_row, "a.mkv has 4 rows, and not all 5 of its run"),
        (double_a_row, "a.mkv has 1 rows of a frame and face twice"),
        (break_off, "1 of 9 sources are not complete (a)"),
        (lose_a_table, "a has neither Parquet nor CSV that can be read"),
        (lose_a_source, "lacks sources of"),
        (track_twice, "a.mkv is there twice"),
        (other_columns, "differ in columns (0)"),
    ],
)
def test_merge_refuses_what_is_not_whole(merged: Path, tmp_path: Path, harm: object, told: str) -> None:
    harm(merged)  # type: ignore[operator]
    with pytest.raises(DataError) as error:
        merge_tables(merged, tmp_path / "all.parquet", tmp_path / "run.jsonl")
    assert told in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "all.parquet").exists() and not list(tmp_path.glob(".*"))


CHILD = """
import sys, time
from tracker import batch, recording
from test_batch import FacelessEngine, SHA
from tracker.batch import run_batch
from tracker.config import BatchConfig, OutputConfig

recording.Engine = FacelessEngine
FacelessEngine.at_frame = staticmethod(lambda index: time.sleep(0.01))
output = OutputConfig(folder=sys.argv[2], parquet=True)
config = BatchConfig(recursive=True, quiet=True, manifest=sys.argv[3], output=output)
outcomes = run_batch([sys.argv[1]], config, {"model": SHA})
print(*[outcome.state for outcome in outcomes], *{outcome.detail for outcome in outcomes if outcome.state == "failed"})
"""


def start(videos: Path, out: Path, manifest: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    command = [sys.executable, "-c", CHILD, str(videos), str(out), str(manifest)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def share(tmp_path: Path, processes: int, sources: int, kills: int) -> None:
    """Processes with the same command share the sources while some are killed and others come in their place."""
    videos, out, manifest = tmp_path / "videos", tmp_path / "out", tmp_path / "run.jsonl"
    for number in range(sources):
        make_clip(videos / f"{number % 3}" / f"clip{number}.mkv", 20 + number)
    seed = random.SystemRandom().randrange(1 << 16)
    print("seed", seed)  # shown where the test fails
    dice = random.Random(seed)
    running = [start(videos, out, manifest) for _ in range(processes)]
    deadline = time.monotonic() + 600
    while running and time.monotonic() < deadline:
        time.sleep(dice.uniform(0.05, 0.5))
        working = [run for run in running if run.poll() is None]
        if kills and working and manifest.exists():
            dice.choice(working).kill()
            kills -= 1
            working.append(start(videos, out, manifest))
        for run in running:
            if run.poll() == 0:
                assert run.stdout and set(run.stdout.read().split()) <= {"done", "skipped"}
        running = [run for run in working if run.poll() is None]
    assert not running and not kills
    lines = [json.loads(line) for line in manifest.read_text().splitlines() if line.endswith("}")][1:]
    assert Counter(line["source"] for line in lines) == {str(path): 1 for path in videos.rglob("*.mkv")}
    assert {line["state"] for line in lines} == {"done"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "Engine", FacelessEngine)
        serial = BatchConfig(recursive=True, quiet=True, output=OutputConfig(str(tmp_path / "serial"), parquet=True))
        run_batch([str(videos)], serial, MODELS)
    assert tables(out) == tables(tmp_path / "serial")
    merge_tables(out, tmp_path / "all.parquet", manifest)
    assert len(pd.read_parquet(tmp_path / "all.parquet")) == sum(20 + number for number in range(sources))
    assert not [path for path in out.rglob("*") if ".part" in path.name or path.name.startswith(".")]


def test_three_runs_share_a_folder_and_one_is_killed(tmp_path: Path) -> None:
    share(tmp_path, 3, 8, 1)


@pytest.mark.slow
def test_eight_runs_share_a_folder_while_they_are_killed(tmp_path: Path) -> None:
    share(tmp_path, 8, 60, 25)
