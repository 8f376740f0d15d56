"""What every benchmark of the tracker may choose."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import CLIP
from tracker.config import DEFAULT_MODEL, TrackerConfig, check_range

CHOICES = ("sequence_length", "runtime", "threads", "faces", "landmarker", "landmark_model")
"""Settings of the tracker that a benchmark may choose."""


@dataclass(frozen=True)
class BenchConfig:
    """What is measured, and how often."""

    source: str = str(CLIP)
    """A video; its first face is what the lag is measured by."""
    model: str = DEFAULT_MODEL
    """Name of a model that ships, or the path of a .safetensors file."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels; None leaves the source's own."""
    repeat: int = 1
    """Rounds, each whole in itself: what `affect bench compare` pairs."""
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    """With faces > 1 the picture is tiled until so many faces are in it."""

    def __post_init__(self) -> None:
        check_range("repeat", self.repeat, 1, 1000)
        for side in self.size or ():
            check_range("width and height (pixels)", side, 32, 8192)

    def choice(self) -> dict[str, Any]:
        """CHOICES and what was chosen."""
        return {name: getattr(self.tracker, name) for name in CHOICES}

    def settings(self) -> dict[str, Any]:
        """What a report says of it; of files their names alone, which are the same in every checkout."""
        size = f"{self.size[0]}x{self.size[1]}" if self.size else None
        own = {"source": Path(self.source).name, "model": self.model, "size": size, "repeat": self.repeat}
        beside = self.tracker.landmark_model
        return own | self.choice() | {"landmark_model": beside and Path(beside).name}
