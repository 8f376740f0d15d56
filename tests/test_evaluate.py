"""`affect eval` with a runtime whose answers are known, and on real pictures through detection and alignment."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose
from scipy import stats

from nets import network
from tracker.errors import CheckpointError, DataError, SinkError
from tracker.faces.align import Template
from train import evaluate
from train.datasets import ferplus
from train.evaluate import Answer, Task

KEYS = {"n", "missed", "ccc", "ccc_balanced", "pcc", "icc", "rmse", "sagr"}
FURTHER = {"quadrant", "baseline", "intervals", "model", "sha256", "protocol"}


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


def crops_saying(values: np.ndarray) -> np.ndarray:
    """Crops (N, 4, 4, 1) whose first pixel is valence and arousal in KnownRuntime."""
    return np.tile(np.round((values + 1) * 127.5).astype(np.uint8)[:, None, None, None], (1, 4, 4, 1))


def task_of(target: np.ndarray, classes: np.ndarray | None = None) -> Task:
    classes = np.arange(len(target)) % 2 if classes is None else classes
    return Task(target, classes, target.mean(axis=0), "a protocol of the test")


@pytest.fixture(scope="module")
def report() -> dict:
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, (150, 2))
    found = rng.random(150) < 0.9
    said = np.clip(0.7 * target[:, 0] + 0.2 * rng.normal(size=150), -1, 1)
    return evaluate.score(KnownRuntime(), crops_saying(said), found, task_of(target))


def test_report_has_every_key_and_axis(report: dict) -> None:
    assert set(report) == KEYS | FURTHER
    assert report["n"] + report["missed"] == 150 and report["missed"] > 0
    for name in KEYS - {"n", "missed"}:
        assert (
            set(report[name])
            == set(report["baseline"][name])
            == set(report["intervals"][name])
            == {"valence", "arousal"}
        )
    assert (report["model"], report["sha256"], report["protocol"]) == ("known", "ab" * 32, "a protocol of the test")
    json.dumps(report, allow_nan=False)


def test_every_figure_lies_in_its_interval_and_beats_the_constant(report: dict) -> None:
    for name, axes in report["intervals"].items():
        for axis, (low, high) in axes.items():
            assert low < report[name][axis] < high, (name, axis)
    assert report["ccc"]["valence"] > 0.8 and report["rmse"]["valence"] < report["baseline"]["rmse"]["valence"]
    assert report["baseline"]["ccc"] == report["baseline"]["pcc"] == {"valence": 0, "arousal": 0}
    assert report["baseline"]["quadrant"]["affect"] == 0.25


def test_faces_that_were_not_found_are_neither_shown_nor_scored() -> None:
    target = np.linspace(-1, 1, 10)[:, None].repeat(2, axis=1)
    found = np.arange(10) != 3
    crops = crops_saying(target[:, 0])
    crops[3] = 255
    runtime = KnownRuntime()
    report = evaluate.score(runtime, crops, found, task_of(target))
    assert (report["n"], report["missed"]) == (9, 1)
    assert np.concatenate(runtime.shown)[:, 0, 0, 0].tolist() == crops[found][:, 0, 0, 0].tolist()
    assert report["ccc"]["valence"] > 0.999


def test_figures_are_those_of_the_answer() -> None:
    rng = np.random.default_rng(1)
    target, affect = rng.uniform(-1, 1, (80, 2)), rng.uniform(-1, 1, (80, 2))
    figures = evaluate.figures_of(Answer(affect, rng.integers(0, 4, 80)), task_of(target))
    assert figures["pcc"]["arousal"] == pytest.approx(stats.pearsonr(affect[:, 1], target[:, 1]).statistic)
    assert figures["rmse"]["valence"] == pytest.approx(np.sqrt(((affect - target)[:, 0] ** 2).mean()))
    agreed = np.sign(affect[:, 1]) == np.sign(target[:, 1])
    assert figures["sagr"]["arousal"] == pytest.approx(agreed.mean())


def test_balanced_ccc_is_the_ccc_of_repeated_faces_and_forgives_no_rare_class() -> None:
    rng = np.random.default_rng(2)
    classes = np.array([0] * 90 + [1] * 10)
    target = np.where(classes[:, None] == 0, -0.2, 0.8) + 0.1 * rng.normal(size=(100, 2))
    affect = np.where(classes[:, None] == 0, target, 0)
    repeats = np.where(classes == 0, 1, 9)
    quadrant = np.zeros(100, int)
    figures = evaluate.figures_of(Answer(affect, quadrant), task_of(target, classes))
    again, known = affect.repeat(repeats, axis=0), target.repeat(repeats, axis=0)
    repeated = evaluate.figures_of(Answer(again, quadrant.repeat(repeats)), task_of(known))
    assert figures["ccc_balanced"] == pytest.approx(repeated["ccc"])
    assert figures["ccc_balanced"]["valence"] < figures["ccc"]["valence"]


def test_quadrant_is_told_by_d_and_from_affect() -> None:
    target = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)])
    answer = Answer(affect=np.abs(target), quadrant=np.array([0, 1, 2, 0]))
    assert evaluate.figures_of(answer, task_of(target))["quadrant"] == {"discriminator": 0.75, "affect": 0.25}


def test_predict_works_in_batches_and_keeps_affect_in_range() -> None:
    runtime = KnownRuntime(lambda crops: 3 * first_pixel(crops))
    values = np.linspace(-1, 1, 2 * evaluate.BATCH + 5)
    answer = evaluate.predict(runtime, crops_saying(values))
    assert [len(crops) for crops in runtime.shown] == [evaluate.BATCH, evaluate.BATCH, 5]
    assert_allclose(answer.affect[:, 0], np.clip(3 * values, -1, 1), atol=0.02)
    assert answer.quadrant[0] == 1 and answer.quadrant[-1] == 0


def test_no_face_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="no face was found in any of the 3 pictures"):
        evaluate.score(KnownRuntime(), np.zeros((3, 4, 4, 1), np.uint8), np.zeros(3, bool), task_of(np.zeros((3, 2))))


def test_table_is_aligned_and_names_every_figure(report: dict) -> None:
    lines = evaluate.table_of(report).splitlines()
    starts = (*evaluate.MEASURES, "quadrant (")
    rows = [line for line in lines if line.startswith((*starts, "      "))]
    assert [line.split()[0] for line in lines if line.startswith(starts)] == [*evaluate.MEASURES, "quadrant"]
    assert len({len(row) for row in rows}) == 1
    assert f"{report['n']} scored, {report['missed']} not found" in lines[2]
    low, high = report["intervals"]["ccc"]["valence"]
    assert f"{report['ccc']['valence']:.3f}   {low:.3f} to {high:.3f}" in "\n".join(lines)


def ferplus_of(votes: list[list[int]], split: int = 2) -> ferplus.FerPlus:
    n = len(votes)
    padded = np.array([row + [0] * (10 - len(row)) for row in votes], np.uint8)
    return ferplus.FerPlus(np.zeros((n, 48, 48), np.uint8), padded, np.zeros(n, np.uint8), np.full(n, split, np.uint8))


def test_ferplus_task_is_votes_times_centres_and_the_training_mean() -> None:
    part = ferplus_of([[10], [0, 5, 5], [0, 0, 0, 8, 0, 0, 0, 0, 2]])
    train = ferplus_of([[0, 10], [0, 0, 0, 10]], split=0)
    task = evaluate.ferplus_task(part, train, "test")
    neutral, happy, surprise, sad = ferplus.CENTRES[:4]
    assert_allclose(task.target, [neutral, (happy + surprise) / 2, sad], rtol=1e-6)
    assert_allclose(task.baseline, (happy + sad) / 2, rtol=1e-6)
    assert task.classes.tolist() == [0, 1, 3]
    assert "test split" in task.protocol and "at least 5 votes" in task.protocol


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownRuntime:
    """The commands' runtime: valence and arousal from the crop's mean grey."""
    runtime = KnownRuntime(lambda crops: crops.mean(axis=(1, 2, 3))[:, None].repeat(2, axis=1) / 127.5 - 1)
    monkeypatch.setattr(evaluate, "open_runtime", lambda model: runtime)
    return runtime


def test_images_command_scores_real_pictures(tmp_path: Path, sample_clip: Path, known: KnownRuntime) -> None:
    capture = cv2.VideoCapture(str(sample_clip))
    cv2.imwrite(str(tmp_path / "a face.png"), capture.read()[1])
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 128, np.uint8))
    table = tmp_path / "faces.csv"
    table.write_text("path,valence,arousal\na face.png,-0.3,0.1\nwall.png,0,0\na face.png,0.4,0.1\n")
    result = CliRunner().invoke(evaluate.evaluate, ["images", str(table), "--json", str(tmp_path / "f.json")])
    assert result.exit_code == 0, result.output
    assert "2 scored, 1 not found" in result.output and "faces.csv: the largest face" in result.output
    report = json.loads((tmp_path / "f.json").read_text())
    assert (report["n"], report["missed"]) == (2, 1) and set(report) >= KEYS
    assert report["baseline"]["rmse"]["valence"] == pytest.approx(np.hypot(0.3 + 0.1 / 3, 0.4 - 0.1 / 3) / 2**0.5)
    assert np.concatenate(known.shown).shape == (2, 64, 64, 1)
    assert not (tmp_path / "f.json.part").exists()


def test_json_is_not_begun_in_a_folder_that_is_not_there(tmp_path: Path, known: KnownRuntime) -> None:
    arguments = ["images", str(tmp_path / "faces.csv"), "--json", str(tmp_path / "no" / "f.json")]
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
    part = ferplus.load(FERPLUS).part("test")
    target = ferplus.affect_of_votes(part.votes[:60])
    assert report["baseline"]["rmse"]["valence"] == pytest.approx(target[:, 0].std(), abs=0.08)
    assert "test split" in report["protocol"]


def test_ferplus_command_names_a_file_that_is_not_ferplus(tmp_path: Path, known: KnownRuntime) -> None:
    result = CliRunner().invoke(evaluate.evaluate, ["ferplus", "--data", str(tmp_path / "none.npz")])
    assert isinstance(result.exception, DataError) and "no such file" in str(result.exception)
