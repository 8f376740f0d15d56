"""`affect annotate`: tables, JSON objects and folders in and out, and its picture."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotations import done, rows
from layouts import draw, write
from numpy.testing import assert_allclose

from train.annotating.picture import COLOURS
from train.annotation_transfer import PRESETS, sample
from train.datasets import table as table_set

ROOT = Path(__file__).parents[1]
AFEW_VA = ROOT.parent / "shared" / "data" / "afew_va_labels.json"
FERPLUS = ROOT.parent / "shared" / "data" / "ferplus.npz"
AFFECTNET = PRESETS["affectnet"]
LABELS = ("HAPPINESS", "Sad", "anger", "fear", "neutral", "surprised", "disgust")


def affect_in(path: Path) -> np.ndarray:
    """(N, 2) valence and arousal of a CSV."""
    return np.array([(float(row["valence"]), float(row["arousal"])) for row in rows(path)])


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A CSV of 70 pictures, the first of which is there, ten of each class in several spellings."""
    draw(tmp_path / "pictures" / "0.png")
    lines = [f"s{i % 5},pictures/{i}.png,{LABELS[i % 7]}" for i in range(70)]
    return write(tmp_path / "labels.csv", "subject,path,emotion", *lines)


def inside(names: list[str], affect: np.ndarray, spread: float = 1.0) -> bool:
    """Whether each point lies in the ellipse of its class."""
    ellipses = AFFECTNET.with_classes(list(dict.fromkeys(names)))
    classes = [ellipses.names.index(name) for name in names]
    squared = ((affect - ellipses.centres[classes]) / (spread * ellipses.deviations[classes])) ** 2
    return bool((squared.sum(axis=1) <= 1 + 1e-4).all())


def test_a_table_keeps_its_columns_and_can_be_prepared(labelled: Path, tmp_path: Path) -> None:
    done(labelled, "--out", tmp_path / "affect.csv")
    found = rows(tmp_path / "affect.csv")
    assert list(found[0]) == ["subject", "path", "emotion", "valence", "arousal"]
    assert [(row["subject"], row["emotion"]) for row in found] == [(f"s{i % 5}", LABELS[i % 7]) for i in range(70)]
    affect = affect_in(tmp_path / "affect.csv")
    assert inside([row["emotion"] for row in found], affect)
    classes = np.array([AFFECTNET.index(row["emotion"]) for row in found])
    assert_allclose(affect, sample(AFFECTNET, classes), atol=1e-6)
    (part,) = table_set.read(tmp_path / "affect.csv").parts
    assert_allclose(part.labels, affect)
    assert part.subjects[:3] == ("s0", "s1", "s2")


def test_paths_stay_right_in_another_folder(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done(labelled, "--out", tmp_path / "out" / "affect.csv")
    assert rows(tmp_path / "out" / "affect.csv")[0]["path"] == "../pictures/0.png"
    assert next(iter(table_set.read(tmp_path / "out" / "affect.csv").parts[0].pictures)).fault == ""


def test_the_seed_decides(labelled: Path, tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    done(labelled, "--out", first)
    done(labelled, "--out", again, "--seed", 5230)
    done(labelled, "--out", other, "--seed", 1)
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_json_as_published_and_back_again(tmp_path: Path) -> None:
    labels = {f"Movie_Actor_{i}.jpg": LABELS[i % 7].upper() for i in range(700)}
    write(tmp_path / "labels.json", json.dumps(labels))
    said = done(tmp_path / "labels.json", "--out", tmp_path / "va.json")
    affect = json.loads((tmp_path / "va.json").read_text())
    assert list(affect) == list(labels)
    assert inside(list(labels.values()), np.array(list(affect.values())))
    done(tmp_path / "va.json", "--out", tmp_path / "back.json", "--reverse")
    back = json.loads((tmp_path / "back.json").read_text())
    same = [AFFECTNET.index(back[key]) == AFFECTNET.index(labels[key]) for key in labels]
    assert np.mean(same) > 0.97
    assert f"told again for {np.mean(same):.1%} by the nearest centre" in said


def test_a_folder_a_class(tmp_path: Path) -> None:
    for name in ("happy/2.jpg", "happy/10.JPG", "happy/deep/1.png", "Sad/1.png", "Sad/note.txt", ".cache/1.png"):
        draw(tmp_path / "set" / name)
    said = done(tmp_path / "set", "--out", tmp_path / "affect.csv")
    found = rows(tmp_path / "affect.csv")
    paths = ["set/Sad/1.png", "set/happy/2.jpg", "set/happy/10.JPG", "set/happy/deep/1.png"]
    assert [row["path"] for row in found] == paths
    assert inside([row["emotion"] for row in found], affect_in(tmp_path / "affect.csv"))
    assert "happiness      3" in said and "neutral        0" in said
    done(tmp_path / "set", "--out", tmp_path / "affect.json")
    assert "happy/deep/1.png" in json.loads((tmp_path / "affect.json").read_text())


def test_votes_are_a_mixture(tmp_path: Path) -> None:
    votes = ["a.png,0,6,0,4,0,0,0,0,1"] * 500 + ["b.png,0,0,0,0,0,0,0,0,10", "c.png,,,,,,,,9,"]
    header = "path,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown"
    write(tmp_path / "votes.csv", header, *votes)
    said = done(tmp_path / "votes.csv", "--out", tmp_path / "affect.csv", "--preset", "affectnet-8")
    found = rows(tmp_path / "affect.csv")
    drawn = Counter(row["emotion"] for row in found[:500])
    assert drawn.keys() == {"happiness", "sadness"} and drawn["happiness"] == pytest.approx(300, abs=45)
    kept = [row for row in found if row["emotion"] in drawn]
    assert inside(
        [row["emotion"] for row in kept], np.array([(float(r["valence"]), float(r["arousal"])) for r in kept])
    )
    assert (found[500]["emotion"], found[500]["valence"], found[500]["arousal"]) == ("", "", "")
    assert found[501]["emotion"] == "contempt" and found[501]["contempt"] == "9" and found[500]["unknown"] == "10"
    assert "1 without a label, left empty" in said


@pytest.mark.skipif(not FERPLUS.exists(), reason="needs ferplus.npz")
def test_the_votes_of_ferplus(tmp_path: Path) -> None:
    from train.datasets import ferplus

    with np.load(FERPLUS) as archive:
        votes = archive["votes"][:2000]
    lines = [f"{i}.png,{','.join(map(str, row))}" for i, row in enumerate(votes.tolist())]
    write(tmp_path / "votes.csv", ",".join(("path", *ferplus.EMOTIONS, "unknown", "NF")), *lines)
    done(tmp_path / "votes.csv", "--out", tmp_path / "va.json", "--preset", "affectnet-8")
    answers = json.loads((tmp_path / "va.json").read_text()).values()
    cast = votes[:, :8].sum(axis=1) > 0
    assert [answer is not None for answer in answers] == cast.tolist()
    drawn = np.array([answer for answer in answers if answer is not None])
    # the mean of the draws is that of votes times centres
    assert_allclose(drawn.mean(axis=0), ferplus.affect_of_votes(votes[cast]).mean(axis=0), atol=0.02)


def anchor(path: Path, count: int = 4000, numbers: bool = False) -> Path:
    """An anchor set of three classes whose statistics are known."""
    generator = np.random.default_rng(3)
    known = {"happy": (0.5, 0.2, 0.1, 0.2), "sad": (-0.5, -0.2, 0.15, 0.1), "awe": (0.2, 0.5, 0.2, 0.05)}
    lines = []
    for k, (name, (v, a, dv, da)) in enumerate(known.items()):
        values = generator.normal((v, a), (dv, da), (count, 2)).clip(-1, 1)
        lines += [f"{k if numbers else name},{x:.5f},{y:.5f}" for x, y in values]
    return write(path, "emotion,valence,arousal", *lines, f"{0 if numbers else 'happy'},-2,-2")


def test_statistics_of_an_anchor_set_measured_saved_and_read_again(tmp_path: Path) -> None:
    source = write(tmp_path / "x.json", json.dumps({str(i): ("Happy", "AWE")[i % 2] for i in range(4000)}))
    given = ("--anchor", anchor(tmp_path / "anchor.csv"), "--spread", 2, "--save-statistics", tmp_path / "saved.csv")
    said = done(source, "--out", tmp_path / "1.json", *given)
    affect = np.array(list(json.loads((tmp_path / "1.json").read_text()).values()))
    assert_allclose(affect[1::2].mean(axis=0), (0.2, 0.5), atol=0.02)
    assert_allclose(affect[1::2].std(axis=0), (0.2, 0.05), rtol=0.05)
    saved = {row["emotion"]: [float(row[key]) for key in list(row)[1:]] for row in rows(tmp_path / "saved.csv")}
    assert_allclose(saved["sad"], (-0.5, -0.2, 0.15, 0.1), atol=0.01)
    assert "anchor.csv" in said and "\nawe " in said
    done(source, "--out", tmp_path / "2.json", "--anchor", tmp_path / "saved.csv", "--spread", 2)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_numbers_mean_what_the_user_says(tmp_path: Path) -> None:
    write(tmp_path / "n.csv", "path,expression", "a.jpg,1", "b.jpg,0.0", "c.jpg,7", "d.jpg,")
    names = ("--classes", "neutral,happy,sad,surprise,fear,disgust,anger,contempt", "--unlabelled", "Contempt")
    done(tmp_path / "n.csv", "--out", tmp_path / "o.json", "--emotion-column", "expression", *names)
    found = json.loads((tmp_path / "o.json").read_text())
    assert inside(["happy", "neutral"], np.array([found["a.jpg"], found["b.jpg"]]))
    assert found["c.jpg"] is None and found["d.jpg"] is None


def test_an_anchor_set_with_numbers(tmp_path: Path) -> None:
    path = anchor(tmp_path / "anchor.csv", 50, numbers=True)
    source = write(tmp_path / "x.json", '{"1.png": "awe", "2.png": 1}')
    done(source, "--out", tmp_path / "o.json", "--anchor", path, "--classes", "happy,sad,awe")
    assert json.loads((tmp_path / "o.json").read_text())["2.png"][0] < -0.2


def test_discrete_ones_are_whole_and_go_back(labelled: Path, tmp_path: Path) -> None:
    done(labelled, "--out", tmp_path / "va.csv", "--discrete", "--spread", 2)
    assert all(
        row["valence"].lstrip("-").isdigit() and row["arousal"].lstrip("-").isdigit()
        for row in rows(tmp_path / "va.csv")
    )
    done(labelled, "--out", tmp_path / "plain.csv", "--spread", 2)
    assert_allclose(affect_in(tmp_path / "va.csv"), 10 * affect_in(tmp_path / "plain.csv"), atol=0.5001)
    further = ("--reverse", "--discrete", "--emotion-column", "found")
    done(tmp_path / "va.csv", "--out", tmp_path / "back.csv", *further)
    found = rows(tmp_path / "back.csv")
    assert list(found[0]) == ["subject", "path", "emotion", "valence", "arousal", "found"]
    assert np.mean([AFFECTNET.index(row["emotion"]) == AFFECTNET.index(row["found"]) for row in found]) > 0.7


def test_a_row_without_affect_has_no_class(tmp_path: Path) -> None:
    write(tmp_path / "va.csv", "path,valence,arousal", "a.png,0.66,0.07", "b.png,,", "c.png,-2,-2", "d.png,0.1,")
    done(tmp_path / "va.csv", "--out", tmp_path / "c.csv", "--reverse")
    assert [row["emotion"] for row in rows(tmp_path / "c.csv")] == ["happiness", "", "", ""]


@pytest.mark.skipif(not AFEW_VA.exists(), reason="needs the labels of AFEW-VA")
def test_afew_vas_own_labels(tmp_path: Path) -> None:
    said = done(AFEW_VA, "--out", tmp_path / "classes.json", "--reverse", "--discrete")
    found = json.loads((tmp_path / "classes.json").read_text())
    assert len(found) == 30_051 and set(found.values()) == set(AFFECTNET.names)
    affect = np.array(list(json.loads(AFEW_VA.read_text()).values())) / 10
    own = np.linalg.norm(affect[:, None] - AFFECTNET.centres, axis=2)
    assert list(found.values()) == [AFFECTNET.names[k] for k in own.argmin(axis=1)]
    assert f"neutral    {Counter(found.values())['neutral']:,}" in said


def test_the_nearest_ellipse_may_be_another(tmp_path: Path) -> None:
    source = write(tmp_path / "va.json", '{"1": [-0.27, 0.72], "2": null, "3": [0.7, 0]}')
    for distance, name in (("centre", "fear"), ("ellipse", "anger")):
        done(source, "--out", tmp_path / "o.json", "--reverse", "--nearest", distance)
        assert json.loads((tmp_path / "o.json").read_text()) == {"1": name, "2": None, "3": "happiness"}


def test_the_table_stands_beside_the_statistics(labelled: Path, tmp_path: Path) -> None:
    said = done(labelled, "--out", tmp_path / "o.csv", "--preset", "words").splitlines()
    assert " ".join(said[0].split()) == "class count V mean words V s.d. words A mean words A s.d. words"
    own = np.array(
        [(float(r["valence"]), float(r["arousal"])) for r in rows(tmp_path / "o.csv") if r["emotion"] == "Sad"]
    )
    (line,) = (line for line in said if line.startswith("sadness"))
    (v, a), (dv, da) = own.mean(axis=0), own.std(axis=0)
    expected = ["10", f"{v:.3f}", "-0.630", f"{dv:.3f}", "0.230", f"{a:.3f}", "-0.270", f"{da:.3f}", "0.340"]
    assert line.split()[1:] == expected
    assert said[-1] == f"wrote {tmp_path / 'o.csv'}"


def test_what_falls_beyond_the_range_is_counted(labelled: Path, tmp_path: Path) -> None:
    said = done(labelled, "--out", tmp_path / "o.csv", "--shape", "gaussian", "--spread", 3)
    ends = (np.abs(affect_in(tmp_path / "o.csv")) == 1).any(axis=1).sum()
    assert ends > 5 and f"{ends} at an end of the scale, -1 or 1" in said


def pixels(path: Path, colour: str) -> np.ndarray:
    """(M, 2) x and y of the pixels of a colour."""
    image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere((image == rgb).all(axis=2))[:, ::-1]


def test_the_picture_shows_each_ellipse_at_its_place(labelled: Path, tmp_path: Path) -> None:
    done(labelled, "--out", tmp_path / "o.csv", "--plot", tmp_path / "p.png")
    spans = {}
    for name, colour in zip(AFFECTNET.names, COLOURS, strict=False):
        points = pixels(tmp_path / "p.png", colour)
        points = points[points[:, 0] < 1000]
        spans[name] = (*(points.min(axis=0) + points.max(axis=0)) / 2, *np.ptp(points, axis=0))
    x, y, width, height = np.array(list(spans.values())).T
    # middles and sizes in pixels are those in the circumplex, at one scale
    scale = np.polyfit(AFFECTNET.centres[:, 0], x, 1)[0]
    assert_allclose(np.diff(x) / scale, np.diff(AFFECTNET.centres[:, 0]), atol=0.01)
    assert_allclose(np.diff(y) / -scale, np.diff(AFFECTNET.centres[:, 1]), atol=0.01)
    assert_allclose(np.stack([width, height], 1) / scale, 2 * AFFECTNET.deviations, atol=0.02)


def test_many_classes_are_drawn_and_the_rest_is_counted(tmp_path: Path) -> None:
    lines = [f"class {k},{k / 15 - 1:.3f},0,0.1,0.1" for k in range(30)]
    source = write(tmp_path / "x.csv", "path,emotion", "1.png,class 3", "2.png,class $29$")
    write(tmp_path / "s.csv", "emotion,valence,arousal,valence_sd,arousal_sd", *lines, "class $29$,0,0.5,0.1,0.1")
    done(source, "--out", tmp_path / "o.json", "--anchor", tmp_path / "s.csv", "--plot", tmp_path / "p.png")
    image = cv2.imread(str(tmp_path / "p.png"))
    assert image.shape == (1065, 1650, 3) and (image[:, 1000:] < 128).mean() > 0.005


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tracker.cli import main\nmain(['annotate', '--help'], standalone_mode=False)\n"
        "print(*{'torch', 'cv2', 'scipy', 'matplotlib', 'mediapipe', 'av'} & sys.modules.keys(), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--anchor" in result.stdout and result.stderr.strip() == ""
