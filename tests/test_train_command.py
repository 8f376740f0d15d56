"""`affect train`: one command from a prepared set to checkpoints of every stage; run twice, it goes on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nets.card import read_card
from nets.checkpoint import load
from tracker.cli import main
from tracker.faces.align import Template
from train.command import add_figures, changes_of
from train.prepared import SPLITS, LabelScale, Names, create_crops, write_prepared

CLIPS, FRAMES = 12, 10
STAGES = {"tiny", "tiny-S-2", "tiny-S-4", "tiny-SA-2", "tiny-SA-4"}
TINY = {
    "name": "tiny",
    "model": {"size": "compact", "generator_width": 4, "discriminator_width": 4, "combiner_widths": [8, 8, 12]},
    "template": {"size": 64, "channels": 1, "margin": 8},
    "stage_one": {"batch": 16, "epochs": 1, "penalty_pictures": 4, "learning_rate": 0.002},
    "stage_two": {"lengths": [2, 4], "epochs": 1, "attention_epochs": 1, "hidden": 8, "frames_per_batch": 64},
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of a bright spot that rises with valence, in three splits."""
    folder, rng, count = tmp_path_factory.mktemp("clips"), np.random.default_rng(0), CLIPS * FRAMES
    crops = create_crops(folder, Template(size=64, channels=1, margin=8), count)
    valence = np.clip(np.repeat(rng.uniform(-0.8, 0.8, CLIPS), FRAMES) + rng.normal(0, 0.1, count), -1, 1)
    for crop, value in zip(crops, valence, strict=True):
        crop[...] = rng.integers(60, 90)
        crop[int(40 - 25 * value) : int(50 - 25 * value), 30:50] = 220
    clip = np.repeat(np.arange(CLIPS), FRAMES)
    columns = {
        "affect": np.stack([valence, -0.5 * valence], 1),
        "found": rng.random(count) > 0.05,
        "clip": clip,
        "time": np.tile(np.arange(FRAMES) / 25, CLIPS),
        "subject": clip,
        "split": np.array([SPLITS["train"]] * 8 + [SPLITS["validation"]] * 2 + [SPLITS["test"]] * 2, np.uint8)[clip],
    }
    names = [f"{i:03d}" for i in range(CLIPS)]
    write_prepared(folder, "spots", Template(size=64, channels=1, margin=8), LabelScale(), columns, Names(names, names))
    return folder


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    return tmp_path / "tiny.json"


def test_all_stages_by_one_command_and_on_again(tiny: Path, clips: Path, tmp_path: Path) -> None:
    call = ["train", "anclaf", "--config", tiny, "--data", clips, "--out", tmp_path / "runs", "--processes", 1]
    result = affect(*call)
    assert result.exit_code == 0, result.output
    out = tmp_path / "runs" / "tiny"
    assert {path.stem for path in out.glob("*.safetensors")} == STAGES
    _, card = load(out / "tiny-SA-4.safetensors")
    assert (card.sequence_length, card.config["recurrence"], card.config["hidden"]) == (4, "attention", 8)
    assert card.command == f"affect train anclaf --config {tiny} --data FACES"
    assert card.terms == "bound by the licence of spots"
    log = (out / "stage-one" / "log.jsonl").read_text()
    assert affect(*call, "--set", "stage_one.epochs=2").exit_code == 0
    again = (out / "stage-one" / "log.jsonl").read_text()
    assert again.startswith(log)
    assert [json.loads(line)["epoch"] for line in again.splitlines()] == [1, 2]


def test_a_configuration_begins_where_another_ended(tiny: Path, clips: Path, tmp_path: Path) -> None:
    second = {**TINY, "name": "second", "start": str(tiny), "stage_two": None}
    (tmp_path / "second.json").write_text(json.dumps(second))
    result = affect("train", "anclaf", "--config", tmp_path / "second.json", "--data", clips, "--out", tmp_path,
                    "--processes", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (tmp_path / "second" / "tiny" / "stage-one" / "last.pt").exists()
    assert (tmp_path / "second" / "second.safetensors").exists()


def test_two_processes_share_a_batch(tiny: Path, clips: Path, tmp_path: Path) -> None:
    result = affect("train", "anclaf", "--config", tiny, "--data", clips, "--out", tmp_path, "--processes", 2,
                    "--set", "stage_two=null")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "tiny" / "tiny.safetensors")[1].training["epochs_done"] == 1


def test_an_ablation_trains_and_measures_each_variant(clips: Path, tmp_path: Path) -> None:
    variants = {"whole": {}, "without Q": {"model.quadrant_planes": 0}}
    (tmp_path / "small.json").write_text(json.dumps({"base": {**TINY, "stage_two": None}, "variants": variants}))
    result = affect("train", "ablation", "--config", tmp_path / "small.json", "--data", clips, "--out", tmp_path,
                    "--processes", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "ablation-small" / "figures.json").read_text())
    assert set(figures) == set(variants)
    value, low, high = figures["without Q"]["valence clean"]
    assert low <= value <= high
    assert f"{value:.3f} ({low:.3f} to {high:.3f})" in result.output


def test_a_configuration_that_is_not_there_is_wrong_usage() -> None:
    result = affect("train", "anclaf", "--config", "nothing", "--data", "x")
    assert result.exit_code == 2
    assert "no configuration 'nothing'; expected one of compact, compact-ferplus" in result.output


def test_an_ablation_that_is_not_one() -> None:
    result = affect("train", "ablation", "--config", "paper", "--data", "x")
    assert result.exit_code == 2
    assert "ablations/paper.json is not an ablation, a base and its variants" in result.output


def test_data_that_are_not_there() -> None:
    result = affect("train", "anclaf", "--data", "gone", "--out", "/dev/null/x")
    assert result.exit_code == 1
    assert result.output.startswith(
        "error: gone is not a prepared data set (no set.json); make it with: affect prepare"
    )


def test_a_change_without_a_value_is_wrong_usage() -> None:
    result = affect("train", "anclaf", "--data", "x", "--set", "seed")
    assert result.exit_code == 2
    assert "--set seed: expected NAME=VALUE, as in --set stage_one.epochs=5" in result.output


def test_changes_are_json_or_text() -> None:
    assert changes_of(("a.b=0.5", "c=mlp", "d=null", "e=[2, 4]")) == {"a.b": 0.5, "c": "mlp", "d": None, "e": [2, 4]}


def test_figures_join_those_of_the_card(tiny: Path, clips: Path, tmp_path: Path) -> None:
    affect("train", "anclaf", "--config", tiny, "--data", clips, "--out", tmp_path, "--processes", 1, "--set",
           "stage_two=null")  # fmt: skip
    path = tmp_path / "tiny" / "tiny.safetensors"
    add_figures(path, {"a": 1})
    add_figures(path, {"b": 2})
    assert read_card(path).figures == {"a": 1, "b": 2}


@pytest.mark.slow
def test_torchrun_starts_the_processes(tiny: Path, clips: Path, tmp_path: Path) -> None:
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tracker.cli"]
    call += ["train", "anclaf", "--config", str(tiny), "--data", str(clips), "--out", str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert {path.stem for path in (tmp_path / "tiny").glob("*.safetensors")} == STAGES
    assert len((tmp_path / "tiny" / "stage-one" / "log.jsonl").read_text().splitlines()) == 1
