"""What a video reader counts while it decodes, and what that says of the file."""

import math
from dataclasses import dataclass, field

from tracker.types import SourceReport

TOLERANCE_S = 0.5
"""A stream that ends this much before its declared end was cut off."""
MOST_LOST = 0.2
"""Share of the frames, lost and damaged ones together, above which the video counts as not read."""
LEAP_S = 60.0
"""A gap between two frames that deserves a word, unless the frames always lie so far apart."""

BACK_S = 5.0
"""A clock that goes back by more deserves a word: the times run on from there, so the gap between is not known."""


@dataclass
class Tally:
    """Counts of one run over one video stream."""

    rate_hz: float | None
    duration: float | None
    """Seconds, as the container says."""
    declared_end: float
    """Seconds on the container's own clock; -inf where it declares none."""
    reached: float = -math.inf
    """End of the packets read, on the same clock."""
    sent: int = 0
    """Packets given to the decoder."""
    received: int = 0
    """Frames that it gave back."""
    failed: int = 0
    """Packets that it refused."""
    failing: int = 0
    """Those refused since the last frame."""
    damaged: int = 0
    """Frames that it marked as damaged."""
    yielded: int = 0
    repaired: int = 0
    """Frames yielded whose timestamp was missing or went back."""
    last_time: float = 0.0
    notes: list[str] = field(default_factory=list)
    """What else the user should know."""
    leaps: list[str] = field(default_factory=list)
    """Gaps between two frames, and places at which the timestamps went back."""
    cut_off: bool = False
    """The last packet is not whole."""
    error: str = ""
    """Why reading stopped before the end."""
    ended: bool = False
    """Everything that was asked for has been read."""

    def note_time(self, time: float) -> None:
        """Take the time of the next frame that is yielded."""
        gap, usual = time - self.last_time, 1.0 / (self.rate_hz or 25.0)
        if self.yielded and gap > max(LEAP_S, 10 * usual):
            self.leaps.append(f"{gap:.0f} s without a frame after {self.last_time:.2f} s")
        self.yielded += 1
        self.last_time = time

    def report(self) -> SourceReport:
        """The report of the source until now."""
        broken = self._broken_off() if self.ended else ""
        notes = (
            broken,
            self.failed and f"packets too damaged to decode: {self.failed} (frames lost: about {self._lost})",
            self.damaged and f"damaged frames: {self.damaged}",
            self.repaired and f"timestamps that were missing or went back, now repaired: {self.repaired}",
            self.leaps
            and f"the times leap: {self.leaps[0]}" + (f", and {len(self.leaps) - 1} more" if self.leaps[1:] else ""),
            *self.notes,
        )
        warnings = tuple(note for note in notes if note)
        return SourceReport(self.yielded, self.repaired, warnings, self.ended and not broken)

    @property
    def _lost(self) -> int:
        """Frames that never came; without a packet that was refused, a packet without a frame is no loss."""
        return max(self.failed, self.sent - self.received) if self.failed else 0

    def _broken_off(self) -> str:
        where = f"{self.last_time:.2f} s" + (f" of {self.duration:.2f} s" if self.duration else "")
        if self.error:
            return f"reading broke off at {where}: {self.error}"
        if self.failing > TOLERANCE_S * (self.rate_hz or 25.0):
            return f"decoding broke off at {where}: the rest is damaged"
        bad = self._lost + self.damaged
        if bad > MOST_LOST * self.sent:
            return f"too much cannot be decoded: {bad} of {self.sent} frames are lost or damaged"
        if self.cut_off or self.declared_end - self.reached > TOLERANCE_S:
            return f"the file is truncated: it breaks off at {where}"
        return ""
