"""The command `affect`, with the real engine and a small untrained model."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import av
import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import tracker
from tests.processes import rest_of
from tracker import config
from tracker.cli import COMMANDS, main
from tracker.commands.models import headline
from tracker.commands.track import batch_config, track
from tracker.config import BatchConfig

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "mediapipe", "cv2", "av", "numba", "pyarrow", "matplotlib")
SECONDS = 240
"""Longest that a process of these tests may take on a busy machine."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained ANCLaF with few channels."""
    from nets.anclaf import Anclaf, AnclafConfig
    from nets.card import ModelCard
    from nets.checkpoint import save
    from tracker.faces.align import Template

    shape = replace(AnclafConfig.compact(), generator_width=4, discriminator_width=4, combiner_widths=(8, 8))
    card = ModelCard("tiny", "anclaf", shape.to_dict(), Template().card(), data="none", terms="any use", command="none")
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    figures = {"ferplus": {"ccc": {"valence": 0.5, "arousal": 0.25}, "n": 10}}
    save(path, Anclaf(shape), replace(card, figures=figures))
    return str(path)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tracker.cli", *map(str, arguments)]


def start(*arguments: object, **settings: object) -> subprocess.Popen:
    """The command as a process that hears Ctrl-C, however these tests were started."""
    heard = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "start_new_session": True}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(*arguments), cwd=ROOT, **{**heard, **pipes, **settings})


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def loaded_by(code: str) -> set[str]:
    """The heavy modules that are loaded after the code ran in a fresh interpreter."""
    told = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("call", ["--help", "--version", "track --help", "models --help", "info -h"])
def test_help_loads_nothing_heavy(call: str) -> None:
    code = f"from tracker.cli import main\nmain({call.split()!r}, standalone_mode=False)"
    assert loaded_by(code) == set()


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(entry.help[:40])}", result.output, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0 and f" {name} " in result.output


def test_version() -> None:
    assert run("--version").output == f"affect {tracker.__version__}\n"


def test_every_default_is_the_dataclass_own() -> None:
    options = [each for each in track.params if isinstance(each, click.Option) and each.expose_value]
    defaults = {option.name: option.default for option in options}
    assert batch_config({**defaults, "debug": False}) == BatchConfig()


def test_every_choice_reaches_its_setting() -> None:
    options = (
        "-o d --no-csv --jsonl - --parquet --video --plot --attention --report --model m --sequence-length 4 "
        "--smoothing ema --faces 3 --min-face 30 --landmarker mediapipe --remember 5 --device cuda:1 --runtime torch "
        "--start 1 --end 2.5 --fps 10 --columns openface --blur-faces "
        "--empty nan --stream 2 --resume --overwrite --recursive "
        "--output-name {name}-{start} --full-paths --baseline auto --source-column --workers 2 "
        "--list l --shard 2/8 --manifest r.jsonl --dry-run --quiet --debug"
    )
    context = track.make_context("track", ["a.mp4", *options.split()])
    sources = context.params.pop("sources")
    made = batch_config(context.params)
    assert sources == ("a.mp4",)
    assert made == BatchConfig(
        model="m",
        resume=True,
        overwrite=True,
        recursive=True,
        workers=2,
        listed="l",
        shard=(2, 8),
        manifest="r.jsonl",
        dry_run=True,
        quiet=True,
        debug=True,
        source=config.SourceOptions(start=1.0, end=2.5, fps=10.0, stream=2),
        tracker=config.TrackerConfig(
            faces=3,
            min_face_px=30.0,
            landmarker="mediapipe",
            remember_s=5.0,
            device="cuda:1",
            runtime="torch",
            sequence_length=4,
            smoothing=config.SmoothingConfig(kind="ema"),
        ),
        output=config.OutputConfig(
            folder="d",
            csv=False,
            jsonl="-",
            parquet=True,
            video=True,
            plot=True,
            attention=True,
            report=True,
            columns="openface",
            blur_faces=True,
            empty="nan",
            name="{name}-{start}",
            full_paths=True,
            baseline="auto",
            source_column=True,
        ),
    )
    assert len(fields(config.OutputConfig)) == 15


WRONG_USAGE = [
    (["track"], "Missing argument 'SOURCE...'"),
    (["tract"], "No such command 'tract'"),
    (["track", "a.mp4", "--smoothing", "kalman"], "'kalman' is not one of 'one-euro', 'ema', 'none'"),
    (["track", "a.mp4", "--faces", "many"], "'many' is not a valid integer"),
    (["track", "a.mp4", "--faces", "0"], "error: faces is 0; expected 1 to 64"),
    (["track", "a.mp4", "--sequence-length", "33"], "error: sequence length is 33; expected 1 to 32"),
    (["track", "a.mp4", "--workers", "0"], "error: workers is 0; expected 1 to 256"),
    (["track", "a.mp4", "--start", "3", "--end", "2"], "error: end is 2 s; expected a time after start"),
    (["track", "a.mp4", "--fps", "0"], "error: fps is 0"),
]


@pytest.mark.parametrize(("arguments", "text"), WRONG_USAGE)
def test_wrong_usage_exits_with_2(arguments: list[str], text: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.output and "Traceback" not in result.output


def test_nothing_to_write_is_wrong_usage(sample_clip: Path, model: str) -> None:
    result = run("track", sample_clip, "--model", model, "--no-csv")
    assert result.exit_code == 2 and "error: nothing to write" in result.output


BAD_MODELS = [
    ("nosuch", "error: no model 'nosuch'"),
    ("cut.safetensors", "is truncated or was changed"),
    ("text.safetensors", "has no model card"),
]


@pytest.mark.parametrize(("name", "text"), BAD_MODELS)
def test_a_bad_model_is_one_plain_line(tmp_path: Path, sample_clip: Path, model: str, name: str, text: str) -> None:
    whole = Path(model)
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "cut.json").write_text(whole.with_suffix(".json").read_text())
    (tmp_path / "text.safetensors").write_text("not weights")
    path = tmp_path / name if "." in name else name
    result = run("track", sample_clip, "--model", path, "-o", tmp_path / "out")
    assert result.exit_code == 1
    lines = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and text in lines[0]
    assert "Traceback" not in result.output


def test_a_source_becomes_all_its_outputs(tmp_path: Path, sample_clip: Path, model: str) -> None:
    wanted = ["--jsonl", f"{tmp_path}/", "--parquet", "--video", "--plot", "--end", "0.3"]
    result = run("track", sample_clip, "--model", model, "-o", tmp_path, *wanted)
    assert result.exit_code == 0, result.output
    names = ["sample.csv", "sample.jsonl", "sample.meta.json", "sample.overlay.mp4", "sample.parquet", "sample.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert len(rows(tmp_path / "sample.csv")) == 8
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert sheet["complete"] is True and sheet["with_faces"] == 8
    assert sheet["model"]["name"] == "tiny" and sheet["smoothing"]["lag_ms"] >= 0
    assert re.search(r"sample.mp4: 8 rows in [\d.]+ s: ", result.output)


def test_a_missing_file_is_one_plain_line(tmp_path: Path, model: str) -> None:
    result = run("track", tmp_path / "missing.mp4", "--model", model, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.output.startswith(f"error: {tmp_path}/missing.mp4 does not exist") and result.output.count("\n") == 1


def test_several_sources_end_with_a_table(tmp_path: Path, sample_clip: Path, model: str) -> None:
    (tmp_path / "notes.mp4").write_text("not a film")
    sources = [tmp_path / "notes.mp4", sample_clip]
    result = run("track", *sources, "--model", model, "-o", tmp_path / "out", "--end", "0.1")
    assert result.exit_code == 1
    table = result.output.splitlines()[-3:]
    assert table[0].split() == ["source", "output", "rows", "seconds", "result"]
    assert re.search(r"notes\.mp4 .* 0 +[\d.]+  failed: .*notes\.mp4", table[1])
    assert re.search(r"sample\.mp4 .*out/sample +3 +[\d.]+  done$", table[2])


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_run(tmp_path: Path, sample_clip: Path, model: str) -> None:
    process = start("track", sample_clip, "--model", model, "-o", tmp_path, "--jsonl", "-")
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(SECONDS) == 1
    assert "error: " in errors and "standard output was closed by its reader" in errors
    assert "Traceback" not in errors and "Exception ignored" not in errors


def wait_for_rows(path: Path, count: int) -> None:
    """Wait until the file has more lines than count."""
    deadline = time.monotonic() + SECONDS
    while not path.exists() or path.read_text().count("\n") <= count:
        assert time.monotonic() < deadline, f"{path} has too few rows"
        time.sleep(0.02)


def test_json_lines_come_at_once_and_ctrl_c_closes_the_files(tmp_path: Path, sample_clip: Path, model: str) -> None:
    process = start("track", sample_clip, "--model", model, "-o", tmp_path, "--jsonl", "-")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(5)]
    process.send_signal(signal.SIGINT)
    rest, errors = rest_of(process)
    assert process.returncode == 130
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2, 3, 4]
    assert all(json.loads(line) for line in rest.splitlines())
    check_what_ctrl_c_left(tmp_path, errors)


def check_what_ctrl_c_left(folder: Path, errors: str) -> None:
    assert "Traceback" not in errors and "sample.mp4" in errors and "frames/s" in errors
    last = errors.splitlines()[-1]
    assert last.startswith("interrupted: 0 of 1 complete; what was written")
    assert "sample.part.csv" in last and last.endswith("the same command with --resume goes on")
    kept = rows(folder / "sample.part.csv")
    assert [int(row["frame"]) for row in kept] == list(range(len(kept))) and all(row["pose_Rz"] for row in kept)
    assert json.loads((folder / "sample.meta.json").read_text())["complete"] is False


def test_workers_share_the_sources(tmp_path: Path, sample_clip: Path, model: str) -> None:
    twin = tmp_path / "twin" / "sample.mp4"
    twin.parent.mkdir()
    twin.write_bytes(sample_clip.read_bytes())
    arguments = ["--model", model, "-o", tmp_path / "out", "--end", "0.1", "--workers", "2"]
    process = start("track", sample_clip, twin, *arguments)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    tables = [rows(tmp_path / "out" / folder / "sample.csv") for folder in ("assets", "twin")]
    assert len(tables[0]) == 3 and tables[0] == tables[1]
    assert errors.count("frames/s") >= 2


def alive_in(group: int) -> list[str]:
    """The processes of a group that go on, as the system tells of them."""
    told = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    return [line[2] for line in lines if int(line[0]) == group and not line[1].startswith("Z")]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "whom"), [(signal.SIGINT, "all"), (signal.SIGTERM, "all"), (signal.SIGTERM, "one")])
def test_what_ends_the_command_reaches_the_workers(
    tmp_path: Path, sample_clip: Path, model: str, number: signal.Signals, whom: str
) -> None:
    """Ctrl-C and Slurm send it to all processes, docker to the first: no output is torn, nothing goes on."""
    twin = tmp_path / "twin.mp4"
    twin.write_bytes(sample_clip.read_bytes())
    outputs = ["-o", tmp_path, "--parquet", "--video", "--plot"]
    process = start("track", sample_clip, twin, "--model", model, *outputs, "--workers", "2")
    wait_for_rows(tmp_path / "sample.part.csv", 2)
    (os.killpg if whom == "all" else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, errors
    assert "interrupted: 0 of 2 complete" in errors and "Traceback" not in errors
    deadline = time.monotonic() + SECONDS
    while living := alive_in(process.pid):
        assert time.monotonic() < deadline, living
        time.sleep(0.1)
    kept = rows(tmp_path / "sample.part.csv")
    assert [int(row["frame"]) for row in kept] == list(range(len(kept))) and len(kept) >= 2
    assert pq.read_metadata(tmp_path / "sample.part.parquet").num_rows == len(kept)
    assert (tmp_path / "sample.part.png").stat().st_size > 1000
    with av.open(str(tmp_path / "sample.overlay.part.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == len(kept)
    sheet = json.loads((tmp_path / "sample.meta.json").read_text())
    assert sheet["complete"] is False and sheet["rows"] == len(kept) and "interrupted" in sheet["warnings"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".") or path.suffix == ".arrows"]


def test_models_that_ship_tell_their_figures() -> None:
    lines = run("models").output.splitlines()
    told = {line.split()[0]: line for line in lines[1:]}
    temporal = ("anclaf-compact-S-8", "anclaf-compact-SA-8")
    assert list(told) == [*temporal, "anclaf-compact", "anclaf-face", "landmarks-m2", "levasa-compact"]
    assert all("sequences ccc 0." in told[name] for name in (*temporal, "anclaf-compact"))
    assert all(re.search(r"anclaf +0\.1 beside anclaf-compact +2,8", told[name]) for name in temporal)
    assert all("ferplus ccc 0." in told[name] for name in ("anclaf-compact", "anclaf-face", "levasa-compact"))
    assert "found landmarks accuracy 0." in told["landmarks-m2"]


def test_models_of_a_folder(model: str) -> None:
    result = run("models", Path(model).parent)
    assert result.exit_code == 0
    heading, line = result.output.splitlines()
    assert heading.split()[:5] == ["name", "kind", "MB", "parameters", "frames"]
    assert re.fullmatch(r"tiny +anclaf +0\.\d +[\d,]+ +1  any use +ferplus ccc 0\.500/0\.250", line)


def test_no_models_in_a_folder(tmp_path: Path) -> None:
    assert run("models", tmp_path).output == f"no models in {tmp_path}\n"


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({}, ""),
        ({"ccc": {"valence": 0.91, "arousal": 0.86}}, "ccc 0.910/0.860"),
        ({"a": {"n": 3}, "b": {"ccc": {"valence": 1, "arousal": 0}}}, "b ccc 1.000/0.000"),
    ],
)
def test_headline(figures: dict, told: str) -> None:
    assert headline(figures) == told


def facts(output: str) -> dict[str, str]:
    return dict(re.split(r"  +", line, maxsplit=1) for line in output.splitlines())


def test_info_of_a_source(sample_clip: Path) -> None:
    result = run("info", sample_clip)
    assert result.exit_code == 0
    told = facts(result.output)
    assert (told["kind"], told["width"], told["height"], told["frames"]) == ("video", "640", "360", "216")
    assert told["stream 0"] == "video, h264, 640x360, yuv420p, 9.009 s"
    assert told["stream 1"].startswith("audio, aac")


def test_info_of_a_checkpoint(model: str) -> None:
    told = facts(run("info", model).output)
    assert (told["name"], told["kind"], told["terms"]) == ("tiny", "anclaf", "any use")
    assert json.loads(told["crop"])["size"] == 64 and len(told["sha256"]) == 64


def test_info_of_what_ships() -> None:
    told = facts(run("info", "anclaf-compact-S-8").output)
    assert (told["name"], told["kind"]) == ("anclaf-compact-S-8", "anclaf")
    base = facts(run("info", "anclaf-compact").output)
    assert json.loads(told["base"]) == {"name": "anclaf-compact", "sha256": base["sha256"]} and "base" not in base


@pytest.mark.parametrize("name", ["missing.mp4", "missing.safetensors", "nosuch", "no-such"])
def test_info_of_nothing_is_one_plain_line(name: str) -> None:
    result = run("info", name)
    assert result.exit_code == 1
    assert result.output.startswith("error: ") and result.output.count("\n") == 1 and name in result.output


def run_with_broken(package: str, code: str, folder: Path, arguments: Sequence[object]) -> subprocess.CompletedProcess:
    """Run the command where importing a package fails with the code given."""
    (folder / f"{package}.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def test_a_missing_system_library_names_its_package(tmp_path: Path, sample_clip: Path) -> None:
    code = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    done = run_with_broken("cv2", code, tmp_path, ["track", sample_clip, "-o", tmp_path])
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "error: the system library libGL.so.1 is missing; on Debian or Ubuntu: apt-get install libgl1 libglib2.0-0\n"
    )


def test_an_error_that_nobody_expected_is_one_line_and_debug_shows_where(tmp_path: Path, sample_clip: Path) -> None:
    code = "raise ValueError('half a wheel')"
    done = run_with_broken("av", code, tmp_path, ["info", sample_clip])
    assert done.returncode == 1
    assert done.stderr == "error: unexpected ValueError: half a wheel; run again with --debug\n"
    done = run_with_broken("av", code, tmp_path, ["--debug", "info", sample_clip])
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr and "half a wheel" in done.stderr
