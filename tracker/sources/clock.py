"""Timestamps of decoded frames made into times that strictly increase."""

from collections import deque
from fractions import Fraction
from math import inf


class StreamClock:
    """Seconds from the stream's start for each frame of one stream, in the order of showing.

    A frame with a sound presentation timestamp has exactly its time. A missing one continues by one frame duration;
    one that does not go forward by half of that, so that the next sound timestamp stands again. Where the next one is
    behind too (two clips joined end to end), the clock runs on from there, two durations after the last sound frame.
    """

    def __init__(self, time_base: Fraction, start: int | None, rate_hz: float | None) -> None:
        self._numerator, self._denominator = int(time_base.numerator), int(time_base.denominator)
        self._origin = start
        self._rate_hz = rate_hz
        self._step = 1.0 / (rate_hz or 25.0)
        self._offset = 0.0
        self._last = -inf
        self._behind = False
        self._stamps = _BestStamp()
        self.went_back = 0.0
        """Seconds by which the timestamps have gone back for good at the newest frame."""

    def tell(self, pts: int | None, dts: int | None) -> tuple[float, bool]:
        """Time of the next frame in seconds, and whether its presentation timestamp had to be repaired."""
        self.went_back = 0.0
        stamp = self._stamps.choose(pts, dts)
        stamped = None if stamp is None else self._seconds(stamp) + self._offset
        sound = stamped is not None and stamped > self._last
        time = stamped if stamped is not None and sound else self._continue(stamped)
        if sound and self._last > -inf and self._rate_hz is None:
            self._step = time - self._last
        self._behind = stamped is not None and not sound
        self._last = time
        return time, not sound or stamp != pts

    def _seconds(self, stamp: int) -> float:
        if self._origin is None or (self._last == -inf and stamp < self._origin):
            self._origin = stamp
        return (stamp - self._origin) * self._numerator / self._denominator

    def _continue(self, stamped: float | None) -> float:
        if self._last == -inf:
            return 0.0
        if stamped is None:
            return self._last + self._step
        if not self._behind:
            return self._last + self._step / 2
        time = self._last + 1.5 * self._step
        self._offset += time - stamped
        self.went_back = time - stamped
        return time


class _BestStamp:
    """Chooses between presentation and decoding timestamps by which went back less often (AVI has no true pts)."""

    def __init__(self) -> None:
        self._last_pts = self._last_dts = -inf
        self._pts_faults = self._dts_faults = 0

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        """The timestamp to trust, in units of the time base; None where the frame has neither."""
        if pts is not None:
            self._pts_faults += pts <= self._last_pts
            self._last_pts = pts
        if dts is not None:
            self._dts_faults += dts <= self._last_dts
            self._last_dts = dts
        trusted = self._pts_faults <= self._dts_faults or self._last_dts == -inf
        return pts if trusted and pts is not None else dts


class DecodingOrder:
    """Presentation timestamps where the container has but those of decoding (AVI): the pictures take them in order.

    A picture that is not bidirectional is never shown before its own place: what is left from before that was lost.
    """

    def __init__(self) -> None:
        self._waiting: deque[int] = deque()

    def send(self, stamp: int | None) -> None:
        """Note the timestamp of a packet that the decoder is given."""
        if stamp is not None:
            self._waiting.append(stamp)

    def receive(self, own: int | None, bidirectional: bool) -> int | None:
        """The timestamp of the next picture to be shown, whose packet had the timestamp `own`."""
        while own is not None and not bidirectional and self._waiting and self._waiting[0] < own:
            self._waiting.popleft()
        return self._waiting.popleft() if self._waiting else own
