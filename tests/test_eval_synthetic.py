"""`affect eval synthetic`: figures of models on clips whose truth is known."""

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tracker.cli import main
from tracker.errors import DataError
from tracker.sources import open_source
from train import metrics
from train.scoring.synthetic import Clips, files_of, score, truth_of
from train.synthesis.clips import encoded

TIME = np.arange(250) / 25


def wave(delay_s: float, phase: float = 0.0) -> np.ndarray:
    """(250, 2): a trace that moves on both axes."""
    at = TIME - delay_s
    return np.stack([0.5 * np.sin(2.1 * at + phase) + 0.2 * np.sin(5.3 * at), 0.4 * np.cos(1.7 * at + phase)], axis=1)


def two_clips(delay_s: float = 0.0) -> tuple[Clips, np.ndarray]:
    truth, seen = (np.concatenate([wave(delay), wave(delay, 1.0)]) for delay in (0.0, delay_s))
    return Clips(("a", "b"), np.repeat([0, 1], 250), np.tile(TIME, 2), truth), seen


@pytest.mark.parametrize("delay_ms", [0, 80, 240])
def test_the_lag_of_a_late_trace_is_how_late_it_is(delay_ms: int) -> None:
    clips, seen = two_clips(delay_ms / 1000)
    assert score(seen, clips)["lag_ms"][0] == pytest.approx(delay_ms, abs=10)


def test_the_figures_are_those_of_the_metrics() -> None:
    clips, seen = two_clips(0.2)
    seen[::7] = np.nan
    kept, report = np.isfinite(seen[:, 0]), score(seen, clips)
    for name in ("rmse", "ccc", "pcc"):
        for axis, key in enumerate(("valence", "arousal")):
            expected = getattr(metrics, name)(seen[kept, axis], clips.truth[kept, axis])
            assert report[name][key][0] == pytest.approx(expected, abs=1e-9)


def test_trembling_is_counted_only_while_the_truth_rests() -> None:
    truth = np.zeros((100, 2))
    truth[50:] = np.linspace(0, 1, 50)[:, None]
    seen = truth + np.where(np.arange(100) % 2, 0.01, -0.01)[:, None]
    clips = Clips(("a",), np.zeros(100, int), np.arange(100) / 25, truth)
    assert score(seen, clips)["trembling"]["average"][0] == pytest.approx(0.02)


def test_a_constant_has_no_lag_and_no_correlation() -> None:
    clips, _ = two_clips()
    report = score(np.full((500, 2), 0.1), clips)
    assert report["lag_ms"][0] is None and report["ccc"]["average"][0] == 0


FRAMES = 40


def with_table(folder: Path, clip: Path, frames: int) -> Path:
    """The first frames of a clip, and a table with a truth for so many."""
    with open_source(str(clip)) as source:
        images = np.stack([frame.image for frame in islice(source, FRAMES)])
    (folder / "clip-000.mp4").write_bytes(encoded(images, 25))
    rows = [f"clip-000.mp4,{frame},p,{np.sin(frame / 20):.3f},0.1" for frame in range(frames)]
    (folder / "table.csv").write_text("\n".join(["video,frame,subject,valence,arousal", *rows]), encoding="utf-8")
    return folder / "clip-000.mp4"


def test_a_shipped_model_is_scored_beside_a_constant(tmp_path: Path, sample_clip: Path) -> None:
    with_table(tmp_path, sample_clip, FRAMES)
    done = CliRunner().invoke(main, ["eval", "synthetic", str(tmp_path), "--model", "anclaf-compact", "--json",
                                     str(tmp_path / "report.json")])  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in report["rows"]] == [
        "constant", "anclaf-compact", "anclaf-compact + One-Euro (tracker)"]  # fmt: skip
    assert report["frames"] == FRAMES and report["rows"][1]["missed"] < 10
    assert report["rows"][0]["rmse"]["valence"][0] == pytest.approx(np.sin(np.arange(FRAMES) / 20).std(), abs=1e-3)
    assert "1 clip (no interval: one clip), 40 frames" in done.output
    assert all(row[name]["average"][1:] == [None, None] for row in report["rows"] for name in ("rmse", "ccc"))


def test_a_table_with_other_frames_is_told(tmp_path: Path, sample_clip: Path) -> None:
    with_table(tmp_path, sample_clip, 30)
    done = CliRunner().invoke(main, ["eval", "synthetic", str(tmp_path)])
    assert done.exit_code == 1 and "has 40 frames, table.csv beside it 30; make the clips again" in done.output


def test_what_is_no_clip_is_told(tmp_path: Path, sample_clip: Path) -> None:
    with pytest.raises(DataError, match=r"no .mp4 in .*; expected clips of affect synth clips"):
        files_of([tmp_path])
    with pytest.raises(DataError, match=r"gone.mp4: no such file"):
        files_of([tmp_path / "gone.mp4"])
    shutil.copy(sample_clip, tmp_path / "lone.mp4")
    with pytest.raises(DataError, match=r"no table.csv beside it; expected a clip of affect synth clips"):
        files_of([tmp_path])
    (tmp_path / "table.csv").write_text("video,frame,valence,arousal\nlone.mp4,1,0,0\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 frames of lone.mp4; expected each once, from 0"):
        truth_of(tmp_path / "lone.mp4")
