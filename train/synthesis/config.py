"""What a set and clips of synthetic faces are made by; every default stands here once."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tracker.errors import UsageError

SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The expressions of BU-3DFE, beside neutral."""


@dataclass(frozen=True)
class SetConfig:
    """Everything that decides a set's pictures."""

    persons: int = 100
    expressions: tuple[str, ...] = SIX
    """Each in four degrees; every person is also seen neutral."""
    size: int = 256
    """Pixels of a side."""
    turn_degrees: float = 6.0
    """Standard deviation of the head's turn; nod and tilt have half of it."""
    seed: int = 5230

    def __post_init__(self) -> None:
        if "neutral" in self.expressions or len(set(self.expressions)) < len(self.expressions):
            raise UsageError(f"expressions are {', '.join(self.expressions)}; expected each once, and not neutral")

    def card(self) -> dict[str, Any]:
        """As JSON has it."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Liveliness:
    """How much a face does beside its expression: 0 nothing, 1 as people do."""

    blinks: float = 1.0
    speech: float = 0.5
    """Share of the phrases that are spoken; the others are silence."""
    head: float = 0.6


@dataclass(frozen=True)
class ClipConfig:
    """Everything that decides the clips."""

    count: int = 10
    """Clips, one person each."""
    seconds: float = 10.0
    rate_hz: float = 25.0
    size: int = 320
    """Pixels of a side; even."""
    lively: Liveliness = field(default_factory=Liveliness)
    seed: int = 5230

    def __post_init__(self) -> None:
        if self.size % 2:
            raise UsageError(f"size is {self.size}; expected an even number of pixels, which H.264 needs")

    def card(self) -> dict[str, Any]:
        """As JSON has it."""
        return json.loads(json.dumps(asdict(self)))
