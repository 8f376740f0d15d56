"""Stage two: its loss, that it resumes to the same weights, how the stages follow one another, what they export."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nets.anclaf import Anclaf, AnclafConfig
from nets.anclaf.combiner import Recurrence
from nets.card import ModelCard
from nets.checkpoint import load
from nets.runtime import load_runtime
from tracker.errors import CheckpointError, DataError, UsageError
from tracker.faces.align import Template
from tracker.recurrence import Recurrence as CompiledRecurrence
from train import run
from train.config import StageTwoConfig, TrainingConfig
from train.curriculum import frames_of, run_curriculum, train_recurrence
from train.features import Features
from train.losses import affect_loss
from train.prepared import LabelScale, Prepared
from train.reading import Reading
from train.stage_two import Frames, StageTwo, Windows, predict, scores_of, trembling, windows_of

SMALL = replace(AnclafConfig.compact(), generator_width=4, discriminator_width=4, combiner_widths=(8, 8, 10))
TWO = StageTwoConfig(lengths=(2, 4), rate_hz=25.0, hidden=12, epochs=2, attention_epochs=2, frames_per_batch=400,
                     learning_rate=5e-3, average_decay=0.9, loss={"affect": 1.0, "change": 2.0})  # fmt: skip
CLIPS, FRAMES = 24, 30
CARD = ModelCard("small", "anclaf", SMALL.to_dict(), Template(size=64, channels=1).card(), "noise", "none", "-")


def config_of(**changes: Any) -> TrainingConfig:
    return TrainingConfig("small", {"size": "compact"}, {"size": 64}, stage_two=replace(TWO, **changes))


@pytest.fixture(scope="module")
def data() -> Prepared:
    """Clips at 25 Hz: half of them still, half moving; some frames without a face or without annotation."""
    rng = np.random.default_rng(0)
    time = np.arange(FRAMES) / 25.0
    moving = rng.uniform(0, 4, (CLIPS, 1, 2)) * (np.arange(CLIPS) % 2)[:, None, None]
    affect = 0.8 * np.sin(rng.uniform(0, 6, (CLIPS, 1, 2)) + moving * time[None, :, None])
    affect = affect.reshape(-1, 2).astype(np.float32)
    found = rng.random(len(affect)) > 0.05
    affect[rng.random(len(affect)) < 0.05] = np.nan
    clip = np.repeat(np.arange(CLIPS), FRAMES).astype(np.int32)
    names = tuple(f"c{i}" for i in range(CLIPS))
    crops = np.zeros((len(affect), 1, 1, 1), np.uint8)
    return Prepared(Path("set"), "waves", Template(), LabelScale(), crops, affect, found, clip, np.tile(time, CLIPS),
                    clip, names, names, {})  # fmt: skip


@pytest.fixture(scope="module")
def features(data: Prepared) -> Features:
    """Features that tell the affect, with noise: what a single frame sees."""
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(2, 10))
    feature = np.nan_to_num(data.affect) @ mixing + rng.normal(0, 0.4, (len(data.affect), 10)) + 3.0
    feature[~data.found] = 0.0
    return Features(feature.astype(np.float32), np.zeros((len(feature), 2)), np.zeros((len(feature), 4)), "key")


@pytest.fixture(scope="module")
def rows(data: Prepared) -> dict[str, np.ndarray]:
    return {"train": data.clip < 18, "validation": data.clip >= 18}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard's files take longer than these trainings."""
    monkeypatch.setattr(run, "SummaryWriter", lambda _: type("Board", (), {"add_scalar": print, "flush": print}))


def material(data: Prepared, features: Features, rows: dict[str, np.ndarray], length: int = 4) -> Any:
    """Frames, training windows and validation windows."""
    reading = Reading.whole(features.feature, rows["train"] & data.found)
    frames = frames_of(TWO, data, reading.apply(features.feature), rows["train"])
    return frames, *(windows_of(data, rows[part], length, TWO) for part in ("train", "validation"))


def recurrence_of(attention: bool = False, seed: int = 0) -> Recurrence:
    torch.manual_seed(seed)
    return Recurrence(10, 12, attention, "linear")


def stage_of(data: Any, folder: Path, **changes: Any) -> StageTwo:
    folder.mkdir(exist_ok=True)
    return StageTwo(recurrence_of(), replace(TWO, **changes), 2, 7, data[:2], folder)


@pytest.mark.parametrize("steps", ["all", "last"])
def test_the_affect_loss_is_the_mean_of_the_steps_own(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path, steps: str
) -> None:
    stage = stage_of(ready := material(data, features, rows), tmp_path, loss={"affect": 1.0}, steps=steps)
    frames, windows, _ = ready
    index = torch.arange(60)
    answers = stage._answers(index)
    expected = []
    for step in range(4) if steps == "all" else [3]:
        seen = index[windows.valid[index, step]]
        picked = windows.picks[seen, step]
        annotated = frames.weights[picked][:, 0] > 0
        seen, picked = seen[annotated], picked[annotated]
        expected.append(affect_loss(answers[seen, step], frames.affect[picked], frames.weights[picked]))
    assert not windows.valid[index].all()
    assert stage._losses(index)["affect"].item() == pytest.approx(torch.stack(expected).mean().item(), abs=1e-5)


def test_what_is_not_valid_does_not_count(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    frames, windows, validation = material(data, features, rows)
    first = torch.nonzero(~windows.valid[:, 0])[:, 0]
    picks = windows.picks.clone()
    picks[~windows.valid] = 333
    other = replace(windows, picks=picks)
    losses = [stage_of((frames, w, validation), tmp_path)._losses(first)["affect"].item() for w in (windows, other)]
    assert len(first) > 40
    assert losses[0] == losses[1]


def test_the_change_is_that_between_neighbouring_frames(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    stage = stage_of(ready := material(data, features, rows), tmp_path)
    frames, windows, _ = ready
    newest = predict_unclipped(stage.recurrence, frames, windows)
    now = np.flatnonzero(windows.before >= 0)[:50]
    before = windows.before.numpy()[now]
    assert (data.clip[windows.rows[now]] == data.clip[windows.rows[before]]).all()
    target = frames.affect[windows.rows].numpy()
    expected = ((newest[now] - newest[before] - target[now] + target[before]) ** 2).mean()
    firsts = np.flatnonzero(windows.before < 0)
    index = torch.from_numpy(np.concatenate([now, firsts]))
    assert len(firsts) >= 18
    assert float(stage._losses(index)["change"].detach()) == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
def predict_unclipped(recurrence: Recurrence, frames: Frames, windows: Windows) -> np.ndarray:
    return recurrence(frames.feature[windows.picks], windows.valid)[0][:, -1].numpy()


def test_a_gap_parts_neighbours(data: Prepared) -> None:
    late = replace(data, time=data.time + np.where(np.arange(len(data.time)) % FRAMES >= 10, 2.0, 0.0))
    windows = windows_of(late, np.ones(len(data.time), bool), 4, TWO)
    assert int((windows.before < 0).sum()) == 2 * CLIPS


def test_it_learns_to_use_the_past(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    frames, train, validation = material(data, features, rows, 8)
    stage = StageTwo(recurrence_of(), replace(TWO, learning_rate=0.02), 25, 7, (frames, train), tmp_path)
    stage.run(validation)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == list(range(1, 26))
    assert log[-1]["affect"] < 0.5 * log[0]["affect"]
    kept = rows["train"] & data.usable
    inputs = np.column_stack([features.feature, np.ones(len(kept))])
    regression = np.linalg.lstsq(inputs[kept], data.affect[kept], rcond=None)[0]
    newest = validation.rows.numpy()
    frame = scores_of(inputs[newest] @ regression, data.affect[newest], validation)
    assert log[-1]["rmse_valence"] < 0.9 * frame["rmse_valence"]
    assert log[-1]["trembling"] < 0.7 * frame["trembling"]


def weights_of(stage: StageTwo) -> list[torch.Tensor]:
    return [*stage.recurrence.state_dict().values(), *stage.average.state_dict().values()]


def test_stopped_and_resumed_is_straight(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = material(data, features, rows)
    straight = stage_of(ready, tmp_path / "straight")
    straight.run(ready[2])
    stopped, step, calls = stage_of(ready, tmp_path / "stopped"), StageTwo._step, []

    def interrupted(self: StageTwo, index: torch.Tensor) -> Any:
        calls.append(1)
        if len(calls) == self.steps + 2:
            raise KeyboardInterrupt
        return step(self, index)

    monkeypatch.setattr(StageTwo, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(ready[2])
    torch.rand(5)
    again = stage_of(ready, tmp_path / "stopped")
    assert again.resume()
    assert again.epoch == 1
    again.run(ready[2])
    assert all(torch.equal(a, b) for a, b in zip(weights_of(straight), weights_of(again), strict=True))
    assert not torch.equal(weights_of(straight)[0], recurrence_of().cell.weight_ih)


def test_other_settings_or_weights_do_not_resume(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    ready = material(data, features, rows)
    stage = stage_of(ready, tmp_path)
    stage.save()
    assert stage_of(ready, tmp_path).resume()
    assert not stage_of(ready, tmp_path, learning_rate=0.1).resume()
    assert not StageTwo(recurrence_of(seed=1), TWO, 2, 7, ready[:2], tmp_path).resume()


def test_a_damaged_state(data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path) -> None:
    stage = stage_of(material(data, features, rows), tmp_path)
    stage.save()
    (tmp_path / "last.pt").write_bytes((tmp_path / "last.pt").read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"last\.pt is damaged .*; delete it to train from the start"):
        stage.resume()


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("count", [None, 3])
def test_the_reading_folds_into_the_weights(
    features: Features, data: Prepared, start: Anclaf, count: int | None, attention: bool
) -> None:
    everything = np.ones(len(features.feature), bool)
    reading = Reading.whole(features.feature, everything)
    if count:
        reading = Reading.moving(features.feature, everything, data.clip, start.combiner.head.weight.detach(), count)
    seen = reading.apply(features.feature)
    assert seen.shape[1] == reading.width == (2 + count if count else 10)
    assert seen.mean(0).abs().max() < 1e-4
    assert torch.allclose(seen.std(0, correction=0), torch.ones(reading.width), atol=1e-3)
    recurrence = Recurrence(reading.width, 12, attention, "mlp")
    raw, valid = torch.from_numpy(features.feature[:20]).reshape(5, 4, 10), torch.ones(5, 4, dtype=torch.bool)
    expected = recurrence(seen[:20].reshape(5, 4, -1), valid)[0]
    assert torch.allclose(reading.folded(recurrence)(raw, valid)[0], expected, atol=1e-5)


def test_a_reading_of_what_moves_leaves_out_what_tells_people_apart() -> None:
    rng, clip = np.random.default_rng(0), np.repeat(np.arange(30), 20)
    feature = (
        rng.normal(size=(600, 6)) * (0.1, 0.1, 0.1, 1.0, 0.1, 0.1)
        + (rng.normal(size=(30, 6)) * (0, 0, 5, 0, 0, 0))[clip]
    )
    head = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0]])
    reading = Reading.moving(feature.astype(np.float32), np.ones(600, bool), clip, head, 1)
    assert int(reading.directions[2].abs().argmax()) == 3
    assert float(reading.directions[:, 2].abs().max()) < 0.1


@pytest.fixture(scope="module")
def start() -> Anclaf:
    torch.manual_seed(3)
    return Anclaf(SMALL).eval()


def test_attention_starts_where_the_lstm_stands(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], tmp_path: Path
) -> None:
    ready = material(data, features, rows)
    trained = train_recurrence(config_of(), recurrence_of(), 4, ready, tmp_path)
    grown = trained.with_attention("linear")
    before, after = (predict(each, ready[0], ready[1]) for each in (trained, grown))
    assert np.abs(before - after).max() < 1e-6
    trained = train_recurrence(config_of(), grown, 4, ready, tmp_path)
    assert np.abs(predict(trained, ready[0], ready[1]) - before).max() > 1e-3
    assert trained.attention.score.weight.shape == (1, 48)


@pytest.fixture(scope="module")
def exported(
    data: Prepared,
    features: Features,
    rows: dict[str, np.ndarray],
    start: Anclaf,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("run")
    return folder, run_curriculum(config_of(), start, CARD, data, features, rows, folder)


def test_every_stage_is_a_checkpoint_that_the_tracker_runs(
    exported: tuple[Path, list[Path]], data: Prepared, features: Features, rows: dict[str, np.ndarray], start: Anclaf
) -> None:
    _, paths = exported
    assert [p.stem for p in paths] == ["small-S-2", "small-SA-2", "small-S-4", "small-SA-4"]
    for path, length in zip(paths, (2, 2, 4, 4), strict=True):
        runtime = load_runtime(path)
        assert runtime.kind == "onnx"  # exported at the end of the training
        assert (runtime.sequence_length, runtime.window_rate_hz, runtime.card.data) == (length, 25.0, "noise")
        assert runtime.card.training["stage_two"]["hidden"] == 12
        windows = windows_of(data, rows["validation"], length, TWO)
        picked = features.feature[windows.picks.numpy()] * windows.valid.numpy()[:, :, None]
        recurrence = CompiledRecurrence(*runtime.recurrent_weights())
        read = recurrence.rows(picked.reshape(-1, picked.shape[2])).reshape(*picked.shape[:2], -1)
        affect, attention = recurrence.combine(read, windows.valid.numpy())
        assert (attention is None) == ("-S-" in path.stem)
        own = scores_of(affect, data.affect[windows.rows.numpy()], windows)
        logged = (path.parent / path.stem.removeprefix("small-") / "log.jsonl").read_text().splitlines()[-1]
        assert own["rmse_valence"] == pytest.approx(json.loads(logged)["rmse_valence"], abs=2e-3)
    kept, _ = load(paths[-1])
    for name, value in start.state_dict().items():
        assert torch.allclose(kept.state_dict()[name].float(), value.float(), atol=2e-3), name


def test_a_second_call_trains_nothing(
    exported: tuple[Path, list[Path]],
    data: Prepared,
    features: Features,
    rows: dict[str, np.ndarray],
    start: Anclaf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, paths = exported
    before = [p.read_bytes() for p in paths]
    monkeypatch.setattr(StageTwo, "_run_epoch", lambda _: pytest.fail("it trained again"))
    run_curriculum(config_of(), start, CARD, data, features, rows, folder)
    assert [p.read_bytes() for p in paths] == before


def test_each_length_starts_from_the_one_before(
    data: Prepared, features: Features, rows: dict[str, np.ndarray], start: Anclaf, tmp_path: Path
) -> None:
    config = config_of(epochs=0, attention_epochs=0)
    paths = run_curriculum(config, start, CARD, data, features, rows, tmp_path)
    weights = [load(path)[0].state_dict()["combiner.recurrence.cell.weight_ih"][:, :10] for path in paths]
    assert all(torch.equal(weights[0], each) for each in weights[1:])


def test_trembling_counts_only_where_the_truth_stands_still() -> None:
    affect = np.array([[0.0, 0.0], [0.1, 0.3], [0.5, 0.5], [0.4, 0.5]])
    target = np.array([[0.0, 0.0], [0.0, 0.0], [0.3, 0.0], [0.3, 0.0]])
    assert trembling(affect, target, np.array([-1, 0, 1, 2])) == pytest.approx((0.1 + 0.3 + 0.2 + 0.1 + 0.0) / 5)
    assert math.isnan(trembling(affect[:2], affect[:2], np.array([-1, 0])))


def test_nothing_to_train_on(data: Prepared, features: Features, rows: dict[str, np.ndarray], start: Anclaf,
                             tmp_path: Path) -> None:  # fmt: skip
    none = {**rows, "train": np.zeros(len(data.clip), bool)}
    with pytest.raises(DataError, match="set has no training frame with a face and an annotation"):
        run_curriculum(config_of(), start, CARD, data, features, none, tmp_path)


def test_no_second_stage(data: Prepared, features: Features, rows: dict[str, np.ndarray], start: Anclaf,
                         tmp_path: Path) -> None:  # fmt: skip
    config = replace(config_of(), stage_two=None)
    with pytest.raises(UsageError, match="the configuration 'small' has no stage_two"):
        run_curriculum(config, start, CARD, data, features, rows, tmp_path)
