"""How models are measured: chosen beforehand, the same for every model, never by the faces that are scored."""

import math
from dataclasses import dataclass, fields

from tracker.errors import UsageError


@dataclass(frozen=True)
class ScoringConfig:
    """Of probes and of intervals; every setting is a number, and is checked."""

    faces: int = 5000
    """Training faces, drawn at random, on which probes are fitted; fewer where there are fewer."""
    seed: int = 0
    """Of all that is drawn: those faces, what is random in the fits and in t-SNE, and the resamples."""
    processes: int = 2
    """In which probes are fitted."""
    rounds: int = 1000
    """Resamples of the test faces behind a 95 % interval."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, kinds = getattr(self, setting.name), (int,) if setting.type is int else (int, float)
            least = 0 if setting.name == "seed" else 1 if setting.type is int else 1e-9
            if type(value) not in kinds or not least <= value < math.inf:
                kind = "a whole number" if setting.type is int else "a number"
                raise UsageError(f"{setting.name} is {value!r}; expected {kind} from {least:g}")
