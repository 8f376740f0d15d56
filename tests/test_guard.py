"""What guards the numbers and the package: skipped data, README, the notebook, the wheel."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from golden import CLIP, golden
from test_golden import LOOSE, columns

from nets.card import WEIGHTS
from tracker.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS, MOST_LINES = 900, 25
PARSED_ALONE = {"live": "a camera", "bench": "minutes"}
"""Commands of README that are not run here, and why."""


def blocks(kind: str) -> list[str]:
    """README's code blocks of a kind, "" for the plain ones."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


def test_readme_s_python_prints_what_stands_below_it(tmp_path: Path) -> None:
    (code,) = blocks("python")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    printed, told = done.stdout.splitlines(), blocks("text")[0].splitlines()
    assert len(printed) >= len(told) > 1
    for ours, theirs in zip(printed, told, strict=False):
        if theirs != "...":
            assert re.sub(r"\d", "0", ours) == re.sub(r"\d", "0", theirs)


COMMANDS = [line for block in blocks("") for line in block.splitlines() if line.startswith("affect ")]


@pytest.mark.parametrize("line", COMMANDS, ids=COMMANDS)
def test_readme_s_commands_do_what_they_say(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(line, comments=True)[1:]
    if words[0] in PARSED_ALONE:
        command = main.get_command(None, words[0])
        command.make_context(words[0], words[1:], resilient_parsing=True)
        assert not [word for word in words[1:] if word.startswith("--") and word not in options_of(command)]
        return
    (tmp_path / "videos").mkdir()
    for name in ("clip.mp4", "videos/one.mp4", "videos/two.mp4"):
        shutil.copy(CLIP, tmp_path / name)
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "docs" / "sample.png", tmp_path / "photos" / "picture.png")
    shutil.copy(ROOT / "docs" / "sample.png", tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    if words[0] == "report":
        assert CliRunner().invoke(main, ["track", "clip.mp4", "--end", "0.3"]).exit_code == 0
    ends = ["--end", "0.3"] if words[0] == "track" else []
    result = CliRunner().invoke(main, [*words, *ends])
    assert result.exit_code == 0, result.output


def options_of(command: object) -> set[str]:
    """All options of a command and of its own commands."""
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(options_of(each) for each in getattr(command, "commands", {}).values()))


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "examples" / "first_steps.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum(bool(line.strip()) for cell in code for line in cell.splitlines()) <= MOST_LINES
    assert all(cell.get("outputs") == [] for cell in cells if cell["cell_type"] == "code")
    names: dict[str, object] = {}
    for cell in code:
        *before, last = cell.splitlines()
        exec("\n".join(before), names)
        shown = None
        if last.startswith((" ", "import")) or re.match(r"[\w, ]+ = ", last):
            exec(cell, names)
        else:
            shown = eval(last, names)
            assert shown is not None
    assert names["face"].ndim == 3 and names["run"].stop().frames > 5


@pytest.mark.parametrize(("value", "code"), [("1", 1), ("0", 0)])
def test_tests_without_their_data_fail_where_that_is_wanted(tmp_path: Path, value: str, code: int) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    test = "import pytest\ndef test_data(): pytest.skip('needs the clips in nowhere')\n"
    system = "@pytest.mark.skipif(True, reason='needs /dev/full')\ndef test_system(): pass\n"
    (tmp_path / "test_it.py").write_text(test + system)
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {**os.environ, "FAIL_WITHOUT_DATA": value}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stdout
    assert ("1 failed, 1 skipped" if code else "2 skipped") in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built distribution."""
    source, out = tmp_path_factory.mktemp("source") / "tree", tmp_path_factory.mktemp("wheel")
    kept = shutil.ignore_patterns(".git*", ".venv", "build", "dist", "*.egg-info", "__pycache__", "out", "runs")
    shutil.copytree(ROOT, source, ignore=kept)
    call = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(source),
    ]
    subprocess.run(call, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_has_all_that_ships(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"nets/weights/{path.name}" for path in WEIGHTS.iterdir()}
    files = [path for top in ("affect", "tracker", "nets", "train", "benchmarks") for path in (ROOT / top).rglob("*")]
    kept = [path for path in files if path.suffix in (".py", ".typed", ".json") and "results" not in path.parts]
    code = {path.relative_to(ROOT).as_posix() for path in kept}
    assert not (wanted | code) - names
    assert not [name for name in names if name.startswith(("tests/", "docs/", "examples/"))]
    assert wheel.stat().st_size < 25e6


@pytest.mark.slow
def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Minutes: it installs what tracking needs, without torch, and must give the golden trace."""
    venv.create(tmp_path / "env", with_pip=True)
    programs = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*call: object) -> str:
        done = subprocess.run(
            [str(part) for part in call], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(programs / "python", "-m", "pip", "install", "-q", wheel)
    assert "torch" not in run(programs / "python", "-m", "pip", "list")
    assert "every file is what its card says" in run(programs / "affect", "doctor")
    assert "anclaf-face" in run(programs / "affect", "models") and "anclaf" in run(
        programs / "affect", "info", "anclaf-face"
    )
    run(programs / "affect", "track", CLIP, "-o", "out")
    tables = (tmp_path / "out" / "sample.csv").read_bytes(), golden("anclaf-face")
    smoothed = [np.array(columns(table)["valence_smooth"], float) for table in tables]
    np.testing.assert_allclose(*smoothed, rtol=0, atol=LOOSE["valence_smooth"])
    assert "24" in run(programs / "python", "-c", f"import affect; print(len(affect.track({str(CLIP)!r}, end=1)))")
