"""LeVAsa's training: the labels that classes become, the losses, the run that resumes, and the command."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from face_sets import COUNT, TEMPLATE, make_ferplus, sample_faces
from sklearn.metrics import r2_score

from nets.checkpoint import load
from nets.levasa import Levasa
from tracker.cli import main
from tracker.errors import CheckpointError, DataError, UsageError
from train.annotation_transfer import PRESETS, sample
from train.config import changed, read
from train.datasets.affectnet import EXPRESSIONS
from train.datasets.ferplus import CENTRES, EMOTIONS
from train.folds import make_folds, split_rows
from train.levasa.config import LabelsConfig, LevasaTraining
from train.levasa.labels import expected_labels, labels_of
from train.levasa.losses import alignment_loss, losses_of
from train.levasa.training import LevasaRun, train_levasa
from train.levasa.validation import scores, validate, validation_of
from train.prepared import LabelScale, Names, Prepared, create_crops, open_prepared, write_prepared

SMOKE = changed(read(LevasaTraining, "smoke"), {"epochs": 2})
NAMES = sorted(path.stem for path in LevasaTraining.folder.glob("*.json"))


@pytest.fixture(scope="module")
def faces(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Faces with votes for one emotion for the most part, twelve in each split."""
    return make_ferplus(tmp_path_factory.mktemp("levasa") / "set", sample_faces(sample_clip, every=72))


def pictures(folder: Path, crops: np.ndarray, **columns: np.ndarray) -> Prepared:
    """A set of pictures (N, 80, 80) that stand alone, a third of them for each split."""
    count = len(crops)
    create_crops(folder, TEMPLATE, count)[..., 0] = crops
    own = {"found": np.ones(count), "clip": np.arange(count), "time": np.zeros(count), "subject": np.arange(count)}
    split = {"split": np.arange(count) * 3 // count}
    names = [str(i) for i in range(count)]
    return write_prepared(folder, "drawn", TEMPLATE, LabelScale(), {**own, **split, **columns}, Names(names, names))


def run_of(config: LevasaTraining, data: Prepared, folder: Path) -> LevasaRun:
    folder.mkdir(exist_ok=True)
    return LevasaRun(config, data, split_rows(data), folder)


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_a_configuration(name: str) -> None:
    config = read(LevasaTraining, name)
    assert config.name == f"levasa-{name}"
    assert LevasaTraining.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_vanilla_is_trained_as_the_regularised_are_but_for_the_heads_and_their_loss() -> None:
    vanilla, *others = (read(LevasaTraining, name) for name in ("vanilla", "continuous", "discrete", "repeat"))
    assert vanilla.model.heads == "none"
    for other in others:
        assert other.model.heads != "none"
        assert other.weight("affect") > 0
        kept = {name: weight for name, weight in other.loss.items() if name != "affect"}
        assert changed(other, {"name": vanilla.name, "model.heads": "none", "loss": kept}) == vanilla


def test_the_published_runs_keep_the_published_choices() -> None:
    vanilla, continuous, discrete = (
        read(LevasaTraining, f"published-{name}") for name in ("vanilla", "continuous", "discrete")
    )
    assert [config.model.heads for config in (vanilla, continuous, discrete)] == ["none", "repeat", "classes"]
    assert (vanilla.weight("kl"), continuous.weight("kl"), discrete.weight("kl")) == (0, 0.5, 0)
    for config in (vanilla, continuous, discrete):
        assert (config.model.output, config.learning_rate, config.batch, config.augmented) == ("relu", 1e-4, 128, False)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"epoch": 3}, "no setting 'epoch'; expected a dotted name that begins with one of name, template, model"),
        ({"labels.preset": "faces"}, "no preset 'faces'; expected affectnet, affectnet-8, words"),
        ({"loss.fame": 1}, "no loss 'fame'; expected reconstruction, kl, affect"),
        ({"model.heads": "two"}, "the changed configuration cannot be used: heads is 'two'; expected none, repeat"),
        ({"model.size": 128}, "cannot be used: model and template differ: 128 px and 64 px"),
        ({"labels": {"seeds": 3}}, "cannot be used: .*seeds"),
    ],
)
def test_a_change_that_is_not_one(change: dict, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        changed(read(LevasaTraining, "continuous"), change)


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="no configuration 'nothing'; expected one of compact, continuous, discrete"):
        read(LevasaTraining, "nothing")


def test_labels_of_votes_are_their_centres_in_the_mean(tmp_path: Path) -> None:
    shares = np.array([0.5, 0.3, 0, 0.2, 0, 0, 0, 0], np.float32)
    data = pictures(tmp_path, np.zeros((6000, 80, 80)), affect=np.zeros((6000, 2)), emotions=np.tile(shares, (6000, 1)))
    labels = labels_of(data, LabelsConfig())
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels.mean(0), shares @ CENTRES, atol=0.02)


def test_expected_labels_follow_the_preset(faces: Prepared) -> None:
    np.testing.assert_allclose(expected_labels(faces, LabelsConfig()), faces.affect, atol=1e-6)
    words = PRESETS["words"].with_classes(EMOTIONS).centres
    expected = expected_labels(faces, LabelsConfig(preset="words"))
    np.testing.assert_allclose(expected, faces.extra["emotions"] @ words, atol=1e-6)
    held = validation_of(faces, np.ones(COUNT, bool), LabelsConfig(preset="words"))
    np.testing.assert_array_equal(held.affect.numpy(), expected[held.rows])


def test_labels_stay_or_are_drawn_anew(faces: Prepared) -> None:
    once, anew = LabelsConfig(), LabelsConfig(draw="epoch")
    assert np.array_equal(labels_of(faces, once, 0), labels_of(faces, once, 1))
    assert np.array_equal(labels_of(faces, once, 0), labels_of(faces, anew, 0))
    assert not np.array_equal(labels_of(faces, anew, 0), labels_of(faces, anew, 1))


def test_a_face_without_a_vote_has_no_label(tmp_path: Path) -> None:
    votes = np.eye(8)[[0, 1, 2]] * np.array([1, 0, 1])[:, None]
    data = pictures(tmp_path, np.zeros((3, 80, 80)), affect=np.zeros((3, 2)), emotions=votes.astype(np.float32))
    assert np.isnan(labels_of(data, LabelsConfig())).all(axis=1).tolist() == [False, True, False]


def test_own_labels_may_count_beside_the_votes(tmp_path: Path) -> None:
    columns = {"emotions": np.eye(8, dtype=np.float32)[[1] * 3], "label": np.full(3, 3, np.uint8)}
    data = pictures(tmp_path, np.zeros((3, 80, 80)), affect=np.zeros((3, 2)), **columns)
    happy, sad = (labels_of(data, LabelsConfig(label_share=share))[:, 0] for share in (0.0, 1.0))
    assert (happy > 0.4).all()
    assert (sad < -0.4).all()


def test_classes_of_affectnet_are_labels_too(tmp_path: Path) -> None:
    expression = np.array([1, 2, 7], np.uint8)
    data = pictures(tmp_path, np.zeros((3, 80, 80)), affect=np.zeros((3, 2)), expression=expression)
    ellipses = PRESETS["affectnet-8"].with_classes(EXPRESSIONS)
    assert np.array_equal(labels_of(data, LabelsConfig()), sample(ellipses, expression))


def test_a_face_of_no_class_has_no_label(tmp_path: Path) -> None:
    expression = np.array([1, 255, 0], np.uint8)
    data = pictures(tmp_path, np.zeros((3, 80, 80)), affect=np.zeros((3, 2)), expression=expression)
    drawn = labels_of(replace(data, classes=("neutral", "sadness")), LabelsConfig())
    assert np.isnan(drawn).all(axis=1).tolist() == [False, True, False]
    assert drawn[0, 0] < -0.4


def test_the_sets_own_labels(faces: Prepared) -> None:
    assert np.array_equal(labels_of(faces, LabelsConfig(source="set")), faces.affect)


def test_a_set_without_classes(tmp_path: Path) -> None:
    data = pictures(tmp_path, np.zeros((3, 80, 80)), affect=np.zeros((3, 2)))
    with pytest.raises(DataError, match=r"has no classes of emotion to draw labels by; .* --set labels.source=set"):
        run_of(SMOKE, data, tmp_path / "run")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("transfer", "all training faces are of the class 'happiness'; expected two classes or more"),
        ("set", "all training faces have one valence, or one arousal; expected some that differ"),
    ],
)
def test_one_class_only(source: str, text: str, tmp_path: Path) -> None:
    votes = np.tile(np.eye(8, dtype=np.float32)[EMOTIONS.index("happiness")], (9, 1))
    data = pictures(tmp_path, np.zeros((9, 80, 80)), affect=np.zeros((9, 2)), emotions=votes)
    with pytest.raises(DataError, match=text):
        run_of(changed(SMOKE, {"labels.source": source}), data, tmp_path / "run")


def test_a_set_without_labels(tmp_path: Path) -> None:
    data = pictures(tmp_path, np.zeros((9, 80, 80)), affect=np.full((9, 2), np.nan))
    with pytest.raises(DataError, match="has no annotated face for training"):
        run_of(changed(SMOKE, {"labels.source": "set"}), data, tmp_path / "run")


def test_continuous_heads_are_judged_by_the_squared_error_of_both_axes() -> None:
    outputs, labels = torch.randn(5, 2, 3), torch.rand(5, 2)
    error = (outputs - labels[:, :, None]) ** 2
    expected = error[:, 0].mean() + error[:, 1].mean()
    torch.testing.assert_close(alignment_loss(outputs, labels, "repeat"), expected)


def test_class_heads_are_judged_by_the_nearest_tenth() -> None:
    labels = torch.tensor([[-1.0, 1.0], [-0.44, 0.26]])
    logits = torch.full((2, 2, 21), -30.0)
    for face, axis, level in ((0, 0, 0), (0, 1, 20), (1, 0, 6), (1, 1, 13)):
        logits[face, axis, level] = 30.0
    assert alignment_loss(logits, labels, "classes").item() == pytest.approx(0, abs=1e-6)
    flat = alignment_loss(torch.zeros(2, 2, 21), labels, "classes")
    assert flat.item() == pytest.approx(2 * math.log(21))


def test_the_divergence_is_in_the_loss_per_value_of_the_picture() -> None:
    torch.manual_seed(0)
    model = Levasa(SMOKE.model).eval()
    crops = torch.randint(0, 256, (4, 1, 64, 64)).float()
    found = losses_of(model, crops, torch.zeros(4, 2))
    nats = model.latents(crops).divergence().sum(1).mean()
    torch.testing.assert_close(found["kl"], nats / 4096)
    assert found["kl"].requires_grad
    assert set(losses_of(Levasa(replace(SMOKE.model, heads="none")), crops, torch.zeros(4, 2))) == {
        "reconstruction",
        "kl",
    }


def test_it_learns_to_tell_valence_and_arousal(tmp_path: Path) -> None:
    count = 192
    emotion = np.arange(count) % 2 * 2 + 1
    crops = np.full((count, 80, 80), 90, np.uint8)
    crops[emotion == 1, 24:34] = 200
    crops[emotion == 3, 50:60] = 200
    votes = np.eye(8, dtype=np.float32)[emotion]
    data = pictures(tmp_path / "set", crops, affect=votes @ CENTRES, emotions=votes)
    config = changed(SMOKE, {"epochs": 16, "batch": 8, "augmented": False, "loss.kl": 0.05, "learning_rate": 0.02})
    own = run_of(config, data, tmp_path / "run")
    own.run()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == list(range(1, 17))
    assert log[-1]["r2_valence"] > 0.8 > log[0]["r2_valence"]
    assert log[-1]["r2_arousal"] > 0.8
    assert log[-1]["val_reconstruction"] < log[0]["val_reconstruction"]
    assert log[-1]["nats_valence"] > 0.1


@pytest.mark.parametrize("change", [{}, {"model.heads": "classes", "augmented": False}])
def test_resumed_is_straight(change: dict, faces: Prepared, tmp_path: Path) -> None:
    config = changed(SMOKE, change)
    straight = run_of(config, faces, tmp_path / "straight")
    straight.run()
    stopped = run_of(config, faces, tmp_path / "resumed")
    stopped._run_epoch()
    stopped.epoch = 1
    stopped.save()
    torch.rand(5)
    again = run_of(config, faces, tmp_path / "resumed")
    assert again.resume()
    again.run()
    for name in ("model", "average"):
        own, other = (getattr(each, name).state_dict() for each in (again, straight))
        assert all(torch.equal(own[key], other[key]) for key in other)


def test_nothing_to_resume(faces: Prepared, tmp_path: Path) -> None:
    assert not run_of(SMOKE, faces, tmp_path).resume()


def test_a_state_of_another_size(faces: Prepared, tmp_path: Path) -> None:
    run_of(SMOKE, faces, tmp_path).save()
    with pytest.raises(CheckpointError, match=r"last.pt was written by another configuration .*give that one, or"):
        run_of(changed(SMOKE, {"model.latent": 6}), faces, tmp_path).resume()


def test_a_constant_schedule_keeps_the_learning_rate(faces: Prepared, tmp_path: Path) -> None:
    rates = [run_of(changed(SMOKE, {"schedule": kind}), faces, tmp_path)._rate for kind in ("constant", "cosine")]
    assert [rates[0](step) for step in (0, 1, 2)] == [1, 1, 1]
    assert rates[1](2) == pytest.approx(0)


def test_validation_tells_r2_and_the_nats(faces: Prepared) -> None:
    torch.manual_seed(0)
    model = Levasa(SMOKE.model).eval()
    held = validation_of(faces, np.ones(COUNT, bool), LabelsConfig())
    found = validate(model, held, TEMPLATE.margin)
    crops = held.pictures(torch.arange(len(held)))[..., 8:72, 8:72]
    told = model.encode(crops)[2].detach().numpy()
    target = held.affect.numpy()
    assert found["r2_valence"] == pytest.approx(r2_score(target[:, 0], told[:, 0]), abs=1e-4)
    assert found["mse_arousal"] == pytest.approx(((target - told)[:, 1] ** 2).mean(), abs=1e-4)
    assert found["nats_rest"] == pytest.approx(model.latents(crops).divergence()[:, 2].mean().item(), abs=1e-4)
    assert scores(np.zeros((len(held), 0)), held) == {}


def test_an_output_folder_that_cannot_be_made(faces: Prepared) -> None:
    result = affect("train", "levasa", "--config", "smoke", "--data", faces.folder, "--out", "/dev/null/runs")
    assert result.exit_code == 1
    assert (
        "/dev/null/runs/levasa-smoke cannot be made: Not a directory; choose another folder with --out" in result.output
    )


def test_one_command_trains_and_goes_on(faces: Prepared, tmp_path: Path) -> None:
    call = ["train", "levasa", "--config", "smoke", "--data", faces.folder, "--out", tmp_path, "--processes", 1]
    result = affect(*call, "--set", "epochs=1")
    assert result.exit_code == 0, result.output
    path = tmp_path / "levasa-smoke" / "levasa-smoke.safetensors"
    assert f"wrote {path}" in result.output
    model, card = load(path)
    assert isinstance(model, Levasa)
    assert card.command == "affect train levasa --config smoke --data FACES --set epochs=1"
    assert card.data.endswith(
        "FER+ votes (Barsoum et al. 2016, MIT), training split; valence and arousal: drawn anew in every epoch in the "
        "ellipse of the face's emotion (affectnet-8, 1 s.d., uniform; arXiv 2007.10058)"
    )
    assert (card.crop["size"], card.crop["channels"]) == (64, 1)
    assert (card.training["epochs_done"], card.training["labels"]["seed"]) == (1, 5230)
    labels = labels_of(faces, LabelsConfig(draw="epoch"))[split_rows(faces)["train"] & faces.found]
    np.testing.assert_allclose(np.transpose(card.training["label_range"]), [labels.min(0), labels.max(0)], atol=1e-3)
    assert affect(*call, "--set", "epochs=2").exit_code == 0
    log = (tmp_path / "levasa-smoke" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in log] == [1, 2]
    assert load(path)[1].training["epochs_done"] == 2


def test_the_checkpoint_is_the_average(faces: Prepared, tmp_path: Path) -> None:
    path = train_levasa(SMOKE, faces.folder, split_rows(faces), tmp_path, 1, "command")
    own = run_of(SMOKE, open_prepared(faces.folder), tmp_path)
    assert own.resume()
    for name, value in load(path)[0].state_dict().items():
        torch.testing.assert_close(value, own.average.state_dict()[name], rtol=1e-3, atol=1e-3, check_dtype=False)


def test_folds_part_the_faces(faces: Prepared, tmp_path: Path) -> None:
    make_folds(faces, 3).save(tmp_path / "folds.json")
    result = affect("train", "levasa", "--config", "smoke", "--data", faces.folder, "--out", tmp_path, "--processes", 1,
                    "--set", "epochs=1", "--folds", tmp_path / "folds.json", "--fold", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    card = load(tmp_path / "levasa-smoke-fold-1" / "levasa-smoke.safetensors")[1]
    assert card.command == "affect train levasa --config smoke --data FACES --folds FILE --set epochs=1"


@pytest.mark.slow
def test_two_processes_share_a_batch(faces: Prepared, tmp_path: Path) -> None:
    result = affect("train", "levasa", "--config", "smoke", "--data", faces.folder, "--out", tmp_path,
                    "--processes", 2, "--set", "epochs=1", "--set", "model.heads=classes")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "levasa-smoke" / "levasa-smoke.safetensors")[1].training["epochs_done"] == 1


def test_data_that_are_not_there() -> None:
    result = affect("train", "levasa", "--data", "gone")
    assert result.exit_code == 1
    assert result.output.startswith(
        "error: gone is not a prepared data set (no set.json); make it with: affect prepare"
    )
