"""`affect eval apices`: what is left of an expression's height after window and filter."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from tracker.cli import main
from tracker.sources import open_source
from train.scoring.apices import sequences_of, trembling_of


@pytest.fixture(scope="module")
def sequences(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample clip's rise to two smiles, as pictures."""
    folder = tmp_path_factory.mktemp("sequences")
    with open_source(str(sample_clip)) as source:
        for frame in source:
            for name, start in (("one", 20), ("two/inner", 80)):
                if start <= frame.index < start + 12:
                    (folder / name).mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(folder / name / f"{frame.index:03d}.png"), frame.image[:, :, ::-1])
    return folder


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, ["eval", "apices", *map(str, call)])


def slopes(file: Path, trace: str) -> list[float]:
    by_moment = json.loads(file.read_text())["models"][0]["slopes"][trace]
    return [figure[0] for axes in by_moment.values() for figure in axes.values()]


def test_a_single_frame_keeps_all_of_itself_and_a_slow_filter_little(
    sequences: Path, sample_clip: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    slow = ["--set", "min_cutoff_hz=0.05", "--set", "beta=0"]
    result = affect(sequences, "--model", "anclaf-compact", "--clip", sample_clip, "--json", file, *slow)
    assert result.exit_code == 0, result.output
    assert slopes(file, "window") == [1.0] * 6
    reached, later, held = np.array(slopes(file, "smoothed")).reshape(3, 2)
    assert (reached < 0.4).all() and (reached < later).all() and (later < held).all() and (held < 0.6).all()
    trembling = json.loads(file.read_text())["models"][0]["trembling"]
    assert trembling["frame"] == trembling["window"] > 10 * trembling["smoothed"]
    assert "2 sequences" in result.output


def test_a_quick_filter_follows(sequences: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    result = affect(sequences, "--model", "anclaf-compact", "--json", file, "--set", "min_cutoff_hz=500")
    assert result.exit_code == 0, result.output
    assert slopes(file, "smoothed") == pytest.approx([1.0] * 6, abs=0.02)
    assert json.loads(file.read_text())["models"][0]["trembling"] is None


def test_trembling_is_the_distance_from_the_neighbours_middle() -> None:
    trace = np.zeros((5, 6))
    trace[:, 0] = [0, 1, 0, 1, 0]  # a jump at every frame
    trace[:, 2] = np.arange(5)  # a straight line
    assert trembling_of(trace) == pytest.approx([0.5, 0.0, 0.0])


def test_what_holds_no_sequence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    cv2.imwrite(str(tmp_path / "few" / "a.png"), np.zeros((8, 8, 3), np.uint8))
    result = affect(tmp_path)
    assert result.exit_code == 1 and "three pictures" in result.output
    assert affect(tmp_path / "none").exit_code == 2


def test_folders_beneath_are_sequences_in_order_of_name(sequences: Path) -> None:
    found = sequences_of(sequences)
    assert list(found) == ["one", "two/inner"]
    assert [path.name for path in found["one"]] == [f"{index:03d}.png" for index in range(20, 32)]
