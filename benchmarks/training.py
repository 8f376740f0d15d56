"""Speed of training on this machine: python -m benchmarks.training [--config compact].

Pictures a second of stage one, windows a second of stage two from stored features, and the same windows when every
frame goes through G, D and C's convolutions again, as training C from images does. The pictures are noise: their
content does not change what a step costs. The paper claims 1 : 4 (12 hours against 2 days).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.machine import machine, machine_lines
from nets.anclaf import Anclaf, with_recurrence
from train.anclaf import StageOne
from train.config import TrainingConfig, read_config
from train.examples import Examples
from train.losses import affect_loss, soft_quadrants
from train.stage_two import Frames, StageTwo, Windows

PICTURES = 512
LENGTHS = (2, 8, 32)


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
        feature = single.encode(inner)[0].view(*picks.shape, -1)
    answers, _ = stage.recurrence(feature, stage.windows.valid[index])
    loss = affect_loss(answers.flatten(1), stage.frames.affect[picks].flatten(1), torch.ones(picks.shape[0]))
    stage.optimiser.zero_grad()
    loss.backward()
    stage.optimiser.step()


def measure(config: TrainingConfig, seconds: float) -> dict[str, Any]:
    """All rates."""
    with tempfile.TemporaryDirectory() as folder:
        rates: dict[str, Any] = {"stage one, pictures/s": stage_one_rate(config, Path(folder), seconds)}
        for length in LENGTHS:
            both = stage_two_rates(config, length, Path(folder), seconds)
            rates[f"SA-{length}, windows/s"] = {**both, "ratio": both["features"] / both["pictures"]}
    return rates


def table_of(rates: dict[str, Any]) -> str:
    """The rates as aligned text."""
    lines = [f"stage one   {rates['stage one, pictures/s']:8.0f} pictures/s", ""]
    lines.append(f"{'stage two':12}{'features':>12}{'pictures':>12}{'ratio':>9}   windows/s")
    for name, both in list(rates.items())[1:]:
        figures = f"{both['features']:12.0f}{both['pictures']:12.1f}{both['ratio']:9.0f}"
        lines.append(f"{name.partition(',')[0]:12}{figures}")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="compact", help="a name of train/configs/ with a stage two")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rates, measured_on = measure(read_config(arguments.config), arguments.seconds), machine()
    print(f"{machine_lines(measured_on)}\nthreads   {torch.get_num_threads()}\n\n{table_of(rates)}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": measured_on, "rates": rates}, indent=2) + "\n")


if __name__ == "__main__":
    main()
