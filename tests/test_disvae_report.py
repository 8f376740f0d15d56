"""The report of `affect eval disvae`, what it refuses, and the ablation of DisVAE's training."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner, Result
from disvae_sets import CLASSES, FOLDS, TEMPLATE, TINY, write_disvae, write_folds, write_people
from sequence_sets import write_model

from tracker.cli import main
from tracker.errors import CheckpointError, DataError, SinkError, UsageError
from train.ablation import read_ablation, table_of
from train.disvae.tasks.bars import BARS
from train.disvae.tasks.report import SECTIONS
from train.disvae.tasks.summary import MEASURES
from train.evaluate import evaluate

ROOT = Path(__file__).parents[1]
NAMES = ("disvae-two-stage", "disvae-end-to-end", "disvae-baseline")
QUICK = ["faces=40", "processes=1", "rounds=30", "partners=1", "persons=2"]


def checkpoint(runs: Path, name: str, fold: int) -> Path:
    """Where training writes a fold's model."""
    return runs / f"{name}-fold-{fold}" / f"{name}.safetensors"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, and its folds beside it."""
    folder = tmp_path_factory.mktemp("data") / "people"
    folder.mkdir()
    write_folds(write_people(folder), folder.parent / "folds.json")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random models: two-stage of two folds, end-to-end of one, the baseline of two."""
    folder = tmp_path_factory.mktemp("runs")
    for name, folds in zip(NAMES, ((0, 2), (2,), (0, 2)), strict=True):
        for fold in folds:
            write_disvae(checkpoint(folder, name, fold), fold, generative=name != "disvae-baseline")
    return folder


def run(data: Path, runs: Path, out: Path, *further: str) -> Result:
    """The command; its errors are raised."""
    quick = [word for change in QUICK for word in ("--set", change)]
    arguments = ["disvae", "--data", str(data), "--folds", str(data.parent / "folds.json"), "--runs", str(runs)]
    return CliRunner().invoke(evaluate, [*arguments, "--out", str(out), *quick, *further], catch_exceptions=False)


@pytest.fixture(scope="module")
def written(people: Path, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a whole report, and what the command said."""
    out = tmp_path_factory.mktemp("report") / "new"
    done = run(people, runs, out)
    assert done.exit_code == 0, done.output
    return out, done.stdout


def test_every_section_is_there_and_what_is_missing_is_said(written: tuple[Path, str]) -> None:
    out, said = written
    text = (out / "report.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (?:\d\. )?(.*)$", text, re.M) == [*SECTIONS, "Pictures"]
    assert "# DisVAE on drawn people" in text and not re.search(r"\bnan\b|\binf\b|-0\.000", text)
    for place in (text, said):
        assert "Not there: disvae-end-to-end, fold 0, 1, 3, 4." in place
    assert "disvae-two-stage, 40 faces of folds 0, 2; disvae-end-to-end, 20 faces of folds 2" in text
    for name in NAMES[:2]:
        assert all(any(f"{name}: {bar.name}: " in line for line in said.splitlines()) for bar in BARS)
    assert f"{NAMES[2]}: {BARS[0].name}" not in text, "the baseline has no code of identity"


def test_every_row_of_markdown_has_as_many_cells_as_its_head(written: tuple[Path, str]) -> None:
    for block in (written[0] / "report.md").read_text(encoding="utf-8").split("\n\n"):
        assert len({line.count("|") for line in block.splitlines() if line.startswith("|")}) <= 1, block


def test_json_has_every_figure_of_the_report(written: tuple[Path, str]) -> None:
    facts = json.loads((written[0] / "report.json").read_text(encoding="utf-8"))
    assert [(each["name"], each["folds"]) for each in facts["configurations"]] == list(
        zip(NAMES, ([0, 2], [2], [0, 2]), strict=True)
    )
    assert list(facts["sections"]) == list(SECTIONS) and facts["config"]["rounds"] == 30
    assert list(facts["brief"]["rows"][NAMES[0]]) == list(MEASURES)
    for verdict in facts["bars"]:
        assert verdict["met"] in (True, False) and (verdict["figure"] is None or len(verdict["figure"]) == 3)
    judged = {name: facts["brief"]["rows"][name]["by the baseline"] is not None for name in NAMES}
    assert judged == {NAMES[0]: True, NAMES[1]: True, NAMES[2]: False}
    value, low, high = facts["brief"]["rows"][NAMES[2]]["accuracy"]
    text = (written[0] / "report.md").read_text(encoding="utf-8")
    assert low <= value <= high and f"{value:.3f} ({low:.3f} to {high:.3f})" in text


def test_pictures_are_there_one_of_edits_for_each_configuration(written: tuple[Path, str]) -> None:
    out, said = written
    names = ["topology.png", "grid.png", "grid-disvae-end-to-end.png"]
    text = (out / "report.md").read_text(encoding="utf-8")
    assert re.findall(r"!\[.*\]\((.*)\)", text) == names
    assert said.splitlines()[-6:] == ["wrote", *(f"  {out / name}" for name in [*names, "report.json", "report.md"])]
    for name in names:
        picture = cv2.imread(str(out / name))
        assert (picture[:2] > 250).all() and (picture[:, :2] > 250).all() and (picture < 200).any(), name


def test_one_configuration_on_chosen_folds(people: Path, runs: Path, tmp_path: Path) -> None:
    done = run(people, runs, tmp_path, "--config", "two-stage", "--fold", "2")
    assert "Not there" not in done.stdout
    facts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [each["folds"] for each in facts["configurations"]] == [[2]]
    overall = facts["sections"]["Expression"][0]["rows"][NAMES[0]]
    assert overall["less the baseline's"] is None and overall["lowest"] == overall["highest"]


@pytest.mark.slow
def test_several_processes_find_the_same(people: Path, runs: Path, tmp_path: Path) -> None:
    for processes in ("1", "2"):
        run(people, runs, tmp_path / processes, "--config", "two-stage", "--set", f"processes={processes}")
    one, two = (json.loads((tmp_path / p / "report.json").read_text(encoding="utf-8")) for p in "12")
    assert one["sections"] == two["sections"] and one["bars"] == two["bars"]


def test_without_any_model_it_says_how_they_are_trained(people: Path, tmp_path: Path) -> None:
    told = rf"holds none of the {4 * FOLDS} models, such as .*disvae-two-stage-fold-0/disvae-two-stage.safetensors; "
    told += "train them with: affect train disvae --config two-stage --folds .* --all-folds"
    with pytest.raises(DataError, match=told):
        run(people, tmp_path, tmp_path / "out")


def test_what_cannot_be_evaluated_is_said(people: Path, tmp_path: Path) -> None:
    first = checkpoint(tmp_path, NAMES[0], 0)
    write_disvae(first, crop={**TEMPLATE.card(), "size": 64})
    with pytest.raises(DataError, match=r"disvae-two-stage expects crops with size 64, .* holds crops with size 16"):
        run(people, tmp_path, tmp_path / "out")
    write_disvae(first, classes=("neutral", "joy"), centres=((0.0, 0.0), (0.5, 0.5)))
    expected = f"knows the expressions neutral, joy; .* has {', '.join(CLASSES)}: take the set that it was trained on"
    with pytest.raises(DataError, match=expected):
        run(people, tmp_path, tmp_path / "out")
    write_model(first.parent, NAMES[0])
    with pytest.raises(CheckpointError, match="disvae-two-stage is a model of kind 'anclaf'; expected 'disvae'"):
        run(people, tmp_path, tmp_path / "out")


def test_wrong_usage_is_said(people: Path, runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fold is 7; expected 0 to 4"):
        run(people, runs, tmp_path, "--fold", "7")
    with pytest.raises(UsageError, match="configuration disvae-two-stage was given twice; expected each once"):
        run(people, runs, tmp_path, "--config", "two-stage", "--config", "two-stage")
    with pytest.raises(UsageError, match="no setting 'depth'; expected some of faces, seed, processes, rounds, probe"):
        run(people, runs, tmp_path, "--set", "depth=3")
    with pytest.raises(UsageError, match="partners is 0; expected a whole number from 1"):
        run(people, runs, tmp_path, "--set", "partners=0")
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="file/out cannot be made: Not a directory; choose another folder with --out"):
        run(people, runs, tmp_path / "file" / "out")


def test_help_loads_no_heavy_library() -> None:
    script = "import sys; from train.evaluate import evaluate; evaluate(['disvae', '--help'], standalone_mode=False); "
    script += "assert not {'torch', 'sklearn', 'matplotlib', 'cv2'} & sys.modules.keys(), sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "[default: two-stage, end-to-end, small, baseline]" in " ".join(done.stdout.split())


def test_every_variant_of_the_ablation_changes_something() -> None:
    variants = read_ablation("disvae", {"epochs": 1})
    whole = variants.pop("whole")
    assert whole.variant == "two-stage" and len(variants) >= 6
    assert all(config != whole and config.epochs == 1 for config in variants.values())
    assert variants["without KL"].weight("kl") == 0 and variants["without the identity stage"].phases[0].epochs == 0


def test_an_ablation_trains_and_measures_each_variant(people: Path, tmp_path: Path) -> None:
    base = {
        "name": "tiny",
        "template": {"size": TEMPLATE.size, "channels": 1, "margin": TEMPLATE.margin},
        "model": {"size": TINY.size, "channels": 1, "widths": [4, 8], "latent": 6},
        "identity_epochs": 1,
        "epochs": 1,
        "batch": 16,
    }
    variants = {"whole": {}, "without KL": {"loss.kl": 0}, "classes alone": {"variant": "baseline"}}
    (tmp_path / "small.json").write_text(json.dumps({"kind": "disvae", "base": base, "variants": variants}))
    call = ["train", "ablation", "--config", tmp_path / "small.json", "--data", people, "--out", tmp_path]
    done = CliRunner().invoke(main, [str(word) for word in call])
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "ablation-small" / "figures.json").read_text())
    assert list(figures) == list(variants) and all(list(each) == list(MEASURES) for each in figures.values())
    assert figures["classes alone"]["pixel MSE x 1000"] is None and figures["whole"]["pixel MSE x 1000"][0] > 0
    assert "{:.3f} ({:.3f} to {:.3f})".format(*figures["without KL"]["accuracy"]) in done.output
    assert (tmp_path / "ablation-small" / "without-KL" / "tiny.safetensors").exists()


def test_a_table_shows_a_dash_where_a_variant_has_no_figure() -> None:
    lines = table_of({"whole": {"a": [0.5, 0.25, 0.75]}, "without": {"a": None}}).splitlines()
    assert lines[1].split() == ["whole", "0.500", "(0.250", "to", "0.750)"] and lines[2].split() == ["without", "-"]


def test_a_file_of_an_unknown_kind_is_no_ablation(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(json.dumps({"kind": "other", "base": "two-stage", "variants": {}}))
    with pytest.raises(UsageError, match=r"odd.json is not an ablation, a base and its variants: 'other'"):
        read_ablation(str(tmp_path / "odd.json"), {})
