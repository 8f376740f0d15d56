"""What came out, class by class, beside the statistics that it was drawn from."""

from typing import get_args

import numpy as np

from train.annotating.transfer import Annotated
from train.annotation_transfer import NO_CLASS, Distance, Ellipses, nearest
from train.scoring.table import aligned, number


def table_of(ellipses: Ellipses, result: Annotated, statistics: str) -> str:
    """Of each class: its count, mean and standard deviation of valence and arousal, each beside that of its ellipse."""
    heads = [head for axis in "VA" for figure in ("mean", "s.d.") for head in (f"{axis} {figure}", statistics)]
    rows = [["class", "count", *heads]]
    rows += [_row(ellipses, result, k) for k in range(len(ellipses.names))]
    missing, ends = int((result.classes == NO_CLASS).sum()), int((np.abs(result.affect) >= 1).any(axis=1).sum())
    notes = [f"{missing:,} without a label, left empty"] * bool(missing)
    notes += [f"{ends:,} at an end of the scale, -1 or 1"] * bool(ends)
    return "\n".join([aligned(rows), *notes])


def recovered(ellipses: Ellipses, result: Annotated) -> str:
    """How many of the labelled rows the nearest centre, or the nearest ellipse, gives their class back."""
    shares = []
    present = result.classes != NO_CLASS
    for distance in get_args(Distance):
        same = nearest(ellipses, result.affect, distance) == result.classes
        shares.append(f"{same[present].mean():.1%} by the nearest {distance}")
    return f"the class is told again for {' and '.join(shares)}"


def _row(ellipses: Ellipses, result: Annotated, k: int) -> list[str]:
    own = result.affect[result.classes == k]
    cells = [ellipses.names[k], f"{len(own):,}"]
    for axis in range(2):
        for figure, known in ((np.mean, ellipses.centres), (np.std, ellipses.deviations)):
            cells += [number(figure(own[:, axis]) if len(own) else None), number(known[k, axis])]
    return cells
