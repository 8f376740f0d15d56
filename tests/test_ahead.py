"""The thread between the pipeline's halves: order, bounds, errors, and that nothing hangs."""

import threading
import time
from collections.abc import Iterator

import pytest

from tracker.ahead import Ahead


def test_every_item_once_and_in_order() -> None:
    assert list(Ahead(iter(range(50)), depth=2)) == list(range(50))


def test_items_are_made_elsewhere_and_only_so_far_ahead() -> None:
    made: list[str] = []

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(threading.current_thread().name)
            yield i

    ahead = Ahead(items(), depth=2)
    time.sleep(0.2)
    assert made == ["ahead"] * 2
    ahead.close()


def test_an_item_is_asked_for_when_the_one_before_was_taken() -> None:
    """What a live source gives is as new as it can be."""
    clock = [0]

    def items() -> Iterator[int]:
        while True:
            yield clock[0]

    ahead = Ahead(items(), depth=1)
    each = iter(ahead)
    assert next(each) == 0
    time.sleep(0.2)
    clock[0] = 7
    assert (next(each), next(each)) == (0, 7)
    ahead.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third is broken")

    got = []
    with pytest.raises(ValueError, match="the third is broken"):
        for item in Ahead(items(), depth=8):
            got.append(item)
    assert got == [1, 2]


def test_close_ends_a_thread_that_waits_for_room() -> None:
    ahead = Ahead(iter(range(1000)), depth=1)
    assert next(iter(ahead)) == 0
    ahead.close()
    ahead.close()
    assert not ahead._thread.is_alive()
    assert list(ahead) == []
