"""The whole of a training on a set in the layout of AFEW-VA: prepare, folds, all stages, and the table."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tracker import Engine, open_source, track
from tracker.cli import main

ACTORS, CLIPS_EACH, FRAMES = 6, 2, 48
LENGTHS = (2, 4, 8, 16, 32)


def run(*call: object) -> str:
    result = CliRunner().invoke(main, [str(part) for part in call], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def root(sample_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Excerpts of the sample clip, each actor in a light of their own; labels are the shipped model's, rounded."""
    folder = tmp_path_factory.mktemp("afew")
    with open_source(str(sample_clip)) as source, Engine() as engine:
        seen = [(tracked.frame.image, tracked.samples[0]) for tracked in track(source, engine)]
    rng = np.random.default_rng(0)
    for clip in range(ACTORS * CLIPS_EACH):
        actor, start = clip % ACTORS, int(rng.integers(0, len(seen) - FRAMES))
        frames = {}
        for i, (image, sample) in enumerate(seen[start : start + FRAMES]):
            lit = cv2.convertScaleAbs(image[:, :: 1 - 2 * (actor % 2)], alpha=0.6 + 0.12 * actor, beta=5 * actor)
            path = folder / f"{clip + 1:03d}" / f"{i:05d}.jpg"
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), cv2.cvtColor(lit, cv2.COLOR_RGB2BGR))
            labels = {"valence": round(10 * sample.valence_smooth), "arousal": round(10 * sample.arousal_smooth)}
            frames[f"{i:05d}"] = {**labels, "landmarks": []}
        text = json.dumps({"video_id": f"{clip + 1:03d}", "actor": f"actor {actor}", "frames": frames})
        (folder / f"{clip + 1:03d}" / f"{clip + 1:03d}.json").write_text(text)
    return folder


@pytest.mark.slow
def test_a_whole_training_on_a_set_like_afew_va(root: Path, tmp_path: Path) -> None:
    prepared, folds, runs = tmp_path / "prepared", tmp_path / "folds.json", tmp_path / "runs"
    run("prepare", "afew-va", "--root", root, "--out", prepared, "--workers", 1)
    run("eval", "folds", prepared, "--out", folds, "--count", 3)
    call = ["train", "anclaf", "--config", "smoke", "--data", prepared, "--out", runs, "--folds", folds, "--fold", 0]
    run(*call, "--processes", 1)
    out = runs / "smoke-fold-0"
    names = ["anclaf-smoke"] + [f"anclaf-smoke-{kind}-{n}" for n in LENGTHS for kind in ("S", "SA")]
    assert sorted(path.stem for path in out.glob("*.safetensors")) == sorted(names)
    models = [part for name in names for part in ("--model", out / f"{name}.safetensors")]
    figures = tmp_path / "figures.json"
    print(run("eval", "sequences", prepared, *models, "--folds", folds, "--fold", 0, "--json", figures, "--rounds", 50))
    rows = {row["name"]: row for row in json.loads(figures.read_text())["rows"]}
    assert set(names) <= set(rows)
    constant, single, attention = (rows[name]["figures"]["rmse"]["valence"] for name in (
        "training mean", "anclaf-smoke", "anclaf-smoke-SA-8"))  # fmt: skip
    assert max(single, attention) < 0.6 * constant
    print(run("eval", "--table", figures))
