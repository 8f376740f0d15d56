"""Temporary names, full disks, closed pipes, and outputs that cannot be opened: the same for all sinks."""

import csv
import json
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tracked import context_of, fill, sample_at, tracked, written

from tracker.errors import SinkError
from tracker.sinks import KINDS, open_sink, part_path, write_meta
from tracker.sinks.files import PartFile, drafts_of
from tracker.sinks.parquet import repair_journal

SUFFIX = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "parquet": ".parquet",
    "video": ".mp4",
    "plot": ".png",
    "attention": ".png",
    "picture": ".mp4",
    "lossless": ".mkv",
}
WHILE_WRITTEN = {"parquet": ".arrows"}
HIDDEN = ("plot", "attention", "video", "picture", "lossless")
"""Made at the end, or not to be opened after two frames: a killed run leaves nothing under a temporary name."""
ROOT = Path(__file__).parents[1]


@contextmanager
def disk_of(size: int):
    """No file can grow beyond size bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_kind_has_a_suffix_here():
    assert SUFFIX.keys() == KINDS.keys()


@pytest.mark.parametrize(("kind", "suffix"), SUFFIX.items())
def test_the_name_appears_only_when_complete(tmp_path, kind, suffix):
    path, part = tmp_path / f"a b ü{suffix}", tmp_path / f"a b ü.part{WHILE_WRITTEN.get(kind, suffix)}"
    with open_sink(kind, path, context_of()) as sink:
        fill(sink, [tracked(0), tracked(1)])
        assert part.exists() == (kind not in HIDDEN) and not path.exists()
    assert list(tmp_path.iterdir()) == [path]
    sink.abort()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("kind", "suffix"), SUFFIX.items())
def test_an_exception_leaves_the_temporary_name(tmp_path, kind, suffix):
    path = tmp_path / f"clip{suffix}"
    path.write_text("from an earlier run")
    with pytest.raises(KeyboardInterrupt), open_sink(kind, path, context_of()) as sink:
        fill(sink, [tracked(0), tracked(1)])
        raise KeyboardInterrupt
    sink.abort()
    assert path.read_text() == "from an earlier run"
    assert part_path(path).stat().st_size > 0


@pytest.mark.parametrize(("kind", "suffix"), SUFFIX.items())
def test_an_earlier_output_is_replaced(tmp_path, kind, suffix):
    path = tmp_path / f"clip{suffix}"
    path.write_text("from an earlier run")
    written(kind, path, [tracked(0)])
    assert b"earlier" not in path.read_bytes()


def test_folders_are_made(tmp_path):
    assert written("csv", tmp_path / "new" / "deeper" / "x.csv", [tracked(0)]).exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_cannot_be_written(tmp_path, kind):
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match=r"cannot write .*x\.out: .*file is not a folder; choose another output folder"):
        open_sink(kind, tmp_path / "file" / "x.out", context_of())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="permission denied; choose another output folder"):
        open_sink("csv", tmp_path / "x.csv", context_of())


def test_an_output_that_is_a_folder(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(SinkError, match=r"cannot write .*x\.csv: it is a folder; give a file's name"):
        open_sink("csv", tmp_path / "x.csv", context_of())


def test_unknown_kinds_and_standard_output(tmp_path):
    with pytest.raises(SinkError, match="unknown output 'xml'; expected one of csv, jsonl, parquet, video, plot"):
        open_sink("xml", tmp_path / "x.xml", context_of())
    with pytest.raises(SinkError, match="parquet cannot be written to standard output"):
        open_sink("parquet", "-", context_of())


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_full_disk_keeps_whole_rows(tmp_path, kind):
    path = tmp_path / f"x.{kind}"
    told = r"cannot write .*: file too large; what was written so far is in .*x\.part\."
    with disk_of(300_000), pytest.raises(SinkError, match=told), open_sink(kind, path, context_of()) as sink:
        fill(sink, (tracked(i, samples=[sample_at(0, k) for k in range(4)]) for i in range(10_000)))
    text = part_path(path).read_text()
    assert not path.exists() and 290_000 < len(text) <= 300_000 and text.endswith("\n")
    if kind == "jsonl":
        lines = [json.loads(line) for line in text.splitlines()]
        assert lines[-1]["face_id"] == 3
    else:
        table = list(csv.reader(text.splitlines()))
        assert {len(row) for row in table} == {25} and table[-1][1] == "3"


def test_a_full_disk_keeps_the_parquet_table(tmp_path, monkeypatch):
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_ROWS", 100)
    path = tmp_path / "x.parquet"
    with (
        disk_of(500_000),
        pytest.raises(SinkError, match="file too large"),
        open_sink("parquet", path, context_of()) as sink,
    ):
        fill(sink, (tracked(i) for i in range(5_000)))
    table = pd.read_parquet(part_path(path))
    assert len(table) >= 1000 and len(table) % 100 == 0
    assert table["frame"].tolist() == list(range(len(table)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_device_is_written_directly(kind):
    with (
        pytest.raises(SinkError, match=r"cannot write /dev/full: no space left on device$"),
        open_sink(kind, "/dev/full", context_of()) as sink,
    ):
        fill(sink, [tracked(0)])
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_table_begins_whole(tmp_path, kind):
    sink = open_sink(kind, tmp_path / f"x.{kind}", context_of())
    (part,) = tmp_path.iterdir()
    if kind == "csv":
        assert pd.read_csv(part).empty
    elif kind == "parquet":
        assert repair_journal(part)[1] == 0
    sink.abort()


def test_a_hidden_file_is_a_draft_until_it_is_shown(tmp_path):
    path = tmp_path / "x.bin"
    file = PartFile(path, b"first", hidden=True)
    assert drafts_of(path) == list(tmp_path.iterdir()) and drafts_of(tmp_path / "y.bin") == []
    (tmp_path / "x.part.bin").write_text("of another run")
    file.show()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.part-2.bin", "x.part.bin"]
    file.write(b", second")
    file.finish()
    assert path.read_bytes() == b"first, second" and (tmp_path / "x.part.bin").read_text() == "of another run"


@pytest.mark.parametrize(("act", "left"), [("finish", ["x.bin"]), ("abort", ["x.part.bin"]), ("discard", [])])
def test_how_a_hidden_file_ends(tmp_path, act, left):
    file = PartFile(tmp_path / "x.bin", b"first", hidden=True)
    for _ in range(1 if act == "finish" else 2):
        getattr(file, act)()
    file.abort()
    assert [each.name for each in tmp_path.iterdir()] == left


def test_without_hard_links_a_hidden_file_is_shown_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError(1, "Operation not permitted")))
    (tmp_path / "x.part.bin").write_text("of another run")
    PartFile(tmp_path / "x.bin", b"first").abort()
    assert (tmp_path / "x.part-2.bin").read_bytes() == b"first"
    assert (tmp_path / "x.part.bin").read_text() == "of another run"


def test_a_table_that_lost_rows_gets_no_name(tmp_path):
    path = tmp_path / "x.parquet"
    told = r"of 300 rows in .*x\.part\.arrows only [0-9]+ can be read; run it again"
    with pytest.raises(SinkError, match=told), open_sink("parquet", path, context_of()) as sink:
        for count in range(3):
            sink.write(tracked(count, samples=[sample_at(0, k) for k in range(100)]))
            sink._write_batch()
        journal = tmp_path / "x.part.arrows"
        os.truncate(journal, journal.stat().st_size * 9 // 10)
    assert not path.exists() and len(pd.read_parquet(part_path(path))) == 200


def test_a_failed_write_is_undone_and_final(tmp_path):
    file = PartFile(tmp_path / "x.bin")
    file.write(b"kept")
    with disk_of(100), pytest.raises(SinkError, match="file too large"):
        file.write(b"x" * 200)
    for action in (lambda: file.write(b"more"), file.finish):
        with pytest.raises(SinkError, match="file too large"):
            action()
    file.abort()
    assert (tmp_path / "x.part.bin").read_bytes() == b"kept"


def test_finishing_onto_a_folder(tmp_path):
    file = PartFile(tmp_path / "x.bin")
    file.write(b"kept")
    (tmp_path / "x.bin").mkdir()
    with pytest.raises(SinkError, match=r"cannot write .*x\.bin: is a directory"):
        file.finish()
    assert (tmp_path / "x.part.bin").read_bytes() == b"kept"


def run(code: str, **options) -> subprocess.CompletedProcess:
    """Run a few lines that write JSON lines to standard output."""
    lines = f"from tracked import *\nwith open_sink('jsonl', '-', context_of()) as sink:\n    {code}\n"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run([sys.executable, "-c", lines], env=environment, stderr=subprocess.PIPE, text=True, **options)


def test_a_closed_pipe_ends_in_one_plain_line():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("fill(sink, [tracked(0)])", stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr.endswith("SinkError: standard output was closed by its reader; stopped\n")
    assert "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_standard_output():
    with Path("/dev/full").open("w") as full:
        done = run("fill(sink, [tracked(0)])", stdout=full)
    assert done.stderr.endswith("SinkError: cannot write to standard output: no space left on device\n")
    assert "Exception ignored" not in done.stderr


def test_meta(tmp_path):
    path = tmp_path / "x.meta.json"
    write_meta(
        path, {"frames": np.int64(3), "rate": np.float32(0.5), "box": np.zeros(2), "path": Path("ä"), "none": None}
    )
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "frames": 3,
        "rate": 0.5,
        "box": [0, 0],
        "path": "ä",
        "none": None,
    }
    assert list(tmp_path.iterdir()) == [path]
