"""One odd name never ends a batch: bytes that are no UTF-8, very long names, folders without media, closed streams."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from test_batch import SHA, engine, make_clip, rows, run, states  # noqa: F401 - the fixture stands for the engine

from tracker.config import OutputConfig
from tracker.errors import UsageError
from tracker.outputs import read_sheet

ROOT = Path(__file__).parents[1]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    plain, odd = make_clip(tmp_path / "a.mkv"), tmp_path / os.fsdecode(b"b\xff\xe4.mkv")
    os.rename(make_clip(tmp_path / "b.mkv"), odd)  # noqa: PTH104
    out = tmp_path / "out"
    outcomes = run([plain, str(odd)], out)
    assert [outcome.state for outcome in outcomes] == ["done", "done"], outcomes
    assert len(rows(out / f"{odd.stem}.csv")) == 12
    assert read_sheet(out / f"{odd.stem}.meta.json")["source"]["path"] == str(odd)


@pytest.mark.parametrize("length", [200, 240, 250, 255])
def test_long_names(tmp_path: Path, length: int) -> None:
    out = tmp_path / "out"
    every = OutputConfig(folder=str(out), parquet=True, video=True, jsonl=f"{out}/")
    stem = "x" * (length - 4)
    clip = tmp_path / "short.mkv"
    make_clip(clip)
    long = clip.rename(tmp_path / f"{stem}.mkv")
    assert [outcome.state for outcome in run([str(long)], out, output=every)] == ["done"]
    assert len({path.name[:150] for path in out.iterdir()}) == 1 and len(list(out.iterdir())) == 5
    assert [outcome.state for outcome in run([str(long)], out, output=every)] == ["skipped"]


def test_a_pattern_that_no_file_system_takes(tmp_path: Path) -> None:
    outcomes = run(["y" * 300, make_clip(tmp_path / "a.mkv")], tmp_path / "out")
    assert [outcome.state for outcome in outcomes] == ["failed", "done"]


def test_folders_without_media_behind_a_glob_are_passed_over(tmp_path: Path) -> None:
    make_clip(tmp_path / "p" / "1" / "a.mkv")
    (tmp_path / "p" / "0").mkdir()
    (tmp_path / "p" / "2").mkdir()
    (tmp_path / "p" / "2" / "notes.txt").touch()
    assert states(run([str(tmp_path / "p" / "*")], tmp_path / "out")) == {"a.mkv": "done"}
    assert (tmp_path / "out" / "1" / "a.csv").exists()
    lonely = run([str(tmp_path / "p" / "[02]")], tmp_path / "out")
    assert [outcome.state for outcome in lonely] == ["failed"]


@contextmanager
def nobody() -> Iterator[Path]:
    """A folder, and no more rights than anybody has while the block runs: root may read everything."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
        if root:
            os.seteuid(0)
        for path in Path(name).rglob("*"):
            path.chmod(0o700)


def test_a_folder_that_cannot_be_read_ends_no_batch() -> None:
    with nobody() as folder:
        clips = [make_clip(folder / "u" / place / "a.mkv") for place in ("1", "2", "3")]
        (folder / "u" / "2").chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
        named = run([str(folder / "u" / "2"), clips[0]], folder / "named")
        globbed = run([str(folder / "u" / "*")], folder / "globbed")
        below = run([str(folder / "u")], folder / "below", recursive=True)
    assert [outcome.state for outcome in named] == ["failed", "done"]
    for outcomes in (globbed, below):
        assert [(o.uri, o.state) for o in outcomes] == [
            (str(folder / "u" / "2"), "failed"), (clips[0], "done"), (clips[2], "done")
        ]  # fmt: skip
        assert "cannot be listed: Permission denied" in outcomes[0].detail


def test_links_that_lead_back_up_are_followed_once(tmp_path: Path) -> None:
    make_clip(tmp_path / "p" / "q" / "a.mkv")
    for name in ("one", "two"):
        (tmp_path / "p" / "q" / name).symlink_to(tmp_path / "p")
    (tmp_path / "other").mkdir()
    make_clip(tmp_path / "other" / "b.mkv")
    (tmp_path / "p" / "other").symlink_to(tmp_path / "other")
    outcomes = run([str(tmp_path / "p")], tmp_path / "out", recursive=True)
    assert states(outcomes) == {"b.mkv": "done", "a.mkv": "done"} and len(outcomes) == 2


def test_trees_are_mirrored(tmp_path: Path) -> None:
    for place in ("p01/task", "p02/task", "p02/day2/task"):
        make_clip(tmp_path / "study" / f"{place}.mkv")
    outs = [tmp_path / name for name in ("recursive", "glob", "named")]
    run([str(tmp_path / "study")], outs[0], recursive=True)
    run([str(tmp_path / "study" / "*" / "*.mkv")], outs[1])
    run([str(tmp_path / "study" / place / "task.mkv") for place in ("p01", "p02")], outs[2])
    tables = [sorted(path.relative_to(out).as_posix() for path in out.rglob("*.csv")) for out in outs]
    assert tables == [["p01/task.csv", "p02/day2/task.csv", "p02/task.csv"], *[["p01/task.csv", "p02/task.csv"]] * 2]


def test_an_output_name(tmp_path: Path) -> None:
    clip, out = make_clip(tmp_path / "p01" / "task.mkv"), tmp_path / "out"
    from tracker.config import SourceOptions

    for end in (0.2, 0.4):
        output = OutputConfig(folder=str(out), name="{parent}_{name}_{start}-{end}")
        run([clip], out, output=output, source=SourceOptions(end=end))
    assert sorted(path.name for path in out.glob("*.csv")) == ["p01_task_0-0.2.csv", "p01_task_0-0.4.csv"]
    for wrong in ("{nobody}", "../{name}", "/{name}"):
        with pytest.raises(UsageError, match="--output-name"):
            run([clip], out, output=replace(output, name=wrong))


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    from tracker.config import SourceOptions

    clip, out = make_clip(tmp_path / "a.mkv"), tmp_path / "out"
    run([clip], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for changes in ({}, {"resume": True}):
        (other,) = run([clip], out, source=SourceOptions(end=0.2), **changes)
        assert (
            other.state == "refused" and "--overwrite replaces it" in other.detail and "other options" in other.detail
        )
    (same,) = run([clip], out)
    assert same.state == "skipped" and "--overwrite" in same.detail
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (new,) = run([clip], out, source=SourceOptions(end=0.2), overwrite=True)
    assert new.state == "done" and len(rows(out / "a.csv")) == 5


def test_rows_of_several_sources_on_one_stream_tell_whose_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    clips = [make_clip(tmp_path / name, 3) for name in ("a.mkv", "b.mkv")]
    output = OutputConfig(folder=str(tmp_path / "out"), jsonl="-")
    run(clips, tmp_path / "out", output=output)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source"] for row in told] == [clips[0]] * 3 + [clips[1]] * 3
    assert "source" not in rows(tmp_path / "out" / "a.csv")[0]
    asked = OutputConfig(folder=str(tmp_path / "asked"), source_column=True, columns="pyfeat", parquet=True)
    run(clips[:1], tmp_path / "asked", output=asked)
    assert {row["input"] for row in rows(tmp_path / "asked" / "a.csv")} == {clips[0]}


CHILD = """
import sys
from tracker import recording
from test_batch import FacelessEngine
recording.Engine = FacelessEngine
from tracker.cli import main
main(["track", sys.argv[1], "-o", sys.argv[2], *sys.argv[3:]])
"""


def command(arguments: list[str], redirections: str = "", **environment: str) -> subprocess.CompletedProcess:
    """`affect track` with an engine that finds no face, in a shell."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    shell = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c", CHILD, *arguments]
    return subprocess.run(
        shell, env={**os.environ, "PYTHONPATH": paths, **environment}, capture_output=True, timeout=120
    )


def test_without_a_utf8_locale(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "früh.mkv")
    done = command([clip, str(tmp_path / "out")], LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0, done.stderr.decode()
    assert len(rows(tmp_path / "out" / "früh.csv")) == 12 and (tmp_path / "out" / "früh.meta.json").exists()


def test_closed_streams(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    assert command([clip, str(tmp_path / "1")], "2>&-").returncode == 0
    assert len(rows(tmp_path / "1" / "a.csv")) == 12
    done = command([clip, str(tmp_path / "2"), "--jsonl", "-"], ">&-")
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert b"standard output is closed; open it, or give --jsonl a file" in done.stderr
    done = command(["-", str(tmp_path / "3")], "<&-")
    assert done.returncode == 1
    assert done.stderr.endswith(b"error: -: standard input is closed; pipe a video into it, or name a file\n")


def test_other_options_are_refused_with_2_and_change_nothing(tmp_path: Path) -> None:
    clip, out = make_clip(tmp_path / "a.mkv"), tmp_path / "out"
    assert command([clip, str(out)]).returncode == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = command([clip, str(out), "--end", "0.2"])
    assert done.returncode == 2 and b"--overwrite replaces it" in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
