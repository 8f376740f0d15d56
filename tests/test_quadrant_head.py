"""`affect train quadrant-head`: a head on Z that says what D says, in every model of one encoder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from sequence_sets import TEMPLATE, write_model, write_split_set

from nets.anclaf import Anclaf, with_quadrant_head
from nets.checkpoint import load, save
from tracker.cli import main
from train.config import StageOneConfig
from train.examples import examples
from train.folds import split_rows
from train.prepared import Prepared
from train.quadrant_head import HeadConfig, Lesson, figures_of
from train.run import Log


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return write_split_set(tmp_path_factory.mktemp("set"))


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    """A single-frame model, S-2 and SA-4 on one encoder, whose D tells the pictures apart."""
    paths = [write_model(tmp_path, "one"), write_model(tmp_path, "s2", 2, "lstm")]
    paths.append(write_model(tmp_path, "sa4", 4, "attention"))
    for path in paths:
        model, card = load(path)
        model.discriminator.quadrant.weight.data *= 300
        card = replace(card, command="affect train anclaf", training={"seed": 3}, figures={"old": 1})
        save(path, model, card, torch.float16)
    return paths


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


def heads(data: Prepared, models: list[str], out: Path, *further: object) -> Result:
    named = [part for path in models for part in ("--model", path)]
    return affect("train", "quadrant-head", *named, "--data", data.folder, "--out", out, *further)


def test_one_head_for_all_and_nothing_else_moves(data: Prepared, models: list[str], tmp_path: Path) -> None:
    result = heads(data, models, tmp_path, "--set", "epochs=1")
    assert result.exit_code == 0, result.output
    taught = []
    for path in models:
        (before, old), (after, card) = (load(p) for p in (path, tmp_path / "quadrant-head" / Path(path).name))
        assert (card.name, card.sequence_length, card.rate_hz) == (old.name, old.sequence_length, old.rate_hz)
        assert card.config == {**old.config, "quadrant_head": True}
        own = after.state_dict()
        assert all(torch.equal(own[name], value) for name, value in before.state_dict().items())
        taught.append(torch.cat([value.flatten() for name, value in own.items() if name.startswith("quadrant_head.")]))
    assert all(torch.equal(head, taught[0]) for head in taught)
    assert card.command == "affect train anclaf && affect train quadrant-head --model one --model sa4 --data FACES"
    assert card.figures == {}
    assert card.training["seed"] == 3
    assert card.training["quadrant_head"]["epochs"] == 1
    assert set(card.training["quadrant_head"]["held out"]["distorted"]) == {
        "divergence", "agreement", "moved", "moved_p99"
    }  # fmt: skip
    assert json.loads((tmp_path / "quadrant-head" / "log.jsonl").read_text())["epoch"] == 1


def test_the_same_call_makes_the_same_head(data: Prepared, models: list[str], tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert heads(data, models[:1], tmp_path / out, "--set", "epochs=1").exit_code == 0
    first = load(tmp_path / "a" / "quadrant-head" / "one.safetensors")[1]
    assert load(tmp_path / "b" / "quadrant-head" / "one.safetensors")[1].sha256 == first.sha256
    again = tmp_path / "a" / "quadrant-head" / "one.safetensors"
    assert heads(data, [str(again)], tmp_path / "c", "--set", "epochs=1").exit_code == 0
    anew = load(tmp_path / "c" / "quadrant-head" / "one.safetensors")[1]
    assert anew.sha256 == first.sha256 and anew.command == first.command


def test_it_learns_what_d_says(data: Prepared, models: list[str], tmp_path: Path) -> None:
    model = load(models[0])[0]
    assert isinstance(model, Anclaf)
    faces = examples(data, split_rows(data)["train"], StageOneConfig(), training=True)
    stage, config = StageOneConfig(distorted=0.5), HeadConfig(epochs=6, batch=16, learning_rate=5e-3)
    torch.manual_seed(0)
    lesson = Lesson(model, faces, stage, config)
    untaught = figures_of(model, with_quadrant_head(model).eval(), faces, TEMPLATE.margin)["clean"]
    lesson.give(Log(tmp_path))
    taught = figures_of(model, lesson.pupil, faces, TEMPLATE.margin)["clean"]
    assert taught["divergence"] < 0.3 * untaught["divergence"]
    assert taught["moved"] < 0.5 * untaught["moved"]


def test_a_head_that_is_d_is_told_as_no_change(data: Prepared, models: list[str]) -> None:
    model = load(models[0])[0]
    faces = examples(data, split_rows(data)["train"], StageOneConfig(), training=True)
    for found in figures_of(model, model, faces, TEMPLATE.margin).values():
        assert found == {"divergence": 0, "agreement": 1, "moved": 0, "moved_p99": 0}


def test_models_of_two_encoders(data: Prepared, models: list[str], tmp_path: Path) -> None:
    result = heads(data, [models[0], write_model(tmp_path, "other", seed=5)], tmp_path)
    assert result.exit_code == 2
    assert "other has another encoder than one; give the models of one training" in result.output


def test_a_setting_that_is_none(data: Prepared, models: list[str], tmp_path: Path) -> None:
    result = heads(data, models, tmp_path, "--set", "epoch=1")
    assert result.exit_code == 2
    assert "no setting 'epoch'; expected some of epochs, batch, learning_rate" in result.output


def test_stage_one_has_no_head(tmp_path: Path) -> None:
    result = affect("train", "anclaf", "--data", "x", "--set", "model.quadrant_head=true")
    assert result.exit_code == 2
    assert "quadrant_head is for a model that is trained: see affect train quadrant-head" in result.output
