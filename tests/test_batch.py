"""Many sources in one call, with an engine that finds no faces; test_cli.py runs the real one."""

import csv
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tracker import recording
from tracker.batch import find_sources, run_batch
from tracker.config import BatchConfig, OutputConfig, SourceOptions, TrackerConfig
from tracker.errors import SinkError, UsageError
from tracker.outputs import read_sheet
from tracker.sheets import Outcome
from tracker.types import Frame, TrackedFrame

SHA = "cd" * 32
FRAMES = 12


class FacelessEngine:
    """Stands for Engine: every frame has no face; at_frame may do worse."""

    made = 0
    at_frame: Callable[[int], None] = staticmethod(lambda index: None)

    def __init__(self, model: str, config: TrackerConfig) -> None:
        FacelessEngine.made += 1
        self.in_use = False
        self.codes = None

    def step(self, frame: Frame) -> list[TrackedFrame]:
        FacelessEngine.at_frame(frame.index)
        return [TrackedFrame(frame, (), ())]

    def run(self, frames: Iterable[Frame], ahead: int) -> Iterator[TrackedFrame]:
        for frame in frames:
            yield from self.step(frame)

    def flush(self) -> list[TrackedFrame]:
        return []

    def meta(self) -> dict:
        return {
            "model": {"name": "faceless", "sha256": SHA, "terms": "none"},
            "device": "cpu",
            "window_rate_hz": None,
            "readings": [],
            "told": [],
        }

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FacelessEngine]]:
    monkeypatch.setattr(recording, "Engine", FacelessEngine)
    monkeypatch.setattr(FacelessEngine, "made", 0)
    monkeypatch.setattr(FacelessEngine, "at_frame", staticmethod(lambda index: None))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield FacelessEngine
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def make_clip(path: Path, frames: int = FRAMES) -> str:
    """A film of 64x48 noise at 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(random.integers(0, 256, (48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return str(path)


def run(patterns: list[str], out: Path, **changes: object) -> list[Outcome]:
    config = BatchConfig(output=OutputConfig(folder=str(out)))
    return run_batch(patterns, replace(config, **changes), {"model": SHA})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {Path(outcome.uri).name: outcome.state for outcome in outcomes}


def test_each_source_gets_its_outputs_and_its_sheet(tmp_path: Path, out: Path, engine: type[FacelessEngine]) -> None:
    outcomes = run([make_clip(tmp_path / "a.mkv"), make_clip(tmp_path / "b.mkv", 7)], out)
    assert [(o.state, o.rows, o.files) for o in outcomes] == [
        ("done", 12, (str(out / "a.csv"),)),
        ("done", 7, (str(out / "b.csv"),)),
    ]
    assert [len(rows(out / name)) for name in ("a.csv", "b.csv")] == [12, 7]
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "a.meta.json", "b.csv", "b.meta.json"]
    assert engine.made == 1


def test_the_sheet_tells_how_the_outputs_came_about(tmp_path: Path, out: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    run([clip], out, source=SourceOptions(end=0.2))
    sheet = json.loads((out / "a.meta.json").read_text())
    assert sheet["complete"] is True and sheet["version"]
    assert sheet["warnings"] == ["no face was found in any of the frames (5)"]
    assert (sheet["decoded"], sheet["repaired"], sheet["with_faces"], sheet["rows"]) == (5, 0, 0, 5)
    assert sheet["model"] == {"name": "faceless", "sha256": SHA, "terms": "none"}
    assert (
        sheet["source"].items()
        >= {
            "uri": clip,
            "path": clip,
            "size": Path(clip).stat().st_size,
            "codec": "mjpeg",
            "width": 64,
            "height": 48,
            "rate_hz": 25.0,
        }.items()
    )
    assert sheet["options"]["source"]["end"] == 0.2
    assert sheet["outputs"] == {"csv": "a.csv"}
    assert 0 < sheet["seconds"] < 60


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, out: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    names = ["a.mkv", "notes.mp4", "missing.mp4", "z.mkv"]
    for name in ("a.mkv", "z.mkv"):
        make_clip(tmp_path / name)
    outcomes = run([str(tmp_path / name) for name in names], out)
    assert states(outcomes) == {"a.mkv": "done", "notes.mp4": "failed", "missing.mp4": "failed", "z.mkv": "done"}
    told = {Path(outcome.uri).name: outcome.detail for outcome in outcomes}
    assert "does not exist" in told["missing.mp4"] and "notes.mp4" in told["notes.mp4"]
    assert read_sheet(out / "notes.meta.json")["warnings"] == [told["notes.mp4"]]


def test_a_source_named_twice_is_tracked_once(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    uris, _, failed = find_sources([clip, str(tmp_path / "*.mkv"), str(tmp_path / "." / "a.mkv")])
    assert uris == [clip] and failed == []


def test_same_names_never_overwrite_one_another(tmp_path: Path, out: Path) -> None:
    first, second = make_clip(tmp_path / "x" / "clip.mkv", 3), make_clip(tmp_path / "y" / "clip.mkv", 5)
    run([first], out)
    run([second, first], out)
    assert len(rows(out / "clip.csv")) == 3 and len(rows(out / "y" / "clip.csv")) == 5


def test_resume_skips_what_is_complete(tmp_path: Path, out: Path, engine: type[FacelessEngine]) -> None:
    a, b = make_clip(tmp_path / "a.mkv"), make_clip(tmp_path / "b.mkv")
    run([a], out)
    assert states(run([a, b], out, resume=True)) == {"a.mkv": "skipped", "b.mkv": "done"}
    assert states(run([a, b], out, resume=True)) == {"a.mkv": "skipped", "b.mkv": "skipped"}
    assert engine.made == 2
    assert states(run([a, b], out)) == {"a.mkv": "skipped", "b.mkv": "skipped"}
    assert states(run([a, b], out, overwrite=True)) == {"a.mkv": "done", "b.mkv": "done"}


def test_a_truncated_source_keeps_what_was_decoded(tmp_path: Path, out: Path) -> None:
    clip = Path(make_clip(tmp_path / "cut.mkv", 40))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 6 // 10])
    outcome = run([str(clip)], out)[0]
    assert outcome.state == "truncated" and outcome.detail
    assert 10 < outcome.rows < 30 and len(rows(out / "cut.csv")) == outcome.rows
    sheet = read_sheet(out / "cut.meta.json")
    assert sheet["complete"] is False and "; ".join(sheet["warnings"]) == outcome.detail
    assert states(run([str(clip)], out, resume=True)) == {"cut.mkv": "truncated"}


def test_an_error_midway_keeps_what_was_written(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(index: int) -> None:
        if index == 4:
            raise RuntimeError("no more")

    monkeypatch.setattr(FacelessEngine, "at_frame", staticmethod(stumble))
    outcomes = run([make_clip(tmp_path / "a.mkv"), make_clip(tmp_path / "b.mkv", 3)], out)
    assert states(outcomes) == {"a.mkv": "failed", "b.mkv": "done"}
    assert outcomes[0].detail == "unexpected RuntimeError: no more; run again with --debug"
    assert outcomes[0].files == (str(out / "a.part.csv"),)
    assert len(rows(out / "a.part.csv")) == outcomes[0].rows == 4
    assert read_sheet(out / "a.meta.json")["complete"] is False


def test_debug_shows_the_traceback(tmp_path: Path, out: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    run([str(tmp_path / "notes.mp4")], out)
    assert "Traceback" not in capfd.readouterr().err
    run([str(tmp_path / "notes.mp4")], out, debug=True)
    assert "Traceback (most recent call last)" in capfd.readouterr().err


def test_a_full_disk_fails_its_source_alone(tmp_path: Path, out: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    output = OutputConfig(folder=str(out), jsonl="/dev/full")
    outcome = run([make_clip(tmp_path / "a.mkv")], out, output=output)[0]
    assert outcome.state == "failed" and "no space left on device" in outcome.detail
    assert outcome.files == (str(out / "a.part.csv"),)


def test_ctrl_c_keeps_what_was_written_and_resume_goes_on(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [make_clip(tmp_path / name) for name in ("a.mkv", "b.mkv", "c.mkv")]
    run(clips[:1], out)

    def press(index: int) -> None:
        if index == 6:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(FacelessEngine, "at_frame", staticmethod(press))
    outcomes = run(clips, out, resume=True)
    assert states(outcomes) == {"a.mkv": "skipped", "b.mkv": "interrupted", "c.mkv": "interrupted"}
    assert len(rows(out / "b.part.csv")) == outcomes[1].rows == 6
    assert outcomes[2].detail == "not started" and not list(out.glob("c.*"))

    monkeypatch.setattr(FacelessEngine, "at_frame", staticmethod(lambda index: None))
    assert states(run(clips, out, resume=True)) == {"a.mkv": "skipped", "b.mkv": "done", "c.mkv": "done"}
    assert len(rows(out / "b.csv")) == FRAMES and not (out / "b.part.csv").exists()


def test_drafts_of_killed_runs_are_removed(tmp_path: Path, out: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    out.mkdir()
    mine = [".a.csv.0a1b2c3d.draft", ".a.meta.json.0a1b2c3d.draft"]
    old = [".b.meta.json.0a1b2c3d.draft", ".b.meta.json.lock.0a1b2c3d4e5f"]
    others = [".b.csv.0a1b2c3d.draft", ".c.meta.json.0a1b2c3d.draft", ".notes.draft", ".a.csv.swp"]
    for name in (*mine, *old, *others):
        (out / name).write_text("")
    for name in old:
        os.utime(out / name, (0, 0))
    assert states(run([clip], out)) == {"a.mkv": "done"}
    assert sorted(path.name for path in out.iterdir()) == sorted([*others, "a.csv", "a.meta.json"])


def test_an_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv")
    with pytest.raises(SinkError, match=r"cannot write to .*; choose another folder with -o"):
        run([clip], Path(clip) / "out")


def test_standard_input_has_no_workers(out: Path) -> None:
    with pytest.raises(UsageError, match="standard input cannot be read by --workers"):
        run(["-"], out, workers=2)


def test_progress_names_the_source_and_counts_its_frames(
    tmp_path: Path, out: Path, capfd: pytest.CaptureFixture
) -> None:
    run([make_clip(tmp_path / "a.mkv")], out, source=SourceOptions(end=0.2))
    errors = capfd.readouterr().err
    assert "a.mkv" in errors and "frames/s" in errors
