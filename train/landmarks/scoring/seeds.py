"""Figures over the seeds of a study: their mean with Student's 95 % interval."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from train.scoring.figures import Figure

SHARE = 0.95


def over_seeds(values: Sequence[float]) -> Figure:
    """The mean and its interval by Student's t; one value has no interval."""
    each = np.asarray(values, np.float64)
    if len(each) < 2:
        return Figure(float(each.mean()))
    half = stats.t.ppf((1 + SHARE) / 2, len(each) - 1) * stats.sem(each)
    return Figure(float(each.mean()), float(each.mean() - half), float(each.mean() + half))


def differs(difference: Figure) -> bool:
    """Whether the interval of a difference leaves out zero; False where there is none."""
    return difference.low > 0 or difference.high < 0
