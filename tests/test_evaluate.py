"""`affect eval` with a runtime whose answers are known, and on real pictures through detection and alignment."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose

from nets import network
from tracker.cli import main
from tracker.errors import CheckpointError, DataError, SinkError
from tracker.faces.align import Template
from train import evaluate
from train.datasets import ferplus
from train.scoring.anatomy import Labels


def first_pixel(crops: np.ndarray) -> np.ndarray:
    """Valence and arousal (N, 2) as the crops' first pixel says."""
    return crops[:, 0, 0, :1].repeat(2, axis=1) / 127.5 - 1


class KnownRuntime:
    """Answers with a function of the crops; counts and keeps what it was shown."""

    def __init__(self, affect_of: Callable[[np.ndarray], np.ndarray] = first_pixel) -> None:
        self.card = SimpleNamespace(name="known", sha256="ab" * 32, crop=Template().card())
        self.affect_of = affect_of
        self.shown: list[np.ndarray] = []

    def encode(self, crops: np.ndarray) -> network.Answer:
        self.shown.append(crops)
        affect = self.affect_of(crops).astype(np.float32)
        quadrant = np.eye(4, dtype=np.float32)[(affect[:, 0] < 0).astype(int)]
        return network.Answer(np.zeros((len(crops), 3), np.float32), quadrant, affect)


class SureRuntime(KnownRuntime):
    """And with expressions and deviations: happy where bright, else sad; a deviation of `sure`."""

    sure = 0.2

    def encode(self, crops: np.ndarray) -> network.Answer:
        answer = super().encode(crops)
        affect = answer.affect
        expressions = np.eye(8, dtype=np.float32)[np.where(affect[:, 0] > 0, 1, 3)]
        return answer._replace(expressions=expressions, deviation=np.full_like(affect, self.sure))


def crops_saying(values: np.ndarray) -> np.ndarray:
    """Crops (N, 4, 4, 1) whose first pixel is valence and arousal in KnownRuntime."""
    return np.tile(np.round((values + 1) * 127.5).astype(np.uint8)[:, None, None, None], (1, 4, 4, 1))


def labels_of(target: np.ndarray, classes: np.ndarray | None = None) -> Labels:
    return Labels(target, classes, target.mean(axis=0), "a protocol of the test")


def scored(runtimes: list[KnownRuntime], crops: np.ndarray, found: np.ndarray, labels: Labels) -> dict:
    return evaluate.score(runtimes, lambda template: (crops, found), labels)


def test_a_report_beats_the_constant_and_can_be_written() -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, (150, 2))
    found = rng.random(150) < 0.9
    said = np.clip(0.7 * target[:, 0] + 0.2 * rng.normal(size=150), -1, 1)
    report = scored([KnownRuntime()], crops_saying(said), found, labels_of(target))
    assert (report["n"], report["missed"]) == (found.sum(), (~found).sum()) and report["missed"] > 0
    (model,) = report["models"]
    assert (model["name"], model["sha256"], model["difference"]) == ("known", "ab" * 32, None)
    for name, own in model["figures"].items():
        for key, figure in own.items():
            assert figure["interval"][0] < figure["value"] < figure["interval"][1], (name, key)
    figures, constant = model["figures"], report["constant"]
    assert figures["ccc"]["valence"]["value"] > 0.8
    assert figures["rmse"]["valence"]["value"] < constant["rmse"]["valence"]
    assert constant["ccc"] == constant["pcc"] == {"valence": 0, "arousal": 0}
    assert constant["quadrant"]["affect"] == 0.25
    json.dumps(report, allow_nan=False)


def test_faces_that_were_not_found_are_neither_shown_nor_scored() -> None:
    target = np.linspace(-1, 1, 10)[:, None].repeat(2, axis=1)
    found = np.arange(10) != 3
    crops = crops_saying(target[:, 0])
    crops[3] = 255
    runtime = KnownRuntime()
    report = scored([runtime], crops, found, labels_of(target))
    assert (report["n"], report["missed"]) == (9, 1)
    assert np.concatenate(runtime.shown)[:, 0, 0, 0].tolist() == crops[found][:, 0, 0, 0].tolist()
    assert report["models"][0]["figures"]["ccc"]["valence"]["value"] > 0.999


def test_models_of_one_template_share_their_crops_and_others_have_their_own() -> None:
    target = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    asked: list[Template] = []

    def crops_of(template: Template) -> tuple[np.ndarray, np.ndarray]:
        asked.append(template)
        return crops_saying(target[:, 0]), np.ones(30, bool)

    shrunken, other = KnownRuntime(lambda crops: 0.5 * first_pixel(crops)), KnownRuntime()
    other.card.crop = Template(size=32).card()
    report = evaluate.score([KnownRuntime(), shrunken, other], crops_of, labels_of(target))
    assert [template.size for template in asked] == [64, 32]
    first, second, third = report["models"]
    assert first["difference"] is None
    lost = second["difference"]["ccc"]["valence"]
    assert lost["value"] == pytest.approx(
        second["figures"]["ccc"]["valence"]["value"] - first["figures"]["ccc"]["valence"]["value"]
    )
    assert lost["interval"][1] < 0
    assert third["difference"]["ccc"]["arousal"] == {"value": 0, "interval": [0, 0]}


def test_expressions_and_deviations_are_read_where_a_model_has_them() -> None:
    classes = np.array([1, 1, 3, 3, 0])
    target = ferplus.CENTRES[classes].astype(float)
    report = scored(
        [SureRuntime(), KnownRuntime()], crops_saying(target[:, 0]), np.ones(5, bool), labels_of(target, classes)
    )
    sure, plain = report["models"]
    assert sure["classes"]["happiness"]["recall"]["expressions"] == 1
    assert sure["confusion"]["expressions"][0] == [0, 0, 0, 1, 0, 0, 0, 0]
    assert sure["deviation"]["coverage"]["90"]["valence"] == 1
    assert plain["deviation"] is None and "expressions" not in plain["confusion"]


def test_a_deviation_that_is_none_is_an_error() -> None:
    runtime = SureRuntime()
    for runtime.sure in (0.0, np.nan):
        with pytest.raises(DataError, match="known gives deviations that are no numbers above 0"):
            evaluate.predict(runtime, crops_saying(np.zeros(3)))


def test_predict_works_in_batches_and_keeps_affect_in_range() -> None:
    runtime = KnownRuntime(lambda crops: 3 * first_pixel(crops))
    values = np.linspace(-1, 1, 2 * evaluate.BATCH + 5)
    answer = evaluate.predict(runtime, crops_saying(values))
    assert [len(crops) for crops in runtime.shown] == [evaluate.BATCH, evaluate.BATCH, 5]
    assert_allclose(answer.affect[:, 0], np.clip(3 * values, -1, 1), atol=0.02)
    assert answer.quadrant[0] == 1 and answer.quadrant[-1] == 0


def test_no_face_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no face was found in any of the 3 pictures"):
        scored([KnownRuntime()], np.zeros((3, 4, 4, 1), np.uint8), np.zeros(3, bool), labels_of(np.zeros((3, 2))))


def ferplus_of(votes: list[list[int]], split: int = 2) -> ferplus.FerPlus:
    n = len(votes)
    padded = np.array([row + [0] * (10 - len(row)) for row in votes], np.uint8)
    return ferplus.FerPlus(np.zeros((n, 48, 48), np.uint8), padded, np.zeros(n, np.uint8), np.full(n, split, np.uint8))


def test_ferplus_labels_are_votes_times_centres_and_the_training_mean() -> None:
    part = ferplus_of([[10], [0, 5, 5], [0, 0, 0, 8, 0, 0, 0, 0, 2]])
    train = ferplus_of([[0, 10], [0, 0, 0, 10]], split=0)
    labels = evaluate.ferplus_labels(part, train, "test")
    neutral, happy, surprise, sad = ferplus.CENTRES[:4]
    assert_allclose(labels.target, [neutral, (happy + surprise) / 2, sad], rtol=1e-6)
    assert_allclose(labels.baseline, (happy + sad) / 2, rtol=1e-6)
    assert labels.classes.tolist() == [0, 1, 3]
    assert "test split" in labels.protocol and "at least 5 votes" in labels.protocol


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownRuntime:
    """The commands' runtime: valence and arousal from the crop's mean grey."""
    runtime = KnownRuntime(lambda crops: crops.mean(axis=(1, 2, 3))[:, None].repeat(2, axis=1) / 127.5 - 1)
    monkeypatch.setattr(evaluate, "open_runtime", lambda model: runtime)
    return runtime


@pytest.fixture
def table(tmp_path: Path, sample_clip: Path) -> Path:
    """Two frames with a face, and a wall."""
    capture = cv2.VideoCapture(str(sample_clip))
    cv2.imwrite(str(tmp_path / "a face.png"), capture.read()[1])
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    table = tmp_path / "faces.csv"
    table.write_text("path,valence,arousal\na face.png,-0.3,0.1\nwall.png,0,0\na face.png,0.4,0.1\n")
    return table


def test_pictures_command_scores_real_pictures(tmp_path: Path, table: Path, known: KnownRuntime) -> None:
    result = CliRunner().invoke(evaluate.evaluate, ["pictures", str(table), "--json", str(tmp_path / "f.json")])
    assert result.exit_code == 0, result.output
    assert "2 scored, 1 not found" in result.output and "faces.csv: the largest face" in result.output
    assert "the table names no expressions" in result.output
    report = json.loads((tmp_path / "f.json").read_text())
    assert (report["n"], report["missed"], report["alike"]) == (2, 1, "quadrants")
    assert report["constant"]["rmse"]["valence"] == pytest.approx(np.hypot(0.3 + 0.1 / 3, 0.4 - 0.1 / 3) / 2**0.5)
    assert np.concatenate(known.shown).shape == (2, 64, 64, 1)
    assert not (tmp_path / "f.json.part").exists()


def test_pictures_command_reads_the_sample_clips_frames_by_expression(tmp_path: Path, table: Path) -> None:
    """The models that ship, on labels that name expressions alone."""
    table.write_text("path,expression\na face.png,happy\na face.png,Neutral\nwall.png,sad\n")
    arguments = ["eval", "pictures", str(table), "--model", "anclaf-compact", "--model", "levasa-compact"]
    result = CliRunner().invoke(main, [*arguments, "--json", str(tmp_path / "f.json")])
    assert result.exit_code == 0, result.output
    assert "the classes' centres (the table has no valence and arousal)" in " ".join(result.output.split())
    assert "more than anclaf-compact" in result.output and "deviation: none" in result.output
    report = json.loads((tmp_path / "f.json").read_text())
    assert [model["name"] for model in report["models"]] == ["anclaf-compact", "levasa-compact"]
    for model in report["models"]:
        assert set(model["classes"]) == {"neutral", "happiness"}
        assert model["classes"]["neutral"]["people"]["valence"] == pytest.approx(-0.0627)
        assert model["classes"]["neutral"]["model"] == pytest.approx(model["classes"]["happiness"]["model"])


def test_a_class_that_is_not_known_is_one_plain_line(table: Path) -> None:
    table.write_text("path,expression\na face.png,happy\na face.png,bored\n")
    done = subprocess.run(
        [sys.executable, "-m", "tracker.cli", "eval", "pictures", str(table)], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "faces.csv, row 3: expression is bored; expected neutral, happiness" in done.stderr.splitlines()[-1]


def test_json_is_not_begun_in_a_folder_that_is_not_there(tmp_path: Path, known: KnownRuntime) -> None:
    arguments = ["pictures", str(tmp_path / "faces.csv"), "--json", str(tmp_path / "no" / "f.json")]
    result = CliRunner().invoke(evaluate.evaluate, arguments)
    assert isinstance(result.exception, SinkError) and "there is no folder" in str(result.exception)


def test_json_replaces_a_file_whole_and_refuses_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("old")
    evaluate.write_json({"n": 1}, path)
    assert json.loads(path.read_text()) == {"n": 1}
    with pytest.raises(SinkError, match="cannot be written: Is a directory; choose another file"):
        evaluate.write_json({"n": 1}, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]


def test_a_model_that_is_not_there_is_a_checkpoint_error() -> None:
    with pytest.raises(CheckpointError, match="no-such-model"):
        evaluate.open_runtime("no-such-model")


FERPLUS = Path(__file__).parents[2] / "shared" / "data" / "ferplus.npz"


@pytest.mark.skipif(not FERPLUS.exists(), reason="the FER+ data are not there")
def test_ferplus_command_scores_the_first_faces_of_a_split(tmp_path: Path, known: KnownRuntime) -> None:
    arguments = ["ferplus", "--data", str(FERPLUS), "--limit", "60", "--json", str(tmp_path / "f.json")]
    result = CliRunner().invoke(evaluate.evaluate, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "f.json").read_text())
    assert report["n"] + report["missed"] == 60 and report["n"] > 48
    assert report["alike"] == "classes" and sum(c["n"] for c in report["models"][0]["classes"].values()) == report["n"]
    part = ferplus.load(FERPLUS).part("test")
    target = ferplus.affect_of_votes(part.votes[:60])
    assert report["constant"]["rmse"]["valence"] == pytest.approx(target[:, 0].std(), abs=0.08)
    assert "test split" in report["protocol"]


def test_ferplus_command_names_a_file_that_is_not_ferplus(tmp_path: Path, known: KnownRuntime) -> None:
    result = CliRunner().invoke(evaluate.evaluate, ["ferplus", "--data", str(tmp_path / "none.npz")])
    assert isinstance(result.exception, DataError) and "no such file" in str(result.exception)
