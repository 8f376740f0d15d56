"""The anatomy of errors on arrays whose figures are known, against scikit-learn and scipy where they have them."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, recall_score, roc_auc_score

from train import metrics
from train.datasets.ferplus import CENTRES, EMOTIONS
from train.scoring import anatomy
from train.scoring.anatomy import Answer, Labels, anatomy_of, differences, resampled_figures, resamples_of
from train.scoring.anatomy_table import table_of

N = 400


def labels_of(classes: np.ndarray | None, target: np.ndarray) -> Labels:
    return Labels(target, classes, target.mean(axis=0), "a protocol of the test")


@pytest.fixture(scope="module")
def labels() -> Labels:
    """Faces about the centres of their classes, some classes rare."""
    rng = np.random.default_rng(0)
    classes = rng.choice(8, N, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.05, 0.03, 0.02])
    return labels_of(classes, (CENTRES[classes] + 0.1 * rng.normal(size=(N, 2))).clip(-1, 1))


@pytest.fixture(scope="module")
def answer(labels: Labels) -> Answer:
    """Shrunken and noisy, the noise as large as the deviation says."""
    rng = np.random.default_rng(1)
    deviation = rng.uniform(0.05, 0.6, (N, 2))
    affect = 0.7 * labels.target - 0.05 + deviation * rng.normal(size=(N, 2))
    expressions = rng.dirichlet(np.ones(8), N) + 0.4 * np.eye(8)[labels.classes]
    return Answer(affect, rng.integers(0, 4, N), expressions / expressions.sum(axis=1, keepdims=True), deviation)


@pytest.fixture(scope="module")
def told(answer: Answer, labels: Labels) -> dict:
    return anatomy_of(answer, labels, resampled_figures(answer, labels, resamples_of(N, 200)))


def test_agreement_is_that_of_the_metrics_and_of_classes_that_weigh_alike(
    told: dict, answer: Answer, labels: Labels
) -> None:
    weights = metrics.balanced_weights(labels.alike)
    calm = labels.classes != 1
    for i, axis in enumerate(anatomy.AXES):
        said, true = answer.affect[:, i], labels.target[:, i]
        for name in anatomy.MEASURES:
            metric = getattr(metrics, name)
            assert told["figures"][name][axis]["value"] == pytest.approx(metric(said, true))
            assert told["figures"][f"{name}_alike"][axis]["value"] == pytest.approx(metric(said, true, weights))
        expected = metrics.ccc(said[calm], true[calm])
        assert told["figures"]["ccc_without_smiles"][axis]["value"] == pytest.approx(expected)
    json.dumps(told, allow_nan=False)


def test_intervals_are_those_of_pictures_drawn_anew(told: dict, answer: Answer, labels: Labels) -> None:
    def alike(rows: np.ndarray) -> float:
        weights = metrics.balanced_weights(labels.alike[rows])
        return metrics.ccc(answer.affect[rows, 0], labels.target[rows, 0], weights)

    expected = metrics.bootstrap_interval(alike, N, rounds=400)
    assert_allclose(told["figures"]["ccc_alike"]["valence"]["interval"], expected, atol=0.02)
    for own in told["figures"].values():
        for figure in own.values():
            assert figure["interval"][0] < figure["value"] < figure["interval"][1]


def test_recall_and_confusion_are_scikit_learns(told: dict, answer: Answer, labels: Labels) -> None:
    distance = ((answer.affect[:, None] - CENTRES) ** 2).sum(axis=2)
    said = {"nearest": distance.argmin(axis=1), "expressions": answer.expressions.argmax(axis=1)}
    for way, read in said.items():
        np.testing.assert_array_equal(told["confusion"][way], confusion_matrix(labels.classes, read, labels=range(8)))
        recall = recall_score(labels.classes, read, labels=range(8), average=None)
        assert_allclose([told["classes"][name]["recall"][way] for name in EMOTIONS], recall)
        assert told["figures"]["accuracy"][way]["value"] == pytest.approx(recall.mean())
    true = metrics.quadrant_of(labels.target)
    quadrant = told["figures"]["quadrant"]
    assert quadrant["discriminator"]["value"] == pytest.approx(balanced_accuracy_score(true, answer.quadrant))


def test_a_bias_of_the_classes_is_all_or_none_of_the_error() -> None:
    classes = np.repeat([0, 1, 3], 20)
    target = CENTRES[classes].astype(float)
    shifts = np.array([(0.1, -0.2), (-0.3, 0.1), (0.2, 0.2)])
    shifted = target + shifts[np.repeat([0, 1, 2], 20)]
    waver = target + np.where(np.arange(60) % 2, 0.1, -0.1)[:, None]
    for affect, share in ((shifted, 1), (waver, 0)):
        labels, answer = labels_of(classes, target), Answer(affect, np.zeros(60, int))
        told = anatomy_of(answer, labels, resampled_figures(answer, labels, resamples_of(60, 20)))
        assert_allclose(list(told["class_bias_share"].values()), share, atol=1e-9)
    assert list(told["classes"]) == ["neutral", "happiness", "sadness"]
    told = anatomy_of(
        answer := Answer(shifted, np.zeros(60, int)), labels, resampled_figures(answer, labels, np.ones((1, 60)))
    )
    assert_allclose(list(told["classes"]["happiness"]["bias"].values()), shifts[1], atol=1e-6)
    assert_allclose(list(told["classes"]["sadness"]["people"].values()), CENTRES[3], atol=1e-6)


def test_neutral_faces_that_are_read_as_unhappy_are_counted() -> None:
    classes = np.array([0, 0, 0, 0, 1])
    target = np.array([(0, 0), (-0.2, 0), (0.05, 0.1), (0.15, 0.1), (0.7, 0)])
    affect = target - np.array([(0.12, 0.1)])
    labels, answer = labels_of(classes, target), Answer(affect, np.zeros(5, int))
    neutral = anatomy_of(answer, labels, resampled_figures(answer, labels, resamples_of(5, 20)))["neutral"]
    assert neutral["n"] == 4
    assert neutral["people"] == {"valence": pytest.approx(0), "arousal": pytest.approx(0.05), "below": 0.25}
    assert neutral["model"] == {"valence": pytest.approx(-0.12), "arousal": pytest.approx(-0.05), "below": 0.5}


def test_spread_and_slope_of_answers_that_shrink() -> None:
    target = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    labels, answer = labels_of(None, target), Answer(target * (0.5, -2), np.zeros(50, int))
    told = anatomy_of(answer, labels, resampled_figures(answer, labels, resamples_of(50, 20)))
    assert told["spread"]["valence"] == {"sd_ratio": pytest.approx(0.5), "slope": pytest.approx(0.5)}
    assert told["spread"]["arousal"] == {"sd_ratio": pytest.approx(2), "slope": pytest.approx(-2)}


def test_without_classes_the_quadrants_weigh_alike_and_smiles_are_told_by_valence() -> None:
    rng = np.random.default_rng(2)
    target = rng.uniform(-1, 1, (80, 2))
    labels, answer = labels_of(None, target), Answer(target + 0.2 * rng.normal(size=(80, 2)), np.zeros(80, int))
    told = anatomy_of(answer, labels, resampled_figures(answer, labels, resamples_of(80, 20)))
    calm, weights = target[:, 0] < 0.3, metrics.balanced_weights(metrics.quadrant_of(target))
    expected = metrics.ccc(answer.affect[calm, 0], target[calm, 0])
    assert told["figures"]["ccc_without_smiles"]["valence"]["value"] == pytest.approx(expected)
    expected = metrics.rmse(answer.affect[:, 1], target[:, 1], weights)
    assert told["figures"]["rmse_alike"]["arousal"]["value"] == pytest.approx(expected)
    assert "classes" not in told and "accuracy" not in told["figures"] and told["deviation"] is None


def test_the_deviation_finds_the_errors_and_its_intervals_hold_them(told: dict, answer: Answer, labels: Labels) -> None:
    error = answer.affect - labels.target
    size = np.abs(error[:, 1])
    worst = size >= np.sort(size)[-N // 5]
    report = told["deviation"]
    assert report["auroc"]["arousal"] == pytest.approx(roc_auc_score(worst, answer.deviation[:, 1]))
    assert report["spearman"]["arousal"] == metrics.spearman(answer.deviation[:, 1], size)
    own = metrics.quadrant_of(answer.affect) == 2
    quadrant = report["quadrants"]["V- A-"]
    assert quadrant["n"] == own.sum() and sum(q["n"] for q in report["quadrants"].values()) == N
    assert quadrant["rmse"]["valence"] == pytest.approx(np.sqrt((error[own, 0] ** 2).mean()))
    assert quadrant["deviation"]["valence"] == pytest.approx(answer.deviation[own, 0].mean())


def test_a_gaussian_error_is_covered_as_its_deviation_says() -> None:
    rng = np.random.default_rng(3)
    deviation = rng.uniform(0.05, 0.5, (20_000, 2))
    error = deviation * rng.normal(size=deviation.shape)
    report = anatomy.deviation_report(error, deviation, error)
    for share, own in report["coverage"].items():
        assert_allclose(list(own.values()), int(share) / 100, atol=0.012)
    assert report["auroc"]["both"] > 0.75
    blind = anatomy.deviation_report(error, np.full_like(error, 0.3), error)
    assert blind["auroc"] == dict.fromkeys(("valence", "arousal", "both"), 0.5)
    assert blind["spearman"] == dict.fromkeys(("valence", "arousal", "both"), 0.0)


def test_models_are_compared_picture_by_picture(labels: Labels) -> None:
    """Both models share nearly all of their error: only resampling both alike shows that the second is better."""
    noise = 0.5 * np.random.default_rng(4).normal(size=(N, 2))
    drawn = resamples_of(N, 200)
    quadrant = np.zeros(N, int)
    first, other = (resampled_figures(Answer(labels.target + s * noise, quadrant), labels, drawn) for s in (1, 0.97))
    better = differences(first, other)["ccc"]["valence"]
    assert better["value"] == pytest.approx(other["ccc"]["valence"][0] - first["ccc"]["valence"][0])
    assert 0 < better["interval"][0] < better["value"] < better["interval"][1] < 0.05
    alone = anatomy.with_interval(first["ccc"]["valence"])["interval"]
    assert alone[1] - alone[0] > 5 * (better["interval"][1] - better["interval"][0])


def report_of(answers: list[Answer], labels: Labels, rounds: int = 50) -> dict:
    drawn = resamples_of(len(labels.target), rounds)
    figures = [resampled_figures(answer, labels, drawn) for answer in answers]
    models = [
        {"name": f"m{i}", "sha256": "ab" * 32, "difference": differences(figures[0], own) if i else None}
        | anatomy_of(answer, labels, own)
        for i, (answer, own) in enumerate(zip(answers, figures, strict=True))
    ]
    constant = {name: dict.fromkeys((*own, "affect"), 0.0) for name, own in figures[0].items()}
    facts = {"n": len(labels.target), "missed": 3, "rounds": len(drawn) - 1, "protocol": labels.protocol}
    facts |= {"alike": "classes", "without_smiles": int(labels.calm.sum())}
    return facts | {"constant": constant, "models": models}


def test_the_table_says_all_that_there_is(answer: Answer, labels: Labels) -> None:
    plain = Answer(answer.affect, answer.quadrant)
    text = table_of(report_of([answer, plain], labels))
    for words in ("CCC, classes alike", "own expression", "read as, by nearest centre", "AUROC, worst fifth",
                  "deviation: none, this model gives none", "more than m0", "neutral faces: n", "mean recall",
                  "inside the 90 % interval", "read in quadrant", f"faces     {N} scored, 3 not found"):  # fmt: skip
        assert words in text, words
    assert all(line == line.rstrip() and len(line) <= 140 for line in text.splitlines())


def test_what_cannot_be_told_is_said_and_one_picture_has_no_interval(labels: Labels) -> None:
    target = np.array([(0.7, 0.1)])
    one = report_of([Answer(target - 0.1, np.zeros(1, int))], labels_of(np.array([1]), target))
    text = table_of(one)
    assert "no interval: one picture" in text and "CCC without smiles: none, every face smiles" in text
    assert "neutral faces: none in this set" in text and " to " not in text
    unnamed = report_of([Answer(labels.target, np.zeros(N, int))], labels_of(None, labels.target))
    text = table_of(unnamed)
    assert "the table names no expressions" in text and "people's V below 0.3" in text
