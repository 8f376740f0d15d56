"""What a study compares: the rows of Table II, on which landmarks, over how many seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VAE, M1, M2, WHOLE = "VAE", "M1", "M2", "M2, whole prior annealed"
NONE, PCA, LESS = "none", "PCA", "none, less neutral"
TRAINED = {VAE: "vae", M1: "m1", M2: "m2", WHOLE: "m2-whole"}
"""The rows that are trained, and their configurations of train/configs/landmarks/."""
ROWS = (NONE, PCA, LESS, *TRAINED)
"""none: the landmarks themselves; PCA: their first principal components, as many as a code has; less neutral: the
landmarks less the person's neutral face, which the paper has not: what knowing it gives without any learning."""
KINDS = {"exact": "known landmarks with jitter", "found": "landmarks that MediaPipe finds in the pictures"}


FOUND = "found.npz"


@dataclass(frozen=True)
class Options:
    """What is evaluated, as the command line says it."""

    data: Path
    """A set of affect synth set."""
    out: Path
    """Folder of the report; its trainings stand below it."""
    seeds: int = 5
    """Each decides the jitter, the triplets and the weights of one repetition of everything."""
    kinds: Sequence[str] = ()
    """Of KINDS; none: both."""
    found: Path | None = None
    """File of the found landmarks; None: OUT/found.npz."""
    triplets: Path | None = None
    """File of people's triplets, in place of the artificial ones."""
    clips: Sequence[Path] = ()
    """Videos along which the code's path is drawn."""
    changes: tuple[str, ...] = ()
    """NAME=VALUE in place of every configuration's."""
    processes: int = 2
    """Trainings at a time, each on one thread."""

    @property
    def found_file(self) -> Path:
        """Of the found landmarks."""
        return self.found or self.out / FOUND

    @property
    def chosen(self) -> tuple[str, ...]:
        """The kinds, in their order."""
        return tuple(kind for kind in KINDS if kind in self.kinds or not self.kinds)
