"""Speed of training on this machine.

Pictures a second of stage one, windows a second of stage two from stored features, and the same windows when every
frame goes through G, D and C's convolutions again, as training C from images does. The pictures are noise: their
content does not change what a step costs. The paper claims 1 : 4 (12 hours against 2 days).
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.report import Report, Round, markdown
from nets.anclaf import Anclaf, with_recurrence
from tracker.errors import UsageError
from train.anclaf import StageOne
from train.config import TrainingConfig, read_config
from train.examples import Examples
from train.losses import affect_loss, soft_quadrants
from train.stage_two import Frames, StageTwo, Windows

PICTURES = 512
LENGTHS = (2, 8, 32)
STAGE_ONE = "stage one, pictures/s"


def noise_pictures(config: TrainingConfig) -> Examples:
    """PICTURES crops of noise with random affect."""
    crop = config.crop
    side = crop.size + 2 * crop.margin
    crops = np.random.default_rng(0).integers(0, 256, (PICTURES, side, side, crop.channels), np.uint8)
    affect = torch.rand(PICTURES, 2) * 2 - 1
    emotions = torch.full((PICTURES, 8), 0.125)
    return Examples(crops, np.arange(PICTURES), affect, soft_quadrants(affect, 0.1), emotions)


def noise_windows(config: TrainingConfig, length: int) -> tuple[Frames, Windows]:
    """Windows over PICTURES random features, as if they were one clip."""
    assert config.stage_two is not None
    feature, affect = torch.randn(PICTURES, config.networks.feature), torch.rand(PICTURES, 2) * 2 - 1
    rows = torch.arange(length - 1, PICTURES)
    picks = rows[:, None] - torch.arange(length - 1, -1, -1)
    windows = Windows(rows, picks, torch.ones_like(picks, dtype=torch.bool), torch.arange(len(rows)) - 1)
    return Frames(feature, affect, torch.ones(PICTURES, 2)), windows


def rate(step: Callable[[], Any], units: int, seconds: float) -> float:
    """Units a second of a step that handles `units`, over at least `seconds`, after one that does not count."""
    step()
    started, done = time.perf_counter(), 0
    while (passed := time.perf_counter() - started) < seconds or done < 2:
        step()
        done += 1
    return units * done / passed


def stage_one_rate(config: TrainingConfig, folder: Path, seconds: float) -> float:
    """Pictures a second of G, D and C, the game included where the configuration plays it."""
    data = noise_pictures(config)
    stage = StageOne(config, data, folder)
    stage._weights = torch.ones(PICTURES, 2)
    batch = min(config.stage_one.batch, PICTURES)
    return rate(lambda: stage._step(0, torch.arange(batch)), batch, seconds)


def stage_two_rates(config: TrainingConfig, length: int, folder: Path, seconds: float) -> dict[str, float]:
    """Windows a second of SA-n from stored features, and from pictures through the frozen encoders."""
    two, data = config.stage_two, noise_windows(config, length)
    assert two is not None
    single = Anclaf(config.networks).eval().requires_grad_(False)
    model = with_recurrence(single, "attention", hidden=two.hidden, score=two.score)
    assert model.combiner.recurrence is not None
    stage = StageTwo(model.combiner.recurrence, two, 1, config.seed, data, folder)
    index = torch.arange(min(stage.batch, len(data[1])))
    few = index[: max(2, 256 // length)]
    pictures = noise_pictures(config)
    return {
        "features": rate(lambda: stage._step(index), len(index), seconds),
        "pictures": rate(lambda: step_from_pictures(stage, single, pictures, few), len(few), seconds),
    }


def step_from_pictures(stage: StageTwo, single: Anclaf, pictures: Examples, index: Tensor) -> None:
    """One step of stage two in which the windows' frames are encoded anew."""
    picks = stage.windows.picks[index]
    crops = pictures.pictures(picks.flatten())
    margin = (crops.shape[-1] - single.config.size) // 2
    inner = crops[..., margin : crops.shape[-1] - margin, margin : crops.shape[-1] - margin]
    with torch.no_grad():
        feature = single.encode(inner).feature.view(*picks.shape, -1)
    answers, _ = stage.recurrence(feature, stage.windows.valid[index])
    loss = affect_loss(answers.flatten(1), stage.frames.affect[picks].flatten(1), torch.ones(picks.shape[0]))
    stage.optimiser.zero_grad()
    loss.backward()
    stage.optimiser.step()


def rates(config: TrainingConfig, seconds: float) -> Round:
    """All rates once."""
    with tempfile.TemporaryDirectory() as folder:
        found = {STAGE_ONE: stage_one_rate(config, Path(folder), seconds)}
        for length in LENGTHS:
            both = stage_two_rates(config, length, Path(folder), seconds)
            found |= {f"SA-{length} from {kind}, windows/s": rate for kind, rate in both.items()}
            found[f"SA-{length}, features / pictures"] = both["features"] / both["pictures"]
    return found


def measure(config: str, seconds: float, repeat: int) -> Report:
    """Rounds of all rates for a configuration of train/configs/. Raises UsageError where it has no stage two."""
    settings = read_config(config)
    if settings.stage_two is None:
        raise UsageError(f"the configuration {config} has no stage two, whose speed is measured; try compact")
    rounds = [rates(settings, seconds) for _ in range(repeat)]
    columns = {name: [each[name] for each in rounds] for name in rounds[0]}
    rows = [[name, *(f"{value:.1f}" for value in (np.median(v), min(v), max(v)))] for name, v in columns.items()]
    text = markdown(["training", "median", "least", "most"], rows)
    chosen = {"config": config, "seconds": seconds, "repeat": repeat, "threads": torch.get_num_threads()}
    return Report("training", chosen, rounds, text, more_is_better=tuple(columns))
