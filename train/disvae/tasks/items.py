"""What was looked at in the folds: faces, pairs of faces or triplets, each with what was found of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Items:
    """M faces, pairs or anchors of triplets."""

    person: np.ndarray
    """(M,) int: whose; resamples draw whole people."""
    degree: np.ndarray
    """(M,) int: of the expression, from 1; 0 for neutral, and where it is not told."""
    values: Mapping[str, np.ndarray]
    """(M,) by name: hits, errors and the like."""

    def __len__(self) -> int:
        return len(self.person)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    def select(self, keep: np.ndarray) -> "Items":
        """Those at the indices, or where the mask holds."""
        return Items(self.person[keep], self.degree[keep], {name: v[keep] for name, v in self.values.items()})


Findings = dict[str, Items]
"""Of one model on its test fold, by what was looked at."""


def pooled(parts: Sequence[Items]) -> Items:
    """The items of all folds, with what was found in every one."""
    person, degree = (np.concatenate([getattr(part, key) for part in parts]) for key in ("person", "degree"))
    names = [name for name in parts[0].values if all(name in part.values for part in parts)]
    return Items(person, degree, {name: np.concatenate([part[name] for part in parts]) for name in names})
