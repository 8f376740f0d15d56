"""Smoke: each benchmark runs on a very short clip, and its table has the rows that it should. No time is judged."""

import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import pytest
import torch

from benchmarks import machine, memory, startup, throughput, training
from nets.anclaf import Anclaf, AnclafConfig
from nets.checkpoint import ModelCard, save
from tracker.faces.align import Template

FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, sample_clip: Path) -> str:
    """The sample's first frames at half size, in a path with a space."""
    path = tmp_path_factory.mktemp("short clip") / "a few.mp4"
    capture = cv2.VideoCapture(str(sample_clip))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 24, (320, 180))
    for _ in range(FRAMES):
        writer.write(cv2.resize(capture.read()[1], (320, 180), interpolation=cv2.INTER_AREA))
    writer.release()
    capture.release()
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of random weights, of the compact shape."""
    torch.manual_seed(0)
    config = AnclafConfig.compact()
    origin = {"data": "none", "terms": "none", "command": "none"}
    card = ModelCard(name="random", kind="anclaf", config=config.to_dict(), crop=Template().card(), **origin)
    path = tmp_path_factory.mktemp("model") / "random.safetensors"
    save(path, Anclaf(config), card)
    return str(path)


def rows_of(text: str) -> dict[str, list[str]]:
    """Cells of each row of a markdown table by the first."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_throughput_has_a_row_for_each_stage(
    clip: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.json"
    throughput.main(["--source", clip, "--model", model, "--repeat", "2", "--json", str(file)])
    printed = capsys.readouterr().out
    rows, found = rows_of(printed), json.loads(file.read_text())
    assert list(rows) == ["stage, ms a frame", *throughput.ORDER]
    assert all(re.fullmatch(r"\d+\.\d\d", cell) for stage in throughput.ORDER for cell in rows[stage])
    assert f"median of 2 runs of {FRAMES} frames" in printed and "commit" in printed
    assert (found["frames"], len(found["fps"]), found["model"]) == (FRAMES, 2, "random")


def test_throughput_stages_hold_their_parts(clip: str, model: str) -> None:
    watch = throughput.Stopwatch()
    with throughput.Engine(model) as engine:
        throughput.timed_run(clip, engine, watch)
        throughput.timed_networks(engine, watch, count=FRAMES)
        plain = engine._landmarker.detect
    assert all(len(times) == FRAMES for times in watch.frames.values())
    parts = [stage for stage in throughput.ORDER if stage not in ("decode", "all but decode") and ":" not in stage]
    assert 0 < sum(sum(watch.frames[stage]) for stage in parts) <= sum(watch.frames["all but decode"])
    assert all(len(watch.frames[f"encode: {net}"]) == FRAMES for net in "GDC")
    assert plain.__name__ == "detect"


def test_stopwatch_adds_up_within_a_frame() -> None:
    watch = throughput.Stopwatch()
    double = watch.timed("double", lambda x: 2 * x)
    assert [double(1), double(2)] == [2, 4]
    watch.end_frame()
    double(3)
    watch.end_frame()
    assert list(watch.frames) == ["double"] and len(watch.frames["double"]) == 2


def test_memory_repeats_a_clip_as_one_video(clip: str, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    memory.write_repeated(clip, 3, path)
    with memory.open_source(str(path)) as source:
        frames = [(frame.time, frame.image) for frame in source]
    assert len(frames) == 3 * FRAMES
    assert all(0.03 < later - earlier < 0.05 for (earlier, _), (later, _) in pairwise(frames))
    assert (frames[0][1] == frames[2 * FRAMES][1]).all() and (frames[0][1] != frames[FRAMES - 1][1]).any()


def test_memory_prints_both_peaks_and_their_difference(
    clip: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "m.json"
    choice = ["--source", clip, "--model", model, "--repeat", "1", "2", "--json", str(file)]
    with pytest.raises(SystemExit) as ended:
        memory.main(choice)
    rows, peaks = rows_of(capsys.readouterr().out), json.loads(file.read_text())["mb"]
    assert list(rows) == ["clip repeated", "1 times", "2 times", "difference"]
    few, many = peaks.values()
    assert min(few, many) > 50 and float(rows["difference"][0]) == pytest.approx(many - few, abs=0.06)
    assert ended.value.code == (0 if many - few < memory.LIMIT_MB else 1)


def test_memory_runs_into_the_outputs_that_are_wanted(
    clip: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    memory.main(["--source", clip, "--model", model, "--run", "--outputs", "csv", "jsonl"])
    assert float(capsys.readouterr().out.split()[-1]) > 50


def test_startup_has_a_row_for_each_event_in_their_order(clip: str, model: str) -> None:
    found = startup.measure(clip, model, 1)
    assert list(rows_of(startup.table_of(found))) == ["until", "affect --help", "import", "first frame", "first sample"]
    assert 0 < found["first frame"][0] < found["first sample"][0]


def test_startup_times_lines_as_they_come() -> None:
    script = "import time; print('a', flush=True); time.sleep(0.2); print('b', flush=True)"
    events = startup.events_of(["-c", script])
    assert list(events) == ["a", "b", "end"]
    assert events["b"] - events["a"] > 150


def test_startup_does_not_time_what_failed() -> None:
    with pytest.raises(SystemExit, match="ended with exit code 3"):
        startup.events_of(["-c", "import sys; sys.exit(3)"])


def test_machine_names_python_and_every_package() -> None:
    found = machine.machine()
    assert found["versions"]["python"] == sys.version.split()[0] and found["cores"] >= 1
    assert set(machine.PACKAGES) < set(found["versions"]) and "absent" not in found["versions"].values()
    assert len(machine.machine_lines(found).splitlines()) == 3


def test_training_measures_both_stages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "--seconds", "0.01"])
    monkeypatch.setattr(training, "PICTURES", 64)
    monkeypatch.setattr(training, "LENGTHS", (2,))
    training.main()
    table = capsys.readouterr().out
    assert re.search(r"stage one +\d+ pictures/s", table)
    features, pictures, ratio = map(float, re.search(r"SA-2 +(\S+) +(\S+) +(\S+)", table).groups())
    assert features > pictures
    assert ratio == pytest.approx(features / pictures, rel=0.2)
