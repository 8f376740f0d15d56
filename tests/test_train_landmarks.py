"""The landmark VAE's training: sets and their neutral faces, triplets, losses, the run that resumes, the command."""

import json
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from landmark_sets import EXPRESSIONS, faces_of, write_bp4d, write_bu3dfe, write_synthetic
from scipy.spatial.distance import cdist

from nets.checkpoint import load
from nets.landmark_vae import Code, LandmarkVae
from tracker.cli import main
from tracker.errors import CheckpointError, DataError, SinkError, UsageError
from tracker.faces.shape import MEDIAPIPE_83, medoid, normalised
from train.config import changed, read
from train.landmarks.config import LandmarkTraining
from train.landmarks.data import LandmarkSet, drawn_split, neutral_rows, read_synthetic
from train.landmarks.found import Seen
from train.landmarks.loaders import layout_of, read_bp4d, read_bu3dfe, read_landmarks
from train.landmarks.losses import Terms, reconstruction_loss, triplet_loss
from train.landmarks.training import LandmarkRun, Part, train_landmarks
from train.landmarks.triplets import artificial, read_triplets
from train.prepared import SPLITS

SMOKE = read(LandmarkTraining, "smoke")
NAMES = sorted(path.stem for path in LandmarkTraining.folder.glob("*.json"))
COUNTS = SMOKE.triplets.counts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six persons, neutral and three expressions in four degrees: 78 faces, 52 of them to train."""
    return write_synthetic(tmp_path_factory.mktemp("landmarks") / "set")


@pytest.fixture(scope="module")
def faces(folder: Path) -> LandmarkSet:
    return read_synthetic(folder)


def run_of(config: LandmarkTraining, faces: LandmarkSet, folder: Path) -> LandmarkRun:
    folder.mkdir(exist_ok=True)
    return LandmarkRun(config, faces, artificial(faces, COUNTS, 0), folder)


def affect(*call: object) -> Result:
    return CliRunner().invoke(main, [str(part) for part in call])


def satisfied(model: LandmarkVae, part: Part) -> float:
    """Share of the triplets whose nearer face is nearer by the codes' means."""
    with torch.no_grad():
        z = model.eval().encode(part.faces, part.neutral).mean
    one, near, far = (z[part.triplets[:, i]] for i in range(3))
    return float(((one - near).norm(dim=1) <= (one - far).norm(dim=1)).float().mean())


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_a_configuration(name: str) -> None:
    config = read(LandmarkTraining, name)
    assert config.name == f"landmarks-{name}"
    assert LandmarkTraining.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_the_published_runs_keep_the_published_choices() -> None:
    vae, m1, m2, whole = (read(LandmarkTraining, f"published-{name}") for name in ("vae", "m1", "m2", "m2-whole"))
    assert (vae.model.conditional, m1.model.conditional, m2.model.conditional) == (False, True, True)
    assert (vae.gamma, m1.gamma, m2.gamma, whole.gamma) == (None, None, 0.04, 0.04)
    assert (m2.variance, m2.samples, m2.triplet_samples, m2.batch, m2.triplet_batch) == (0.001, 3, 10, 200, 10)
    assert (m2.iterations, m2.every, m2.learning_rate, m2.model.dropout) == (100_000, 2500, 1e-4, 0.1)
    assert m2.triplets.counts == {"train": 8000, "validation": 1000, "test": 1000}
    assert replace(whole, name=m2.name, annealing="kl") == m2


@pytest.mark.parametrize("family", ["", "published-"])
def test_the_models_are_trained_alike_but_for_what_they_are(family: str) -> None:
    vae, m1, m2, whole = (read(LandmarkTraining, family + name) for name in ("vae", "m1", "m2", "m2-whole"))
    assert changed(m1, {"name": vae.name, "model.conditional": False}) == vae
    assert replace(m2, name=m1.name, gamma=None) == m1
    assert replace(whole, name=m2.name, annealing="kl") == m2


def test_annealing_is_linear_and_of_the_divergence_or_of_all() -> None:
    betas = {kind: changed(SMOKE, {"annealing": kind, "iterations": 200}).betas for kind in ("none", "kl", "whole")}
    assert [betas["none"](i) for i in (0, 200)] == [(1, 1), (1, 1)]
    assert [betas["kl"](i) for i in (0, 50, 200, 300)] == [(0, 1), (0.25, 1), (1, 1), (1, 1)]
    assert [betas["whole"](i) for i in (0, 50, 200)] == [(0, 0), (0.25, 0.25), (1, 1)]
    terms = Terms(torch.tensor(5.0), torch.tensor(3.0), torch.tensor(2.0))
    assert float(terms.total(0.5, 0.25)) == 7.0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"annealing": "some"}, "annealing is 'some'; expected none, kl, whole"),
        ({"batch": 0}, "batch is 0; expected 1 or more"),
        ({"gamma": 0}, "variance, gamma or learning_rate is not above 0; expected positive numbers"),
        (
            {"model.latent": 0},
            "the changed configuration cannot be used: latent is 0; expected a whole number, 1 to 16384",
        ),
        (
            {"triplets.draw": 3},
            "no setting 'triplets.draw'; expected a dotted name that begins with one of name, model",
        ),
    ],
)
def test_a_change_that_is_not_one(change: dict, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        changed(SMOKE, change)


def test_a_set_knows_who_shows_what(faces: LandmarkSet) -> None:
    assert faces.shapes.shape == (78, 83, 3) and faces.flat.shape == (78, 249)
    assert faces.expressions == ("neutral", *EXPRESSIONS) and len(faces.subjects) == 6
    assert [int(faces.part(name).sum()) for name in SPLITS] == [52, 13, 13]
    assert (faces.degree[faces.expression == 0] == 0).all() and set(faces.degree.tolist()) == {0, 1, 2, 3, 4}
    assert (faces.subject[faces.neutral] == faces.subject).all()
    assert (faces.expression[faces.neutral] == 0).all()


def test_the_heads_turn_makes_no_difference(folder: Path, faces: LandmarkSet) -> None:
    with np.load(folder / "landmarks.npz") as archive:
        assert np.abs(archive["turns"]).max() > 5
    straight = normalised(faces_of(EXPRESSIONS, 6)[0, "neutral", 0], MEDIAPIPE_83)
    np.testing.assert_allclose(faces.shapes[faces.neutral[0]], straight, atol=1e-4)


def test_jitter_is_so_much_in_eye_distances_and_of_its_seed(folder: Path, faces: LandmarkSet) -> None:
    one, again, other = (read_synthetic(folder, None, 0.02, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.shapes, again.shapes) and not np.array_equal(one.shapes, other.shapes)
    assert (one.shapes - faces.shapes).std() == pytest.approx(0.02, rel=0.02)


def seen(points: np.ndarray) -> Seen:
    """With the row's tenth for how far valence and arousal are from neutral."""
    rows = np.arange(len(points))
    return Seen(points, np.column_stack([0.06 * rows, -0.08 * rows]))


def test_faces_that_were_not_found_are_left_out(folder: Path, faces: LandmarkSet) -> None:
    points = 100 * faces.shapes.astype(np.float64)
    points[[3, 77]] = np.nan
    found = read_synthetic(folder, seen(points))
    assert found.rows.tolist() == [row for row in range(78) if row not in (3, 77)]
    assert found.away["tracker"] == pytest.approx(found.rows / 10)
    assert (found.away["truth"] == faces.away["truth"][found.rows]).all() and list(faces.away) == ["truth"]
    assert faces.away["truth"][faces.neutral].max() < 0.1 < faces.away["truth"][faces.degree == 4].min()
    kept = found.select(found.expression != 1)
    assert (kept.away["tracker"] == found.away["tracker"][found.expression != 1]).all()
    np.testing.assert_allclose(found.shapes, faces.shapes[found.rows], atol=1e-5)
    assert (found.subject == faces.subject[found.rows]).all()
    points[faces.neutral[0]] = np.nan
    with pytest.raises(DataError, match="person-000 has no neutral face with landmarks; expected one of each person"):
        read_synthetic(folder, seen(points))


def test_a_person_without_a_neutral_face(tmp_path: Path) -> None:
    write_synthetic(tmp_path, without=["images/person-002/neutral.png"])
    with pytest.raises(
        DataError, match=r"person-002 has no neutral face with landmarks; .* add it, or leave the person"
    ):
        read_synthetic(tmp_path)


def test_landmarks_with_some_nan_or_of_another_count(folder: Path, faces: LandmarkSet) -> None:
    points = faces.shapes.astype(np.float64)
    with pytest.raises(DataError, match=r"landmarks of shape \(78, 68, 3\); expected \(..., 83, 3\) as mediapipe-83"):
        read_synthetic(folder, seen(points[:, :68]))
    with pytest.raises(DataError, match="landmarks of 77 faces; expected 78, one a row"):
        read_synthetic(folder, seen(points[1:]))
    points[4, 7, 2] = np.nan
    with pytest.raises(DataError, match="landmarks with NaN in 1 of 78 faces, the first is number 4"):
        read_synthetic(folder, seen(points))


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (("train", "train", "test"), "has no person for validation; expected some each for train, validation, test"),
        (("train", "test"), "has no person for validation"),
    ],
)
def test_fewer_persons_than_parts(split: tuple[str, ...], text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=text):
        read_synthetic(write_synthetic(tmp_path, split))


def test_persons_are_drawn_into_parts() -> None:
    subject = np.repeat(np.arange(20), 3)
    split = drawn_split("SET", subject, {"validation": 0.1, "test": 0.2}, 1)
    assert {name: int((split == name).sum()) for name in SPLITS} == {"train": 42, "validation": 6, "test": 12}
    assert all(len(set(split[subject == person])) == 1 for person in range(20))
    assert set(drawn_split("SET", np.arange(3), {"validation": 0.1, "test": 0.1}, 0)) == set(SPLITS)
    with pytest.raises(
        DataError, match="SET has 2 persons; expected 3 or more, at least one each for train, validation"
    ):
        drawn_split("SET", np.arange(2), {"validation": 0.1, "test": 0.1}, 0)


def test_without_a_given_neutral_face_the_medoid_of_the_calm_ones(folder: Path, faces: LandmarkSet) -> None:
    calm = faces.degree <= 2
    rows = neutral_rows(faces.shapes, faces.subject, np.array(faces.subjects), calm, "SET")
    for person in range(6):
        own = np.flatnonzero((faces.subject == person) & calm)
        flat = faces.flat[own]
        assert set(rows[faces.subject == person].tolist()) == {own[cdist(flat, flat).sum(axis=1).argmin()]}
        assert own[medoid(faces.shapes[own])] == rows[own[0]]


def test_artificial_triplets_follow_the_three_rules(faces: LandmarkSet) -> None:
    triplets = artificial(faces, COUNTS, 0)
    assert {name: len(each.rows) for name, each in triplets.items()} == COUNTS
    counted = {"class": 0, "degree": 0, "neutral": 0}
    for one, near, far in np.concatenate([each.rows for each in triplets.values()]).tolist():
        assert len({one, near, far}) == 3
        classes, degrees = faces.expression[[one, near, far]], faces.degree[[one, near, far]]
        if classes[0] == classes[1] != classes[2]:
            counted["class"] += 1
        elif classes[0] == classes[1] == classes[2]:
            counted["degree"] += 1
            assert abs(degrees[0] - degrees[1]) < abs(degrees[0] - degrees[2])
        else:
            counted["neutral"] += 1
            assert classes[1] == 0 and classes[2] not in (0, classes[0])
    assert min(counted.values()) > 0.25 * sum(COUNTS.values())


def test_every_face_is_in_a_triplet_and_none_goes_across_parts(faces: LandmarkSet) -> None:
    triplets = artificial(faces, COUNTS, 0)
    for name, each in triplets.items():
        assert set(each.rows.ravel().tolist()) == set(np.flatnonzero(faces.part(name)).tolist())
        assert faces.part(name)[each.rows].all() and (each.weights == 1).all()
    for one, other in combinations(triplets.values(), 2):
        assert not set(one.rows.ravel().tolist()) & set(other.rows.ravel().tolist())


def test_triplets_are_those_of_their_seed(faces: LandmarkSet) -> None:
    one, again, other = (artificial(faces, COUNTS, seed)["train"].rows for seed in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_too_few_triplets_or_one_class_alone(faces: LandmarkSet) -> None:
    with pytest.raises(UsageError, match=r"20 triplets for the 52 faces of train; .*: --set triplets.train=52"):
        artificial(faces, {**COUNTS, "train": 20}, 0)
    with pytest.raises(
        DataError, match=r"nothing to compare row \d+ with; expected two classes or more, and two faces or"
    ):
        artificial(replace(faces, expression=np.zeros(78, int), degree=np.zeros(78, int)), COUNTS, 0)


def write_csv(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["reference,nearer,farther,weight", *rows]) + "\n", encoding="utf-8")
    return path


def test_triplets_are_read_from_a_file(faces: LandmarkSet, tmp_path: Path) -> None:
    own = write_csv(tmp_path / "own.csv", "0,1,5,5", "53,54,60,3", "1,2,9,1", "70,66,77,1")
    triplets = read_triplets(own, faces)
    assert triplets["train"].rows.tolist() == [[0, 1, 5], [1, 2, 9]]
    assert triplets["train"].weights.tolist() == [5, 1]
    assert triplets["validation"].rows.tolist() == [[53, 54, 60]] and triplets["test"].rows.tolist() == [[70, 66, 77]]


def test_a_file_has_triplets_to_train_and_to_validate(faces: LandmarkSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"own.csv has no triplet of validation; expected some of train and of"):
        read_triplets(write_csv(tmp_path / "own.csv", "0,1,5,5"), faces)


def test_rows_of_a_file_are_those_of_the_table(folder: Path, faces: LandmarkSet, tmp_path: Path) -> None:
    points = faces.shapes.astype(np.float64)
    points[3] = np.nan
    found, own = read_synthetic(folder, seen(points)), write_csv(tmp_path / "own.csv", "2,4,6,1", "53,54,60,1")
    assert found.rows[read_triplets(own, found)["train"].rows[0]].tolist() == [2, 4, 6]
    with pytest.raises(DataError, match=r"own.csv names 1 rows that .* has no landmarks for: 3; expected rows 0 to 77"):
        read_triplets(write_csv(own, "3,4,6,1"), found)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("0,1,78,1", r"names 1 rows that .* has no landmarks for: 78; expected rows 0 to 77 of its table"),
        ("-1,1.5,99,1", "names 3 rows that .* has no landmarks for: -1, 1.5, 99;"),
        ("0,1,60,1", "row 2: its faces are of different parts; expected three of train, validation or test"),
        ("0,1,two,1", "row 2: farther is two; expected a number"),
        ("0,1,5,", "row 2: weight is nan; expected 0 or more"),
    ],
)
def test_a_file_with_other_rows(row: str, text: str, faces: LandmarkSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=text):
        read_triplets(write_csv(tmp_path / "own.csv", row), faces)


def test_reconstruction_is_the_likelihoods() -> None:
    drawn, own = torch.randn(4, 3, 9), torch.randn(3, 9)
    logs = torch.distributions.Normal(drawn, math.sqrt(0.01)).log_prob(own).sum(2)
    constant = 4.5 * math.log(2 * math.pi * 0.01)
    torch.testing.assert_close(reconstruction_loss(drawn, own, 0.01), -logs.mean() - constant, rtol=1e-4, atol=1e-3)


def test_the_triplets_loss_is_the_expected_softplus() -> None:
    certain = [Code(torch.randn(5, 3), torch.full((5, 3), -60.0)) for _ in range(3)]
    weights = torch.tensor([1.0, 0, 2, 5, 3])
    one, near, far = (code.mean for code in certain)
    gap = (one - near).norm(dim=1) - (one - far).norm(dim=1)
    expected = (weights * torch.log1p(gap.exp())).mean()
    torch.testing.assert_close(triplet_loss((certain[0], certain[1], certain[2]), weights, 2), expected)
    vague = tuple(Code(code.mean, torch.zeros(5, 3)) for code in certain)
    torch.manual_seed(1)
    one, near, far = (code.sample(40_000) for code in vague)
    gap = (one - near).norm(dim=2) - (one - far).norm(dim=2)
    torch.manual_seed(2)
    drawn = triplet_loss(vague, weights, 40_000)  # type: ignore[arg-type]
    torch.testing.assert_close(drawn, (weights * torch.log1p(gap.exp())).mean(), rtol=0.02, atol=0)


def test_the_loss_is_minus_the_elbo_of_a_face_with_its_share_of_the_triplets(
    faces: LandmarkSet, tmp_path: Path
) -> None:
    own = run_of(changed(SMOKE, {"gamma": 0.1}), faces, tmp_path)
    with torch.no_grad():
        own.model.log_variance.weight.zero_()
        own.model.log_variance.bias.fill_(-60)
        scores, part = own.validate(), own.validation
        code = own.model.encode(part.faces, part.neutral)
        error = ((own.model.decode(code.mean, part.neutral) - part.faces) ** 2).sum(1)
    one, near, far = (code.mean[part.triplets[:, i]] for i in range(3))
    judged = torch.log1p(torch.exp((one - near).norm(dim=1) - (one - far).norm(dim=1))).sum()
    assert scores["val_reconstruction"] == pytest.approx(500 * error.mean().item(), rel=1e-3)
    assert scores["val_kl"] == pytest.approx(code.divergence().mean().item(), rel=1e-3)
    assert scores["val_triplets"] == pytest.approx(judged.item() / 0.1 / 13, rel=1e-3)
    parts = sum(scores[f"val_{name}"] for name in ("reconstruction", "kl", "triplets"))
    assert scores["elbo"] == pytest.approx(-parts, rel=1e-4)


def test_it_learns_and_triplets_shape_the_codes(faces: LandmarkSet, tmp_path: Path) -> None:
    config = changed(SMOKE, {"iterations": 240, "every": 120, "triplet_batch": 30, "variance": 0.02})
    m2 = run_of(config, faces, tmp_path / "m2")
    before = satisfied(m2.model, m2.train)
    m2.run()
    m1 = run_of(replace(config, gamma=None), faces, tmp_path / "m1")
    m1.run()
    log = [json.loads(line) for line in (tmp_path / "m2" / "log.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in log] == [120, 240]
    assert all(log[-1][name] < log[0][name] for name in ("reconstruction", "triplets"))
    after = satisfied(m2.model, m2.train)
    assert after > 0.95 and before < 0.7 and after > satisfied(m1.model, m1.train)


def test_the_best_weights_are_kept(faces: LandmarkSet, tmp_path: Path) -> None:
    own = run_of(SMOKE, faces, tmp_path)
    own.best.offer(own.model, -5.0)
    kept = own.best.model.mean.weight.clone()
    with torch.no_grad():
        own.model.mean.weight += 1
    own.best.offer(own.model, -6.0)
    assert torch.equal(own.best.model.mean.weight, kept) and float(own.best.elbo) == -5
    own.best.offer(own.model, -4.0)
    assert torch.equal(own.best.model.mean.weight, kept + 1)


@pytest.mark.parametrize("change", [{}, {"gamma": None, "model.dropout": 0.2, "iterations": 50}])
def test_resumed_is_straight(change: dict, faces: LandmarkSet, tmp_path: Path) -> None:
    config = changed(SMOKE, change)
    straight = run_of(config, faces, tmp_path / "straight")
    straight.run()
    stopped = run_of(config, faces, tmp_path / "resumed")
    stopped._run_round()
    stopped.epoch = 1
    stopped.best.offer(stopped.model, stopped.validate()["elbo"])
    stopped.save()
    torch.rand(5)
    again = run_of(config, faces, tmp_path / "resumed")
    assert again.resume() and again.done == 20
    again.run()
    assert again.done == config.iterations
    for name in ("model", "best"):
        own, other = (getattr(each, name).state_dict() for each in (again, straight))
        assert all(torch.equal(own[key], other[key]) for key in other)


def test_a_state_of_another_size(faces: LandmarkSet, tmp_path: Path) -> None:
    run_of(SMOKE, faces, tmp_path).save()
    with pytest.raises(CheckpointError, match=r"last.pt was written by another configuration .*give that one, or"):
        run_of(changed(SMOKE, {"model.latent": 6}), faces, tmp_path).resume()


def test_a_model_of_another_layout_or_a_folder_that_cannot_be_made(faces: LandmarkSet, tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"has 83 landmarks of mediapipe-83, the model 468 of mediapipe-468; give --set model.points=83 --set",
    ):
        other = changed(SMOKE, {"model.points": 468, "model.layout": "mediapipe-468"})
        train_landmarks(other, faces, tmp_path, "command")
    with pytest.raises(SinkError, match=r"/dev/null/run cannot be written: Not a directory; free space"):
        train_landmarks(SMOKE, faces, Path("/dev/null/run"), "command")


def test_one_command_trains_and_goes_on(folder: Path, tmp_path: Path) -> None:
    call = ["train", "landmarks", "--config", "smoke", "--data", folder, "--out", tmp_path]
    result = affect(*call, "--set", "iterations=20")
    assert result.exit_code == 0, result.output
    path = tmp_path / "landmarks-smoke" / "landmarks-smoke.safetensors"
    assert f"wrote {path}" in result.output
    model, card = load(path)
    assert isinstance(model, LandmarkVae)
    assert card.command == "affect train landmarks --config smoke --data FACES --set iterations=20"
    assert card.data == "synthetic faces, 52 faces of 4 training persons"
    assert card.terms == "Apache-2.0; trained on drawn faces (MakeHuman's shapes, CC0)"
    faces = read_synthetic(folder)
    np.testing.assert_allclose(model.average, faces.flat[faces.part("train")].mean(axis=0), atol=1e-3)
    assert affect(*call, "--set", "iterations=40").exit_code == 0
    log = [json.loads(line) for line in (path.parent / "log.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in log] == [20, 40]
    card = load(path)[1]
    assert card.training["iterations_done"] == 40
    assert card.training["validation_elbo"] == pytest.approx(max(row["elbo"] for row in log))


def test_the_command_tells_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    call = ["train", "landmarks", "--config", "smoke", "--out", tmp_path, "--data"]
    for arguments, code, text in (
        ((tmp_path,), 1, "is no whole set of affect synth set: it has no table.csv"),
        ((folder, "--triplets", tmp_path / "gone.csv"), 1, "gone.csv: no such file; expected a CSV with reference,"),
        ((folder, "--set", "triplets.train=9"), 2, "9 triplets for the 52 faces of train"),
        ((folder, "--set", "rate=3"), 2, "no setting 'rate'"),
    ):
        result = affect(*call, *arguments)
        assert (result.exit_code, text in result.output) == (code, True), result.output


def test_bu_3dfe_is_read(tmp_path: Path) -> None:
    faces = read_landmarks(write_bu3dfe(tmp_path), None, 0, 3)
    assert (faces.name, faces.layout.name, faces.expressions) == (
        "BU-3DFE",
        "bu-3dfe",
        ("neutral", "anger", "happiness"),
    )
    assert faces.shapes.shape == (54, 83, 3) and faces.subjects[0] == "F0001"
    assert [int(faces.part(name).sum()) for name in SPLITS] == [36, 9, 9]
    assert faces.degree[faces.subject == 0].tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 0]
    right, left = (faces.shapes[:, lid].mean(axis=1) for lid in (faces.layout.right_lid, faces.layout.left_lid))
    np.testing.assert_allclose(left - right, np.tile([1, 0, 0], (54, 1)), atol=0.02)
    assert faces.shapes[:, 36:48, 2].mean() < 0 < faces.shapes[:, 36:48, 1].mean()
    assert artificial(faces, {"train": 40, "validation": 9, "test": 9}, 0)["train"].rows.shape == (40, 3)


def test_lids_and_sides_are_read_off_the_mean_face(tmp_path: Path) -> None:
    faces = read_bu3dfe(write_bu3dfe(tmp_path))
    assert faces.layout.right_lid[:2] == (8, 12) and set(faces.layout.right_lid[2:]) == {13, 14, 15}
    swapped = layout_of(100 * faces.shapes * [-1, 1, 1], "bu-3dfe")
    assert set(swapped.right_lid) == set(faces.layout.left_lid)


def test_bp4d_is_read(tmp_path: Path) -> None:
    faces = read_bp4d(write_bp4d(tmp_path))
    assert faces.expressions == ("neutral", "expressive")
    assert faces.shapes.shape == (18, 83, 3)
    own = faces.subject == 0
    assert faces.degree[own].tolist() == [0, 1, 2], "one neutral, AU 12 once, AU 6 with 12; no blink, none unseen"
    assert faces.neutral[own].tolist() == [0, 0, 0] and faces.layout.name == "bp4d"


def test_files_of_binghamton_that_are_not_what_was_expected(tmp_path: Path) -> None:
    root = write_bu3dfe(tmp_path, persons=3)
    with pytest.raises(UsageError, match=r"--found is for a set of affect synth set; .* has landmarks of its own"):
        read_landmarks(root, tmp_path / "found.npz", 0, 0)
    file = root / "F0002" / "F0002_AN01WH_F3D.bnd"
    text = file.read_text()
    file.write_text("\n".join(text.splitlines()[:-1]))
    with pytest.raises(DataError, match=r"F0002_AN01WH_F3D.bnd has 82 lines of 4 numbers; expected 83 of 4"):
        read_bu3dfe(root)
    file.write_text("none")
    with pytest.raises(DataError, match=r"F3D.bnd cannot be read: .*; expected 83 lines of a vertex, x, y and z"):
        read_bu3dfe(root)
    file.rename(file.with_name("F0002_XX01WH_F3D.bnd"))
    (root / "F0002" / "F0002_XX01WH_F3D.bnd").write_text(text)
    with pytest.raises(DataError, match="no expression 'XX01'; expected AN, DI, FE, HA, NE, SA, SU and two digits"):
        read_bu3dfe(root)
    for reader, name in ((read_bu3dfe, "BU-3DFE"), (read_bp4d, "BP4D")):
        with pytest.raises(DataError, match=f"expected the folder of {name}"):
            reader(tmp_path / "gone")
