"""Two halves of a pipeline at once: a thread makes the next items while the newest one is used."""

from collections.abc import Generator, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
POLL_S = 0.1
"""How often a waiting end looks whether the other has stopped."""


class Ahead(Generic[Item]):
    """Iterates over `items` in a thread of its own, at most `depth` of them ahead of the user, in their order.

    An item is asked for only when there is room for it: with depth 1, not before the user has taken the one before it,
    so that what comes from a live source is new. An error of the items is raised where they are used, after the items
    before it. close() ends the thread and waits for it, at most join_s seconds where that is given; it may be called
    at any time, more than once.
    """

    def __init__(self, items: Iterator[Item], depth: int, name: str = "ahead", join_s: float | None = None) -> None:
        self._queue: SimpleQueue[tuple[Item | None, BaseException | None]] = SimpleQueue()
        self._room = Semaphore(depth)
        self._stop = Event()
        self._join_s = join_s
        self._thread = Thread(target=self._fill, args=(items,), name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """The items, once; ends early after close()."""
        while not self._stop.is_set():
            try:
                item, error = self._queue.get(timeout=POLL_S)
            except Empty:
                continue
            self._room.release()
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def close(self) -> None:
        """Stop, and wait until the thread has ended."""
        self._stop.set()
        self._thread.join(self._join_s)

    def _fill(self, items: Iterator[Item]) -> None:
        last: BaseException | None = None
        try:
            while self._wait_for_room() and (item := next(items, None)) is not None:
                self._queue.put((item, None))
            if isinstance(items, Generator):
                items.close()
        except BaseException as error:
            last = error
        self._queue.put((None, last))

    def _wait_for_room(self) -> bool:
        """Whether there is room; False once it is no longer wanted."""
        while not self._stop.is_set():
            if self._room.acquire(timeout=POLL_S):
                return True
        return False
