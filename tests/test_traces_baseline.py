"""Baselines in batch: what they are taken from, and the columns that start from them."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from trace_files import frames_of, trace_file

from tracker.cli import main
from tracker.errors import UsageError
from tracker.traces.baseline import baselines_of, parse_choice, write_relative
from tracker.traces.reading import read_trace
from tracker.types import EXPRESSIONS


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def baseline(folder: Path, affect: Sequence, choice: str | tuple[float, float], **choices: object):
    trace = read_trace(trace_file(folder, frames_of(affect, **choices)))
    return baselines_of(trace, choice, one_person=True).get(None)


RESTING, LAUGHING = (-0.1, 0.05), (0.8, 0.4)
TALE = [*[LAUGHING] * 75, *[RESTING] * 125, *[LAUGHING] * 100]
"""At 25 Hz: laughs for 3 s, rests for 5 s, laughs for 4 s."""


def test_a_span_is_where_it_is_taken_from(tmp_path: Path) -> None:
    found = baseline(tmp_path, TALE, (3.0, 8.0))
    assert (found.valence, found.arousal) == RESTING
    assert 3.0 <= found.start < found.end < 8.0
    assert baseline(tmp_path, TALE, (0.0, 2.0)).valence == 0.8
    assert baseline(tmp_path, TALE, (20.0, 24.0)) is None


def test_the_change_itself_is_not_calm(tmp_path: Path) -> None:
    steep = [(place / 25, 0.0) for place in range(-25, 25)]
    assert baseline(tmp_path, steep, "own") is None
    found = baseline(tmp_path, TALE, "own")
    assert found.frames < 300 - 4 * 4, "around both jumps frames are left out"
    assert found.valence == 0.8, "what is usual in the file: 175 frames of 300"


def test_the_calmest_stretch_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shaking = np.array(LAUGHING) + rng.normal(scale=0.01, size=(150, 2))
    found = baseline(tmp_path, [*shaking.tolist(), *[RESTING] * 110, *shaking.tolist()], "auto")
    assert (found.valence, found.arousal) == pytest.approx(RESTING, abs=1e-6)
    assert found.start >= 6 and found.end <= 10.5


def test_of_two_calm_stretches_the_neutral_one_is_taken(tmp_path: Path) -> None:
    chances = np.full(len(EXPRESSIONS), 0.05, np.float32)
    frames = []
    for frame in frames_of(TALE):
        (sample,) = frame.samples
        expressions = chances.copy()
        expressions[EXPRESSIONS.index("neutral" if sample.valence_smooth < 0 else "happiness")] = 0.65
        frames.append(replace(frame, samples=(replace(sample, expressions=expressions),)))
    trace = read_trace(trace_file(tmp_path, frames, extras=("expressions",)))
    found = baselines_of(trace, "auto", one_person=True)[None]
    assert (found.valence, found.arousal) == RESTING


@pytest.mark.parametrize(
    "choices", [{"status": ["low_quality"] * 300}, {"pose": (0, math.radians(25), 0)}], ids=["low quality", "turned"]
)
def test_frames_that_are_not_well_seen_do_not_count(choices: dict, tmp_path: Path) -> None:
    assert baseline(tmp_path, TALE, "own", **choices) is None


def test_a_picture_is_enough(tmp_path: Path) -> None:
    assert baseline(tmp_path, [RESTING], "own").frames == 1


@pytest.mark.parametrize("empty", ["blank", "nan"])
def test_the_columns_are_filled_where_there_is_something_to_say(empty: str, tmp_path: Path) -> None:
    frames = frames_of([*TALE[:100], None])
    paths = {
        kind: trace_file(tmp_path, frames, kind=kind, extras=("relative",), empty=empty)
        for kind in ("csv", "jsonl", "parquet")
    }
    before = rows(paths["csv"])
    write_relative(paths, baselines_of(read_trace(paths["csv"]), (3.0, 4.0), one_person=True))
    after = rows(paths["csv"])
    assert float(after[0]["valence_rel"]) == pytest.approx(0.9) and float(after[99]["arousal_rel"]) == 0
    assert after[100]["valence_rel"] == ("NaN" if empty == "nan" else "")
    relative = ("valence_rel", "arousal_rel")
    for one, other in zip(before, after, strict=True):
        assert {**one, **dict.fromkeys(relative)} == {**other, **dict.fromkeys(relative)}, "nothing else changes"
    for kind in ("jsonl", "parquet"):
        values = read_trace(paths[kind]).columns["valence_rel"]
        assert values[:100] == pytest.approx([float(row["valence_rel"]) for row in after[:100]], abs=1e-6)
        assert np.isnan(values[100])


def test_choices_are_told_apart() -> None:
    assert parse_choice("0:4.5") == (0, 4.5) and parse_choice("-1:2") == (-1, 2)
    for word in ("own", "auto", "rest.mp4", "C:\\rest.mp4"):
        assert parse_choice(word) == word
    with pytest.raises(UsageError, match="ends before it begins"):
        parse_choice("4:0")


def test_track_takes_the_baseline_and_says_so_in_the_sheet(sample_clip: Path, tmp_path: Path) -> None:
    told = ("track", sample_clip, "--end", 1.5, "--baseline")
    first = run(*told, "0:1.5", "-o", tmp_path / "span")
    assert first.exit_code == 0, first.output
    found = json.loads((tmp_path / "span" / "sample.meta.json").read_text(encoding="utf-8"))["baseline"]
    assert found["choice"] == "0:1.5" and found["faces"]["all"]["frames"] >= 10
    table = rows(tmp_path / "span" / "sample.csv")
    for row in table:
        for axis in ("valence", "arousal"):
            expected = float(row[f"{axis}_smooth"]) - found["faces"]["all"][axis]
            assert float(row[f"{axis}_rel"]) == pytest.approx(expected, abs=2e-6)
    assert list(table[0]).index("valence_rel") == list(table[0]).index("pose_Rz") + 1, "where live has it"
    again = run(*told, "0:1.5", "-o", tmp_path / "span")
    assert "is complete" in again.output
    other = run(*told, tmp_path / "span" / "sample.csv", "-o", tmp_path / "file")
    assert other.exit_code == 0, other.output
    sheet = json.loads((tmp_path / "file" / "sample.meta.json").read_text(encoding="utf-8"))
    assert sheet["baseline"]["faces"]["all"]["valence"] == pytest.approx(found["faces"]["all"]["valence"], abs=0.02)
    assert "is complete" in run(*told, tmp_path / "span" / "sample.csv", "-o", tmp_path / "file").output
    late = run(*told, "20:24", "-o", tmp_path / "late")
    assert late.exit_code == 0 and "no baseline of face 0: fewer than 10 frames" in late.output
    assert rows(tmp_path / "late" / "sample.csv")[0]["valence_rel"] == ""


def test_what_cannot_be_had_together_is_refused(sample_clip: Path, tmp_path: Path) -> None:
    calls = {
        "ends before it begins": ["--baseline", "4:0"],
        "is no file; expected A:B": ["--baseline", tmp_path / "nowhere.mp4"],
        "is known at the end alone": ["--baseline", "own", "--jsonl", "-"],
        "fills columns of a table": ["--baseline", "own", "--no-csv", "--plot"],
        "is one person's, and --faces is 2": ["--baseline", sample_clip, "--faces", 2],
    }
    for message, call in calls.items():
        result = run("track", sample_clip, "-o", tmp_path / "made", *call)
        assert result.exit_code == 2 and message in result.output, result.output
    assert not (tmp_path / "made").exists()
