from fractions import Fraction
from itertools import pairwise

import pytest

from tracker.sources.clock import StreamClock

CASES = {
    "sound": ([0, 10, 25, 60], [0.0, 1.0, 2.5, 6.0], 0),
    "missing": ([0, 10, None, 30], [0.0, 1.0, 2.0, 3.0], 1),
    "all missing": ([None] * 4, [0.0, 1.0, 2.0, 3.0], 4),
    "first missing": ([None, 10, 20], [0.0, 1.0, 2.0], 1),
    "repeated": ([0, 10, 10, 20, 30], [0.0, 1.0, 1.5, 2.0, 3.0], 1),
    "swapped": ([0, 10, 30, 20, 40], [0.0, 1.0, 3.0, 3.5, 4.0], 1),
    "one far back": ([0, 100, 3, 110], [0.0, 10.0, 10.5, 11.0], 1),
    "jump back": ([0, 10, 20, 0, 10, 27, 33], [0.0, 1.0, 2.0, 2.5, 4.0, 5.7, 6.3], 2),
    "guess too late": ([0, 10, None, 18, 30], [0.0, 1.0, 2.0, 2.5, 3.0], 2),
    "before the start": ([-5, 0, 10], [0.0, 0.5, 1.5], 0),
}


def run(clock: StreamClock, stamps: list[tuple[int | None, int | None]]) -> tuple[list[float], int]:
    told = [clock.tell(pts, dts) for pts, dts in stamps]
    return [time for time, _ in told], sum(repaired for _, repaired in told)


@pytest.mark.parametrize("case", CASES)
def test_times(case: str) -> None:
    stamps, expected, repaired = CASES[case]
    times, count = run(StreamClock(Fraction(1, 10), 0, 1.0), [(pts, pts) for pts in stamps])
    assert times == pytest.approx(expected)
    assert count == repaired
    assert all(a < b for a, b in pairwise(times))


def test_start_is_subtracted() -> None:
    assert run(StreamClock(Fraction(1, 1000), 1400, 25.0), [(1400, None), (1440, None)]) == ([0.0, 0.04], 0)


def test_without_a_start_the_first_stamp_is_zero() -> None:
    assert run(StreamClock(Fraction(1, 1000), None, None), [(700, None), (740, None)]) == ([0.0, 0.04], 0)


def test_without_a_rate_the_last_distance_goes_on() -> None:
    times, repaired = run(StreamClock(Fraction(1, 100), 0, None), [(0, None), (7, None), (None, None), (21, None)])
    assert times == pytest.approx([0.0, 0.07, 0.14, 0.21])
    assert repaired == 1


def test_decoding_timestamps_stand_in_where_they_are_the_better_ones() -> None:
    """H.264 with B-frames in AVI: the container has no presentation timestamps and FFmpeg's guesses go back."""
    pts = [1, 3, 4, 2, 5, 7, 8, 6, 9]
    times, repaired = run(StreamClock(Fraction(1, 30), 0, 30.0), [(p, 2 + i) for i, p in enumerate(pts)])
    assert times[3:] == pytest.approx([(2 + i) / 30 for i in range(3, len(pts))])
    assert repaired == 4  # the frames whose own timestamp is another
