"""The rows that are compared, with answers that are known."""

import numpy as np
import pytest
from sequence_sets import RATE_HZ, write_split_set

from tracker.config import SmoothingConfig
from tracker.ring import RingBuffer
from tracker.smoothing import make_smoother
from train.folds import split_rows
from train.prepared import Prepared
from train.scoring.compared import Model
from train.scoring.rows import Part, Row, knowing_rows, model_rows, recurrent_affect
from train.scoring.steps import median_lag_ms

FEATURES = 3


class Mean:
    """A network over n frames: the mean of the window's valid first two features, times 1.5."""

    seen = 0

    def __call__(self, windows: np.ndarray, valid: np.ndarray) -> np.ndarray:
        self.seen += len(windows)
        assert windows.dtype == np.float32 and (windows[~valid] == 0).all()
        return 1.5 * windows[..., :2].sum(axis=1) / valid.sum(axis=1, keepdims=True)


def model_of(length: int, label: str = "net", rate_hz: float | None = RATE_HZ) -> Model:
    return Model(label, "", "e", "S" if length > 1 else "single", "linear", length, rate_hz, Mean())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The split set, with some frames without a face and some without annotation."""
    folder = tmp_path_factory.mktemp("rows")
    whole = write_split_set(folder / "whole")
    rng = np.random.default_rng(4)
    n = len(whole.clip)
    affect, found = whole.affect.copy(), rng.random(n) > 0.1
    affect[rng.random(n) < 0.05] = np.nan
    return write_split_set(folder / "holes", affect=affect, found=found)


@pytest.fixture(scope="module")
def part(data: Prepared) -> Part:
    rows = split_rows(data)
    return Part(data, rows["train"], rows["test"], 0.5)


@pytest.fixture(scope="module")
def frame(data: Prepared) -> np.ndarray:
    """Single-frame answers: the truth with noise, zeros where no face is."""
    noise = np.random.default_rng(0).normal(0, 0.15, data.affect.shape)
    return np.where(data.found[:, None], np.nan_to_num(data.affect) + noise, 0).astype(np.float32)


@pytest.fixture(scope="module")
def rows(part: Part, frame: np.ndarray) -> dict[str, Row]:
    feature = np.concatenate([frame, frame[:, :1]], axis=1)
    models = [model_of(1, "one"), model_of(8, "eight")]
    return {row.name: row for row in [*knowing_rows(part), *model_rows(part, frame, feature, models)]}


def test_every_row_answers_for_the_same_frames_within_range(rows: dict[str, Row], part: Part) -> None:
    assert len(rows) == 14 and 0 < part.scored.sum() < part.test.sum()
    for name, row in rows.items():
        assert np.isfinite(row.values[part.scored]).all(), name
        assert np.isnan(row.values[~part.scored]).all(), name
        assert np.abs(row.values[part.scored]).max() <= 1, name


def test_the_constant_is_the_mean_of_the_training_frames_without_the_steps(rows: dict[str, Row], part: Part) -> None:
    data = part.data
    kept = (data.extra["split"] == 0) & data.usable & (data.extra["kind"] != 3)
    values = rows["training mean"].values[part.scored]
    np.testing.assert_allclose(values, np.tile(data.affect[kept].mean(axis=0), (len(values), 1)), atol=1e-6)


def test_oracles_know_the_clip(rows: dict[str, Row], part: Part) -> None:
    data = part.data
    for clip in np.unique(data.clip[part.scored]):
        own = np.flatnonzero(part.scored & (data.clip == clip))
        truth = data.affect[own].astype(float)
        np.testing.assert_allclose(rows["oracle: clip mean"].values[own], np.tile(truth.mean(axis=0), (len(own), 1)))
        np.testing.assert_allclose(rows["oracle: label 1 frame ago"].values[own], truth[[0, *range(len(own) - 1)]])
        np.testing.assert_allclose(rows["oracle: label 8 frames ago"].values[own[8:]], truth[:-8])
        np.testing.assert_allclose(rows["oracle: label 32 frames ago"].values[own], np.tile(truth[0], (len(own), 1)))


def test_the_single_frame_is_clipped_and_filters_see_frames_without_annotation(
    rows: dict[str, Row], part: Part, frame: np.ndarray
) -> None:
    data = part.data
    clipped = np.clip(frame.astype(float), -1, 1)
    np.testing.assert_allclose(rows["one"].values[part.scored], clipped[part.scored])
    smoother, clip = make_smoother(SmoothingConfig()), data.clip[part.scored][0]
    seen = np.flatnonzero((data.clip == clip) & data.found)
    trace = {row: smoother.step(clipped[row], float(data.time[row])) for row in seen}
    own = np.flatnonzero(part.scored & (data.clip == clip))
    assert len(own) < len(seen)
    np.testing.assert_allclose(rows["one + One-Euro (tracker)"].values[own], [trace[row] for row in own], atol=1e-12)


@pytest.mark.parametrize("rate", [None, RATE_HZ, 10.0])
def test_recurrent_rows_are_the_ring_and_the_network(part: Part, frame: np.ndarray, rate: float | None) -> None:
    data, model = part.data, model_of(4, rate_hz=rate)
    feature = np.concatenate([frame, frame[:, :1]], axis=1)
    values = recurrent_affect(part, feature, model)
    assert model.combine.seen == part.scored.sum()  # type: ignore[attr-defined]
    for clip in np.unique(data.clip[part.scored])[:3]:
        ring = RingBuffer(4, FEATURES, rate, 0.5)
        for row in np.flatnonzero((data.clip == clip) & data.found):
            ring.push(float(data.time[row]), feature[row])
            window, valid = ring.window()
            if part.scored[row]:
                expected = np.clip(model.combine(window[None], valid[None])[0], -1, 1)
                np.testing.assert_allclose(values[row], expected, atol=1e-6)


def test_filters_at_the_lag_of_a_model_have_it(rows: dict[str, Row], part: Part) -> None:
    time = part.data.time
    assert len(part.steps) == 3
    lag = median_lag_ms(rows["eight"].values, time, part.steps)
    assert 60 < lag < 240, "a mean of 8 frames at 25 a second is 3.5 frames late"
    for name in ("EMA", "One-Euro"):
        row = rows[f"one + {name} (lag of eight)"]
        assert row.lag_of == "eight"
        assert median_lag_ms(row.values, time, part.steps) == pytest.approx(lag, abs=12), name
        assert row.settings[0]["kind"] == {"EMA": "ema", "One-Euro": "one-euro"}[name]


def test_tuned_filters_beat_the_frame_on_the_training_part(rows: dict[str, Row]) -> None:
    assert rows["one + EMA (tuned)"].kind == rows["one + One-Euro (tuned)"].kind == "tuned"
    assert 0.005 < rows["one + EMA (tuned)"].settings[0]["time_constant_s"] < 1
    assert set(rows["one + One-Euro (tuned)"].settings[0]) == {"kind", "min_cutoff_hz", "beta", "derivative_cutoff_hz"}


def test_without_steps_or_training_the_rows_that_need_them_are_left_out(
    data: Prepared, part: Part, frame: np.ndarray
) -> None:
    feature = np.concatenate([frame, frame[:, :1]], axis=1)
    bare = Part(data, np.zeros(len(data.clip), bool), part.test & (data.extra["kind"] != 3), 0.5)
    names = [row.name for row in [*knowing_rows(bare), *model_rows(bare, frame, feature, [model_of(8, "eight")])]]
    assert "training mean" not in names and not any("tuned" in name or "lag of" in name for name in names)
    assert names[-4:] == [
        "single frame of eight",
        "single frame of eight + One-Euro (tracker)",
        "eight",
        "eight + One-Euro (tracker)",
    ]


def test_recalibration_takes_a_scale_and_an_offset_out(rows: dict[str, Row], part: Part) -> None:
    name = next(name for name in rows if name.endswith("EMA (tuned), recalibrated"))
    plain, mapped = rows[name.removesuffix(", recalibrated")], rows[name]
    inputs = np.column_stack([plain.values[part.scored], np.ones(part.scored.sum())])
    linear = np.linalg.lstsq(inputs, mapped.values[part.scored], rcond=None)[0]
    assert np.allclose(np.clip(inputs @ linear, -1, 1), mapped.values[part.scored], atol=1e-6)
