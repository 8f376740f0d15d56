"""The window of features: by time, the same at any frame rate, causal, of fixed size."""

import numpy as np
import pytest

from tracker.ring import RingBuffer


def filled(rate_hz: float, seconds: float, ring: RingBuffer, start: float = 0.0) -> RingBuffer:
    """The ring after a source of a rate; each row holds its own time."""
    for index in range(round(seconds * rate_hz) + 1):
        ring.push(start + index / rate_hz, np.array([start + index / rate_hz]))
    return ring


@pytest.mark.parametrize("rate_hz", [None, 25.0])
def test_an_empty_ring_has_no_rows(rate_hz: float | None) -> None:
    window, valid = RingBuffer(4, 2, rate_hz, 0.5).window()
    assert window.shape == (4, 2)
    assert not valid.any()
    assert not window.any()


def test_without_a_rate_the_window_is_the_last_rows() -> None:
    ring = RingBuffer(4, 2, None, 0.5)
    for index in range(3):
        ring.push(index * 0.1, np.array([index, -index]))
    window, valid = ring.window()
    np.testing.assert_array_equal(valid, [False, True, True, True])
    np.testing.assert_array_equal(window, [[0, 0], [0, 0], [1, -1], [2, -2]])
    for index in range(3, 9):
        ring.push(index * 0.1, np.array([index, -index]))
    window, valid = ring.window()
    assert valid.all()
    np.testing.assert_array_equal(window[:, 0], [5, 6, 7, 8])


@pytest.mark.parametrize("source_hz", [12.0, 23.976, 25.0, 29.97, 60.0, 120.0, 240.0])
@pytest.mark.parametrize("length", [2, 8, 32])
def test_slots_lie_a_period_apart_at_any_frame_rate(source_hz: float, length: int) -> None:
    window, valid = filled(source_hz, 3.0, RingBuffer(length, 1, 25.0, 0.5)).window()
    assert valid.all()
    wanted = window[-1, 0] - np.arange(length)[::-1] / 25.0
    spacing = max(1 / source_hz, 1 / 60)
    assert np.abs(window[:, 0] - wanted).max() <= spacing / 2 + 1e-6


@pytest.mark.parametrize("source_hz", [3.0, 12.0, 23.976, 25.0, 60.0, 240.0])
@pytest.mark.parametrize("rate_hz", [None, 25.0])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 1.0])
def test_ages_tell_when_the_rows_came(source_hz: float, rate_hz: float | None, seconds: float) -> None:
    ring = filled(source_hz, seconds, RingBuffer(8, 1, rate_hz, 0.5), start=7.0)
    (window, valid), ages = ring.window(), ring.ages()
    assert ages.dtype == np.float32 and ages[-1] == 0.0
    np.testing.assert_array_equal(np.isfinite(ages), valid)
    np.testing.assert_allclose(window[-1, 0] - ages[valid], window[valid, 0], atol=2e-6)
    assert (np.diff(ages[valid]) <= 0).all() and len(set(ages[valid])) == len(set(window[valid, 0]))


def test_a_new_window_has_no_ages_of_the_old_one() -> None:
    ring = filled(25.0, 1.0, RingBuffer(4, 1, 25.0, 0.5))
    ring.push(2.0, np.zeros(1))
    np.testing.assert_array_equal(ring.ages(), [np.nan, np.nan, np.nan, 0.0])
    assert np.isnan(RingBuffer(4, 1, 25.0, 0.5).ages()).all()


def test_film_and_camera_mean_the_same() -> None:
    now = 2.0
    slow, _ = filled(24.0, now, RingBuffer(8, 1, 25.0, 0.5)).window()
    fast, _ = filled(60.0, now, RingBuffer(8, 1, 25.0, 0.5)).window()
    assert np.abs(np.sin(3 * slow) - np.sin(3 * fast)).max() < 3 * (1 / 48 + 1 / 120)


def test_a_slower_source_repeats_its_rows() -> None:
    window, valid = filled(12.5, 1.0, RingBuffer(5, 1, 25.0, 0.5)).window()
    assert valid.all()
    np.testing.assert_allclose(window[[0, 2, 4], 0], window[-1, 0] - np.array([0.16, 0.08, 0.0]), atol=1e-6)
    assert set(window[[1, 3], 0]) <= set(window[[0, 2, 4], 0])


def test_the_window_fills_from_the_new_end() -> None:
    ring = RingBuffer(4, 1, 25.0, 0.5)
    counts = []
    for index in range(6):
        ring.push(index / 25.0, np.array([index + 1.0]))
        window, valid = ring.window()
        counts.append(int(valid.sum()))
        assert (window[~valid] == 0).all()
        assert valid[4 - counts[-1] :].all()
    assert counts == [1, 2, 3, 4, 4, 4]


def test_a_short_loss_is_bridged_and_a_longer_one_starts_afresh() -> None:
    ring = filled(25.0, 1.0, RingBuffer(8, 1, 25.0, 0.5))
    ring.push(1.2, np.array([1.2]))
    window, valid = ring.window()
    assert valid.all()
    np.testing.assert_allclose(window[:, 0], [0.92, 0.96, 1.0, 1.0, 1.0, 1.2, 1.2, 1.2], atol=1e-6)
    ring.push(1.7 + 1e-3, np.array([1.7]))
    np.testing.assert_array_equal(ring.window()[1], [False] * 7 + [True])


@pytest.mark.parametrize("rate_hz", [None, 25.0])
def test_the_window_is_causal_and_a_copy(rate_hz: float | None) -> None:
    rng = np.random.default_rng(1)
    times, rows = np.cumsum(rng.uniform(0.005, 0.09, 60)), rng.normal(size=(60, 3)).astype(np.float32)
    whole, seen = RingBuffer(8, 3, rate_hz, 0.5), []
    for time, row in zip(times, rows, strict=True):
        whole.push(time, row)
        seen.append(whole.window())
    prefix = RingBuffer(8, 3, rate_hz, 0.5)
    for time, row in zip(times[:31], rows[:31], strict=True):
        prefix.push(time, row)
    np.testing.assert_array_equal(prefix.window()[0], seen[30][0])
    np.testing.assert_array_equal(prefix.window()[1], seen[30][1])
    np.testing.assert_array_equal(seen[30][0][-1], rows[30])


@pytest.mark.parametrize("source_hz", [25.0, 120.0, 1000.0])
def test_storage_is_fixed(source_hz: float) -> None:
    ring = RingBuffer(16, 4, 25.0, 0.5)
    sizes = {name: value.nbytes for name, value in vars(ring).items() if isinstance(value, np.ndarray)}
    for index in range(3000):
        ring.push(index / source_hz, np.zeros(4))
    assert sizes == {name: value.nbytes for name, value in vars(ring).items() if isinstance(value, np.ndarray)}
    assert sum(sizes.values()) < 16 / 25 * 140 * (4 * 4 + 8)
    assert ring.window()[1].all()


def test_reset_is_a_new_ring() -> None:
    ring = filled(60.0, 1.0, RingBuffer(8, 1, 25.0, 0.5))
    ring.reset()
    assert not ring.window()[1].any()
    ring = filled(25.0, 0.2, ring, start=0.0)
    fresh = filled(25.0, 0.2, RingBuffer(8, 1, 25.0, 0.5))
    np.testing.assert_array_equal(ring.window()[0], fresh.window()[0])
    np.testing.assert_array_equal(ring.window()[1], fresh.window()[1])
