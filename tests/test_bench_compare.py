"""affect bench compare: finds what was planted, and nothing where nothing is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from benchmarks import compare
from tracker.cli import main

MACHINE = {"cpu": "X", "cores": 2, "system": "Linux", "versions": {"python": "3.11", "torch": "2.13"}, "commit": "a"}
NAMES = ("landmarks, p50 ms", "encode, p50 ms", "overlapped, frames/s", "dropped, %")


def rounds(count: int, seed: int, **factors: float) -> list[dict[str, float]]:
    """Noise of 3 % around fixed figures, some of them times a factor."""
    noise = np.random.default_rng(seed).normal(1.0, 0.03, (count, 3))
    figures = zip(NAMES, (6.0, 4.0, 120.0), (factors.get("landmarks", 1), factors.get("encode", 1), 1), strict=False)
    columns = [(name, middle * factor) for name, middle, factor in figures]
    return [
        {**{name: middle * each for (name, middle), each in zip(columns, row, strict=True)}, "dropped, %": 0.0}
        for row in noise
    ]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(name: str, found: list[dict[str, float]], **changes: Any) -> Path:
        file = tmp_path / name
        facts = {"format": 1, "benchmark": "throughput", "began": "2026-11-22T10:00:00+00:00", "machine": MACHINE}
        settings = {"settings": {"runtime": "onnx", "repeat": len(found)}, "more_is_better": ["overlapped, frames/s"]}
        file.write_text(json.dumps({**facts, **settings, "rounds": found, "found": {}, **changes}))
        return file

    return written


def run(first: Path, second: Path) -> Result:
    return CliRunner().invoke(main, ["bench", "compare", str(first), str(second)])


def rows(text: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_a_planted_slowdown_is_found_and_nothing_else(write: Callable[..., Path]) -> None:
    done = run(write("a.json", rounds(8, 1)), write("b.json", rounds(8, 2, encode=1.2)))
    found = rows(done.stdout)
    assert done.exit_code == 0 and done.stderr == ""
    assert found["encode, p50 ms"][3:] == ["0.008", "slower"]
    assert found["landmarks, p50 ms"][-1] == found["overlapped, frames/s"][-1] == "no difference found"
    ratio, low, _, high = found["encode, p50 ms"][2].replace("(", "").replace(")", "").split()
    assert float(low) < float(ratio) < float(high) and float(ratio) == pytest.approx(1.2, abs=0.05)
    assert "8 pairs of rounds, paired by their order" in done.stdout


def test_the_other_way_round_it_is_faster(write: Callable[..., Path]) -> None:
    done = run(write("a.json", rounds(8, 2, encode=1.2)), write("b.json", rounds(8, 1)))
    assert rows(done.stdout)["encode, p50 ms"][-1] == "faster"


def test_more_frames_a_second_are_faster() -> None:
    pairs = [({"x, frames/s": 100.0 + k}, {"x, frames/s": 110.0 + k}) for k in range(6)]
    assert compare.change("x, frames/s", pairs, True).verdict == "faster"
    assert compare.change("x, frames/s", [(b, a) for a, b in pairs], True).verdict == "slower"


def test_equal_runs_differ_as_seldom_as_the_level_says() -> None:
    """Over 200 pairs of equal runs of 8 rounds: p is below 0.05 in about 10."""
    found = 0
    for seed in range(200):
        pairs = list(zip(rounds(8, 2 * seed), rounds(8, 2 * seed + 1), strict=True))
        found += compare.change("encode, p50 ms", pairs, False).verdict != "no difference found"
    assert found <= 20


def test_the_same_file_twice_shows_nothing(write: Callable[..., Path]) -> None:
    file = write("a.json", rounds(8, 1))
    found = rows(run(file, file).stdout)
    assert {found[name][-1] for name in NAMES} == {"no difference found"}
    assert found["landmarks, p50 ms"][2:4] == ["1.000 (1.000 to 1.000)", "1.000"] and found["dropped, %"][2] == "-"


def test_p_is_that_of_all_signs() -> None:
    assert compare.sign_flip_p(np.ones(6)) == 2 / 64
    assert compare.sign_flip_p(np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])) == 1.0
    drawn = compare.sign_flip_p(np.random.default_rng(0).normal(0.2, 1.0, 20))
    assert 0.001 < drawn < 1


def test_few_rounds_tell_nothing(write: Callable[..., Path]) -> None:
    done = run(write("a.json", rounds(3, 1)), write("b.json", rounds(5, 2, encode=3.0)))
    assert "3 pairs of rounds (the first of 5 and 3): nothing can be told; 6 or more are needed" in done.stdout
    assert rows(done.stdout)["encode, p50 ms"][-1] == "too few rounds to tell"


def test_what_else_differs_is_told(write: Callable[..., Path]) -> None:
    other = {**MACHINE, "cpu": "Y", "versions": {"python": "3.12", "torch": "2.13"}}
    settings = {"runtime": "torch", "repeat": 6}
    done = run(write("a.json", rounds(6, 1)), write("b.json", rounds(6, 2), machine=other, settings=settings))
    assert done.exit_code == 0
    assert "warning: A and B come from different machines, so the difference is theirs too: cpu X / Y" in done.stderr
    assert "different versions: python 3.11 / 3.12\n" in done.stderr
    assert "different settings: runtime onnx / torch\n" in done.stderr


def test_files_that_cannot_be_compared_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    good, other = write("a.json", rounds(6, 1)), write("b.json", rounds(6, 1), benchmark="latency")
    done = run(good, other)
    assert "is of affect bench throughput and" in done.stderr and "expected two files of the same" in done.stderr
    assert done.exit_code == 2
    strange = write("c.json", [{"another figure": 1.0}])
    assert "have no figure in common" in run(good, strange).stderr
    (tmp_path / "d.json").write_text("[1]")
    assert "is not a file of affect bench" in run(good, tmp_path / "d.json").stderr
    (tmp_path / "e.json").write_text("{")
    assert "cannot be read" in run(good, tmp_path / "e.json").stderr
    assert run(good, tmp_path / "missing.json").exit_code == 1
