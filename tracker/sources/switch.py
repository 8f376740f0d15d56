"""Start, pause and end of a live source, from any thread."""

import time
from threading import Condition


class Switch:
    """Off at first; start() and close() once, pause() and resume() at any time. Its clock runs while it is on."""

    def __init__(self) -> None:
        self.paused = self.closed = False
        self._started = False
        self._changed = Condition()
        self._on_since: float | None = None
        self._ran = 0.0

    @property
    def on(self) -> bool:
        """Whether frames are wanted."""
        return self._on_since is not None

    def start(self) -> None:
        """Begin."""
        self._set(_started=True)

    def pause(self) -> None:
        """Stand still; before the start, this is kept for it."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on after a pause."""
        self._set(paused=False)

    def close(self) -> None:
        """End: whoever waits here goes on at once."""
        self._set(closed=True)

    def wait_until(self, ran: float) -> float | None:
        """Wait until the clock shows `ran` seconds; None once closed.

        Gives the moment when it showed them, by time.monotonic(), or now where it did before this call.
        """
        waited = False
        with self._changed:
            while not self.closed:
                left = ran - self._clock()
                if self.on and left <= 0:
                    return time.monotonic() + (left if waited else 0.0)
                waited = True
                self._changed.wait(left if self.on else None)
        return None

    def sleep(self, seconds: float) -> bool:
        """Wait; False at once where it is closed meanwhile."""
        with self._changed:
            return not self._changed.wait_for(lambda: self.closed, seconds)

    def _clock(self) -> float:
        return self._ran + (0.0 if self._on_since is None else time.monotonic() - self._on_since)

    def _set(self, **state: bool) -> None:
        with self._changed:
            vars(self).update(state)
            self._ran = self._clock()
            self._on_since = time.monotonic() if self._started and not (self.paused or self.closed) else None
            self._changed.notify_all()
