"""DisVAE's networks and training: sizes as published, pairs of a person, the losses, the run that resumes, commands."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from disvae_sets import CLASSES, PERSONS, TEMPLATE, kinds, write_folds, write_people
from scipy.stats import entropy, norm
from sklearn.metrics import log_loss

from nets.anclaf import parameter_count
from nets.checkpoint import load
from nets.disvae import Code, Disvae, DisvaeConfig
from tracker.cli import main
from tracker.errors import CheckpointError, DataError, UsageError
from train.annotation_transfer import PRESETS
from train.config import changed, read
from train.datasets.expressions import NONE
from train.disvae.config import DisvaeTraining
from train.disvae.faces import centres_of, faces_of, seen, training_faces
from train.disvae.losses import Batch, class_loss, expression_losses, identity_losses, likeness, of_partner, swap_loss
from train.disvae.perceptual import CONVOLUTIONS, PerceptualDistance, distance_of
from train.disvae.training import DisvaeRun, train_disvae
from train.disvae.validation import encode_faces, validate
from train.folds import Rows, split_rows
from train.prepared import Prepared, open_prepared

NAMES = sorted(path.stem for path in DisvaeTraining.folder.glob("*.json"))
DRAWN = {
    "template": {"size": 16, "channels": 1, "margin": 2},
    "model": {"size": 16, "channels": 1, "widths": [8, 16], "latent": 12},
}
SMOKE = changed(read(DisvaeTraining, "smoke"), DRAWN)
CENTRES = tuple((0.1 * i, 0.0) for i in range(7))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return write_people(tmp_path_factory.mktemp("people"))


def run_of(config: DisvaeTraining, data: Prepared, folder: Path) -> DisvaeRun:
    folder.mkdir(exist_ok=True)
    return DisvaeRun(config, data, split_rows(data), folder)


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


def network(**settings: object) -> Disvae:
    torch.manual_seed(0)
    return Disvae(DisvaeConfig(tuple("abcdefg"), CENTRES, **settings)).eval()  # type: ignore[arg-type]


def test_the_networks_have_the_published_sizes() -> None:
    model = network()
    assert parameter_count(model.identity_encoder) == parameter_count(model.expression_encoder) == 1_510_504
    assert parameter_count(model.decoder) == 802_307
    assert parameter_count(model.fusion) == 200 * 100 + 100


def test_encode_tells_expression_and_affect_and_not_who_it_is() -> None:
    model, crops = network(), torch.rand(5, 3, 64, 64) * 255
    feature, quadrant, told = model.encode(crops)[:3]
    assert feature.shape[1] == model.config.feature == len(model.reading_names)
    code, probabilities = feature.split([100, 7], dim=1)
    torch.testing.assert_close(code, model.expression(crops).mean)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    torch.testing.assert_close(told, probabilities @ torch.tensor(CENTRES))
    assert quadrant.argmax(1).tolist() == [0] * 5
    assert (model.reading_names[0], model.reading_names[99:101]) == ("e_0", ("e_99", "p_a"))


def test_the_baseline_has_an_encoder_and_a_classifier_alone() -> None:
    model = network(generative=False)
    assert parameter_count(model) == 1_510_504 + 100 * 7 + 7
    for call in (lambda: model.identity(torch.zeros(1, 3, 64, 64)), lambda: model.decode(torch.zeros(1, 100))):
        with pytest.raises(ValueError, match="this is the CNN baseline: it has no code of identity"):
            call()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"fusion": "sum"}, "fusion is 'sum'; expected linear, relu"),
        ({"size": 60}, "size is 60 px; expected a multiple of 16"),
        ({"centres": CENTRES[:3]}, "7 classes, 3 centres; expected as many"),
    ],
)
def test_a_shape_that_cannot_be_built(settings: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DisvaeConfig(**{"classes": tuple("abcdefg"), "centres": CENTRES, **settings})


def test_divergence_is_that_of_normal_distributions() -> None:
    mean, deviation = 0.7, 0.4
    code = Code(torch.full((1, 3), mean), torch.full((1, 3), 2 * math.log(deviation)))
    x = np.linspace(-8, 8, 200_001)
    expected = entropy(norm.pdf(x, mean, deviation), norm.pdf(x))
    assert code.divergence().item() == pytest.approx(expected, rel=1e-4)


def test_pairs_are_of_one_person_and_no_face_is_in_two(people: Prepared) -> None:
    faces = training_faces(people, split_rows(people)["train"])
    pairs = faces.pairs(3)
    one, other = (faces.person[pairs[:, i].numpy()] for i in (0, 1))
    assert np.array_equal(one, other)
    assert len(set(pairs.flatten().tolist())) == 2 * len(pairs) == len(faces)
    assert torch.equal(pairs, faces.pairs(3))
    assert not torch.equal(pairs, faces.pairs(4))


def test_of_partner_swaps_the_halves() -> None:
    assert of_partner(torch.arange(6)).tolist() == [3, 4, 5, 0, 1, 2]


def test_likeness_is_the_intraclass_correlation() -> None:
    torch.manual_seed(0)
    persons, own = torch.randn(5000, 4), torch.randn(10_000, 4)
    assert likeness(persons.repeat(2, 1)).item() == pytest.approx(1, abs=1e-6)
    assert likeness(own).item() == pytest.approx(0, abs=0.03)
    codes = persons.repeat(2, 1) + 0.5 * own
    pearson = np.mean([np.corrcoef(*codes[:, i].view(2, -1).numpy())[0, 1] for i in range(4)])
    assert likeness(codes).item() == pytest.approx(pearson, abs=0.02)


def test_a_swap_is_read_on_another_person_and_leaves_the_running_values() -> None:
    model = network()
    model.train()
    who, codes, classes = torch.randn(6, 100), torch.randn(6, 100), torch.tensor([0, 1, 2, 3, 4, 5])
    before = {name: value.clone() for name, value in model.expression_encoder.state_dict().items()}
    torch.manual_seed(5)
    found = swap_loss(model, who, codes, classes)
    for name, value in model.expression_encoder.state_dict().items():
        assert torch.equal(value, before[name])
    assert model.expression_encoder.training
    torch.manual_seed(5)
    made = model.decode(model.fuse(who[[5, 0, 1]], codes[:3]))
    code = model.expression_encoder.eval()(made).mean
    torch.testing.assert_close(found, class_loss(model, code, classes[:3]))


def test_class_loss_is_the_cross_entropy_of_what_is_told() -> None:
    model, codes = network(), torch.randn(6, 100)
    classes = torch.tensor([0, 3, NONE, 6, 2, NONE])
    told = classes != NONE
    probabilities = torch.softmax(model.classify(codes), 1)[told].detach().double().numpy()
    expected = log_loss(classes[told], probabilities, labels=range(7))
    assert class_loss(model, codes, classes).item() == pytest.approx(expected, rel=1e-4)
    assert class_loss(model, codes, torch.full((6,), NONE)).item() == 0


def test_the_identity_is_judged_by_the_other_picture_and_the_expression_by_its_own() -> None:
    asked: list[torch.Tensor] = []
    distance = lambda made, target: keep(asked, target)  # noqa: E731
    model, pictures = network(), torch.rand(4, 3, 64, 64) * 255
    batch = Batch(pictures, torch.tensor([0, 1, 2, 3]))
    assert identity_losses(model, batch, SMOKE, distance).keys() == {
        "identity_reconstruction",
        "identity_kl",
        "sameness",
    }
    torch.testing.assert_close(asked[-1], of_partner(pictures) / 255)
    losses = expression_losses(model, batch, SMOKE, distance)
    assert losses.keys() == {"reconstruction", "kl", "classes", "strangeness", "swap"}
    torch.testing.assert_close(asked[-1], pictures / 255)


def test_who_it_is_may_be_read_off_the_other_picture() -> None:
    model, pictures = network(), torch.rand(4, 3, 64, 64) * 255
    batch = Batch(pictures, torch.tensor([0, 1, 2, 3]))
    mean = SMOKE if not SMOKE.sampled else replace(SMOKE, sampled=False)
    code, who = model.expression(pictures).mean, model.identity(pictures).mean
    for choice, person in (("same", who), ("other", of_partner(who))):
        made: list[torch.Tensor] = []
        expression_losses(model, batch, replace(mean, identity_from=choice), lambda *two, made=made: keep(made, two[0]))
        torch.testing.assert_close(made[0], model.decode(model.fuse(person, code)))


def keep(kept: list[torch.Tensor], pictures: torch.Tensor) -> torch.Tensor:
    """A distance that keeps what it is asked about."""
    kept.append(pictures)
    return pictures.mean()


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_a_configuration(name: str) -> None:
    if name == "published":
        config = changed(read(DisvaeTraining, name), {})
        assert (config.loss, config.sampled, config.identity_from, config.schedule) == (
            {"reconstruction": 1, "kl": 0.2, "classes": 0.5},
            False,
            "same",
            "constant",
        )
    config = read(DisvaeTraining, name)
    assert config.name == f"disvae-{name}"
    assert DisvaeTraining.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_variants_are_trained_alike() -> None:
    two, whole, baseline = (read(DisvaeTraining, name) for name in ("two-stage", "end-to-end", "baseline"))
    assert changed(whole, {"name": two.name, "variant": two.variant, "identity_epochs": two.identity_epochs}) == two
    assert (baseline.epochs, baseline.batch, baseline.augmentation) == (two.epochs, two.batch, two.augmentation)
    small = {"name": "disvae-small", "model.latent": 16, "epochs": 32}
    assert changed(whole, small) == read(DisvaeTraining, "small")
    smaller = {"name": "disvae-smaller", "model.latent": 10}
    assert changed(read(DisvaeTraining, "small"), smaller) == read(DisvaeTraining, "smaller")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"loss.fame": 1}, "no loss 'fame'; expected reconstruction, kl, classes, sameness"),
        ({"variant": "one"}, "variant is 'one'; expected two-stage, end-to-end, baseline"),
        ({"reconstruction": "vgg"}, "the reconstruction is vgg, which needs VGG19's weights; give torchvision's"),
        ({"model.channels": 1}, "cannot be used: model and template differ"),
        ({"model.depth": 1}, "cannot be used: .*depth"),
    ],
)
def test_a_change_that_is_not_one(change: dict, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        changed(read(DisvaeTraining, "two-stage"), change)


def test_crops_are_cut_within_three_pixels_and_mirrored() -> None:
    torch.manual_seed(1)
    ramp = torch.arange(80).float().view(1, 1, 1, 80).expand(200, 1, 80, 80)
    cut = seen(ramp, 64, "crops")[:, 0, 0]
    left = torch.minimum(cut[:, 0], cut[:, -1])
    assert set(left.tolist()) == set(range(5, 12))
    assert 60 < (cut[:, 0] > cut[:, -1]).sum() < 140
    assert torch.equal(cut[:100], cut[100:])
    assert seen(ramp, 64, "none")[:, 0, 0, 0].eq(8).all()


def test_centres_are_the_sets_own_or_the_presets(people: Prepared, tmp_path: Path) -> None:
    every = np.ones(len(people.affect), bool)
    known = PRESETS["affectnet-8"]
    assert centres_of(people, every)[2] == pytest.approx(known.centres[known.index("happiness")])
    labels = np.where(people.extra["expression"][:, None] == 2, [0.25, -0.5], np.nan)
    own = write_people(tmp_path, affect=labels)
    assert centres_of(own, every)[2] == (0.25, -0.5)
    assert centres_of(own, every)[1] == pytest.approx(known.centres[known.index("anger")])


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"subject": np.zeros(PERSONS * len(kinds()), int)}, "all training faces are of one person; expected two"),
        ({"subject": np.arange(PERSONS * len(kinds())) % 100}, "there is one picture; expected two or more of each"),
        ({"expression": np.ones(PERSONS * len(kinds()), np.uint8)}, "show fewer than two expressions; expected two"),
    ],
)
def test_people_of_whom_nothing_can_be_learnt(columns: dict, text: str, tmp_path: Path) -> None:
    data = write_people(tmp_path / "set")
    for name, values in columns.items():
        np.save(data.folder / f"{name}.npy", values.astype(np.int32 if name == "subject" else np.uint8))
    changed_set = open_prepared(data.folder)
    with pytest.raises(DataError, match=text):
        training_faces(changed_set, np.ones(len(changed_set.affect), bool))


def test_a_set_without_expressions(tmp_path: Path) -> None:
    data = write_people(tmp_path, without=("expression",))
    with pytest.raises(DataError, match="has no classes of expression; prepare a set with persons and expressions"):
        faces_of(data, np.ones(len(data.affect), bool))


def learnt(folder: Path, people: Prepared, variant: str) -> dict[str, float]:
    """What a short training comes to on the people who validate."""
    settings = {"variant": variant, "epochs": 25, "identity_epochs": 8, "learning_rate": 0.01, "model.dropout": 0.0}
    plain = {"loss": {"reconstruction": 100, "kl": 0.1, "classes": 2, "sameness": 3, "swap": 1}, "augmentation": "none"}
    trained = run_of(changed(SMOKE, settings | plain), people, folder)
    trained.run()
    return validate(trained.average, trained.validation)


@pytest.mark.parametrize("variant", ["two-stage", "end-to-end", "baseline"])
def test_every_variant_learns_to_tell_drawn_expressions(variant: str, people: Prepared, tmp_path: Path) -> None:
    found = learnt(tmp_path / "run", people, variant)
    assert found["val_accuracy"] >= 0.9
    if variant != "baseline":
        pictures = faces_of(people, split_rows(people)["validation"])
        spread = (pictures.crops[pictures.rows] / 255.0).std(axis=0).mean()
        assert found["val_pixel_error"] < 0.5 * spread**2


def test_stage_two_starts_from_stage_one_and_leaves_identity_alone(people: Prepared, tmp_path: Path) -> None:
    trained = run_of(changed(SMOKE, {"average_decay": 0.0}), people, tmp_path / "run")
    trained._run_and_save()
    before = {name: value.clone() for name, value in trained.average.identity_encoder.state_dict().items()}
    trained._enter(1)
    for name, value in trained.model.expression_encoder.state_dict().items():
        torch.testing.assert_close(value, before[name])
    trained.run()
    for name, value in trained.average.identity_encoder.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    changed_weights = trained.average.expression_encoder.mean.weight - before["mean.weight"]
    assert changed_weights.abs().max() > 1e-5


def test_a_resumed_run_is_the_run_that_was_stopped(people: Prepared, tmp_path: Path) -> None:
    for stop in (1, 2):
        whole, begun = (run_of(SMOKE, people, tmp_path / f"{name}{stop}") for name in ("whole", "begun"))
        whole.run()
        while begun.epoch < stop:
            if begun.epoch == 1:
                begun._enter(1)
            begun._run_and_save()
        again = run_of(SMOKE, people, tmp_path / f"begun{stop}")
        assert again.resume()
        again.run()
        assert again.epoch == whole.epoch == 3
        for one, other in zip(whole.average.state_dict().values(), again.average.state_dict().values(), strict=True):
            assert torch.equal(one, other)


def test_a_state_of_another_configuration(people: Prepared, tmp_path: Path) -> None:
    run_of(SMOKE, people, tmp_path / "run").save()
    other = run_of(changed(SMOKE, {"model.latent": 6}), people, tmp_path / "run")
    with pytest.raises(CheckpointError, match="was written by another configuration"):
        other.resume()


def test_the_checkpoint_gives_what_the_run_gave(people: Prepared, tmp_path: Path) -> None:
    rows: Rows = split_rows(people)
    path = train_disvae(SMOKE, people.folder, rows, tmp_path / "run", "the command")
    model, card = load(path)
    assert isinstance(model, Disvae)
    assert (card.kind, card.command, card.config["classes"]) == ("disvae", "the command", list(CLASSES))
    assert card.training["epochs_done"] == 3
    run = run_of(SMOKE, people, tmp_path / "run")
    assert run.resume()
    held = faces_of(people, rows["test"])
    ours, theirs = encode_faces(model, held), encode_faces(run.average, held)
    torch.testing.assert_close(ours.logits, theirs.logits, atol=0.01, rtol=0.01)
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
    stamp = path.stat().st_mtime_ns, path.read_bytes()
    assert train_disvae(SMOKE, people.folder, rows, tmp_path / "run", "the command").read_bytes() == stamp[1]


def test_draws_are_the_same_in_every_call_and_spread_as_the_code_says(people: Prepared) -> None:
    torch.manual_seed(4)
    model = Disvae(SMOKE.networks(CLASSES, ((0.0, 0.0),) * len(CLASSES))).eval()
    faces = faces_of(people, np.ones(len(people.affect), bool))
    one, again = encode_faces(model, faces), encode_faces(model, faces)
    assert one.drawn_expression is not None
    assert again.drawn_expression is not None
    assert torch.equal(one.drawn_expression, again.drawn_expression)
    with torch.no_grad():
        deviation = (
            model.expression(faces.pictures(torch.arange(len(faces)))[..., 2:-2, 2:-2]).log_variance.exp().sqrt()
        )
    spread = (one.drawn_expression - one.expression) / deviation
    assert spread.std().item() == pytest.approx(1, abs=0.05)


def vgg_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    state = {}
    for number, (before, after) in CONVOLUTIONS.items():
        state[f"features.{number}.weight"] = torch.randn(after, before, 3, 3) / (3 * before**0.5)
        state[f"features.{number}.bias"] = torch.zeros(after)
    return state


def test_the_perceptual_distance_is_half_the_squared_differences_of_three_layers(tmp_path: Path) -> None:
    torch.save(vgg_state(), tmp_path / "vgg19.pth")
    distance = distance_of(str(tmp_path / "vgg19.pth"))
    assert isinstance(distance, PerceptualDistance)
    one, other = torch.rand(2, 2, 3, 32, 32)
    pairs = list(zip(distance.features(one), distance.features(other), strict=True))
    assert [tuple(maps.shape[1:]) for maps, _ in pairs] == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]
    expected = sum(0.5 * float(((a - b) ** 2).mean()) for a, b in pairs)
    assert distance(one, other).item() == pytest.approx(expected, rel=1e-5)
    assert distance(one, one).item() == 0
    first = torch.nn.functional.conv2d(distance_input(one), vgg_state()["features.0.weight"], padding=1).relu()
    torch.testing.assert_close(distance.features(one)[0], first, rtol=1e-4, atol=1e-5)


def distance_input(pictures: torch.Tensor) -> torch.Tensor:
    """ImageNet's normalisation, by torchvision's published numbers."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pictures - mean[:, None, None]) / deviation[:, None, None]


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "there is no file .*vgg.pth; give torchvision's"), (b"no weights", "does not hold VGG19's weights")],
)
def test_weights_of_vgg_that_are_not_there(content: bytes | None, text: str, tmp_path: Path) -> None:
    path = tmp_path / "vgg.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=text):
        distance_of(str(path))


def smoke_file(folder: Path) -> Path:
    path = folder / "disvae-smoke.json"
    path.write_text(json.dumps(SMOKE.to_dict()))
    return path


def test_the_command_trains_every_fold(people: Prepared, tmp_path: Path) -> None:
    write_folds(people, tmp_path / "folds.json")
    call = ["train", "disvae", "--config", smoke_file(tmp_path), "--set", "epochs=1", "--data", people.folder,
            "--folds", tmp_path / "folds.json", "--out", tmp_path, "--all-folds", "--processes", 1]  # fmt: skip
    done = affect(*call)
    assert done.exit_code == 0, done.output
    for fold in range(5):
        _, card = load(tmp_path / f"disvae-smoke-fold-{fold}" / "disvae-smoke.safetensors")
        assert f"--folds FILE --fold {fold}" in card.command


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--all-folds"], 2, "--all-folds needs --folds FILE; make one with: affect eval folds SET --count 10"),
        (["--recon", "vgg"], 2, "the reconstruction is vgg, which needs VGG19's weights"),
        (["--recon", "vgg", "--vgg", "nowhere.pth"], 2, "there is no file nowhere.pth"),
    ],
)
def test_wrong_usage_of_the_command(options: list, code: int, text: str, people: Prepared, tmp_path: Path) -> None:
    call = ["train", "disvae", "--config", smoke_file(tmp_path), "--data", people.folder, "--out", tmp_path / "runs"]
    done = affect(*call, *options)
    assert done.exit_code == code
    assert text in " ".join(done.output.split())
    assert TEMPLATE.size == SMOKE.crop.size
