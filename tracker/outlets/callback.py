"""Any Python callable as a receiver."""

from collections.abc import Callable
from dataclasses import replace

from tracker.outlets.outlet import Outlet
from tracker.types import Event, Tell, TrackedFrame


class CallbackOutlet(Outlet):
    """Calls a function with the newest tracked frames, pictures and all; where it is slow, it misses frames.

    The picture is read only, since the recording and the window read it too.
    """

    ROOM = 2

    def __init__(self, callback: Callable[[TrackedFrame], None], tell: Tell | None = None) -> None:
        self._callback = callback
        super().__init__(f"callback {getattr(callback, '__name__', type(callback).__name__)}", tell)

    def send(self, tracked: TrackedFrame) -> None:
        """Take one tracked frame; never blocks, never raises."""
        image = tracked.frame.image.view()
        image.flags.writeable = False
        self._mailbox.put(replace(tracked, frame=replace(tracked.frame, image=image)))

    def _hand_frame(self, tracked: TrackedFrame) -> None:
        self._callback(tracked)

    def _hand_event(self, event: Event) -> None:
        """Nothing: functions are called with frames alone."""
