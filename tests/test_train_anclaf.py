"""Stage one: it learns, it resumes to the same weights, and what it exports is the averaged model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.checkpoint import load
from tracker.errors import DataError, UsageError
from train import anclaf
from train.anclaf import Examples, StageOne, StageOneConfig, examples, export, predict
from train.datasets import ferplus

CONFIG = replace(StageOneConfig.read("compact-ferplus"), epochs=2, batch=16)


def drawn_faces(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Crops (count, 1, 80, 80) with a mouth that smiles (happiness, 1) or droops (sadness, 3)."""
    crops, emotion = np.full((count, 80, 80), 110, np.uint8), np.arange(count) % 2
    x = np.arange(24, 56)
    curve = (((x - 40) / 16) ** 2 * 10).astype(int)
    for crop, sad in zip(crops, emotion, strict=True):
        crop[28:33, 26:34] = crop[28:33, 46:54] = 20
        for dy in range(3):
            crop[58 + dy + (curve if sad else -curve), x] = 20
    return torch.from_numpy(crops[:, None]), np.where(emotion, 3, 1)


@pytest.fixture(scope="module")
def faces() -> Examples:
    crops, emotion = drawn_faces(64)
    return Examples(crops, torch.eye(8)[emotion] * 0.93 + 0.01 * (1 - torch.eye(8)[emotion]), emotion)


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(
        anclaf.AnclafConfig.compact(), generator_width=4, discriminator_width=8, combiner_widths=(16, 16, 24)
    )
    monkeypatch.setitem(anclaf.SIZES, "compact", lambda: small)


def test_it_learns_a_smile_from_a_frown(faces: Examples, tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=24, learning_rate=0.004, average_decay=0.9)
    model = StageOne(config, faces, tmp_path).run(faces)
    affect, quadrants = predict(model, faces.crops, 8)
    smile, frown = affect[faces.majority == 1, 0].mean(), affect[faces.majority == 3, 0].mean()
    assert smile > 0.3
    assert frown < -0.3
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == list(range(1, 25))
    assert log[-1]["reconstruction"] < log[0]["reconstruction"]
    assert quadrants.shape == (64, 4)


def test_resumed_is_straight(faces: Examples, tmp_path: Path) -> None:
    for name in ("straight", "resumed"):
        (tmp_path / name).mkdir()
    straight = StageOne(CONFIG, faces, tmp_path / "straight")
    straight.run(faces)
    stopped = StageOne(CONFIG, faces, tmp_path / "resumed")
    stopped._run_epoch()
    stopped.epoch = 1
    stopped.save()
    torch.rand(5)
    again = StageOne(CONFIG, faces, tmp_path / "resumed")
    assert again.resume()
    again.run(faces)
    for a, b in zip(straight.learner.state_dict().values(), again.learner.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(straight.average.state_dict().values(), again.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_nothing_to_resume(faces: Examples, tmp_path: Path) -> None:
    assert not StageOne(CONFIG, faces, tmp_path).resume()


def test_export_writes_the_average_and_its_card(faces: Examples, tmp_path: Path) -> None:
    run = StageOne(replace(CONFIG, epochs=1), faces, tmp_path)
    run.run(faces)
    path = export(run.config, tmp_path, "affect train anclaf --config compact-ferplus --data FILE")
    model, card = load(path)
    assert card.command.startswith("affect train anclaf")
    assert card.training["epochs_done"] == 1
    assert card.crop == {"size": 64, "channels": 1, "points": [list(p) for p in run.config.crop.points]}
    for name, value in run.average.state_dict().items():
        assert torch.allclose(model.state_dict()[name].float(), value.float(), rtol=1e-3, atol=1e-3)


def faked(count: int) -> tuple[ferplus.FerPlus, tuple[np.ndarray, np.ndarray]]:
    votes = np.zeros((count, 10), np.uint8)
    votes[:, 0] = 8
    votes[0, :2] = (0, 8)
    data = ferplus.FerPlus(
        np.zeros((count, 48, 48), np.uint8), votes, np.full(count, 6, np.uint8), np.zeros(count, np.uint8)
    )
    return data, (np.zeros((count, 80, 80, 1), np.uint8), np.arange(count) > 0)


def test_examples_mix_votes_and_own_label_and_weigh_the_rare() -> None:
    data, (crops, found) = faked(10)
    found[0] = True
    part = examples(data, "train", CONFIG, (crops, found))
    assert part.crops.shape == (10, 1, 80, 80)
    assert part.emotions[0, :2].tolist() == pytest.approx([0.4, 0.6])
    weights = part.weights(0.5)
    assert weights[0] > weights[1]
    assert float(weights.mean()) == pytest.approx(1, abs=1e-5)
    assert part.weights(0.0).tolist() == pytest.approx([1.0] * 10)


def test_examples_leave_out_what_was_not_found() -> None:
    data, prepared = faked(10)
    assert len(examples(data, "train", CONFIG, prepared).crops) == 9


def test_a_split_that_is_empty() -> None:
    data, prepared = faked(10)
    with pytest.raises(DataError, match=r"no face of the split 'validation' was found"):
        examples(data, "validation", CONFIG, prepared)


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no configuration 'nothing'; expected one of compact-ferplus, or the path"):
        StageOneConfig.read("nothing")


def test_a_configuration_that_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"epochs": 3}')
    with pytest.raises(UsageError, match=r"c.json is not a configuration of stage one"):
        StageOneConfig.read(str(tmp_path / "c.json"))


def test_the_learning_rate_rises_and_falls_to_zero(faces: Examples, tmp_path: Path) -> None:
    run = StageOne(replace(CONFIG, epochs=10), faces, tmp_path)
    total = 10 * run.steps
    rates = [run._rate(step) for step in range(total + 3)]
    top = rates.index(max(rates))
    assert (rates[0], rates[top], rates[total]) == pytest.approx((0.04, 1.0, 0.0))
    assert top == total // 10
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
