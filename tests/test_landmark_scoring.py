"""Table II's protocol on landmarks: its two figures, intervals over seeds, the words that follow, the command."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from landmark_sets import write_synthetic
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.svm import LinearSVC

from nets.card import find, read_card
from tracker.cli import main
from tracker.config import DEFAULT_MODEL, TrackerConfig
from tracker.engine import Engine
from tracker.errors import DataError, SinkError
from tracker.faces.landmarks import FaceLandmarker
from tracker.faces.neutral import EVERY_S, KEPT
from tracker.faces.shape import MEDIAPIPE_83
from tracker.types import Frame
from train.landmarks.data import TRACKER, TRUTH, read_synthetic
from train.landmarks.found import find_faces
from train.landmarks.scoring import published
from train.landmarks.scoring.config import KINDS, LESS, M1, M2, NONE, PCA, ROWS, TRAINED, VAE, WHOLE, Options
from train.landmarks.scoring.follow import Followed, follow
from train.landmarks.scoring.measures import components, fitted_svm, satisfied
from train.landmarks.scoring.neutrals import ANY, AVERAGE, CALMEST, GIVEN, MEAN, WAYS, stand_ins
from train.landmarks.scoring.outline import LINES, lines_of
from train.landmarks.scoring.scores import Score, groups_of
from train.landmarks.scoring.seeds import differs, over_seeds
from train.landmarks.scoring.study import Study
from train.landmarks.scoring.verdicts import told, verdicts
from train.landmarks.triplets import Triplets, artificial
from train.scoring.figures import Figure
from train.synthesis.checking import read_set
from train.synthesis.works import packed

QUICK = {
    "model.encoder": "[24,12]",
    "model.decoder": "[12,24]",
    "model.latent": "4",
    "triplets.train": "90",
    "triplets.validation": "30",
    "triplets.test": "60",
    "batch": "16",
    "triplet_samples": "2",
    "iterations": "12",
    "every": "6",
}
SEEDS = 2
PICTURES = ("traversals.png", "space.png", "path.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six persons, neutral and three expressions in four degrees."""
    return write_synthetic(tmp_path_factory.mktemp("scored") / "set")


@pytest.fixture(scope="module")
def found(folder: Path) -> Path:
    """What MediaPipe might find in the set's pictures; one face is missing."""
    rows, archive = read_set(folder)
    points = 1000 * archive["points"] + np.random.default_rng(3).normal(0, 1, archive["points"].shape)
    points[9] = np.nan
    file = folder.parent / "found.npz"
    affect = np.array([[float(row["valence"]), float(row["arousal"])] for row in rows])
    paths, model = np.array([row["path"] for row in rows]), np.array(read_card(find(DEFAULT_MODEL)).sha256)
    file.write_bytes(packed(points=points, affect=affect, paths=paths, model=model))
    return file


def evaluate(folder: Path, out: Path, *further: object) -> Result:
    """The command; its errors are raised by its text."""
    changes = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
    call = ["eval", "landmarks", "--data", folder, "--out", out, "--seeds", SEEDS, "--processes", 1, *changes, *further]
    return CliRunner().invoke(main, [str(word) for word in call])


@pytest.fixture(scope="module")
def written(folder: Path, found: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole report."""
    out, shapes = tmp_path_factory.mktemp("report") / "new", read_synthetic(folder).shapes[:13]
    clip = Followed("first.mp4", np.arange(13) / 25, shapes, np.linspace((0, 0), (0.8, 0.2), 13), True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.landmarks.scoring.follow.follow", lambda file, layout: clip)
        done = evaluate(folder, out, "--found", found, "--clip", "first.mp4")
    assert done.exit_code == 0, done.output
    named = ("report.json", "report.md", *PICTURES)
    assert done.stdout.splitlines()[-6:] == ["wrote", *(f"  {out / name}" for name in named)]
    return out


@pytest.fixture(scope="module")
def facts(written: Path) -> dict:
    return json.loads((written / "report.json").read_text(encoding="utf-8"))


def test_intervals_are_students() -> None:
    values = [0.71, 0.68, 0.74, 0.7, 0.69]
    told = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert over_seeds(values) == pytest.approx((np.mean(values), told.low, told.high))
    assert over_seeds([0.5])[0] == 0.5 and np.isnan(over_seeds([0.5])[1:]).all()
    assert [differs(Figure(0.1, *ends)) for ends in ((0.05, 0.15), (-0.1, 0.3), (-0.2, -0.1))] == [True, False, True]
    assert not differs(Figure(0.1))


def test_principal_components_are_those_of_the_training_rows() -> None:
    every = np.random.default_rng(0).normal(size=(60, 8)) * np.arange(1, 9)
    train = every[:40]
    _, _, axes = np.linalg.svd(train - train.mean(axis=0))
    np.testing.assert_allclose(np.abs(components(train, every, 3)), np.abs((every - train.mean(axis=0)) @ axes[:3].T))


def test_triplets_are_satisfied_by_distance_and_by_a_tie() -> None:
    z = np.random.default_rng(1).normal(size=(30, 5))
    triplets = np.random.default_rng(2).integers(0, 30, (200, 3))
    away = cdist(z, z)
    expected = [away[r, near] <= away[r, far] for r, near, far in triplets.tolist()]
    assert satisfied(z, triplets).tolist() == expected and 50 < sum(expected) < 150
    assert satisfied(z, np.array([[0, 4, 4]])).all()


def test_the_validation_rows_choose_the_svm_and_the_training_rows_scale_it() -> None:
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 4, 400)
    inputs = rng.normal(size=(400, 12))
    inputs[:, :4] += 1.6 * np.eye(4)[classes]
    part = np.repeat(["train", "validation", "test"], (200, 100, 100))
    parts = {name: part == name for name in ("train", "validation", "test")}

    def read_in(values: np.ndarray) -> tuple[float, float]:
        svm, penalty = fitted_svm(values, classes, parts["train"], parts["validation"])
        return svm.score(values[parts["test"]], classes[parts["test"]]), penalty

    share, penalty = read_in(inputs)
    train = inputs[parts["train"]]
    scaled = (inputs - train.mean(axis=0)) / train.std(axis=0)
    by_penalty = {}
    for each in (0.001, 0.01, 0.1, 1.0):
        own = LinearSVC(C=each, dual=False).fit(scaled[parts["train"]], classes[parts["train"]])
        by_penalty[each] = [own.score(scaled[parts[name]], classes[parts[name]]) for name in ("validation", "test")]
    best = max(by_penalty, key=lambda each: by_penalty[each][0])
    assert by_penalty[penalty][0] == by_penalty[best][0] and share == pytest.approx(by_penalty[penalty][1], abs=0.011)
    assert read_in(inputs * np.logspace(-4, 4, 12))[0] == pytest.approx(share, abs=0.011)
    assert read_in(rng.permutation(inputs))[0] < 0.4 < 0.6 < share


def test_every_triplet_is_told_by_its_rule_or_its_weight(folder: Path) -> None:
    faces = read_synthetic(folder)
    asked = artificial(faces, {"train": 300, "validation": 30, "test": 30}, 0)["train"]
    groups = groups_of(faces.expression, asked)
    reference, near, far = asked.rows.T
    for name, (one, other) in {"class": (near, far), "degree": (near, far), "neutral": (near, far)}.items():
        own = groups == name
        assert own.sum() >= 75
        same = [faces.expression[each[own]] == faces.expression[reference[own]] for each in (one, other)]
        assert [bool(each.all()) for each in same] == {
            "class": [True, False], "degree": [True, True], "neutral": [False, False]
        }[name]  # fmt: skip
    degree, own = faces.degree, groups == "degree"
    away = [np.abs(degree[each[own]] - degree[reference[own]]) for each in (near, far)]
    assert (away[0] < away[1]).all() and (faces.expression[near[groups == "neutral"]] == 0).all()
    voted = Triplets(asked.rows[:3], np.float32([5, 1, 5]))
    assert groups_of(faces.expression, voted).tolist() == ["weight 5", "weight 1", "weight 5"]


def test_neutral_faces_are_replaced_for_the_test_persons_alone(tmp_path: Path) -> None:
    split = ("train", "train", "validation", "test", "test")
    faces = read_synthetic(write_synthetic(tmp_path, split))
    said = np.random.default_rng(8).random(len(faces.rows))
    said[np.flatnonzero(faces.part("test"))[:10]] = np.nan
    faces = replace(faces, away={**faces.away, TRACKER: said})
    ways, test, own = stand_ins(faces, 0), faces.part("test"), faces.shapes[faces.neutral]
    assert list(ways) == [GIVEN, ANY, MEAN, AVERAGE, CALMEST[TRUTH], CALMEST[TRACKER]] and set(ways) == set(WAYS)
    assert (ways.pop(GIVEN) == own).all()
    assert all((neutral[~test] == own[~test]).all() for neutral in ways.values())
    for person in (3, 4):
        mine = faces.subject == person
        shapes = faces.shapes[mine]
        assert all((neutral[mine] == neutral[mine][0]).all() for neutral in ways.values())
        chosen = {way: neutral[mine][0] for way, neutral in ways.items()}
        np.testing.assert_allclose(chosen[MEAN], shapes.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(chosen[AVERAGE], own[faces.part("train")].mean(axis=0), atol=1e-6)
        for who, away in faces.away.items():
            calm = shapes[
                np.argsort(np.nan_to_num(away[mine], nan=9.0), kind="stable")[
                    : min(KEPT, np.isfinite(away[mine]).sum())
                ]
            ]
            sums = cdist(calm.reshape(len(calm), -1), calm.reshape(len(calm), -1)).sum(axis=1)
            assert (chosen[CALMEST[who]] == calm[sums.argmin()]).all(), who
        assert any((chosen[ANY] == each).all() for each in shapes)
    drawn = {stand_ins(faces, seed)[ANY][faces.subject == 3][0].tobytes() for seed in range(6)}
    assert len(drawn) > 1


def test_the_neutral_faces_worth_stands_in_the_report(facts: dict) -> None:
    for kind, ways in (("exact", set(WAYS) - {CALMEST[TRACKER]}), ("found", set(WAYS))):
        table = facts["tables"][f"{kind}: neutral"]["rows"]
        assert set(table) == ways
        for row in (LESS, M1, M2):
            for name in ("accuracy", "triplets"):
                assert table[GIVEN][f"{row}, {name}"] == facts["tables"][f"{kind}: Table II"]["rows"][row][name]
        right, held = (
            {way: np.ravel(cells[f"{LESS}, {name}"])[0] for way, cells in table.items()}
            for name in ("accuracy", "triplets")
        )
        assert right[GIVEN] > right[AVERAGE]
        assert set(held.values()) == {held[GIVEN]}, "one test person: another neutral face moves all alike"
        assert all(not score[row]["by_neutral"] for score in facts["scores"][kind] for row in (NONE, PCA, VAE))


def test_published_figures_are_the_papers() -> None:
    assert list(published.POSED) == [row for row in ROWS if row not in (LESS, WHOLE)]
    for share, triplets in published.POSED.values():
        assert (250 * share) % 1 == pytest.approx(0, abs=1e-9) and 0.5 < triplets < 1
    assert max(published.POSED, key=lambda row: published.POSED[row][1]) == M2
    assert published.SPONTANEOUS.rows[M2] == (0.835, 0.83, 0.701, 0.559)


def study_of(scores: list[dict[str, Score]]) -> Study:
    """A study of known landmarks alone whose scores are given."""
    return Study(Options(Path("set"), Path("out"), len(scores), ("exact",)), {}, {"exact": scores})


def scored(**shares: tuple[float, float]) -> dict[str, Score]:
    """Accuracy and triplets of the rows named; of the rule of degree a tenth less."""
    rows = {
        NONE: (0.6, 0.5),
        PCA: (0.6, 0.5),
        LESS: (0.8, 0.75),
        WHOLE: (0.6, 0.7),
        **{k.upper(): each for k, each in shares.items()},
    }
    return {
        row: Score(
            accuracy, 0.1, triplets, {"class": triplets, "degree": triplets - (0.1 if row == M2 else 0)}, 0.1, 3.0, 4
        )
        for row, (accuracy, triplets) in rows.items()
    }


def test_the_papers_findings_are_confirmed_where_they_hold() -> None:
    one = scored(vae=(0.7, 0.5), m1=(0.71, 0.6), m2=(0.75, 0.8))
    two = scored(vae=(0.7, 0.5), m1=(0.73, 0.6), m2=(0.75, 0.82))
    most, accurate, annealed, unlearnt = verdicts(study_of([one, two]), "exact")
    assert most.startswith("Satisfied triplets, M2 less M1, the best of the others: +0.210 (+0.083 to +0.337)")
    assert most.endswith("M2 satisfies the most, as the paper found.")
    assert accurate == (
        "Accuracy, M1 less VAE: +0.020 (-0.107 to +0.147, which is not told from none). M1 is at least as accurate, as"
        " the paper found."
    )
    assert "satisfied triplets +0.110 (-0.017 to +0.237, which is not told from none), accuracy +0.150" in annealed
    assert "the landmarks less the neutral face: satisfied triplets +0.060 (" in unlearnt


def test_the_report_says_by_itself_what_does_not_hold() -> None:
    one = scored(vae=(0.7, 0.5), m1=(0.6, 0.75), m2=(0.75, 0.7))
    most, accurate, *_ = verdicts(study_of([one]), "exact")
    assert most == (
        "Satisfied triplets, M2 less M1, the best of the others: -0.050. **M2 does not satisfy the most**, as it did in"
        " the paper; it loses most among the triplets of degree, -0.150."
    )
    assert accurate.startswith("Accuracy, M1 less VAE: -0.100. **M1 is less accurate than the VAE**")
    assert accurate.endswith("its codes hold 3.0 nats of a face, the VAE's 3.0.")
    assert told(Figure(-1e-9, -0.1, 0.1)) == "+0.000 (-0.100 to +0.100, which is not told from none)"


def test_every_row_stands_in_the_report_beside_the_published_one(written: Path, facts: dict) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    for kind, title in KINDS.items():
        table = facts["tables"][f"{kind}: Table II"]["rows"]
        assert list(table) == list(ROWS) and f"**Table II on {title}**" in text
        for row, (accuracy, triplets) in published.POSED.items():
            assert (table[row]["accuracy, published"], table[row]["triplets, published"]) == (accuracy, triplets)
            assert re.search(rf"^\| {row} \| .* \| {accuracy:.3f} \| .* \| {triplets:.3f} \|$", text, re.M)
        assert all(f"* {sentence}" in text for sentence in facts["verdicts"][kind])
    assert "4, 1 and 1 persons train" in text and "interval of the mean over 2 seeds" in text
    assert "77 of 78 pictures." in text and "78 of 78 pictures." in text
    assert re.findall(r"!\[.*\]\((.*)\)", text) == list(PICTURES) and not re.search(r"\bnan\b|-0\.000", text)


def test_every_row_of_markdown_has_as_many_cells_as_its_head(written: Path) -> None:
    for block in (written / "report.md").read_text(encoding="utf-8").split("\n\n"):
        assert len({line.count("|") for line in block.splitlines() if line.startswith("|")}) <= 1, block


def test_json_has_every_seeds_figures_and_their_means(facts: dict) -> None:
    for kind, seeds in facts["scores"].items():
        assert len(seeds) == SEEDS
        for row in ROWS:
            values = [each[row]["triplets"] for each in seeds]
            assert facts["tables"][f"{kind}: Table II"]["rows"][row]["triplets"] == list(over_seeds(values))
            assert all(set(each[row]["by_group"]) == {"class", "degree", "neutral"} for each in seeds)
        assert all(each[NONE]["error"] is None and each[M1]["error"] > 0 < each[M1]["nats"] for each in seeds)
    assert facts["scores"]["exact"][0][PCA] != facts["scores"]["exact"][1][PCA]
    price = facts["tables"]["price"]["rows"][VAE]["accuracy"]
    by_seed = [
        facts["scores"]["found"][i][VAE]["accuracy"] - facts["scores"]["exact"][i][VAE]["accuracy"] for i in (0, 1)
    ]
    assert (price[0] if isinstance(price, list) else price) == pytest.approx(np.mean(by_seed))
    assert facts["training"][M2]["iterations"] == 12 and facts["set"]["faces"] == {"exact": 78, "found": 77}


def test_pictures_are_whole(written: Path) -> None:
    for name in PICTURES:
        image = cv2.imread(str(written / name))
        assert image.shape[0] > 500 and image.shape[1] > 1000 and image.std() > 5


def test_a_card_says_what_makes_the_same_weights(written: Path) -> None:
    card = json.loads((written / "found" / "m2" / "seed-1" / "landmarks-m2.json").read_text(encoding="utf-8"))
    assert card["command"].startswith(
        "affect train landmarks --config m2 --data FACES --found FILE --set model.encoder"
    )
    assert card["command"].endswith("--set seed=1 --set triplets.seed=1 --set jitter=0.0")


def test_what_is_trained_is_not_trained_again(folder: Path, written: Path, facts: dict, tmp_path: Path) -> None:
    assert len(list(written.rglob("*.safetensors"))) == len(KINDS) * len(TRAINED) * SEEDS
    out = Path(shutil.copytree(written, tmp_path / "again"))
    models = sorted(out.rglob("*.safetensors"))
    gone = out / "exact" / "vae" / "seed-1" / "landmarks-vae.safetensors"
    before = {path: path.stat().st_mtime_ns for path in models}
    content = gone.read_bytes()
    gone.unlink()
    assert evaluate(folder, out, "--landmarks", "exact").exit_code == 0
    assert {path for path in models if path.stat().st_mtime_ns != before[path]} == {gone}
    assert gone.read_bytes() == content
    again = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert again["scores"] == {"exact": facts["scores"]["exact"]} and again["set"]["seeds"] == SEEDS


def test_another_study_in_the_same_folder_is_refused(folder: Path, written: Path) -> None:
    done = evaluate(folder, written, "--landmarks", "exact", "--set", "gamma=0.5")
    assert done.exit_code == 2
    assert "exact was begun with other landmarks, triplets or settings (its study.json); choose another" in done.output


@pytest.mark.parametrize(
    ("further", "text"),
    [
        (("--set", "gama=1"), "no setting 'gama'; expected a dotted name that begins with one of name, model"),
        (("--data", "nowhere"), "nowhere is no whole set of affect synth set: it has no table.csv"),
        (("--triplets", "nowhere.csv"), "nowhere.csv"),
        (("--clip", "nowhere.mp4"), "nowhere.mp4"),
    ],
)
def test_what_cannot_be_evaluated_is_told_in_one_line(
    folder: Path, tmp_path: Path, further: tuple[str, ...], text: str
) -> None:
    done = evaluate(folder, tmp_path / "out", "--landmarks", "exact", *further)
    assert done.exit_code in (1, 2) and text in done.output and "Traceback" not in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_peoples_triplets_are_scored_by_their_weight(folder: Path, tmp_path: Path) -> None:
    drawn = artificial(read_synthetic(folder), {"train": 52, "validation": 13, "test": 26}, 5)
    rows = [
        f"{','.join(map(str, row))},{5 if i % 3 else 1}"
        for part in drawn.values()
        for i, row in enumerate(part.rows.tolist())
    ]
    file = tmp_path / "triplets.csv"
    file.write_text("\n".join(["reference,nearer,farther,weight", *rows]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    done = evaluate(folder, out, "--landmarks", "exact", "--triplets", file, "--seeds", 1)
    assert done.exit_code == 0, done.output
    table = json.loads((out / "report.json").read_text(encoding="utf-8"))["tables"]["exact: by group"]
    assert table["title"].startswith("Satisfied triplets by weight")
    assert all(set(cells) == {"weight 1", "weight 5"} for cells in table["rows"].values())


@pytest.fixture(scope="module")
def portrait(sample_clip: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the first frame of the sample clip."""
    with av.open(str(sample_clip)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def write_pictures(folder: Path, pictures: dict[str, np.ndarray]) -> Path:
    """A set with these pictures alone."""
    write_synthetic(folder)
    lines = (folder / "table.csv").read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(f"{name},{line.partition(',')[2]}" for name, line in zip(pictures, lines[1:], strict=False))]
    (folder / "table.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    for name, image in pictures.items():
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), image[..., ::-1])
    return folder


def test_landmarks_are_found_once_and_kept(tmp_path: Path, portrait: np.ndarray) -> None:
    pictures = {"images/a.png": portrait, "images/b.png": np.full((128, 128, 3), 90, np.uint8)}
    data, file = write_pictures(tmp_path / "set", pictures), tmp_path / "found.npz"
    seen = find_faces(data, file)
    with Engine(config=TrackerConfig(faces=1), landmarker=FaceLandmarker(still=True)) as engine:
        (tracked,) = engine.step(Frame(portrait, 0.0, 0))
    expected = tracked.faces[0].landmarks[list(MEDIAPIPE_83.mediapipe)]
    np.testing.assert_allclose(seen.points[0], expected, atol=0.01)
    sample = tracked.samples[0]
    assert sample.status == "ok" and seen.affect[0] == pytest.approx((sample.valence, sample.arousal), abs=1e-5)
    assert seen.points.shape == (2, 83, 3) and all(np.isnan(each[1]).all() for each in (seen.points, seen.affect))
    (data / "images" / "a.png").unlink()
    for again, before in zip(find_faces(data, file), seen, strict=True):
        np.testing.assert_array_equal(again, before)
    with np.load(file) as archive:
        held = {name: archive[name] for name in archive.files}
    file.write_bytes(packed(**{**held, "model": np.array("another")}))
    assert find_faces(data, file).affect is None
    del held["affect"], held["model"]
    file.write_bytes(packed(**held))
    earlier = find_faces(data, file)
    assert earlier.affect is None and np.array_equal(earlier.points, seen.points, equal_nan=True)


def test_a_face_seen_badly_does_not_say_how_calm_it_is(tmp_path: Path, portrait: np.ndarray) -> None:
    dark = (portrait * 0.1).astype(np.uint8)
    seen = find_faces(write_pictures(tmp_path / "set", {"images/a.png": dark}), tmp_path / "found.npz")
    assert np.isfinite(seen.points).all() and np.isnan(seen.affect).all()


def test_a_file_of_another_model_has_no_say_in_what_is_calm(folder: Path, found: Path, tmp_path: Path) -> None:
    with np.load(found) as archive:
        held = {name: archive[name] for name in archive.files if name != "model"}
    earlier, out = tmp_path / "earlier.npz", tmp_path / "out"
    earlier.write_bytes(packed(**held))
    done = evaluate(folder, out, "--landmarks", "found", "--found", earlier, "--seeds", 1)
    assert done.exit_code == 0 and f"{earlier} is not of the model that ships now: without it, all is" in done.stderr
    rows = json.loads((out / "report.json").read_text(encoding="utf-8"))["tables"]["found: neutral"]["rows"]
    assert set(rows) == set(WAYS) - {CALMEST[TRACKER]}


def spoil(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04 no archive")


def rename(file: Path) -> None:
    file.write_bytes(packed(points=np.zeros((1, 83, 3)), affect=np.zeros((1, 2)), paths=np.array(["other.png"])))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (spoil, "found.npz holds no found landmarks .*; delete it, and they are found again"),
        (rename, "found.npz holds landmarks of other pictures than .*set; give another file with --found"),
    ],
)
def test_a_file_of_found_landmarks_that_is_not_the_sets(
    folder: Path, tmp_path: Path, harm: Callable[[Path], None], text: str
) -> None:
    harm(tmp_path / "found.npz")
    with pytest.raises(DataError, match=text):
        find_faces(folder, tmp_path / "found.npz")


def test_found_landmarks_that_cannot_be_kept(tmp_path: Path, portrait: np.ndarray) -> None:
    data = write_pictures(tmp_path / "set", {"images/a.png": portrait})
    with pytest.raises(SinkError, match=r"found.npz cannot be written: .*; choose another file with --found"):
        find_faces(data, tmp_path / "nowhere" / "found.npz")


def test_a_face_is_drawn_with_all_its_points() -> None:
    face = np.random.default_rng(0).normal(size=(83, 2))
    drawn = {place for line in LINES for place in line}
    assert {MEDIAPIPE_83.mediapipe[place] for place in set(range(83)) - drawn} == {199}
    lines = lines_of(face, MEDIAPIPE_83.name)
    assert len(lines) == len(LINES) and all((lines[i] == face[line]).all() for i, line in enumerate(LINES))
    assert [line.tolist() for line in lines_of(face[:2], "bu-3dfe")] == [[list(p), list(p)] for p in face[:2].tolist()]


def write_clip_table(clip: Path, valence: np.ndarray) -> None:
    rows = [f"{clip.name},{frame},{value:.5f},0.1" for frame, value in enumerate(valence.tolist())]
    (clip.parent / "table.csv").write_text("\n".join(["video,frame,valence,arousal", *rows]) + "\n", encoding="utf-8")


def test_a_clip_is_followed_with_the_truth_beside_it_or_as_tracked(media: Path, tmp_path: Path) -> None:
    tracked = follow(media / "single_face.mp4", MEDIAPIPE_83)
    assert tracked.shapes.shape == (72, 83, 3) and not tracked.known
    assert np.abs(tracked.affect).max() <= 1 and tracked.affect[-5:, 0].mean() > tracked.affect[:5, 0].mean()
    clip = Path(shutil.copy(media / "single_face.mp4", tmp_path))
    valence = np.linspace(0, 0.9, 72)
    write_clip_table(clip, valence)
    known = follow(clip, MEDIAPIPE_83)
    assert known.known and known.affect[:, 0].tolist() == valence.round(5).tolist()
    np.testing.assert_array_equal(known.shapes, tracked.shapes)
    calm = known.shapes[: np.searchsorted(known.time, KEPT * (EVERY_S + 1 / 30))]
    assert min(np.abs(calm - known.neutral).max(axis=(1, 2))) == 0
    before, smiling = tracked.shapes[:17], tracked.shapes[24:66]
    assert min(np.abs(before - tracked.neutral).max(axis=(1, 2))) == 0
    assert np.abs(smiling - tracked.neutral).max(axis=(1, 2)).min() > 0.05


def test_a_clip_without_a_face_has_no_path(media: Path) -> None:
    with pytest.raises(DataError, match=r"no_face.mp4: no face was found in its 95 frames; give another clip"):
        follow(media / "no_face.mp4", MEDIAPIPE_83)
