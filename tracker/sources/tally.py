"""What a video reader counts while it decodes, and what that says of the file."""

import math
from dataclasses import dataclass

from tracker.types import SourceReport

TOLERANCE_S = 0.5
"""A stream that ends this much before its declared end was cut off."""


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
    cut_off: bool = False
    """The last packet is not whole."""
    error: str = ""
    """Why reading stopped before the end."""
    ended: bool = False
    """Everything that was asked for has been read."""

    def report(self) -> SourceReport:
        """The report of the source until now."""
        broken = self._broken_off() if self.ended else ""
        lost = max(self.failed, self.sent - self.received)
        notes = (
            broken,
            self.failed and f"packets too damaged to decode: {self.failed} (frames lost: about {lost})",
            self.damaged and f"damaged frames: {self.damaged}",
            self.repaired and f"timestamps that were missing or went back, now repaired: {self.repaired}",
        )
        warnings = tuple(note for note in notes if note)
        return SourceReport(self.yielded, self.repaired, warnings, self.ended and not broken)

    def _broken_off(self) -> str:
        where = f"{self.last_time:.2f} s" + (f" of {self.duration:.2f} s" if self.duration else "")
        if self.error:
            return f"reading broke off at {where}: {self.error}"
        if self.failing > TOLERANCE_S * (self.rate_hz or 25.0):
            return f"decoding broke off at {where}: the rest is damaged"
        if self.cut_off or self.declared_end - self.reached > TOLERANCE_S:
            return f"the file is truncated: it breaks off at {where}"
        return ""
