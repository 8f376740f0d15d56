"""A disk that is full: what stands is whole, what is missing is told, and the sheet finds its room."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from test_batch import SHA, FacelessEngine, make_clip
from test_sink_files import disk_of

from tracker import recording
from tracker.batch import run_batch
from tracker.config import BatchConfig, OutputConfig
from tracker.leases import lock_path
from tracker.sheets import Outcome

FRAMES = 400


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "Engine", FacelessEngine)
    monkeypatch.setattr(FacelessEngine, "at_frame", staticmethod(lambda index: None))
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_ROWS", 50)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def run(clip: str, out: Path, **outputs: bool) -> Outcome:
    return run_batch([clip], BatchConfig(output=OutputConfig(folder=str(out), **outputs)), {"model": SHA})[0]


def check_what_is_left(out: Path, outcome: Outcome) -> None:
    """No table under its own name, the rows before the fault readable, and a sheet that says why."""
    assert outcome.state == "failed"
    sheet = json.loads((out / "a.meta.json").read_text())
    assert sheet["complete"] is False and sheet["model"]["sha256"] == SHA and sheet["warnings"] == [outcome.detail]
    assert not (out / "a.parquet").exists() and not (out / "a.csv").exists()
    lines = pd.read_csv(out / "a.part.csv")["frame"].tolist() if (out / "a.part.csv").exists() else []
    assert lines == list(range(len(lines)))
    for table in out.glob("a.part*.parquet"):
        frames = pd.read_parquet(table)["frame"].tolist()
        assert frames == list(range(len(frames)))
    assert not lock_path(out / "a.meta.json").exists() and not list(out.glob(".*"))


@pytest.mark.parametrize("outputs", [{}, {"csv": False}, {"plot": True}], ids=["both tables", "Parquet", "a plot too"])
def test_a_disk_without_any_room_left(tmp_path: Path, small_disk: Path, outputs: dict[str, bool]) -> None:
    clip, out = make_clip(tmp_path / "a.mkv", FRAMES), small_disk / "out"
    out.mkdir()
    room = os.statvfs(out).f_bavail * os.statvfs(out).f_frsize
    (small_disk / "others").write_bytes(b"x" * (room - (1 << 16) - 24_576))
    outcome = run(clip, out, parquet=True, **outputs)
    assert "no space left on device" in outcome.detail
    check_what_is_left(out, outcome)


def test_a_disk_that_becomes_full_when_the_table_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, out = make_clip(tmp_path / "a.mkv", FRAMES), tmp_path / "out"
    written = recording.open_sink

    def opened(kind: str, path: Path, context: object) -> object:
        """The same, but the disk is full from the sink's end on."""
        sink = written(kind, path, context)
        finish = sink.finish

        def finish_on_a_full_disk() -> None:
            with disk_of(2_000):
                finish()

        monkeypatch.setattr(sink, "finish", finish_on_a_full_disk)
        monkeypatch.setattr(sink, "abort", lambda: sink._journal.abort())
        return sink

    monkeypatch.setattr(recording, "open_sink", opened)
    outcome = run(clip, out, parquet=True, csv=False)
    check_what_is_left(out, outcome)
    assert "file too large" in outcome.detail and "a.part.arrows" in outcome.detail
    assert outcome.files == (str(out / "a.part.arrows"),)


@pytest.mark.parametrize("size", [70_000, 110_000, 150_000, 1_000_000])
def test_a_table_under_its_own_name_has_the_rows_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_ROWS", 5)
    clip, out = make_clip(tmp_path / "a.mkv", FRAMES), tmp_path / "out"
    with disk_of(size):
        outcome = run(clip, out, parquet=True, csv=False)
    if size < 1_000_000:
        check_what_is_left(out, outcome)
    else:
        assert len(pd.read_parquet(out / "a.parquet")) == outcome.rows == FRAMES
