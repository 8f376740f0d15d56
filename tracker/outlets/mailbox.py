"""What lies between the tracker, which never waits, and a receiver, which may: bounded, the newest wins."""

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Holds at most `room` items, and apart from these as many that are to be kept; taken in the order of their coming.

    Where one comes too many, the oldest of its kind goes, so items that come thick and fast never drive out what is to
    be kept. Any number of threads may use it.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[tuple[bool, Item]] = deque()
        self._changed = Condition()
        self.closed = False
        """Whether close() was called."""
        self.lost = 0
        """Items that nobody will ever take."""

    def put(self, item: Item, keep: bool = False) -> None:
        """Add an item, at once; after close() it is lost."""
        with self._changed:
            if self.closed:
                self.lost += 1
                return
            self._items.append((keep, item))
            self._make_room(keep)
            self._changed.notify()

    def take(self, timeout: float | None = None) -> Item | None:
        """The oldest item, waiting for it at most `timeout` seconds; None after that, or once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self.closed, timeout)
            return self._items.popleft()[1] if self._items else None

    def close(self, discard: bool = False) -> None:
        """Let nothing more in; what is there may still be taken, unless it is discarded, which counts it as lost."""
        with self._changed:
            self.closed = True
            if discard:
                self.lost += len(self._items)
                self._items.clear()
            self._changed.notify_all()

    def _make_room(self, keep: bool) -> None:
        alike = [place for place, (kept, _) in enumerate(self._items) if kept == keep]
        if len(alike) > self._room:
            del self._items[alike[0]]
            self.lost += 1
