"""What `affect eval sequences` reports of each row: figures, bootstrap intervals over clips, lag, ratios."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.clips.scripts import KINDS
from train.prepared import Prepared
from train.scoring import clip_sums
from train.scoring.rows import Row, is_step
from train.scoring.steps import Step, lags_ms

AXES = ("valence", "arousal", "average")
SAME = 1e-6
"""Truths that differ by less are the same."""


@dataclass(frozen=True)
class Frames:
    """The M frames that every row is scored on."""

    rows: np.ndarray
    """(M,) rows of the set, in order of clip and time."""
    target: np.ndarray
    """(M, 2)."""
    clip: np.ndarray
    """(M,) int in range(C)."""
    fold: np.ndarray
    """(C,) int: the part of each clip."""
    groups: dict[str, np.ndarray]
    """(M,) bool: all (but those of the clips that measure the lag), each kind, covered and clear."""
    quiet: np.ndarray
    """(M,) bool: the truth is that of the frame before; of the still clips alone, where the set has kinds."""
    drawn: np.ndarray
    """(rounds, C): how often each resample holds each clip; no rounds where there is one clip."""

    @property
    def clips(self) -> int:
        """C."""
        return len(self.fold)


def frames_of(data: Prepared, fold: np.ndarray, max_gap_s: float, rounds: int, seed: int) -> Frames:
    """The frames to score: those whose fold (N,) int is not -1."""
    rows = np.flatnonzero(fold >= 0)
    _, firsts, clip = np.unique(data.clip[rows], return_index=True, return_inverse=True)
    drawn = clip_sums.draws(len(firsts), rounds, seed)
    groups = _groups(data, rows)
    quiet = _quiet(data, rows, max_gap_s)
    return Frames(rows, data.affect[rows].astype(np.float64), clip, fold[rows][firsts], groups, quiet, drawn)


def _groups(data: Prepared, rows: np.ndarray) -> dict[str, np.ndarray]:
    groups = {"all": ~is_step(data)[rows]}
    if "kind" in data.extra:
        groups |= {name: data.extra["kind"][rows] == value for name, value in KINDS.items()}
    if "covered" in data.extra:
        covered = data.extra["covered"][rows].astype(bool)
        groups |= {"covered": covered & groups["all"], "clear": ~covered & groups["all"]}
    return {name: mask for name, mask in groups.items() if mask.any()}


def _quiet(data: Prepared, rows: np.ndarray, max_gap_s: float) -> np.ndarray:
    truth, time = data.affect[rows], data.time[rows]
    same = np.abs(np.diff(truth, axis=0)).max(axis=1, initial=0) < SAME
    near = (np.diff(data.clip[rows]) == 0) & (np.diff(time) <= max_gap_s)
    quiet = np.concatenate([[False], same & near])
    return quiet & (data.extra["kind"][rows] == KINDS["still"]) if "kind" in data.extra else quiet


def row_reports(rows: Sequence[Row], frames: Frames, time: np.ndarray, steps: list[Step]) -> list[dict[str, Any]]:
    """The report of each row; each is also compared with the rows of its encoder."""
    scored = {row.name: _Scores(row, frames) for row in rows}
    return [
        {
            "name": row.name,
            "kind": row.kind,
            "model": row.model,
            "encoder": row.encoder,
            "lag_of": row.lag_of,
            "settings": list(row.settings),
            "lag_ms": _lag(row, time, steps, frames),
            **scored[row.name].report(),
            **_compared(row, rows, scored),
        }
        for row in rows
    ]


class _Scores:
    """The sums of one row over each clip, and what follows from them."""

    def __init__(self, row: Row, frames: Frames) -> None:
        self._frames = frames
        values = row.values[frames.rows]
        self.sums = {
            name: clip_sums.clip_sums(values[mask], frames.target[mask], frames.clip[mask], frames.clips)
            for name, mask in frames.groups.items()
        }
        self.changes = clip_sums.change_sums(values, frames.clip, frames.quiet, frames.clips)
        self.rmse = clip_sums.figures(clip_sums.resampled(self.sums["all"], frames.drawn))["rmse"][:, 2]
        """(rounds,): mean of valence's and arousal's."""
        self.trembling = clip_sums.trembling(clip_sums.resampled(self.changes, frames.drawn))[:, 2]
        # what stands in one clip alone is the same in every resample that holds it: an interval of no width
        if self._clips("all") < 2:
            self.rmse = self.rmse[:0]
        if (self.changes[:, 0, 0] > 0).sum() < 2:
            self.trembling = self.trembling[:0]

    def _clips(self, group: str) -> int:
        """How many clips have frames of the group."""
        return int((self.sums[group][:, 0, 0] > 0).sum())

    def report(self) -> dict[str, Any]:
        """Figures with their intervals: pooled, by group, per clip and per fold."""
        return {
            **self._pooled("all"),
            "groups": {name: self._pooled(name) for name in self.sums if name != "all"},
            "per_clip": self._per_clip(),
            **self._per_fold(),
        }

    def _pooled(self, group: str) -> dict[str, Any]:
        sums, drawn = self.sums[group], self._frames.drawn
        values, resamples = clip_sums.figures(sums.sum(axis=0)), clip_sums.figures(clip_sums.resampled(sums, drawn))
        if group == "all":
            values["trembling"] = clip_sums.trembling(self.changes.sum(axis=0))
            resamples["trembling"] = clip_sums.trembling(clip_sums.resampled(self.changes, drawn))
        alone = {"trembling"} if not len(self.trembling) else set()
        if self._clips(group) < 2:
            alone = set(resamples)
        return {"n": int(sums[:, 0, 0].sum()), **_with_intervals(values, resamples, alone)}

    def _per_clip(self) -> dict[str, Any]:
        values = clip_sums.per_clip(self.sums["all"])
        means = {name: clip_sums.resampled_mean(value, np.ones((1, len(value))))[0] for name, value in values.items()}
        resamples = {name: clip_sums.resampled_mean(value, self._frames.drawn) for name, value in values.items()}
        clips = {name: int(np.isfinite(value[:, 2]).sum()) for name, value in values.items()}
        return {"clips": clips, **_with_intervals(means, resamples, {name for name, n in clips.items() if n < 2})}

    def _per_fold(self) -> dict[str, Any]:
        """Each fold's figures and their mean over the folds, as the paper reports; empty where there is one."""
        fold, sums, drawn = self._frames.fold, self.sums["all"], self._frames.drawn
        numbers = np.unique(fold).tolist()
        if len(numbers) < 2:
            return {}
        parts = np.stack([sums[fold == k].sum(axis=0) for k in numbers])
        resampled = np.stack([clip_sums.resampled(sums[fold == k], drawn[:, fold == k]) for k in numbers], axis=1)
        each, resamples = clip_sums.figures(parts), clip_sums.figures(resampled)
        means = {name: value.mean(axis=0) for name, value in each.items()}
        folds = [
            {"fold": k, "n": int(parts[i, 0, 0]), "figures": _by_axis({name: v[i] for name, v in each.items()})}
            for i, k in enumerate(numbers)
        ]
        spread = {name: value.mean(axis=1) for name, value in resamples.items()}
        return {"folds": folds, "fold_mean": _with_intervals(means, spread)}


def _compared(row: Row, rows: Sequence[Row], scored: dict[str, _Scores]) -> dict[str, Any]:
    """RMSE over that of the best of the single frame and the tuned filters, and of the filters of the same lag.

    And trembling over the single frame's. The best is the best of each resample, which can only make it better.
    """
    if not row.encoder:
        return {}
    rivals = [other.name for other in rows if other.encoder == row.encoder and other.kind in ("single", "tuned")]
    matched = [other.name for other in rows if other.lag_of == row.name]
    own, single = scored[row.name], scored[row.encoder]
    ratios = {"rmse_ratio": _rmse_ratio(own, {name: scored[name] for name in rivals})}
    if matched:
        ratios["rmse_ratio_at_lag"] = _rmse_ratio(own, {name: scored[name] for name in matched})
    with np.errstate(invalid="ignore", divide="ignore"):
        value = _average_trembling(own) / _average_trembling(single)
        interval = _bounds(own.trembling / single.trembling)
    return ratios | {"trembling_ratio": {"to": row.encoder, "value": _number(value), "interval": interval}}


def _rmse_ratio(own: _Scores, rivals: dict[str, _Scores]) -> dict[str, Any]:
    point = {name: float(_average_rmse(scores)) for name, scores in rivals.items()}
    best = min(point, key=lambda name: point[name])
    least = np.min([scores.rmse for scores in rivals.values()], axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio, resampled = np.divide(_average_rmse(own), point[best]), own.rmse / least
    return {"to": best, "value": _number(ratio), "interval": _bounds(resampled)}


def _average_rmse(scores: _Scores) -> np.ndarray:
    return clip_sums.figures(scores.sums["all"].sum(axis=0))["rmse"][2]


def _average_trembling(scores: _Scores) -> np.ndarray:
    return clip_sums.trembling(scores.changes.sum(axis=0))[2]


def _lag(row: Row, time: np.ndarray, steps: list[Step], frames: Frames) -> dict[str, Any] | None:
    """The median lag over the steps that the row follows, with its interval; None for what has no lag."""
    if row.kind in ("constant", "oracle") or not steps:
        return None
    lags = lags_ms(row.values, time, steps)
    followed = lags[np.isfinite(lags)]
    if len(followed) == 0:
        return {"median": None, "interval": [None, None], "steps": len(steps), "followed": 0}
    picks = np.random.default_rng(0).integers(0, len(followed), (len(frames.drawn), len(followed)))
    interval = _bounds(np.median(followed[picks], axis=1)) if len(followed) > 1 else [None, None]
    return {
        "median": float(np.median(followed)),
        "interval": interval,
        "steps": len(steps),
        "followed": len(followed),
    }


def _with_intervals(
    values: dict[str, np.ndarray], resamples: dict[str, np.ndarray], alone: Collection[str] = ()
) -> dict[str, Any]:
    """Figures (3,), and the intervals of their resamples (rounds, 3), by name and axis; none of those in alone."""
    intervals = {}
    for name, value in resamples.items():
        low, high = clip_sums.interval(value[:0] if name in alone else value)
        intervals[name] = {
            axis: [_number(a), _number(b)] for axis, a, b in zip(AXES, low.tolist(), high.tolist(), strict=True)
        }
    return {"figures": _by_axis(values), "intervals": intervals}


def _by_axis(values: dict[str, np.ndarray]) -> dict[str, dict[str, float | None]]:
    return {name: {axis: _number(v) for axis, v in zip(AXES, value, strict=True)} for name, value in values.items()}


def _bounds(values: np.ndarray) -> list[float | None]:
    low, high = clip_sums.interval(values)
    return [_number(low), _number(high)]


def _number(value: Any) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None
