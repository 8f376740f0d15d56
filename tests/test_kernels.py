"""The compiled kernels against their numpy twins."""

import numba
import numpy as np
import pytest

from tracker import kernels
from tracker.kernels import compiled, nearest_rows


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


def test_a_kernel_compiles_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_now = numba.njit

    def refuse(*functions, cache: bool = False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_now(*functions)

    monkeypatch.setattr(kernels.numba, "njit", refuse)
    assert compiled(lambda x: x + 1)(41) == 42
