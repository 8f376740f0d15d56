"""Any Python callable as a receiver."""

from collections.abc import Callable

from tracker.outlets.outlet import Outlet, Tell
from tracker.types import Event, TrackedFrame


class CallbackOutlet(Outlet):
    """Calls a function with the newest tracked frames, pictures and all; where it is slow, it misses frames."""

    ROOM = 2

    def __init__(self, callback: Callable[[TrackedFrame], None], tell: Tell | None = None) -> None:
        self._callback = callback
        super().__init__(f"callback {getattr(callback, '__name__', type(callback).__name__)}", tell)

    def send(self, tracked: TrackedFrame) -> None:
        """Take one tracked frame; never blocks, never raises."""
        self._mailbox.put(tracked)

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        self._callback(tracked)

    def _hand_event(self, event: Event) -> None:
        """Nothing: functions are called with frames alone."""
