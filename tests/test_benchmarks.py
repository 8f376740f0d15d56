"""Smoke: each benchmark runs for a moment, its table and its file have what they should. No time is judged."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks import journal, lag, latency, machine, memory, networks, scene, soak, startup, stopwatch, throughput
from benchmarks import training as training_benchmark
from benchmarks.config import BenchConfig
from nets.anclaf import Anclaf, AnclafConfig, with_recurrence
from nets.card import ModelCard
from nets.checkpoint import save
from tracker.cli import main
from tracker.commands.live import live
from tracker.commands.track import track
from tracker.config import SmoothingConfig, TrackerConfig
from tracker.engine import Engine
from tracker.errors import AffectError, UsageError
from tracker.faces.align import Template
from tracker.smoothing import step_lag_ms
from tracker.sources import open_source

BESIDE = "landmark code"
"""The stage of a second model, which does not run here."""
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
    """A small checkpoint of random weights with a window of 8 frames."""
    shape = replace(AnclafConfig.compact(), generator_width=4, discriminator_width=4, combiner_widths=(8, 8))
    network = with_recurrence(Anclaf(shape), "lstm", hidden=8, score="linear")
    origin = {"data": "none", "terms": "none", "command": "none"}
    window = {"sequence_length": 8, "rate_hz": 25.0}
    card = ModelCard("tiny", "anclaf", network.config.to_dict(), Template().card(), **window, **origin)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save(path, network, card)
    return str(path)


@pytest.fixture
def config(clip: str, model: str) -> BenchConfig:
    return BenchConfig(source=clip, model=model, tracker=TrackerConfig(runtime="torch"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)])


def measured(clip: str, model: str, file: Path, *arguments: object) -> tuple[str, dict]:
    """What a benchmark printed and wrote."""
    done = run(*arguments, "--source", clip, "--model", model, "--runtime", "torch", "--json", file)
    assert done.exit_code == 0, done.output
    return done.stdout, json.loads(file.read_text())


def rows_of(text: str) -> dict[str, list[str]]:
    """Cells of each row of the markdown tables by the first."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_latency_tells_every_stage_and_the_drops(clip: str, model: str, tmp_path: Path) -> None:
    choice = ("--seconds", 0.8, "--warm-up", 0.4, "--fps", 20)
    printed, found = measured(clip, model, tmp_path / "l.json", "latency", *choice)
    rows, (only,) = rows_of(printed), found["found"]["runs"]
    assert {latency.TOTAL, *journal.ORDER} - {BESIDE} < rows.keys() and BESIDE not in rows
    assert found["benchmark"] == "latency"
    assert {"fps": 20, "source": "a few.mp4", "runtime": "torch"}.items() <= found["settings"].items()
    assert len(only["latencies_ms"]) + only["dropped"] > 3 and only["cut"] > 0
    assert found["rounds"][0][f"{latency.TOTAL}, p50 ms"] == pytest.approx(np.median(only["latencies_ms"]), abs=0.01)
    assert not any(name.startswith(BESIDE) for name in found["rounds"][0])
    assert "1.00 faces each" in printed and "the first 0.4 s of each round are cut" in printed
    assert {"torch", "onnxruntime", "av", "numpy", "python"} < found["machine"]["versions"].keys()


def test_latency_plays_the_clip_at_the_rate(config: BenchConfig) -> None:
    pace = latency.Pace(fps=20.0, seconds=1.5, warm_up=0.0)
    made = latency.live_config(config, pace, 24.0)
    assert made.headless and made.capture.loop and made.capture.pace == pytest.approx(20 / 24)
    round_ = latency.live_run(config.source, made, pace)
    moments = [passage.captured for passage in round_.passages]
    assert round_.dropped <= round_.dropped_at_all
    assert (moments[-1] - moments[0]) / (len(moments) + round_.dropped - 1) == pytest.approx(1 / 20, rel=0.2)


def test_a_frame_s_stages_add_up_to_its_latency(config: BenchConfig) -> None:
    pace = latency.Pace(fps=20.0, seconds=0.6, warm_up=0.0)
    round_ = latency.live_run(config.source, latency.live_config(config, pace, 24.0), pace)
    for passage in round_.passages:
        assert {"landmarks", "align", "encode", "combine, smooth"} < passage.stages.keys()
        assert sum(map(passage.stage_ms, journal.ORDER)) == pytest.approx(passage.total_ms)
        assert 0 <= passage.stage_ms("rest") < passage.total_ms


def test_the_warm_up_and_its_drops_are_cut() -> None:
    offered = [float(moment) for moment in range(10)]
    kept = [journal.Passage(moment, noted=moment + 0.5) for moment in (0.0, 3.0, 4.0, 7.0, 9.0)]
    round_ = latency.cut(kept, offered, warm_up=3.0, dropped_at_all=5)
    assert [passage.captured for passage in round_.passages] == [4.0, 7.0, 9.0]
    assert (round_.cut, round_.dropped, round_.dropped_percent) == (2, 3, 50.0)


def test_latency_that_the_user_ends_is_no_result(config: BenchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    short = latency.run_live
    monkeypatch.setattr(latency, "run_live", lambda uri, made: short(uri, replace(made, duration=0.3)))
    pace = latency.Pace(seconds=30.0)
    with pytest.raises(KeyboardInterrupt):
        latency.live_run(config.source, latency.live_config(config, pace, 24.0), pace)


def test_lag_of_the_window_is_that_of_a_mean_over_it(config: BenchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window whose answer is the mean of its rows, at its own rate: half of a step is there with the fourth of 8."""
    unsmoothed = replace(config.tracker, smoothing=SmoothingConfig(kind="none"))
    with Engine(config.model, unsmoothed) as engine:
        means = lambda windows, valid: (windows[..., :2].mean(axis=1), None)  # noqa: E731
        monkeypatch.setattr(engine._combiner, "combine", means)
        monkeypatch.setattr(engine._combiner, "rows", lambda f: np.tile(f[:, :1], (1, engine._combiner.row_width)))
        low, high = ([np.full((1, 4), value, np.float32)] * 3 for value in (0.0, 0.5))
        pair = lag.FaceFeatures(*low), lag.FaceFeatures(*high)
        window, both = lag.responses(engine, pair, 25.0)
    assert window[:9] == pytest.approx([1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1, 1], abs=1e-5)
    assert lag.crossing_ms(window, 25.0) == pytest.approx(120.0, abs=0.1) and both == pytest.approx(window)


def test_lag_takes_the_faces_furthest_apart_and_adds_the_filter(config: BenchConfig) -> None:
    lags = lag.step_lags(config.source, config, 30.0)
    assert lags.smoothing_ms == pytest.approx(step_lag_ms(SmoothingConfig()), abs=0.1)
    assert lags.window_ms is not None and lags.both_ms is not None and 0 <= lags.window_ms < lags.both_ms < 2000


def test_lag_crossing_is_read_between_two_frames() -> None:
    assert lag.crossing_ms(np.array([0.6, 1.0]), 10.0) == 0.0
    assert lag.crossing_ms(np.array([0.2, 0.4, 0.8]), 10.0) == pytest.approx(125.0)
    assert lag.crossing_ms(np.array([0.2, 0.3]), 10.0) is None


def test_throughput_tells_both_ways_and_every_stage(clip: str, model: str, tmp_path: Path) -> None:
    printed, found = measured(clip, model, tmp_path / "t.json", "throughput", "--repeat", 2)
    rows = rows_of(printed)
    ran = (stage for stage in throughput.ORDER if stage != BESIDE)
    stages = [*ran, throughput.WHOLE, throughput.ADDED, *(f"{net} alone, by torch" for net in "ZQC")]
    rates = [throughput.PLAIN, throughput.SERIAL, throughput.GAIN, throughput.SHARE]
    assert list(rows) == ["rate", "---", *rates, "ms a frame", *stages]
    assert all(re.fullmatch(r"-?\d+\.\d\d", cell) for stage in stages for cell in rows[stage])
    assert f"2 rounds of {FRAMES} frames, 1.00 faces each" in printed
    assert len(found["rounds"]) == 2 and found["settings"]["runs by"] == "torch"
    assert not any(name.startswith(BESIDE) for each in found["rounds"] for name in each)
    assert set(found["more_is_better"]) == {throughput.PLAIN, throughput.SERIAL, throughput.GAIN}
    for each in found["rounds"]:
        ratio = each[throughput.PLAIN] / each[throughput.SERIAL]
        assert each[throughput.GAIN] == pytest.approx(ratio) and each[throughput.SHARE] > 0


def test_throughput_stages_add_up_and_the_clocks_go_away(config: BenchConfig) -> None:
    detect = throughput.Engine.find
    with Engine(config.model, config.tracker) as engine:
        serial = throughput.serial_run(config.source, engine)
        times = throughput.Pass(throughput.Plain(FRAMES, 1.0), serial).times()
        assert len(networks.network_times(config.model, calls=3)["Q alone, by torch"]) == 3
    assert serial.faces == FRAMES and all(len(each) == FRAMES for each in times.values())
    parts = np.sum([times[name] for name in throughput.ORDER], axis=0)
    assert parts == pytest.approx(times[throughput.WHOLE]) and min(times["rest"]) >= 0 and min(times["csv"]) > 0
    assert detect is throughput.Engine.find and throughput.Engine._encode.__name__ == "_encode"


def test_stopwatch_adds_up_until_it_is_asked() -> None:
    watch = stopwatch.Stopwatch()
    double = watch.timed("double", lambda x: 2 * x)
    assert [double(1), double(2)] == [2, 4]
    assert list(watch.take()) == ["double"] and watch.take() == {}
    assert stopwatch.clock_cost_us() < 1000


def test_a_scene_has_the_size_and_the_faces(sample_clip: Path, clip: str) -> None:
    four = BenchConfig(source=clip, size=(640, 360), tracker=TrackerConfig(faces=4))
    with scene.scene(four) as uri, open_source(uri) as source:
        frames = list(source)
    assert len(frames) == FRAMES and frames[0].image.shape == (360, 640, 3) and not Path(uri).exists()
    corners = [frames[3].image[y : y + 180, x : x + 320].astype(int) for y in (0, 180) for x in (0, 320)]
    assert all(np.abs(corner - corners[0]).mean() < 4 for corner in corners) and corners[0].std() > 10
    with scene.scene(BenchConfig(source=clip)) as uri:
        assert uri == clip


def test_a_scene_of_three_leaves_a_cell_black() -> None:
    made = scene.tiled(np.full((10, 20, 3), 200, np.uint8), (40, 20), 3)
    assert (made[10:, 20:] == 0).all() and (made[:10] == 200).all() and (made[10:, :20] == 200).all()


def test_memory_soaks_and_tells_of_threads(clip: str, model: str, tmp_path: Path) -> None:
    printed, found = measured(clip, model, tmp_path / "m.json", "memory", "--minutes", 0.03)
    (only,) = found["found"]["soaks"]
    assert rows_of(printed)["minute"] == ["resident MB"] and "Threads left after the end: none" in printed
    assert len(only["mb"]) > 5 and min(only["mb"]) > 50 and only["threads"]["left"] == []
    assert found["rounds"][0]["at the end, MB"] == only["mb"][-1]


def test_soak_finds_growth() -> None:
    trace = soak.Trace([0.0, 60.0, 120.0, 180.0, 240.0], [300.0, 400.0, 500.0, 501.0, 502.0])
    assert trace.at(125.0) == 500.0 and trace.mb_an_hour(120.0) == pytest.approx(60.0)


def test_memory_repeats_a_clip_as_one_video(clip: str, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    memory.write_repeated(clip, 3, path)
    with open_source(str(path)) as source:
        frames = [(frame.time, frame.image) for frame in source]
    assert len(frames) == 3 * FRAMES
    assert all(0.03 < later - earlier < 0.05 for (earlier, _), (later, _) in pairwise(frames))
    assert (frames[0][1] == frames[2 * FRAMES][1]).all() and (frames[0][1] != frames[FRAMES - 1][1]).any()


def test_memory_tells_both_peaks_and_their_difference(clip: str, model: str, tmp_path: Path) -> None:
    choice = ("--clips", 1, 2, "--output", "csv", "--output", "jsonl")
    printed, found = measured(clip, model, tmp_path / "m.json", "memory", *choice)
    rows, (only,) = rows_of(printed), found["rounds"]
    few, many = only["clip 1 times, MB"], only["clip 2 times, MB"]
    assert min(few, many) > 50 and float(rows["difference"][0]) == pytest.approx(many - few, abs=0.06)
    assert "into csv, jsonl" in printed and found["benchmark"] == "memory over clips"


def test_startup_has_a_row_for_each_start(
    clip: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = iter([{"import, ms": 900.0}, {"import, ms": 10.0}, {"import, ms": 30.0}])
    monkeypatch.setattr(startup, "one_round", lambda uri, config: next(starts))
    printed, found = measured(clip, model, tmp_path / "s.json", "startup", "--repeat", 2)
    assert rows_of(printed)["import, ms"] == ["20", "10", "30"] and len(found["rounds"]) == 2


@pytest.mark.slow
def test_startup_measures_every_start(config: BenchConfig) -> None:
    found = startup.one_round(config.source, config)
    assert len(found) == 6 and all(0 < passed < 600_000 for passed in found.values())


def test_startup_hears_of_the_first_frame_and_the_first_sample(config: BenchConfig) -> None:
    arguments = [config.source, config.model, json.dumps(config.choice())]
    events = startup.events_of(["-c", startup.RUN, *arguments])
    assert 0 < events["first frame"] < events["first sample"] < events["end"]


def test_startup_calls_the_commands_as_users_do(config: BenchConfig) -> None:
    choice = {**config.choice(), "sequence_length": 4, "faces": 2}
    for name, command, made in (
        ("track", track, startup.track_command(config.source, config.model, choice)),
        ("live", live, startup.live_command(config.source, config.model, choice)),
    ):
        context = command.make_context(name, made[1:])
        expected = {"sequence_length": 4, "faces": 2, "runtime": "torch", "jsonl": "-", "model": config.model}
        assert made[0] == name and expected.items() <= context.params.items()


def test_startup_times_lines_as_they_come() -> None:
    script = "import time; print('a', flush=True); time.sleep(0.2); print('b', flush=True)"
    events = startup.events_of(["-c", script])
    assert list(events) == ["a", "b", "end"]
    assert events["b"] - events["a"] > 150


def test_startup_does_not_time_what_failed() -> None:
    with pytest.raises(AffectError, match=r"ended with exit code 3: no luck"):
        startup.events_of(["-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(AffectError, match="told of no face; give a --source that begins with one"):
        startup.first_sample(["-c", "print('{\"success\":0}')"])


def test_training_measures_both_stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training_benchmark, "PICTURES", 64)
    monkeypatch.setattr(training_benchmark, "LENGTHS", (2,))
    done = run("training", "--seconds", 0.01, "--json", tmp_path / "r.json")
    assert done.exit_code == 0, done.output
    (found,) = json.loads((tmp_path / "r.json").read_text())["rounds"]
    features, pictures = found["SA-2 from features, windows/s"], found["SA-2 from pictures, windows/s"]
    assert features > pictures and found["SA-2, features / pictures"] == pytest.approx(features / pictures)
    assert float(rows_of(done.stdout)["stage one, pictures/s"][0]) > 0


def test_machine_names_python_and_every_package() -> None:
    found = machine.machine()
    assert found["versions"]["python"] == sys.version.split()[0] and found["cores"] >= 1
    assert {"numpy", "torch", "onnxruntime", "av", "numba"} < set(found["versions"]) < {"python", *machine.PACKAGES}
    assert any(name.startswith("opencv") for name in found["versions"])
    assert len(machine.machine_lines(found).splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "line", "code"),
    [
        (["latency", "--json", "/nowhere/x.json"], "the folder /nowhere does not exist; make it first", 2),
        (["latency", "--source", "nothing.mp4"], "error: nothing.mp4 does not exist; expected a video", 1),
        (["latency", "--fps", "0"], "error: fps is 0.0; expected 1.0 to 1000.0", 2),
        (["latency", "--seconds", "0.1"], "error: seconds is 0.1; expected 0.5", 2),
        (["throughput", "--repeat", "0"], "error: repeat is 0; expected 1 to 1000", 2),
        (["throughput", "--faces", "65"], "error: faces is 65; expected 1 to 64", 2),
        (["throughput", "--size", "big"], "'big' is not a size; expected WIDTHxHEIGHT", 2),
        (["throughput", "--model", "none-such"], "none-such", 1),
        (["training", "--config", "compact-ferplus"], "the configuration compact-ferplus has no stage two", 2),
        (["memory", "--minutes", "0"], "error: minutes is 0.0; expected 0.01", 2),
    ],
)
def test_errors_say_what_is_wrong(arguments: list[str], line: str, code: int) -> None:
    done = run(*arguments)
    assert line in done.stderr and done.exit_code == code


def test_a_clip_without_a_face_is_refused(tmp_path: Path, config: BenchConfig) -> None:
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), np.zeros((180, 320, 3), np.uint8))
    with pytest.raises(AffectError, match="shows no face; the lag of the window is measured by the face of the source"):
        lag.step_lags(str(blank), config, 30.0)


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from tracker.cli import main; main(['bench', 'latency', '--help'], standalone_mode=False)"
    told = f"{code}; print({{'torch', 'cv2', 'av', 'mediapipe', 'numba'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_busy_machine_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (3.25, 0.0, 0.0))
    done = run("throughput", "--source", "nothing.mp4")
    assert "warning: the machine is busy (load 3.2): all will seem slower than it is" in done.stderr


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"width and height \(pixels\) is 8; expected 32 to 8192"):
        BenchConfig(size=(8, 100))
