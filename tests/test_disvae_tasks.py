"""What `affect eval disvae` finds, on models of which it is known what their codes tell, and against brute force."""

from pathlib import Path

import numpy as np
import pytest
import torch
from disvae_sets import (
    CLASSES,
    DEGREES,
    PERSONS,
    QUICK,
    Apart,
    Blind,
    Mixed,
    kinds,
    model,
    trial_of,
    write_folds,
    write_people,
)
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nets.disvae import Disvae
from nets.pictures import crops_of
from nets.swap import read, swap
from tracker.errors import DataError
from train.disvae.tasks.accuracy import accuracy, accuracy_tables, difference
from train.disvae.tasks.bars import verdicts
from train.disvae.tasks.evaluation import findings_of
from train.disvae.tasks.grid import cast, draw_edits
from train.disvae.tasks.items import Findings
from train.disvae.tasks.leakage import above_chance, halves, kept_apart, leakage
from train.disvae.tasks.reconstruction import reconstruction
from train.disvae.tasks.study import Study
from train.disvae.tasks.summary import summary
from train.disvae.tasks.swaps import JUDGED, NEARER, READ, TRUE, pairs, share, swap_tables, swaps
from train.disvae.tasks.topology import RULES, distances, kept, ranked, satisfied, topology, topology_tables
from train.disvae.tasks.trial import Trial
from train.folds import Folds
from train.prepared import open_prepared

HELD = (0, 1, 3)
"""The folds that the models are tested on here."""
IDENTITY, EXPRESSION = "identity code", "expression code"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people")).folder


@pytest.fixture(scope="module")
def folds(folder: Path) -> Folds:
    return write_folds(open_prepared(folder), folder / "folds.json")


@pytest.fixture(scope="module")
def study(folder: Path, folds: Folds) -> Study:
    """Four models of known worth."""

    def found(kind: type[Disvae], **changes: object) -> dict[int, Findings]:
        return {fold: findings_of(trial_of(model(kind, **changes), folder, folds, fold)) for fold in HELD}

    models = {"apart": found(Apart), "mixed": found(Mixed), "blind": found(Blind)}
    return Study(CLASSES, models | {"baseline": found(Disvae, generative=False)}, QUICK)


@pytest.fixture
def trial(folder: Path, folds: Folds) -> Trial:
    """A random model on the first fold."""
    return trial_of(model(Disvae), folder, folds, 0)


def test_the_test_people_are_neither_taught_nor_missing(trial: Trial) -> None:
    assert not set(trial.test.person) & set(trial.taught.person)
    assert len(trial.test) == 2 * len(kinds()) and len(trial.taught) == QUICK.faces
    assert np.bincount(trial.degree).tolist() == [2, 6, 6, 6] and trial.neutral.sum() == 2


def test_half_of_each_persons_pictures_teach_and_of_the_same_degrees_for_all() -> None:
    person = np.repeat([7, 3, 5], len(kinds()))
    expression, degree = np.tile(np.array(kinds()), (3, 1)).T
    first = halves(person, expression, degree, seed=0)
    assert [first[person == who].sum() for who in (3, 5, 7)] == [5, 5, 5]
    for k in range(1, len(CLASSES)):
        assert 1 <= first[(person == 3) & (expression == k)].sum() <= DEGREES - 1
    assert (first.reshape(3, -1) == first[: len(kinds())]).all(), "of the same expressions and degrees"
    assert any(not np.array_equal(first, halves(person, expression, degree, seed)) for seed in (1, 2, 3))
    alone = halves(np.array([1, 2, 2, 2]), np.zeros(4), np.zeros(4), seed=0)
    assert alone[0] and alone[1:].sum() == 2


def test_codes_that_lie_apart_tell_their_own_and_nothing_else(study: Study) -> None:
    for what, own, other in (("identity", IDENTITY, EXPRESSION), ("expression", EXPRESSION, IDENTITY)):
        items = study.items("apart", what)
        assert items[own].all(), f"{what} from its own code"
        assert abs(items[other].mean() - items["chance"].mean()) < 0.02, f"{what} from the other code"
    assert study.items("apart", "identity")["chance"].mean() == 0.5
    assert study.items("apart", "expression")["chance"].mean() == 0.3
    assert abs(kept_apart(study, "apart").value) < 0.05


def test_codes_that_tell_both_leak_all_and_blind_ones_nothing(study: Study) -> None:
    assert kept_apart(study, "mixed") == pytest.approx((1, 1, 1))
    for what, code in (("identity", EXPRESSION), ("expression", IDENTITY)):
        own = above_chance(study, "mixed", what, code)
        blind = above_chance(study, "blind", what, code)
        assert own.low > 0.4 and abs(blind.value) < 0.25 and blind.high < own.low
    assert above_chance(study, "baseline", "identity", IDENTITY) is None


def test_probes_are_those_of_an_independent_pipeline(trial: Trial) -> None:
    found = leakage(trial)
    teach = halves(trial.test.person, trial.truth, trial.degree, QUICK.seed)
    codes = {IDENTITY: trial.told.identity.numpy(), EXPRESSION: trial.told.expression.numpy()}
    for name, code in codes.items():
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        said = probe.fit(code[teach], trial.test.person[teach]).predict(code[~teach])
        assert found["identity"][name].mean() == accuracy_score(trial.test.person[~teach], said)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    said = probe.fit(trial.learnt.identity.numpy(), trial.taught.classes.numpy()).predict(codes[IDENTITY])
    assert found["expression"][IDENTITY].mean() == accuracy_score(trial.truth, said)
    assert found["identity"].person.tolist() == trial.test.person[~teach].tolist()


def test_accuracy_is_sklearns_and_the_constant_beside_it(study: Study) -> None:
    faces = study.items("blind", "faces")
    overall = accuracy_tables(study)[0]
    cells = dict(zip(overall.columns, overall.rows["blind"], strict=True))
    assert cells["accuracy"].value == pytest.approx(accuracy_score(faces["truth"], faces["said"]))
    assert cells["macro accuracy"].value == pytest.approx(balanced_accuracy_score(faces["truth"], faces["said"]))
    assert cells["lowest"] <= cells["folds' mean"] <= cells["highest"]
    assert overall.rows["constant"][:2] == [pytest.approx((0.3, 0.3, 0.3)), 0.25]
    confused = next(table for table in accuracy_tables(study) if table.title.startswith("blind"))
    expected = confusion_matrix(faces["truth"], faces["said"], normalize="true")
    assert_allclose(list(confused.rows.values()), expected)
    assert overall.rows["apart"][0] == pytest.approx((1, 1, 1))


def test_accuracy_by_degree_is_that_of_the_faces_of_each(study: Study) -> None:
    table, faces = accuracy_tables(study)[1], study.items("blind", "faces")
    assert table.columns == ("neutral, or not told", "degree 1", "degree 2", "degree 3")
    for degree, figure in enumerate(table.rows["blind"]):
        assert figure.value == pytest.approx(faces["hit"][faces.degree == degree].mean())


def test_the_difference_to_the_baseline_is_paired_on_the_folds_that_both_have(study: Study) -> None:
    assert difference(study, "baseline") is None
    own, other = study.found["apart"], study.found["baseline"]
    fewer = Study(CLASSES, {"apart": {0: own[0], 1: own[1]}, "baseline": {1: other[1], 3: other[3]}}, QUICK)
    expected = 1 - other[1]["faces"]["hit"].mean()
    assert difference(fewer, "apart").value == pytest.approx(expected)
    assert difference(Study(CLASSES, {"apart": {0: own[0]}, "baseline": {1: other[1]}}, QUICK), "apart") is None
    same = Study(CLASSES, {"apart": own, "baseline": {f: {"faces": own[f]["faces"]} for f in own}}, QUICK)
    assert difference(same, "apart") == pytest.approx((0, 0, 0)), "an interval of what is drawn for both"


def test_every_face_is_b_so_often_and_a_is_another_person() -> None:
    person = np.repeat(np.arange(4), [1, 5, 2, 9])
    a, b = pairs(person, 3, seed=0)
    assert np.bincount(b).tolist() == [3] * len(person)
    assert (person[a] != person[b]).all() and len(set(a.tolist())) > 10
    assert np.array_equal(pairs(person, 3, seed=0)[0], a)


def test_swaps_of_codes_that_lie_apart_are_read_again(study: Study) -> None:
    items = study.items("apart", "swaps")
    assert len(items) == len(HELD) * 2 * len(kinds()) * QUICK.partners
    assert all(items[column].all() for column in (READ, TRUE, NEARER))
    assert study.items("apart", "own faces")[READ].all()
    mixed = study.items("mixed", "swaps")
    assert mixed[NEARER].all() and mixed[READ].mean() < 0.6, "a picture wears the expression of its identity's face"
    assert study.items("mixed", "own faces")[READ].all()
    assert {row for row in swap_tables(study)[0].rows if "baseline" in row} == set()


def test_the_judge_reads_what_the_model_itself_may_be_taught_to_read(folder: Path, folds: Folds) -> None:
    shares = {
        kind: swaps(trial_of(model(Apart), folder, folds, 0, model(kind)))["swaps"][JUDGED].mean()
        for kind in (Apart, Blind)
    }
    assert shares[Apart] == 1 and shares[Blind] < 0.6
    alone = swaps(trial_of(model(Apart), folder, folds, 0))
    assert JUDGED not in alone["swaps"].values
    mixed = Study(
        CLASSES, {"apart": {0: alone, 1: swaps(trial_of(model(Apart), folder, folds, 1, model(Apart)))}}, QUICK
    )
    assert share(mixed, "apart", JUDGED) is None and share(mixed, "apart", READ).value == 1


def test_swaps_are_those_that_affect_edit_makes(trial: Trial) -> None:
    found, faces = swaps(trial)["swaps"], crops_of(trial.crops(trial.test).float() / 255)
    a, b = pairs(trial.test.person, QUICK.partners, QUICK.seed)
    made = np.concatenate([swap(trial.network, faces[[i]], faces[[j]])[0] for i, j in zip(a, b, strict=True)])
    source, again = read(trial.network, faces).likeliest, read(trial.network, made).likeliest
    assert np.array_equal(found[READ], again == source[b]) and np.array_equal(found[TRUE], again == trial.truth[b])
    assert found.degree.tolist() == trial.degree[b].tolist() and found.person.tolist() == trial.test.person[a].tolist()


def test_reconstruction_and_nats_are_what_torch_gives(trial: Trial) -> None:
    found, crops = reconstruction(trial)["pictures"], trial.crops(trial.test)
    with torch.no_grad():
        who, how = trial.network.identity(crops), trial.network.expression(crops)
        made = trial.network.decode(trial.network.fuse(who.mean, how.mean))
    assert_allclose(found["error"], ((made - crops / 255) ** 2).mean(dim=(1, 2, 3)), rtol=1e-4)
    mean = trial.crops(trial.taught).double().mean(0) / 255
    assert_allclose(found["mean picture"], ((crops / 255 - mean) ** 2).mean(dim=(1, 2, 3)), rtol=1e-4)
    for name, code in ((IDENTITY, who), (EXPRESSION, how)):
        own = torch.distributions.Normal(code.mean, torch.exp(0.5 * code.log_variance))
        nats = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(1)
        assert_allclose(found[name], nats, rtol=1e-4)


def test_the_baseline_makes_no_pictures(study: Study) -> None:
    assert study.generative == ["apart", "mixed", "blind"] and study.baseline == "baseline"
    brief = summary(study, "baseline")
    assert brief["pixel MSE x 1000"] is None and brief["swap read again"] is None and brief["accuracy"].value > 0
    assert not {"swaps", "pictures"} & study.found["baseline"][0].keys()


def brute_force(trial: Trial, rule: str, distance: np.ndarray) -> tuple[float, int]:
    """How many triplets keep a rule, by its words."""
    truth, degree, neutral = trial.truth, trial.degree, trial.neutral
    held = total = 0.0
    every = range(len(truth))
    for i, j, k in ((i, j, k) for i in every for j in every for k in every if len({i, j, k}) == 3):
        same, gaps = truth[[j, k]] == truth[i], np.abs(degree[[j, k]] - degree[i])
        applies = {
            "class": same[0] and not same[1],
            "degree": same.all() and not neutral[i] and gaps[0] < gaps[1],
            "neutral": not neutral[i] and neutral[j] and not neutral[k] and not same[1],
        }[rule]
        if applies:
            total += 1
            held += (distance[i, j] < distance[i, k]) + 0.5 * (distance[i, j] == distance[i, k])
    return held, int(total)


@pytest.mark.parametrize("rule", RULES)
def test_triplets_are_those_of_the_rules_words(trial: Trial, rule: str) -> None:
    items = topology(trial)[f"triplets: {rule}"]
    code = trial.told.expression.numpy()
    held, total = brute_force(trial, rule, distances(code))
    assert total > 20 and items["triplets"].sum() == total
    assert items[EXPRESSION].sum() == pytest.approx(held)


def test_distances_are_scipys() -> None:
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(30, 5))
    assert_allclose(distances(codes), cdist(codes, codes), atol=1e-6)


def test_kept_counts_ties_half_and_leaves_out_what_has_no_order() -> None:
    assert kept(np.array([1.0, 2.0, 3.0, 0.0]), np.array([0, 1, 1, np.nan])) == (2, 2)
    assert kept(np.array([3.0, 2.0, 3.0]), np.array([0, 1, 1])) == (0.5, 2)
    assert kept(np.zeros(3), np.full(3, np.nan)) == (0, 0)


def test_distances_follow_the_expression_where_the_code_is_it(study: Study) -> None:
    for rule in RULES:
        own, blind = (satisfied(study, name, rule, EXPRESSION).value for name in ("apart", "blind"))
        assert own > 0.9 and abs(blind - 0.5) < 0.15, rule
    assert satisfied(study, "apart", "degree", EXPRESSION).value == 1
    assert ranked(study, "apart", EXPRESSION).value > 0.9 > 0.5 > ranked(study, "blind", EXPRESSION).value
    rows = topology_tables(study)[0].rows
    assert list(rows)[-2:] == ["pixels", "chance"] and rows["chance"] == [0.5, 0.5, 0.5, 0.0]
    assert "baseline: identity code" not in rows


def test_a_person_without_a_neutral_face_or_degrees_has_no_rank_correlation(tmp_path: Path) -> None:
    data = write_people(tmp_path, without=("degree",))
    folds = write_folds(data, tmp_path / "folds.json")
    found = {"apart": {0: findings_of(trial_of(model(Apart), tmp_path, folds, 0))}}
    study = Study(CLASSES, found, QUICK)
    assert ranked(study, "apart", EXPRESSION) is None and satisfied(study, "apart", "degree", EXPRESSION) is None
    assert satisfied(study, "apart", "class", EXPRESSION).value > 0.9
    assert accuracy_tables(study)[1].columns == ("neutral, or not told",)


def test_the_bars_are_met_by_what_lies_apart_alone(study: Study) -> None:
    met = {name: [v.met for v in verdicts(study) if v.configuration == name] for name in study.generative}
    assert met["apart"] == [True] * 3 and met["mixed"] == [False] * 3 and not met["blind"][2]
    line = str(next(v for v in verdicts(study) if v.configuration == "mixed"))
    assert line.endswith("above chance: 1.000 (1.000 to 1.000), at most 0.333: missed")


def test_what_is_shown_is_drawn_of_different_people(folder: Path, folds: Folds) -> None:
    trial = trial_of(model(Apart), folder, folds, 0)
    shown = cast(trial)
    assert len(set(trial.test.person[shown.identities])) == 2 and trial.neutral[shown.identities].all()
    assert trial.truth[shown.expressions].tolist() == [1, 2, 3]
    assert (trial.degree[shown.expressions] == DEGREES).all()


def test_red_words_stand_where_another_expression_is_read(folder: Path, folds: Folds) -> None:
    import cv2

    def red(kind: type[Disvae]) -> int:
        drawn = draw_edits(trial_of(model(kind), folder, folds, 0), "edits")
        picture = cv2.imdecode(np.frombuffer(drawn, np.uint8), cv2.IMREAD_COLOR).astype(int)
        return int((picture[..., 2] - picture[..., 0] > 80).sum())

    assert red(Apart) == 0 < red(Mixed)


def test_a_fold_of_one_person_cannot_be_evaluated(folder: Path) -> None:
    alone = Folds("drawn people", tuple((f"person-{i}",) for i in range(PERSONS)))
    with pytest.raises(DataError, match=r"all test faces are of 'person-3'; expected two persons or more in each fold"):
        trial_of(model(Apart), folder, alone, 3)


def test_faces_without_a_told_expression_are_left_out(tmp_path: Path) -> None:
    expression = np.tile(np.array(kinds())[:, 0], PERSONS).astype(np.uint8)
    expression[::7] = 255
    data = write_people(tmp_path, expression=expression)
    trial = trial_of(model(Apart), tmp_path, write_folds(data, tmp_path / "f.json"), 0)
    assert not set(trial.test.rows) & set(range(0, 100, 7)) and (trial.taught.classes < 255).all()
    assert accuracy(trial)["faces"]["hit"].all()
