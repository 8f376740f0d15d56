"""Configurations of a training: their files, and changes by dotted name."""

import json
from pathlib import Path

import pytest

from nets.anclaf import AnclafConfig
from tracker.errors import UsageError
from train.ablation import read_ablation
from train.config import TrainingConfig, changed, read_config

TRAININGS = ("compact", "compact-ferplus", "paper", "released")


@pytest.mark.parametrize("name", TRAININGS)
def test_every_file_is_a_configuration(name: str) -> None:
    config = read_config(name)
    assert config.networks.size == config.crop.size
    assert TrainingConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_paper_is_the_papers_size_and_released_differs_by_the_released_codes_choices() -> None:
    paper, released = read_config("paper"), read_config("released")
    assert paper.networks == AnclafConfig()
    assert (released.networks.quadrant, released.networks.quadrant_planes) == ("regress", 0)
    assert (paper.stage_one.reconstruction, released.stage_one.reconstruction) == ("direct", "cycle")
    assert paper.stage_one.critic_steps == released.stage_one.critic_steps == 5


@pytest.mark.parametrize("name", ["stage-one", "released"])
def test_every_variant_of_an_ablation_changes_something(name: str) -> None:
    variants = read_ablation(name, {"stage_one.epochs": 1})
    whole = variants.pop("whole")
    assert whole.stage_one.game
    assert all(config != whole and config.stage_one.epochs == 1 for config in variants.values())


def test_without_the_game() -> None:
    assert not read_ablation("stage-one", {})["without D's game"].stage_one.game


def test_a_change_by_its_dotted_name() -> None:
    config = changed(read_config("paper"), {"stage_two.score": "mlp", "stage_one.loss.adversarial": 0.0, "seed": 3})
    assert (config.stage_two.score, config.stage_one.game, config.seed) == ("mlp", False, 3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stage_one.epoch", r"no setting 'stage_one.epoch'; expected a dotted name that begins with one of name"),
        ("nothing.epochs", r"no setting 'nothing.epochs'"),
        ("stage_one.loss.fame", r"no loss 'fame'; expected affect, emotion"),
        ("model.fame", r"the changed configuration cannot be used: .*fame"),
        ("template.size", r"cannot be used: model and template differ: 128 px and 3 px"),
    ],
)
def test_a_change_that_is_not_one(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        changed(read_config("paper"), {name: 3})


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no configuration 'nothing'; expected one of compact, compact-fer"):
        read_config("nothing")


def test_a_configuration_that_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"epochs": 3}')
    with pytest.raises(UsageError, match=r"c.json is not a training configuration"):
        read_config(str(tmp_path / "c.json"))
