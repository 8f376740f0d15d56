"""The compiled kernels against their numpy twins."""

from itertools import pairwise

import cv2
import numba
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from tracker import kernels
from tracker.kernels import (
    add,
    add_rows,
    affine,
    attend,
    block_means,
    compiled,
    elu,
    leading_vector,
    lstm_step,
    mean_distance,
    nearest_rotation,
    nearest_rows,
    perceptron,
    products,
    read_window,
    read_windows,
)


def nearest_rows_numpy(times: np.ndarray, newest: int, count: int, period: float, length: int) -> np.ndarray:
    """What nearest_rows does, the plain way."""
    order = (newest - np.arange(count)) % len(times)
    picks = np.full(length, -1)
    for k in range(length):
        wanted = times[newest] - k * period
        nearest = order[np.argmin(np.round(np.abs(times[order] - wanted), 6))]
        if wanted >= times[order[-1]] - period / 2 - 1e-6:
            picks[length - 1 - k] = nearest
    return picks


@pytest.mark.parametrize("period", [0.02, 0.04, 0.1])
@pytest.mark.parametrize("capacity", [1, 7, 40])
@pytest.mark.parametrize("length", [1, 4, 32])
def test_nearest_rows_is_its_twin(period: float, capacity: int, length: int) -> None:
    rng = np.random.default_rng(capacity * length)
    for _ in range(50):
        count, newest = int(rng.integers(1, capacity + 1)), int(rng.integers(0, capacity))
        times = np.zeros(capacity)
        times[(newest - np.arange(capacity)) % capacity] = 100.0 - np.cumsum(rng.uniform(0.001, 0.08, capacity))
        ours = nearest_rows(times, newest, count, period, length)
        np.testing.assert_array_equal(ours, nearest_rows_numpy(times, newest, count, period, length))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_step_numpy(gates: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The state after what lstm_step does."""
    taken, kept, new, shown = np.split(gates, 4)
    cell = sigmoid(kept) * np.split(state, 2)[1] + sigmoid(taken) * np.tanh(new)
    return np.concatenate([sigmoid(shown) * np.tanh(cell), cell])


def attend_numpy(scores: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """The weights of the scores that attend is given."""
    powers = np.exp(scores - scores.max(initial=-np.inf, where=valid)) * valid if valid.any() else np.zeros(len(scores))
    return powers / max(powers.sum(), 1)


def read_window_numpy(
    rows: np.ndarray, valid: np.ndarray, mixing: np.ndarray, score: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What read_window does, the plain way."""
    size = rows.shape[1] // 4
    states, weights = np.zeros((len(rows) + 1, 2 * size)), np.zeros(0)
    for t, row in enumerate(rows):
        past = states[1 : t + 1]
        weights = attend_numpy(past @ score, valid[:t]) if len(score) else np.zeros(t)
        drive = np.concatenate([states[t, :size], weights @ past])[: len(mixing)]
        states[t + 1] = lstm_step_numpy(row + drive @ mixing, states[t]) if valid[t] else states[t]
    return states[-1], np.append(weights, 0.0)


def float32(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def test_lstm_step_is_its_twin() -> None:
    rng = np.random.default_rng(1)
    gates, state = 30 * float32(rng, 20), float32(rng, 10)
    expected = lstm_step_numpy(gates.astype(float), state.astype(float))
    lstm_step(gates, state)
    np.testing.assert_allclose(state, expected, atol=1e-6)


@pytest.mark.parametrize("valid", [[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]])
@pytest.mark.parametrize("height", [1.0, 300.0])
def test_attend_is_its_twin(valid: list[int], height: float) -> None:
    scores, mask = height * float32(np.random.default_rng(2), 4), np.array(valid, bool)
    weights = np.full(4, 9.0, np.float32)
    attend(scores, mask, weights, 3)
    np.testing.assert_allclose(weights[:3], attend_numpy(scores[:3].astype(float), mask[:3]), atol=1e-6)
    assert weights[3] == 9.0
    assert weights[:3].sum() == pytest.approx(float(mask[:3].any()))


def test_add_rows_is_its_twin() -> None:
    rng = np.random.default_rng(3)
    weights, rows, total = float32(rng, 5), float32(rng, 5, 7), float32(rng, 7)
    expected = total + weights[:3] @ rows[:3]
    add_rows(weights, rows, 3, total)
    np.testing.assert_allclose(total, expected, atol=1e-6)


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("length", [1, 2, 8, 32])
def test_read_window_is_its_twin(attention: bool, length: int) -> None:
    rng = np.random.default_rng(length)
    mixing, score = float32(rng, 15 if attention else 5, 20), float32(rng, 10 if attention else 0)
    for share in (0.0, 0.5, 1.0):
        rows, valid = float32(rng, length, 20), rng.random(length) < share
        before = rows.copy()
        state, weights = read_window(rows, valid, mixing, score)
        expected = read_window_numpy(rows.astype(float), valid, mixing, score)
        np.testing.assert_allclose(state, expected[0], atol=1e-5)
        np.testing.assert_allclose(weights, expected[1], atol=1e-5)
        np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("attention", [False, True])
def test_read_windows_is_read_window_of_each(attention: bool) -> None:
    rng = np.random.default_rng(4)
    mixing, score = float32(rng, 15 if attention else 5, 20), float32(rng, 10 if attention else 0)
    rows, valid = float32(rng, 3, 6, 20), rng.random((3, 6)) < 0.7
    found = read_windows(rows, valid, mixing, score)
    for ours, each in zip(
        found, zip(*map(read_window, rows, valid, [mixing] * 3, [score] * 3), strict=True), strict=True
    ):
        np.testing.assert_array_equal(ours, np.stack(each))


@pytest.mark.parametrize("width", [5, 9])
def test_affine_is_its_twin(width: int) -> None:
    rng = np.random.default_rng(5)
    vectors, weights, bias = float32(rng, 3, width), float32(rng, 5, 7), float32(rng, 7)
    ours = affine(vectors, weights, bias)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, vectors[:, :5] @ weights + bias, atol=1e-5)


@pytest.mark.parametrize("step", [1, 6, 500])
def test_mean_distance_is_its_twin(step: int) -> None:
    rng = np.random.default_rng(step)
    a, b = 300 * float32(rng, 468, 3), 300 * float32(rng, 468, 3)
    apart = a[::step, :2] + np.array([3.5, -40.0]) - b[::step, :2]
    assert mean_distance(a, b, step, 3.5, -40.0) == pytest.approx(np.hypot(*apart.T).mean(), rel=1e-12)


def test_add_is_its_twin() -> None:
    rng = np.random.default_rng(6)
    total, row = rng.integers(0, 1000, 50).astype(np.uint32), rng.integers(0, 256, 50).astype(np.uint8)
    expected = total + row
    add(total, row)
    np.testing.assert_array_equal(total, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [2, 3, 4, 7, 90])
def test_block_means_is_its_twin_and_opencvs(factor: int, channels: int) -> None:
    rng = np.random.default_rng(factor)
    image = rng.integers(0, 256, (factor * 9 + 5, factor * 7 + 3, channels), dtype=np.uint8)
    small = np.zeros((8, 6, channels), np.uint8)
    block_means(image, 2, 4, factor, small)
    region = image[4 : 4 + 8 * factor, 2 : 2 + 6 * factor]
    means = region.reshape(8, factor, 6, factor, channels).mean(axis=(1, 3))
    np.testing.assert_array_equal(small, np.floor(means + 0.5))
    theirs = cv2.resize(region, (6, 8), interpolation=cv2.INTER_AREA).reshape(small.shape)
    assert np.abs(small.astype(int) - theirs).max() <= (factor % 2 == 0 and factor > 2)


def test_a_kernel_compiles_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_now = numba.njit

    def refuse(*functions, cache: bool = False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_now(*functions)

    monkeypatch.setattr(kernels.numba, "njit", refuse)
    assert compiled(lambda x: x + 1)(41) == 42


def test_elu_is_torchs() -> None:
    values = float32(np.random.default_rng(0), 3, 40)
    expected = torch.nn.functional.elu(torch.from_numpy(values)).numpy()
    elu(values)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("widths", [(9, 4), (9, 7, 4), (9, 20, 7, 4)])
def test_a_perceptron_is_torchs(widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    layers = tuple((float32(rng, k, m), float32(rng, m)) for k, m in pairwise(widths))
    values = float32(rng, 5, 9)
    expected = torch.from_numpy(values)
    for place, (weights, bias) in enumerate(layers):
        expected = torch.nn.functional.elu(expected) if place else expected
        expected = expected @ torch.from_numpy(weights) + torch.from_numpy(bias)
    np.testing.assert_allclose(perceptron(values, layers), expected.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [2, 4, 6])
def test_the_leading_vector_is_lapacks(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(20):
        root = rng.normal(0, 30, (size, size))
        matrix = root + root.T
        expected = np.linalg.eigh(matrix)[1][:, -1]
        ours = leading_vector(matrix)
        np.testing.assert_allclose(ours * np.sign(ours @ expected), expected, atol=1e-9)


def test_the_nearest_rotation_is_scipys() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        a, b = rng.normal(0, 40, (2, 10, 3))
        expected = Rotation.align_vectors(b, a)[0].as_matrix()
        np.testing.assert_allclose(nearest_rotation(products(a, b)), expected, atol=1e-8)
        np.testing.assert_allclose(products(a, b), a.T @ b, rtol=1e-12)
