"""Stage one: it learns, it resumes to the same weights, and what it exports is the averaged model."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.checkpoint import load
from tracker.errors import CheckpointError, DataError
from tracker.faces.align import Template
from train import run
from train.anclaf import StageOne, export, predict
from train.config import TrainingConfig, changed, read_config
from train.examples import Examples, examples
from train.prepared import LabelScale, Names, Prepared, create_crops, write_prepared

SMALL = {
    "model.generator_width": 4,
    "model.discriminator_width": 8,
    "model.combiner_widths": [16, 16, 24],
    "stage_one.epochs": 2,
    "stage_one.batch": 16,
    "stage_one.penalty_pictures": 4,
}
PLAIN = changed(read_config("compact-ferplus"), SMALL)
GAME = changed(PLAIN, {"stage_one.loss.adversarial": 0.1, "stage_one.loss.penalty": 10.0})


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


def prepared(folder: Path, crops: np.ndarray, **columns: np.ndarray) -> Prepared:
    """A set of pictures (N, 80, 80) that stand alone."""
    count, template = len(crops), Template(size=64, channels=1, margin=8)
    create_crops(folder, template, count)[..., 0] = crops
    own = {"found": np.ones(count), "clip": np.arange(count), "time": np.zeros(count), "subject": np.arange(count)}
    names = [str(i) for i in range(count)]
    return write_prepared(folder, "drawn", template, LabelScale(), {**own, **columns}, Names(names, names))


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """64 drawn faces with votes, as FER+ has them."""
    crops, emotion = drawn_faces(64)
    votes = (np.eye(8)[emotion] * 0.93 + 0.01 * (1 - np.eye(8)[emotion])).astype(np.float32)
    columns = {"affect": np.zeros((64, 2)), "emotions": votes, "label": emotion.astype(np.uint8)}
    return prepared(tmp_path_factory.mktemp("faces"), crops[:, 0].numpy(), **columns, votes_cast=np.full(64, 10))


@pytest.fixture(scope="module")
def faces(voted: Prepared) -> Examples:
    return examples(voted, np.ones(64, bool), PLAIN.stage_one, training=False)


def trained(config: TrainingConfig, data: Examples, folder: Path, **stage_one: float) -> StageOne:
    stage = StageOne(replace(config, stage_one=replace(config.stage_one, **stage_one)), data, folder)
    stage.run(data)
    return stage


@pytest.mark.parametrize("config", [PLAIN, GAME], ids=["plain", "game"])
def test_it_learns_a_smile_from_a_frown(config: TrainingConfig, faces: Examples, tmp_path: Path) -> None:
    stage = trained(config, faces, tmp_path, epochs=24, learning_rate=0.005, average_decay=0.9)
    affect, quadrants = predict(stage.average, faces, 8)
    happy = faces.emotions.argmax(1).numpy() == 1
    assert affect[happy, 0].mean() > 0.3
    assert affect[~happy, 0].mean() < -0.3
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == list(range(1, 25))
    assert log[-1]["reconstruction"] < log[0]["reconstruction"]
    assert ("penalty" in log[0]) == config.stage_one.game
    assert quadrants.shape == (64, 4)
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_learning_from_affect_alone_without_emotions(voted: Prepared, tmp_path: Path) -> None:
    crops, emotion = drawn_faces(64)
    affect = np.where(emotion[:, None] == 1, (0.7, 0.1), (-0.6, -0.3))
    affect[5] = np.nan
    data = prepared(tmp_path / "set", crops[:, 0].numpy(), affect=affect)
    frames = examples(data, np.ones(64, bool), PLAIN.stage_one, training=True)
    assert len(frames) == 63
    stage = trained(PLAIN, frames, tmp_path, epochs=16, learning_rate=0.005, average_decay=0.9)
    predicted, _ = predict(stage.average, frames, 8)
    assert np.corrcoef(predicted[:, 0], frames.affect[:, 0])[0, 1] > 0.8


@pytest.mark.parametrize("changes", [{"critic_steps": 1}, {"critic_steps": 3}, {"reconstruction": "cycle"}])
def test_resumed_is_straight(changes: dict, faces: Examples, tmp_path: Path) -> None:
    config = replace(GAME, stage_one=replace(GAME.stage_one, **changes))
    for name in ("straight", "resumed"):
        (tmp_path / name).mkdir()
    straight = StageOne(config, faces, tmp_path / "straight")
    straight.run(faces)
    stopped = StageOne(config, faces, tmp_path / "resumed")
    stopped._run_epoch()
    stopped.epoch = 1
    stopped.save()
    torch.rand(5)
    again = StageOne(config, faces, tmp_path / "resumed")
    assert again.resume()
    again.run(faces)
    for name in ("learner", "average"):
        pairs = zip(
            getattr(straight, name).state_dict().values(), getattr(again, name).state_dict().values(), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs)


def test_critic_steps_count_batches(faces: Examples, tmp_path: Path) -> None:
    stage = StageOne(replace(GAME, stage_one=replace(GAME.stage_one, critic_steps=2)), faces, tmp_path)
    stage._run_epoch()
    assert (stage.critic_schedule.last_epoch, stage.schedule.last_epoch) == (4, 2)


def test_in_the_game_each_side_changes_its_own_weights_only(faces: Examples, tmp_path: Path) -> None:
    stage = StageOne(GAME, faces, tmp_path)
    stage._weights = faces.weights(GAME.stage_one, 0.5)
    index = torch.arange(16)
    batch, (clean, seen) = faces.batch(index, stage._weights), stage._pictures(index)
    model = stage.learner.model
    before = {name: value.clone() for name, value in model.named_parameters()}
    latent, picture = model.generator(seen)
    stage._teach_critic(clean, picture.detach(), batch)
    moved = {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"discriminator"}
    before = {name: value.clone() for name, value in model.named_parameters()}
    stage._teach(latent, picture, clean, batch)
    moved = {name.split(".")[0] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"generator", "combiner"}


def test_nothing_to_resume(faces: Examples, tmp_path: Path) -> None:
    assert not StageOne(PLAIN, faces, tmp_path).resume()


def test_a_state_of_another_size(faces: Examples, tmp_path: Path) -> None:
    StageOne(PLAIN, faces, tmp_path).save()
    other = StageOne(changed(PLAIN, {"model.generator_width": 8}), faces, tmp_path)
    with pytest.raises(
        CheckpointError, match=r"last.pt was written by another configuration .*give that one, or anoth"
    ):
        other.resume()


def test_a_damaged_state(faces: Examples, tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=r"last.pt is damaged .*; delete it to train from the start"):
        StageOne(PLAIN, faces, tmp_path).resume()


def test_a_start_gives_its_averaged_weights(faces: Examples, tmp_path: Path) -> None:
    first = trained(PLAIN, faces, tmp_path, epochs=1)
    second = StageOne(GAME, faces, tmp_path)
    second.begin_with(run.load_state(tmp_path / "last.pt"), tmp_path / "last.pt")
    for name, value in second.learner.model.state_dict().items():
        assert torch.equal(value, first.average.state_dict()[name])
    assert second.epoch == 0


def test_export_writes_the_average_and_its_card(faces: Examples, tmp_path: Path) -> None:
    stage = trained(PLAIN, faces, tmp_path, epochs=1)
    path = export(
        PLAIN, tmp_path, tmp_path / "m.safetensors", "affect train anclaf --config C --data F", "faces", "own"
    )
    model, card = load(path)
    assert (card.command, card.data, card.terms) == ("affect train anclaf --config C --data F", "faces", "own")
    assert card.training["epochs_done"] == 1
    assert card.crop == {"size": 64, "channels": 1, "points": [list(p) for p in PLAIN.crop.points]}
    for name, value in stage.average.state_dict().items():
        assert torch.allclose(model.state_dict()[name].float(), value.float(), rtol=1e-3, atol=1e-3)


def test_training_mixes_votes_and_own_label_and_weighs_the_rare(tmp_path: Path) -> None:
    votes = np.tile(np.eye(8, dtype=np.float32)[0], (10, 1))
    votes[0] = np.eye(8)[1]
    columns = {"affect": np.zeros((10, 2)), "emotions": votes, "label": np.zeros(10, np.uint8)}
    data = prepared(tmp_path, np.zeros((10, 80, 80)), **columns, votes_cast=np.arange(10))
    part = examples(data, np.ones(10, bool), PLAIN.stage_one, training=True)
    assert part.rows.tolist() == list(range(1, 10))
    data.extra["votes_cast"][0] = 8
    part = examples(data, np.ones(10, bool), PLAIN.stage_one, training=True)
    assert part.emotions[0, :2].tolist() == pytest.approx([0.4, 0.6])
    weights = part.weights(PLAIN.stage_one, 0.5)
    assert (weights[0] > weights[1]).all()
    assert weights.mean(0).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert part.weights(PLAIN.stage_one, 0.0).flatten().tolist() == pytest.approx([1.0] * 20)
    assert len(examples(data, np.ones(10, bool), PLAIN.stage_one, training=False)) == 6


def test_a_picture_without_a_label_of_its_own_keeps_its_votes(tmp_path: Path) -> None:
    votes = np.tile(np.eye(8, dtype=np.float32)[2], (4, 1))
    columns = {"affect": np.zeros((4, 2)), "emotions": votes, "label": np.full(4, 255, np.uint8)}
    data = prepared(tmp_path, np.zeros((4, 80, 80)), **columns, votes_cast=np.full(4, 9))
    assert torch.equal(examples(data, np.ones(4, bool), PLAIN.stage_one, True).emotions, torch.from_numpy(votes))


def test_no_face_to_learn_from(voted: Prepared) -> None:
    with pytest.raises(DataError, match=r"has no annotated face for validation"):
        examples(voted, np.zeros(64, bool), PLAIN.stage_one, training=False)


def test_the_learning_rate_rises_and_falls_to_zero(faces: Examples, tmp_path: Path) -> None:
    stage = StageOne(changed(PLAIN, {"stage_one.epochs": 10}), faces, tmp_path)
    total = 10 * stage.steps
    rates = [stage._rate(step) for step in range(total + 3)]
    top = rates.index(max(rates))
    assert (rates[0], rates[top], rates[total]) == pytest.approx((0.04, 1.0, 0.0))
    assert top == total // 10
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
