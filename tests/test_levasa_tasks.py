"""LeVAsa's tasks against scikit-learn and brute force, on models of which the alignment is known."""

from pathlib import Path

import numpy as np
import pytest
from levasa_sets import LABELS, QUICK, TEST, TRAIN, Aligned, Blind, model, study_of, write_faces
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, explained_variance_score, log_loss, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tracker.errors import DataError, UsageError
from train import metrics
from train.annotation_transfer import discrete
from train.config import settings
from train.datasets.ferplus import CENTRES
from train.folds import split_rows
from train.levasa.tasks.alignment import alignment, class_means, log_frequencies
from train.levasa.tasks.circumplex import balanced, circumplex, neighbourhoods
from train.levasa.tasks.config import TasksConfig
from train.levasa.tasks.faces import ANNOTATED, EXPECTED, TRANSFERRED, parts_of
from train.levasa.tasks.prediction import emotion, inverse, regression
from train.levasa.tasks.reconstruction import examples, reconstruction
from train.levasa.tasks.study import Study
from train.scoring.figures import Resamples
from train.scoring.pages import Outcome


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces")).folder


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    models = model(Blind, "blind", "none"), model(Aligned, "aligned", "repeat"), model(Aligned, "discrete", "classes")
    return study_of(folder, *models)


@pytest.fixture(scope="module")
def regressed(study: Study) -> Outcome:
    return regression(study)


def cell(outcome: Outcome, table: str, row: str, column: str) -> tuple[float, float, float]:
    """Value and interval."""
    found = next(each for each in outcome.tables if each.title == table)
    return found.rows[row][found.columns.index(column)]


@pytest.fixture
def resamples() -> Resamples:
    """Of ninety faces of thirty people."""
    return Resamples.of(np.random.default_rng(0).integers(100, 130, 90), rounds=200, seed=0)


def test_explained_variance_and_r2_are_sklearns(resamples: Resamples) -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(size=90) + 0.5
    for prediction in (0.6 * target + 0.4 + 0.3 * rng.normal(size=90), np.zeros(90), rng.normal(size=90)):
        assert resamples.r_squared(prediction, target).value == pytest.approx(r2_score(target, prediction))
        explained = resamples.explained_variance(prediction, target)
        assert explained.value == pytest.approx(explained_variance_score(target, prediction))
        assert explained.low < explained.value < explained.high or not prediction.any()


def test_a_constant_target_has_no_r2(resamples: Resamples) -> None:
    assert np.isnan(resamples.r_squared(np.zeros(90), np.full(90, 0.3)).value)


def test_intervals_are_those_of_people_drawn_anew() -> None:
    rng = np.random.default_rng(2)
    subject = np.repeat(np.arange(40), 5)
    error = np.repeat(rng.normal(size=40), 5) ** 2 + 0.01 * rng.random(200)
    figure = Resamples.of(subject, rounds=4000, seed=0).mean(error)
    by_person = error.reshape(40, 5).mean(axis=1)
    again = [by_person[rng.integers(0, 40, 40)].mean() for _ in range(4000)]
    assert_allclose(figure[1:], np.percentile(again, [2.5, 97.5]), atol=0.03)
    naive = [error[rng.integers(0, 200, 200)].mean() for _ in range(1000)]
    assert figure.high - figure.low > 1.5 * np.ptp(np.percentile(naive, [2.5, 97.5]))


def test_a_ratio_is_paired(resamples: Resamples) -> None:
    values = np.random.default_rng(3).exponential(size=90)
    assert resamples.ratio(1.25 * values, values) == pytest.approx((1.25, 1.25, 1.25))


def test_agreement_is_that_of_the_metrics(resamples: Resamples) -> None:
    rng = np.random.default_rng(4)
    target = rng.uniform(-1, 1, (90, 2))
    prediction = 0.5 * target + 0.2 * rng.normal(size=(90, 2))
    ccc = resamples.agreement(prediction, target)["ccc"]
    assert [each.value for each in ccc[:2]] == pytest.approx(
        [metrics.ccc(prediction[:, i], target[:, i]) for i in (0, 1)]
    )


def test_the_faces_are_those_with_votes_and_their_labels_are_those_of_training(study: Study) -> None:
    data = study.test.data
    assert (len(study.train), len(study.test), len(study.taught)) == (TRAIN, TEST, QUICK.faces)
    assert list(study.test.labels) == [TRANSFERRED, EXPECTED]
    assert_allclose(study.test.labels[EXPECTED], data.extra["emotions"][study.test.rows] @ CENTRES, atol=1e-6)
    assert_allclose(study.test.labels[EXPECTED], data.affect[study.test.rows], atol=1e-6)
    assert study.test.emotion.tolist() == data.extra["emotions"][study.test.rows].argmax(axis=1).tolist()
    drawn = study.test.labels[TRANSFERRED] - study.test.labels[EXPECTED]
    assert 0.05 < drawn.std() < 0.5 and abs(drawn.mean()) < 0.05
    assert not set(study.train.rows) & set(study.test.rows) and set(study.taught.rows) <= set(study.train.rows)


def test_few_votes_and_missing_faces_are_left_out(tmp_path: Path) -> None:
    count = TRAIN + TEST
    data = write_faces(
        tmp_path,
        votes_cast=np.where(np.arange(count) % 10 == 0, 4, 10).astype(np.uint8),
        found=np.arange(count) % 10 != 1,
    )
    train, test = parts_of(data, LABELS, split_rows(data))
    assert len(train) == 0.8 * TRAIN and len(test) == 0.8 * TEST
    assert not np.isin(np.concatenate([train.rows, test.rows]) % 10, [0, 1]).any()


def test_alignment_and_its_floors_are_what_brute_force_gives(study: Study) -> None:
    outcome, train, test = alignment(study), study.train, study.test
    for name in (TRANSFERRED, EXPECTED):
        title, truth = f"Error against {name}", test.labels[name].astype(np.float64)
        known, means = train.labels[name].astype(np.float64), np.zeros_like(truth)
        for i, own in enumerate(test.emotion):
            means[i] = known[train.emotion == own].mean(axis=0)
        shown = study.answers["aligned"][1].affect
        rows = {"zero": 0 * truth, "constant: training mean": known.mean(axis=0), "mean of the face's emotion": means}
        for row, answer in (rows | {"head: aligned": shown}).items():
            error = answer - truth
            assert cell(outcome, title, row, "MSE V")[0] == pytest.approx((error[:, 0] ** 2).mean())
            assert cell(outcome, title, row, "MAE A")[0] == pytest.approx(np.abs(error[:, 1]).mean())
            assert cell(outcome, title, row, "MSE V + A")[0] == pytest.approx((error**2).sum(axis=1).mean())
    assert cell(outcome, f"Error against {TRANSFERRED}", EXPECTED, "MSE V")[0] == pytest.approx(
        ((test.labels[TRANSFERRED] - test.labels[EXPECTED])[:, 0] ** 2).mean()
    )


def test_components_are_each_an_answer(study: Study) -> None:
    outcome, z = alignment(study), study.answers["blind"][1].z
    truth = study.test.labels[TRANSFERRED]
    each = [np.abs(z[:, 1, k] - truth[:, 1]).mean() for k in range(z.shape[2])]
    row = "components: blind"
    assert cell(outcome, f"Error against {TRANSFERRED}", row, "MAE A")[0] == pytest.approx(np.mean(each), rel=1e-5)
    own = cell(outcome, f"Error against {EXPECTED}", "components: aligned", "MSE V")
    assert own == pytest.approx(cell(outcome, f"Error against {EXPECTED}", "head: aligned", "MSE V"), rel=1e-3)


def test_the_aligned_model_beats_zero_and_the_blind_one_does_not(study: Study) -> None:
    outcome, title = alignment(study), f"Error against {EXPECTED}"
    assert cell(outcome, title, "head: aligned", "MSE V + A")[2] < 0.01
    assert cell(outcome, title, "head: aligned", "MSE V + A")[2] < cell(outcome, title, "zero", "MSE V + A")[1]
    assert cell(outcome, title, "components: blind", "MSE V + A")[1] > cell(outcome, title, "zero", "MSE V + A")[2]
    titles = [row for table in outcome.tables for row in table.rows]
    assert not any(title == "head: blind" for title in titles), "a vanilla model has no head"


def test_cross_entropy_is_sklearns(study: Study) -> None:
    outcome, train, test = alignment(study), study.train, study.test
    truth, taught = discrete(test.learnt).astype(int), discrete(train.learnt).astype(int)
    levels = np.arange(-10, 11)
    logits = np.linspace(-1, 1, 21)
    said = np.tile(np.exp(logits) / np.exp(logits).sum(), (len(test), 1))
    counts = np.array([(taught[:, 0] == level).sum() + 1 for level in levels])
    by_emotion = [[(taught[train.emotion == k, 1] == level).sum() + 1 for level in levels] for k in test.emotion]
    shares = np.array(by_emotion) / np.sum(by_emotion, axis=1, keepdims=True)
    expected = {
        ("discrete", "V"): log_loss(truth[:, 0], said, labels=levels),
        ("uniform", "V"): np.log(21),
        ("uniform", "V + A"): 2 * np.log(21),
        ("frequencies", "V"): log_loss(truth[:, 0], np.tile(counts / counts.sum(), (len(test), 1)), labels=levels),
        ("frequencies of the face's emotion", "A"): log_loss(truth[:, 1], shares, labels=levels),
    }
    for (row, axis), value in expected.items():
        assert cell(outcome, "Discrete labels", row, f"cross-entropy {axis}")[0] == pytest.approx(value, rel=1e-5)


def test_means_and_frequencies_by_class() -> None:
    labels, emotion = np.array([[0.0, 1.0], [0.5, 0.0], [1.0, 0.5]]), np.array([2, 2, 0])
    assert_allclose(class_means(labels, emotion, 3), [[1, 0.5], [0.5, 0.5], [0.25, 0.5]])
    shares = np.exp(log_frequencies(np.array([[0, 20], [0, 3]]), np.array([1, 1]), 2))
    assert_allclose(shares.sum(axis=2), 1)
    assert_allclose(shares[0], 1 / 21)
    assert_allclose([shares[1, 0, 0], shares[1, 1, 20], shares[1, 0, 5]], [3 / 23, 2 / 23, 1 / 23])


def test_identity_latents_give_an_r2_of_one_and_blind_ones_of_none(regressed: Outcome) -> None:
    outcome, title = regressed, f"R2 against {EXPECTED}"
    for question in ("V from z_v", "A from z_a"):
        for regressor in ("Ridge", "Lasso", "SVR"):
            assert cell(outcome, title, f"{question}: aligned", regressor)[0] > 0.95, (question, regressor)
        assert cell(outcome, title, f"{question}: blind", "Ridge")[0] < 0.05
        assert abs(cell(outcome, title, f"{question}: constant", "MLP")[0]) < 0.06
        noisy = cell(outcome, f"R2 against {TRANSFERRED}", f"{question}: aligned", "Ridge")
        assert noisy[2] < cell(outcome, title, f"{question}: aligned", "Ridge")[1], "a draw has noise"


def test_regression_is_that_of_an_independent_pipeline(study: Study, regressed: Outcome) -> None:
    outcome, (taught, test) = regressed, study.answers["blind"]
    own = make_pipeline(StandardScaler(), Ridge(1.0)).fit(taught.z[:, 1], study.taught.labels[TRANSFERRED][:, 1])
    truth, said = study.test.labels[TRANSFERRED][:, 1], own.predict(test.z[:, 1])
    row = "A from z_a: blind"
    assert cell(outcome, f"R2 against {TRANSFERRED}", row, "Ridge")[0] == pytest.approx(r2_score(truth, said), rel=1e-5)
    title = f"Explained variance of {TRANSFERRED}"
    assert cell(outcome, title, row, "Ridge")[0] == pytest.approx(explained_variance_score(truth, said), rel=1e-5)


def test_the_inverse_of_an_aligned_model_tells_what_the_other_label_tells(study: Study, regressed: Outcome) -> None:
    outcome, title = inverse(study), f"R2 against {EXPECTED}"
    for question, label in (("V from z_a", "A"), ("A from z_v", "V")):
        told = cell(outcome, title, f"{question}: the true label of {label}", "Ridge")[0]
        assert cell(outcome, title, f"{question}: aligned", "Ridge")[0] == pytest.approx(told, abs=0.03)
        assert told < cell(regressed, title, f"{label} from z_{label.lower()}: aligned", "Ridge")[1]


def test_accuracy_of_whole_labels_is_there_for_discrete_models_alone(
    study: Study, folder: Path, regressed: Outcome
) -> None:
    outcome, title = regressed, "Accuracy of the whole label, -10 to 10"
    levels = discrete(study.test.learnt)[:, 0]
    commonest = np.bincount(discrete(study.taught.learnt)[:, 0] + 10).argmax() - 10
    assert cell(outcome, title, "V from z_v: majority", "SVM")[0] == pytest.approx((levels == commonest).mean())
    assert cell(outcome, title, "V from z_v: aligned", "SVM")[0] > cell(outcome, title, "V from z_v: blind", "SVM")[0]
    alone = study_of(folder, model(Blind, "blind", "none"))
    assert [table.title for table in regression(alone).tables] == [t.title for t in outcome.tables if t.title != title]


def test_emotion_is_that_of_an_independent_pipeline(study: Study) -> None:
    outcome, title = emotion(study), "Accuracy of the emotion"
    taught, test = study.answers["aligned"]
    own = make_pipeline(StandardScaler(), SVC()).fit(taught.z[:, :2].reshape(QUICK.faces, -1), study.taught.emotion)
    said = own.predict(test.z[:, :2].reshape(TEST, -1))
    both = cell(outcome, title, "z_v, z_a: aligned", "SVM")
    assert both[0] == pytest.approx(accuracy_score(study.test.emotion, said))
    majority = cell(outcome, title, "majority", "SVM")
    assert majority[0] == pytest.approx((study.test.emotion == np.bincount(study.taught.emotion).argmax()).mean())
    assert both[1] > majority[2] and both[0] > 0.8
    assert cell(outcome, title, "z_v, z_a: blind", "SVM")[0] < majority[2] + 0.05
    assert outcome.tables[0].rows["chance"][0] == 1 / 8


def test_reconstruction_has_its_price_and_the_mean_picture_beside_it(study: Study) -> None:
    outcome = reconstruction(study)
    pixels, mean = study.test.crops() / 255, study.taught.crops().mean(axis=0) / 255
    column = "pixel MSE x 1000"
    for row, answer in (("blind", 0), ("mean picture", mean)):
        value = cell(outcome, "Test faces", row, column)[0]
        assert value == pytest.approx(1000 * ((pixels - answer) ** 2).mean(), rel=1e-5)
    price = cell(outcome, "Test faces", "aligned", "over vanilla's")[0]
    own, blind = (cell(outcome, "Test faces", row, column)[0] for row in ("aligned", "blind"))
    assert price == pytest.approx(own / blind)
    assert cell(outcome, "Test faces", "blind", "over vanilla's") == pytest.approx((1, 1, 1))


def test_the_circumplex_reads_a_vanilla_model_by_ridge(study: Study) -> None:
    outcome, title = circumplex(study), f"Agreement with {EXPECTED}"
    said, truth = study.answers["aligned"][1].affect, study.test.labels[EXPECTED]
    for i, axis in enumerate("VA"):
        value = cell(outcome, title, "aligned", f"CCC {axis}")[0]
        assert value == pytest.approx(metrics.ccc(said[:, i], truth[:, i]), abs=1e-6)
        assert value > 0.95 and cell(outcome, title, "blind", f"CCC {axis}")[0] < 0.3
    assert cell(outcome, title, "constant", "CCC mean")[0] == 0


def test_examples_are_of_every_emotion_in_turn() -> None:
    emotions = np.array([1, 1, 1, 0, 2, 2, 1, 0])
    assert examples(emotions, 8, 5).tolist() == [3, 7, 0, 1, 4]
    assert examples(emotions, 8, 100).tolist() == [3, 7, 0, 1, 2, 6, 4, 5]
    assert examples(None, 3, 5).tolist() == [0, 1, 2]


def test_maps_have_as_many_faces_of_each_emotion_as_there_are() -> None:
    emotions = np.repeat([0, 3, 5], [50, 4, 20])
    chosen = balanced(emotions, 10, seed=0)
    assert np.bincount(emotions[chosen]).tolist() == [10, 0, 0, 4, 0, 10]
    assert len(set(chosen)) == len(chosen) and chosen.tolist() == sorted(chosen)


def test_the_map_parts_what_the_latents_part(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict = {}
    monkeypatch.setattr(
        "train.levasa.tasks.circumplex.draw_maps", lambda maps, words: drawn.update(maps=maps, words=words)
    )
    neighbourhoods(study)
    words = drawn["words"]
    assert np.unique(words, return_counts=True)[1].max() == QUICK.map_faces

    def nearest_is_alike(points: np.ndarray) -> float:
        distance = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(len(points))
        return float((words[distance.argmin(axis=1)] == words).mean())

    assert nearest_is_alike(drawn["maps"]["z_v"]["aligned"]) > nearest_is_alike(drawn["maps"]["z_v"]["blind"]) + 0.1


def test_a_set_without_classes_has_its_own_labels_and_no_class_mean(tmp_path: Path) -> None:
    write_faces(tmp_path, without=("emotions", "votes_cast"))
    study = study_of(tmp_path, model(Blind, "blind", "none"), model(Aligned, "aligned", "repeat"))
    assert list(study.test.labels) == [ANNOTATED] and study.test.words is None
    (table,) = alignment(study).tables
    assert list(table.rows)[-2:] == ["zero", "constant: training mean"]
    assert cell(regression(study), f"R2 against {ANNOTATED}", "V from z_v: aligned", "Ridge")[0] > 0.95
    assert cell(circumplex(study), f"Agreement with {ANNOTATED}", "aligned", "CCC V")[0] > 0.95


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"found": np.arange(TRAIN + TEST) < 9 + TRAIN}, r"the part test of .* has 9 faces .*; expected at least 10"),
        ({"found": np.arange(TRAIN + TEST) >= TRAIN - 49}, r"the part train of .* has 49 faces .* at least 50"),
        (
            {"emotions": np.tile(np.eye(8, dtype=np.float32)[1], (TRAIN + TEST, 1))},
            "all training faces are of the class 'happiness'; expected two classes or more",
        ),
    ],
)
def test_too_few_faces_and_one_class_are_errors(tmp_path: Path, changes: dict, message: str) -> None:
    data = write_faces(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        parts_of(data, LABELS, split_rows(data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"face": 3}, "no setting 'face'; expected some of faces, seed, "),
        ({"faces": 2.5}, "faces is 2.5; expected a whole number from 1"),
        ({"rounds": 0}, "rounds is 0; expected a whole number from 1"),
        ({"mlp_decay": "high"}, "mlp_decay is 'high'; expected a number from 1e-09"),
        ({"perplexity": True}, "perplexity is True; expected a number from 1e-09"),
    ],
)
def test_settings_are_checked(changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings(TasksConfig, changes)
    assert settings(TasksConfig, {"faces": 7, "perplexity": 5}) == TasksConfig(faces=7, perplexity=5)
