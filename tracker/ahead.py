"""Two halves of a pipeline at once: a thread makes the next items while the newest one is used."""

from collections.abc import Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
POLL_S = 0.1
"""How often a waiting end looks whether the other has stopped."""


class Ahead(Generic[Item]):
    """Iterates over `items` in a thread of its own, at most `depth` of them ahead of the user, in their order.

    An error of the items is raised where they are used, after the items before it. close() ends the thread and waits
    for it; it may be called at any time, more than once.
    """

    def __init__(self, items: Iterator[Item], depth: int) -> None:
        self._queue: Queue[tuple[Item | None, BaseException | None]] = Queue(depth)
        self._stop = Event()
        self._thread = Thread(target=self._fill, args=(items,), name="ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        """The items, once; ends early after close()."""
        while not self._stop.is_set():
            try:
                item, error = self._queue.get(timeout=POLL_S)
            except Empty:
                continue
            if error is not None:
                raise error
            if item is None:
                return
            yield item

    def close(self) -> None:
        """Stop, and wait until the thread has ended."""
        self._stop.set()
        self._thread.join()

    def _fill(self, items: Iterator[Item]) -> None:
        last: BaseException | None = None
        try:
            for item in items:
                if not self._put((item, None)):
                    return
        except BaseException as error:
            last = error
        self._put((None, last))

    def _put(self, entry: tuple[Item | None, BaseException | None]) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(entry, timeout=POLL_S)
            except Full:
                continue
            return True
        return False
