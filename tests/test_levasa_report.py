"""The report of `affect eval levasa`: its tables, the published figures in them, its pictures, and what it refuses."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from levasa_sets import TEST, write_faces, write_levasa
from sequence_sets import TEMPLATE, write_model

from tracker.errors import CheckpointError, DataError, SinkError, UsageError
from train.evaluate import evaluate
from train.folds import make_folds
from train.levasa.tasks.config import TITLES
from train.levasa.tasks.published import ALIGNMENT, EMOTION, INVERSE, PUBLISHED, REGRESSION
from train.prepared import open_prepared
from train.scoring import pictures
from train.scoring.figures import Figure
from train.scoring.pages import Table

ROOT = Path(__file__).parents[1]
QUICK = [
    "faces=120",
    "processes=1",
    "rounds=40",
    "mlp_epochs=10",
    "mlp_width=4",
    "map_faces=5",
    "shown=5",
    "perplexity=8",
]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces")).folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Vanilla, continuous and discrete."""
    folder = tmp_path_factory.mktemp("models")
    return [write_levasa(folder, heads) for heads in ("none", "scalar", "classes")]


def run(models: list[str], data: Path, out: Path, *further: str) -> Result:
    """The command; its errors are raised."""
    named = [word for path in models for word in ("--model", path)]
    quick = [word for change in QUICK for word in ("--set", change)]
    arguments = ["levasa", *named, "--data", str(data), "--out", str(out), *quick, *further]
    return CliRunner().invoke(evaluate, arguments, catch_exceptions=False)


@pytest.fixture(scope="module")
def written(models: list[str], faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole report."""
    out = tmp_path_factory.mktemp("report") / "new"
    done = run(models, faces, out, "--json", str(out.parent / "all.json"))
    assert done.exit_code == 0 and done.stdout.splitlines()[-4:] == [
        f"  {out / name}" for name in ("reconstructions.png", "tsne.png", "circumplex.png", "report.md")
    ]
    return out


@pytest.fixture(scope="module")
def facts(written: Path) -> dict:
    return json.loads((written.parent / "all.json").read_text(encoding="utf-8"))


def test_every_task_has_its_section_in_order(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \d\. (.*)$", text, re.M) == list(TITLES.values())
    assert f"# LeVAsa on drawn: {TEST} faces" in text and "fitted on 120 of the 200 training faces" in text
    assert re.findall(r"!\[.*\]\((.*)\)", text) == ["reconstructions.png", "tsne.png", "circumplex.png"]
    assert not re.search(r"\bnan\b|-0\.000", text)


def test_every_row_of_markdown_has_as_many_cells_as_its_head(written: Path) -> None:
    for block in (written / "report.md").read_text(encoding="utf-8").split("\n\n"):
        counts = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(counts) <= 1, block


def test_every_published_figure_stands_in_the_report(written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    for table in (each for tables in PUBLISHED.values() for each in tables):
        assert table.markdown() in text
        assert table.note in text


def test_published_figures_are_whole_and_consistent() -> None:
    for row in list(ALIGNMENT[0].rows.values()):
        assert row[2] == pytest.approx(row[0] + row[1], abs=0.011)
        assert row[3] is None or row[5] == pytest.approx(row[3] + row[4], abs=0.0011)
    rows = ALIGNMENT[0].rows
    np.testing.assert_allclose(rows["aligned, slides"][:3], 4 * np.array(rows["aligned, notebook"][:3]), atol=0.003)
    mended = 2 * np.array(rows["vanilla, notebook"][:3])
    np.testing.assert_allclose(rows["vanilla, notebook mended"][:3], mended, atol=0.03)
    assert ALIGNMENT[1].rows["IMFDB"][:2] == (8.25, pytest.approx(2 * math.log(19), abs=0.005))
    assert ALIGNMENT[1].rows["AFEW"][1] == pytest.approx(2 * math.log(21), abs=0.005)
    assert EMOTION[0].rows["z_v: discrete"] == (0.266, 0.297, 0.247)
    assert REGRESSION[0].rows["V from z_v: aligned"] == (0.036, -0.002, 0.02, 0.026)
    assert REGRESSION[1].rows["A from z_a: vanilla"] == (-0.015, 0.0, -0.069, -0.25)
    assert INVERSE[2].rows["A from z_v: AFEW, aligned"] == (0.183, 0.183, 0.183)


def test_json_has_every_figure_and_what_makes_it_again(facts: dict, models: list[str], written: Path) -> None:
    assert list(facts["tasks"]) == list(TITLES) and list(facts["published"]) == list(PUBLISHED)
    assert [model["label"] for model in facts["models"]] == ["levasa-none", "levasa-scalar", "levasa-classes"]
    assert facts["set"]["tested"] == sum(facts["set"]["emotions"].values()) == TEST
    assert (facts["config"]["faces"], facts["labels"]["seed"], facts["labels"]["preset"]) == (120, 5230, "affectnet-8")
    text = (written / "report.md").read_text(encoding="utf-8")
    for table in (each for task in facts["tasks"].values() for each in task["tables"]):
        for row, cells in table["rows"].items():
            value, low, high = (
                next(cell for cell in cells.values() if isinstance(cell, list)) if row != "chance" else (0.125,) * 3
            )
            assert low <= value <= high and f"| {row} |" in text
    json.dumps(facts, allow_nan=False)


def test_pictures_have_a_white_border_and_the_colour_of_every_emotion(written: Path, facts: dict) -> None:
    colours = [pictures.COLOURS[name] for name, count in facts["set"]["emotions"].items() if count]
    assert len(colours) >= 7
    for name in ("reconstructions.png", "tsne.png", "circumplex.png"):
        picture = cv2.imread(str(written / name))
        assert (picture[:2] > 250).all() and (picture[:, :2] > 250).all(), f"{name} is cut"
        if name != "reconstructions.png":
            blue_green_red = [[int(colour[i : i + 2], 16) for i in (5, 3, 1)] for colour in colours]
            assert all((picture == each).all(axis=2).sum() > 50 for each in blue_green_red), name


def test_reconstructions_stand_below_their_originals() -> None:
    rng = np.random.default_rng(0)
    rows = {"original": rng.random((4, 16, 16, 1)), "a model with a long name": np.zeros((4, 16, 16, 1))}
    png = pictures.draw_reconstructions(rows, np.array(["anger", "fear", "neutral", "sadness"]))
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    black = (picture < 5).mean(axis=1)
    middle = len(picture) // 2 + 20
    assert black[middle + 20 : -30].mean() > 0.4 > black[:middle].max(), "the dark row is the lower one"
    left = picture[:, : picture.shape[1] // 4]
    assert (left[:, :3] > 250).all() and (left < 200).any(), "names stand to the left, whole"


def test_known_emotions_keep_their_colours_in_any_spelling() -> None:
    points = np.zeros((2, 2))
    same = [
        pictures.draw_circumplexes({"true": points}, np.array(words)) for words in (["happy"] * 2, ["happiness"] * 2)
    ]
    plain = [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR)[150:] for each in same]
    assert np.array_equal(*plain)


def test_a_cell_shows_its_interval_and_a_hole_is_a_dash() -> None:
    table = Table("title", ("a", "b"), {"row": (Figure(0.12345, 0.1, -0.00001), None), "other": (2, math.nan)}, "note")
    lines = table.markdown().splitlines()
    assert lines[0] == "**title**" and lines[-1] == "note"
    assert "| row | 0.123 (0.100 to 0.000) | - |" in lines and "| other | 2.000 | - |" in lines
    assert table.to_dict()["rows"] == {"row": {"a": [0.12345, 0.1, -0.00001], "b": None}, "other": {"a": 2, "b": None}}


def test_one_task_alone_and_the_folds_of_a_file(models: list[str], faces: Path, tmp_path: Path) -> None:
    make_folds(open_prepared(faces), 4).save(tmp_path / "folds.json")
    done = run(models, faces, tmp_path, "--task", "alignment", "--folds", str(tmp_path / "folds.json"), "--fold", "2")
    assert done.stdout.splitlines()[-1] == f"  {tmp_path / 'report.md'}"
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "# LeVAsa on drawn: 80 faces" in text and text.count("\n## ") == 1
    assert not list(tmp_path.glob("*.png"))


def test_what_needs_classes_is_left_out_of_all_and_refused_by_name(models: list[str], tmp_path: Path) -> None:
    data = write_faces(tmp_path / "set", without=("emotions", "votes_cast")).folder
    told = "has no classes of emotion, which emotion and tsne need"
    with pytest.raises(DataError, match=rf"{told}; on this set run: --task reconstruction --task alignment --task reg"):
        run(models, data, tmp_path / "out", "--task", "tsne")
    run(models[:2], data, tmp_path / "out", "--task", "all")
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert f"Left out: {data} {told}." in text and "t-SNE" not in text and "## 7. Circumplex" in text


def test_a_model_that_learnt_other_labels_is_told(models: list[str], faces: Path, tmp_path: Path) -> None:
    other = write_levasa(tmp_path, "scalar", "levasa-words", training={"labels": {"preset": "words"}})
    run([models[0], models[1], other], faces, tmp_path, "--task", "alignment", "--json", str(tmp_path / "f.json"))
    note = "Note: levasa-words learnt other labels than those that it is judged by here."
    assert note in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "f.json").read_text())["notes"] == [note]


def test_models_of_one_name_are_told_apart_by_their_paths(faces: Path, tmp_path: Path) -> None:
    paths = [write_levasa(tmp_path / name, "scalar") for name in ("one", "two")]
    run(paths, faces, tmp_path, "--task", "alignment")
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"| head: {path} |" in text for path in paths)
    with pytest.raises(UsageError, match=r"model .*one/levasa-scalar.safetensors was given twice; expected each once"):
        run([paths[0], paths[0]], faces, tmp_path)


def test_what_cannot_be_evaluated_is_said(models: list[str], faces: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path, "anclaf-tiny")
    with pytest.raises(CheckpointError, match="anclaf-tiny is a model of kind 'anclaf'; expected 'levasa'"):
        run([other], faces, tmp_path / "out")
    crop = {**TEMPLATE.card(), "size": 64}
    with pytest.raises(DataError, match=r"expects crops with size 64, .* holds crops with size 32; prepare the set"):
        run([write_levasa(tmp_path, "scalar", crop=crop)], faces, tmp_path / "out")
    odd = write_levasa(tmp_path, "scalar", "levasa-odd", training={"labels": {"preset": "none"}})
    with pytest.raises(DataError, match="card of levasa-odd has labels that cannot be made again: no preset 'none'"):
        run([odd], faces, tmp_path / "out")
    with pytest.raises(UsageError, match="no setting 'depth'; expected some of faces, seed"):
        run(models, faces, tmp_path / "out", "--set", "depth=3")
    assert not list((tmp_path / "out").iterdir())


def test_help_loads_no_heavy_library() -> None:
    script = "import sys; from train.evaluate import evaluate; evaluate(['levasa', '--help'], standalone_mode=False); "
    script += "assert not {'torch', 'sklearn', 'matplotlib', 'cv2'} & sys.modules.keys(), sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--model" in done.stdout and "constant, majority and class-mean baselines" in " ".join(done.stdout.split())


def test_outputs_are_checked_before_the_work(models: list[str], faces: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/out cannot be made: Not a directory; choose another folder with --out"):
        run(["none"], faces, tmp_path / "file" / "out")
    with pytest.raises(SinkError, match=r"there is no folder .*nowhere; make it, or choose another"):
        run(["none"], faces, tmp_path / "out", "--json", str(tmp_path / "nowhere" / "f.json"))
    (tmp_path / "report.md").mkdir()
    with pytest.raises(SinkError, match=r"report.md cannot be written: .*; choose another folder with --out"):
        run(models[:1], faces, tmp_path, "--task", "alignment")
