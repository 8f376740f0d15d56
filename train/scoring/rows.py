"""The answers that `affect eval sequences` compares: constants, oracles, the single frame, filters behind it, networks.

Every row answers for the same frames: those of the test part with a face and an annotation.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tqdm import tqdm

from tracker.config import SmoothingConfig
from train import metrics
from train.clips.scripts import KINDS
from train.prepared import Prepared
from train.scoring import filters
from train.scoring.filters import Error, Kind, Stretches
from train.scoring.steps import Step, median_lag_ms, steps_of
from train.windows import set_windows

if TYPE_CHECKING:
    from train.scoring.compared import Model

RowKind = Literal["constant", "oracle", "single", "tuned", "filter", "recurrent"]
FILTERS: dict[Kind, str] = {"ema": "EMA", "one-euro": "One-Euro"}
AGES = (1, 8, 32)
"""Frames since the true label that the oracle of the last value repeats."""
WINDOW_FRAMES = 16384
"""Frames of the windows that the network reads at once."""
LAG_MISS_MS, LAG_MISS = 10.0, 0.1
"""A filter farther from a model's lag than this, or than this share of it, is not shown as one of the same lag."""


@dataclass(frozen=True)
class Row:
    """One answer to the frames of a set."""

    name: str
    kind: RowKind
    values: np.ndarray
    """(N, 2): valence and arousal in [-1, 1]; NaN where no answer is asked for."""
    encoder: str = ""
    """The row of kind single that it is to be compared with; empty for constants and oracles."""
    model: str = ""
    """The checkpoint's label, for those that are one."""
    lag_of: str = ""
    """The recurrent row whose lag it has."""
    settings: tuple[dict[str, Any], ...] = ()
    """Of the filter, one for each part of the set that was scored."""


@dataclass(frozen=True)
class Part:
    """A set with the rows that are scored, and those on which filters are tuned."""

    data: Prepared
    train: np.ndarray
    """(N,) bool."""
    test: np.ndarray
    """(N,) bool."""
    max_gap_s: float

    @cached_property
    def scored(self) -> np.ndarray:
        """(N,) bool: test rows with a face and an annotation."""
        return self.test & self.data.usable

    @cached_property
    def tuning(self) -> np.ndarray:
        """(N,) bool: training rows with a face and an annotation, without the clips that measure the lag."""
        return self.train & self.data.usable & ~is_step(self.data)

    @cached_property
    def steps(self) -> list[Step]:
        """The steps of the test part's clips of kind step."""
        rows = np.flatnonzero(self.scored & is_step(self.data))
        return steps_of(rows, self.data.clip, self.data.affect) if len(rows) else []

    def stretches(self, mask: np.ndarray) -> Stretches:
        """The stretches of a face among the rows of mask (N,), frames without annotation among them."""
        return filters.stretches_of(np.flatnonzero(mask), self.data.clip, self.data.time, self.max_gap_s)


def is_step(data: Prepared) -> np.ndarray:
    """(N,) bool: rows of the clips that measure the lag; none in a set without a column `kind`."""
    return data.extra["kind"] == KINDS["step"] if "kind" in data.extra else np.zeros(len(data.clip), bool)


def knowing_rows(part: Part) -> Iterator[Row]:
    """The training mean, and what one would score who knew the clip's mean or its label some frames ago."""
    target = part.data.affect.astype(np.float64)
    if part.tuning.any():
        yield Row("training mean", "constant", _where(part.scored, target[part.tuning].mean(axis=0)))
    for age in AGES:
        name = f"oracle: label {age} frame{'s' * (age > 1)} ago"
        yield Row(name, "oracle", _where(part.scored, _earlier(target, part, age)))
    yield Row("oracle: clip mean", "oracle", _where(part.scored, _clip_mean(target, part)))


def model_rows(part: Part, frame_affect: np.ndarray, feature: np.ndarray, models: "list[Model]") -> Iterator[Row]:
    """The rows of models that share an encoder, with filters behind its single frame.

    frame_affect (N, 2), unbounded, and feature (N, F): what the encoder says of every frame.
    """
    single = next((model for model in models if model.kind == "single"), None)
    name = single.label if single else f"single frame of {models[0].label}"
    frame = np.clip(frame_affect.astype(np.float64), -1, 1)
    yield Row(name, "single", _where(part.scored, frame), name, single.label if single else "")
    bench = _Bench(part, frame, name)
    yield from bench.tuned_rows()
    yield from bench.recalibrated_rows()
    yield bench.row("One-Euro (tracker)", "filter", SmoothingConfig())
    for model in models:
        if model.kind != "single":
            values = recurrent_affect(part, feature, model)
            yield Row(model.label, "recurrent", values, name, model.label)
            yield from bench.rows_at_lag_of(model.label, values)
            yield smoothed(part, Row(model.label, "recurrent", values, name), SmoothingConfig())


def smoothed(part: Part, row: Row, config: SmoothingConfig) -> Row:
    """A row with the tracker's filter behind it."""
    values = filters.filtered(config, row.values, part.stretches(part.scored))
    return Row(f"{row.name} + One-Euro (tracker)", "filter", values, row.encoder, settings=(setting_of(config),))


def recurrent_affect(part: Part, feature: np.ndarray, model: "Model") -> np.ndarray:
    """A recurrent model's affect (N, 2) in [-1, 1], NaN outside of the scored rows, from the stored features (N, F)."""
    rows, picks, valid = set_windows(part.data, part.scored, model.length, model.rate_hz, part.max_gap_s)
    out = np.full((len(part.scored), 2), np.nan)
    size = max(WINDOW_FRAMES // model.length, 1)
    for start in tqdm(range(0, len(rows), size), model.label, unit="batch", leave=False):
        chosen = slice(start, start + size)
        windows = np.where(valid[chosen, :, None], feature[picks[chosen]], np.float32(0))
        out[rows[chosen]] = np.clip(model.combine(windows, valid[chosen]), -1, 1)
    return out


@dataclass
class _Bench:
    """The filters behind one encoder's single frame."""

    part: Part
    frame: np.ndarray
    """(N, 2): the single frame's affect."""
    name: str

    def __post_init__(self) -> None:
        part, data = self.part, self.part.data
        self._stretches = part.stretches(part.test & data.found)
        rows = np.concatenate([step.rows for step in part.steps]) if part.steps else np.zeros(0, int)
        self._step_stretches = filters.stretches_of(rows, data.clip, data.time, part.max_gap_s) if len(rows) else None
        self._error: Error | None = None
        if part.tuning.any():
            self._training = part.stretches(part.train & data.found & ~is_step(data))
            self._error = filters.training_error(self.frame, data.affect, part.tuning, self._training)

    def row(self, label: str, kind: RowKind, config: SmoothingConfig, lag_of: str = "") -> Row:
        """The row of the single frame behind a filter."""
        values = _where(self.part.scored, filters.filtered(config, self.frame, self._stretches))
        return Row(f"{self.name} + {label}", kind, values, self.name, "", lag_of, (setting_of(config),))

    def tuned_rows(self) -> Iterator[Row]:
        """Each filter with the least error on the training sequences."""
        if self._error is not None:
            for kind, label in FILTERS.items():
                yield self.row(f"{label} (tuned)", "tuned", filters.tune(kind, self._error))

    def recalibrated_rows(self) -> Iterator[Row]:
        """The tuned EMA, and a linear map of its two axes to the labels of the training sequences.

        A filter that shrinks towards the mean: what a network gains beyond it is more than calibration.
        """
        if self._error is None:
            return
        config, tuning = filters.tune("ema", self._error), self.part.tuning
        seen = np.column_stack([filters.filtered(config, self.frame, self._training), np.ones(len(tuning))])
        linear = np.linalg.lstsq(seen[tuning], self.part.data.affect[tuning].astype(np.float64), rcond=None)[0]
        row = self.row("EMA (tuned), recalibrated", "filter", config)
        yield replace(row, values=np.clip(np.column_stack([row.values, np.ones(len(tuning))]) @ linear, -1, 1))

    def rows_at_lag_of(self, label: str, values: np.ndarray) -> Iterator[Row]:
        """Each filter that can have it at the lag of a model with the affect values (N, 2)."""
        lag = median_lag_ms(values, self.part.data.time, self.part.steps)
        if self._error is not None and np.isfinite(lag):
            for kind, name in FILTERS.items():
                config = filters.at_lag(kind, lag, self._lag_ms, self._error)
                if abs(self._lag_ms(config) - lag) <= max(LAG_MISS_MS, LAG_MISS * lag):
                    yield self.row(f"{name} (lag of {label})", "filter", config, label)

    def _lag_ms(self, config: SmoothingConfig) -> float:
        assert self._step_stretches is not None
        values = filters.filtered(config, self.frame, self._step_stretches)
        return median_lag_ms(values, self.part.data.time, self.part.steps)


def setting_of(config: SmoothingConfig) -> dict[str, Any]:
    """The settings that the filter's kind reads."""
    of_kind = {"ema": ("time_constant_s",), "one-euro": ("min_cutoff_hz", "beta", "derivative_cutoff_hz")}
    return {"kind": config.kind, **{key: asdict(config)[key] for key in of_kind[config.kind]}}


def _where(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (2,) or (N, 2) where mask (N,) holds, else NaN."""
    return np.where(mask[:, None], values, np.nan)


def _clips(part: Part) -> list[np.ndarray]:
    """The scored rows of each clip that has any."""
    rows = np.flatnonzero(part.scored)
    return np.split(rows, np.flatnonzero(np.diff(part.data.clip[rows])) + 1)


def _earlier(target: np.ndarray, part: Part, age: int) -> np.ndarray:
    """The label `age` frames before each, or the clip's first one."""
    out = np.full(target.shape, np.nan)
    for rows in _clips(part):
        out[rows] = target[rows[np.maximum(np.arange(len(rows)) - age, 0)]]
    return out


def _clip_mean(target: np.ndarray, part: Part) -> np.ndarray:
    out = np.full(target.shape, np.nan)
    out[part.scored] = metrics.group_means(target[part.scored], part.data.clip[part.scored])
    return out
