"""What keeps the memory of a long run small and its pauses short."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_ARENA_MAX, POOLS = -8, 2
"""glibc's number for mallopt(), and how many pools are enough: more grow one after another, for minutes."""


def limit_pools() -> None:
    """Have glibc take memory from POOLS pools, where each thread would have its own; other libraries do as they do.

    It is of use before the threads begin.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, POOLS)


@contextmanager
def little_to_search() -> Iterator[None]:
    """Leaves all that is there now out of Python's search for garbage.

    What the libraries have loaded makes a whole search take a fifth of a second, and so rare that the decoders of a
    file in a loop, which PyAV leaves in reference cycles, pile up between two of them.
    """
    theirs = gc.get_freeze_count() > 0
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not theirs:
            gc.unfreeze()
