"""`affect train anclaf`, from a FER+ file to a checkpoint whose card tells what was measured; run twice, it goes on."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from nets.checkpoint import load, read_card
from tracker.cli import main
from tracker.config import TrackerConfig
from tracker.faces.landmarks import FaceLandmarker
from train.anclaf import StageOneConfig

FACES_A_SPLIT = 12


@pytest.fixture(scope="module")
def ferplus_file(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file in FER+'s own layout: grey faces of the sample clip, the later (smiling) half voted happy."""
    video, landmarker, images = cv2.VideoCapture(str(sample_clip)), FaceLandmarker(TrackerConfig()), []
    while len(images) < 3 * FACES_A_SPLIT and (read := video.read())[0]:
        for _ in range(4):
            video.grab()
        faces = landmarker.detect(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
        x0, y0, x1, y1 = faces[0].box.clip(0).astype(int)
        images.append(cv2.resize(cv2.cvtColor(read[1][y0:y1, x0:x1], cv2.COLOR_BGR2GRAY), (48, 48)))
    landmarker.close()
    happy = np.arange(len(images)) >= len(images) // 2
    votes = np.zeros((len(images), 10), np.uint8)
    votes[np.arange(len(images)), np.where(happy, 1, 0)] = 10
    path = tmp_path_factory.mktemp("data") / "ferplus.npz"
    split = (np.arange(len(images)) % 3).astype(np.uint8)
    np.savez(path, images=np.stack(images), votes=votes, label=np.where(happy, 3, 6).astype(np.uint8), split=split)
    return path


@pytest.mark.slow
def test_train_measures_and_goes_on(ferplus_file: Path, tmp_path: Path) -> None:
    config = replace(StageOneConfig.read("compact-ferplus"), epochs=1, settle_epochs=0, batch=8)
    (tmp_path / "small.json").write_text(json.dumps(asdict(config)))
    call = ["train", "anclaf", "--config", str(tmp_path / "small.json"), "--data", str(ferplus_file)]
    call += ["--out", str(tmp_path / "runs")]
    for epochs in (1, 2):
        result = CliRunner().invoke(main, [*call, "--epochs", str(epochs)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        path = tmp_path / "runs" / "small" / "anclaf-compact.safetensors"
        _, card = load(path)
        assert card.training["epochs_done"] == epochs
        assert read_card(path).figures["ferplus"]["n"] + read_card(path).figures["ferplus"]["missed"] == FACES_A_SPLIT
    log = [json.loads(line) for line in (tmp_path / "runs" / "small" / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [1, 2]


def test_a_configuration_that_is_not_there_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["train", "anclaf", "--config", "nothing", "--data", "x.npz"])
    assert result.exit_code == 2
    assert "no configuration 'nothing'; expected one of compact-ferplus" in result.output


def test_data_that_are_not_there() -> None:
    result = CliRunner().invoke(main, ["train", "anclaf", "--data", "gone.npz", "--out", "/dev/null/x"])
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert "Traceback" not in result.output
