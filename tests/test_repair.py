"""`affect repair`, on journals as killed runs leave them."""

import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from tracked import context_of, tracked, without_face

from tracker.cli import main
from tracker.leases import Lease
from tracker.sinks import open_sink

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed(path: Path, frames: int, kind: str = "parquet", pause: float = 0.0) -> None:
    """A process that writes so many frames to each kind of output, comma-separated, and is killed."""
    child = os.fork()
    if child == 0:
        sinks = [open_sink(each, path.with_suffix(f".{each}"), context_of()) for each in kind.split(",")]
        for index in range(frames):
            for sink in sinks:
                sink.write(tracked(index) if index % 10 else without_face(index))
            time.sleep(pause)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def repair(*paths: Path) -> Result:
    return CliRunner().invoke(main, ["repair", *map(str, paths)])


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hundred rows go to the journal."""
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_ROWS", 100)
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_S", 1e9)


@pytest.mark.usefixtures("often")
def test_a_journal_becomes_a_table(tmp_path: Path) -> None:
    killed(tmp_path / "a", 450)
    assert [path.name for path in tmp_path.iterdir()] == ["a.part.arrows"]
    done = repair(tmp_path / "a.part.arrows")
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'a.part.parquet'}: 400 rows\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.part.parquet"]
    table = pd.read_parquet(tmp_path / "a.part.parquet")
    assert table["frame"].tolist() == list(range(400))
    assert table["valence"].isna().tolist() == [index % 10 == 0 for index in range(400)]
    assert table["valence"][1] == pytest.approx(0.41)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize(("share", "rows"), [(0.999, 300), (0.7, 200), (0.45, 100), (0.2, 0)])
def test_a_torn_end_is_left_out(tmp_path: Path, share: float, rows: int) -> None:
    killed(tmp_path / "a", 400)
    journal = tmp_path / "a.part.arrows"
    os.truncate(journal, int(share * journal.stat().st_size))
    done = repair(journal)
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'a.part.parquet'}: {rows} rows\n")
    assert pd.read_parquet(tmp_path / "a.part.parquet")["frame"].tolist() == list(range(rows))


@pytest.mark.usefixtures("often")
def test_a_folder_is_searched_to_its_ground(tmp_path: Path) -> None:
    for name in ("a", "deep/b", "deep/deeper/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        killed(tmp_path / name, 100)
    killed(tmp_path / "a", 200)
    done = repair(tmp_path)
    assert done.exit_code == 0 and done.output.count("rows") == 4
    tables = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet"))
    assert tables == ["a.part-2.parquet", "a.part.parquet", "deep/b.part.parquet", "deep/deeper/c.part.parquet"]
    assert {len(pd.read_parquet(tmp_path / "a.part.parquet")), len(pd.read_parquet(tmp_path / tables[0]))} == {100, 200}
    assert not list(tmp_path.rglob("*.arrows"))
    assert repair(tmp_path).output == "nothing to repair\n"


def test_nothing_to_repair(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame\n")
    (tmp_path / "other.arrows").write_text("somebody else's")
    done = repair(tmp_path)
    assert (done.exit_code, done.output) == (0, "nothing to repair\n")


@pytest.mark.parametrize("name", ["a.csv", "other.arrows", "missing.part.arrows"])
def test_what_is_neither_folder_nor_journal(tmp_path: Path, name: str) -> None:
    if "missing" not in name:
        (tmp_path / name).write_text("frame\n")
    done = repair(tmp_path / name)
    assert done.exit_code == 2
    assert f"{name} is neither a folder nor a journal; expected a folder, or a NAME.part.arrows" in done.output


@pytest.mark.parametrize("content", [b"", b"frame,valence\n0,0.5\n", b"\xff\xff\xff\xff\x10"])
def test_a_file_that_is_no_journal_stays_and_stops_no_other(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.part.arrows").write_bytes(content)
    killed(tmp_path / "b", 1, "parquet")
    done = repair(tmp_path)
    assert done.exit_code == 1
    told = "it is no journal, or breaks off within its first bytes; expected that of a run"
    assert f"error: {tmp_path / 'a.part.arrows'}: {told}\n" in done.output
    assert f"{tmp_path / 'b.part.parquet'}: 0 rows\n" in done.output
    assert (tmp_path / "a.part.arrows").read_bytes() == content and not (tmp_path / "a.part.parquet").exists()


def test_what_a_run_is_writing_is_left_alone(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "a.meta.json", "mine")
    with open_sink("parquet", tmp_path / "a.parquet", context_of()) as sink:
        sink.write(tracked(0))
        done = repair(tmp_path)
        assert (done.exit_code, done.output) == (0, f"{tmp_path / 'a.part.arrows'}: a run is writing it; left alone\n")
    lease.release()
    assert pd.read_parquet(tmp_path / "a.parquet")["frame"].tolist() == [0]


def test_one_row_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.sinks.parquet.BATCH_ROWS", 1)
    killed(tmp_path / "a", 1)
    assert repair(tmp_path).output.endswith("a.part.parquet: 1 row\n")


def test_a_kill_costs_parquet_half_a_second_of_rows(tmp_path: Path) -> None:
    killed(tmp_path / "a", 130, "csv,parquet", pause=0.01)
    assert repair(tmp_path).exit_code == 0
    table, lines = pd.read_parquet(tmp_path / "a.part.parquet"), pd.read_csv(tmp_path / "a.part.csv")
    assert len(lines) == 130 and table["frame"].tolist() == list(range(len(table)))
    assert 130 - len(table) <= 0.5 / 0.01


def test_a_kill_leaves_no_plot_and_no_video_that_does_not_open(tmp_path: Path) -> None:
    killed(tmp_path / "a", 3, "csv,plot,video,lossless")
    shown = [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")]
    assert shown == ["a.part.csv"]
    assert all(path.name.endswith(".draft") for path in tmp_path.glob(".*"))
