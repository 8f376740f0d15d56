"""ANCLaF's second stage for one n: the recurrence over windows of stored features (Aspandi et al. 2021, Eq. 4 to 8)."""

import hashlib
import math
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from nets.anclaf.combiner import Recurrence
from train import metrics, run
from train.config import StageTwoConfig
from train.losses import affect_loss
from train.prepared import Prepared
from train.windows import set_windows

WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class Frames:
    """What is known of the N frames of a set, on the device that trains."""

    feature: Tensor
    """(N, F), standardised."""
    affect: Tensor
    """(N, 2) in [-1, 1]; 0 where there is no annotation."""
    weights: Tensor
    """(N, 2): of each frame for valence and for arousal; 0 where it must not count."""


@dataclass(frozen=True)
class Windows:
    """The windows of M frames."""

    rows: Tensor
    """(M,): the newest frame of each."""
    picks: Tensor
    """(M, n): its frames, oldest first."""
    valid: Tensor
    """(M, n) bool."""
    before: Tensor
    """(M,): which window is that of the frame before in the same clip; -1 where none is, or a gap lies between."""

    def __len__(self) -> int:
        return len(self.rows)


def windows_of(data: Prepared, keep: np.ndarray, length: int, config: StageTwoConfig) -> Windows:
    """The windows, as the tracker would form them, of the frames that are kept (N,) bool and annotated."""
    rows, picks, valid = set_windows(data, keep, length, config.rate_hz, config.max_gap_s)
    before = np.arange(len(rows)) - 1
    if len(rows):
        apart = (np.diff(data.clip[rows]) != 0) | (np.diff(data.time[rows]) > config.max_gap_s)
        before[1:][apart] = -1
    device = run.device()
    return Windows(*(torch.from_numpy(each).to(device) for each in (rows, picks, valid, before)))


class StageTwo:
    """The training of one recurrence: everything that a checkpoint has to hold to go on where it stopped."""

    def __init__(
        self,
        recurrence: Recurrence,
        config: StageTwoConfig,
        epochs: int,
        seed: int,
        data: tuple[Frames, Windows],
        folder: Path,
    ) -> None:
        self.config, self.epochs, self.seed = config, epochs, seed
        self.frames, self.windows, self.folder = *data, folder
        self.rank, self.world = run.rank_and_world()
        self.log = run.Log(folder)
        self.recurrence = deepcopy(recurrence).to(self.frames.feature.device)
        self.key = self._key()
        self.average = deepcopy(self.recurrence).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            self.recurrence.parameters(), self.config.learning_rate, weight_decay=self.config.weight_decay
        )
        length = self.windows.picks.shape[1]
        self.batch = max(2, min(self.config.frames_per_batch // length, len(self.windows)))
        self.steps = max(1, len(self.windows) // self.batch)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimiser, self._rate)
        self.epoch = 0

    def _key(self) -> str:
        """Of all that decides the weights: settings, data, and the weights at the start."""
        digest = hashlib.sha256(repr((self.config, self.epochs, self.seed)).encode())
        for tensor in (
            *vars(self.frames).values(),
            *vars(self.windows).values(),
            *self.recurrence.state_dict().values(),
        ):
            digest.update(np.ascontiguousarray(tensor.cpu().numpy()).data)
        return digest.hexdigest()

    def _rate(self, step: int) -> float:
        """Share of the learning rate: up in a line over WARM_UP of the steps, then down along a cosine to zero."""
        total = max(1, self.epochs * self.steps)
        rise = max(1.0, WARM_UP * total)
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 * (1 + math.cos(math.pi * (min(step, total) - rise) / max(1.0, total - rise)))

    def run(self, validation: Windows) -> Recurrence:
        """All epochs that are left; returns the averaged recurrence."""
        while self.epoch < self.epochs:
            started = time.monotonic()
            losses = self._run_epoch()
            self.epoch += 1
            if self.rank == 0:
                self.save()
                seconds = round(time.monotonic() - started, 1)
                scores = validate(self.average, self.frames, validation)
                self.log.write(self.epoch, {"epoch": self.epoch, "seconds": seconds, **losses, **scores})
        return self.average

    def _run_epoch(self) -> dict[str, float]:
        """Every epoch draws from its own seed, so that a resumed run is the run that was stopped."""
        self.recurrence.train()
        draw = torch.Generator().manual_seed(self.seed + 1000 * self.epoch)
        order = torch.randperm(len(self.windows), generator=draw)
        anchors = self.batch // 2 if self._pairs else self.batch
        batches = order[: self.steps * anchors].split(anchors)
        bar = tqdm(
            batches, f"{self.folder.name} epoch {self.epoch + 1}/{self.epochs}", leave=False, disable=self.rank > 0
        )
        device = self.frames.feature.device
        return run.mean_losses(self._step(index[self.rank :: self.world].to(device)) for index in bar)

    @property
    def _pairs(self) -> bool:
        """Whether the change between consecutive frames is scored."""
        return self.config.loss.get("change", 0.0) > 0

    def _step(self, index: Tensor) -> dict[str, Tensor]:
        losses = self._losses(index)
        total = run.total_of(losses, lambda name: self.config.loss.get(name, 0.0))
        run.descend(self.optimiser, self.schedule, total, longest=1.0)
        run.follow(self.average, self.recurrence, self.config.average_decay, self.schedule.last_epoch)
        return {name: value.detach() for name, value in losses.items()}

    def _losses(self, index: Tensor) -> dict[str, Tensor]:
        """Of the windows at index (B,), and of those of the frames before them where the change counts."""
        if not self._pairs:
            return {"affect": self._affect_loss(index, self._answers(index))}
        before = self.windows.before[index]
        both = torch.cat([index, torch.where(before >= 0, before, index)])
        answers = self._answers(both)
        newest = answers[:, -1] - self.frames.affect[self.windows.rows[both]]
        error = (newest[: len(index)] - newest[len(index) :]) ** 2
        return {"affect": self._affect_loss(both, answers), "change": mean_where(error, before >= 0)}

    def _answers(self, index: Tensor) -> Tensor:
        """(B, n, 2)."""
        return self.recurrence(self.frames.feature[self.windows.picks[index]], self.windows.valid[index])[0]

    def _affect_loss(self, index: Tensor, answers: Tensor) -> Tensor:
        """Mean over the steps of the loss across the batch at each; a slot that is not valid does not count."""
        picks, valid = self.windows.picks[index], self.windows.valid[index]
        if self.config.steps == "last":
            picks, valid, answers = picks[:, -1:], valid[:, -1:], answers[:, -1:]
        weights = self.frames.weights[picks] * valid[:, :, None]
        return affect_loss(answers.flatten(1), self.frames.affect[picks].flatten(1), weights.flatten(1))

    def save(self) -> None:
        """Write the state to the folder, atomically."""
        state = {**run.states_of(self, STATE), "epoch": self.epoch, "key": self.key}
        run.save_state(self.folder / run.STATE_FILE, state)

    def resume(self) -> bool:
        """Go on from the folder's state; False where there is none, or it is of other settings, data or weights."""
        path = self.folder / run.STATE_FILE
        state: dict[str, Any] = run.load_state(path) if path.exists() else {}
        if state.get("key") != self.key:
            return False
        run.fill_all(self, STATE, state, path)
        self.epoch = state["epoch"]
        return True


STATE = ("recurrence", "average", "optimiser", "schedule")


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the rows of values (B, K) where mask (B,); 0 where none is."""
    return (values * mask[:, None]).sum() / (mask.sum() * values.shape[1]).clamp(min=1)


@torch.no_grad()
def predict(recurrence: Recurrence, frames: Frames, windows: Windows, batch: int = 2048) -> np.ndarray:
    """Affect (M, 2) in [-1, 1] of the newest frame of each window."""
    parts = [
        recurrence(frames.feature[picks], valid)[0][:, -1]
        for picks, valid in zip(windows.picks.split(batch), windows.valid.split(batch), strict=True)
    ]
    return torch.cat(parts).clamp(-1, 1).cpu().numpy()


def validate(recurrence: Recurrence, frames: Frames, windows: Windows) -> dict[str, float]:
    """RMSE and CCC of both axes, and trembling: the mean absolute frame-to-frame change where the truth is constant."""
    if not len(windows):
        return {}
    return scores_of(predict(recurrence, frames, windows), frames.affect[windows.rows].cpu().numpy(), windows)


def scores_of(affect: np.ndarray, target: np.ndarray, windows: Windows) -> dict[str, float]:
    """The figures of predictions (M, 2) against targets (M, 2)."""
    scores = {}
    for axis, name in enumerate(("valence", "arousal")):
        scores[f"rmse_{name}"] = metrics.rmse(affect[:, axis], target[:, axis])
        scores[f"ccc_{name}"] = metrics.ccc(affect[:, axis], target[:, axis])
    scores["trembling"] = trembling(affect, target, windows.before.cpu().numpy())
    return {name: round(float(value), 5) for name, value in scores.items()}


def trembling(affect: np.ndarray, target: np.ndarray, before: np.ndarray) -> float:
    """Mean |change| from each frame's predecessor where the truth (M, 2) is constant, both axes; NaN if it never is."""
    now = np.flatnonzero(before >= 0)
    still = np.abs(target[now] - target[before[now]]) < 1e-6
    return float(np.abs(affect[now] - affect[before[now]])[still].mean()) if still.any() else math.nan
