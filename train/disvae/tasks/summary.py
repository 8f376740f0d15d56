"""The figures by which configurations, and the variants of an ablation, are compared at a glance."""

from collections.abc import Callable

from train.disvae.tasks.leakage import above_chance
from train.disvae.tasks.study import Study
from train.disvae.tasks.swaps import JUDGED, READ, share
from train.disvae.tasks.topology import satisfied
from train.scoring.figures import Figure
from train.scoring.pages import Table

EXPRESSION, IDENTITY = "expression code", "identity code"
NOTE = "Probes: accuracy above chance, of who or what it is, read in a code. The sections below say more."


def _accuracy(study: Study, name: str) -> Figure | None:
    faces = study.items(name, "faces")
    return study.mean(faces, faces["hit"])


def _error(study: Study, name: str) -> Figure | None:
    if name not in study.having("pictures"):
        return None
    items = study.items(name, "pictures")
    return study.mean(items, 1000 * items["error"])


MEASURES: dict[str, Callable[[Study, str], Figure | None]] = {
    "accuracy": _accuracy,
    "who, in expression code": lambda study, name: above_chance(study, name, "identity", EXPRESSION),
    "who, in identity code": lambda study, name: above_chance(study, name, "identity", IDENTITY),
    "what, in expression code": lambda study, name: above_chance(study, name, "expression", EXPRESSION),
    "what, in identity code": lambda study, name: above_chance(study, name, "expression", IDENTITY),
    "swap read again": lambda study, name: share(study, name, READ),
    "by the baseline": lambda study, name: share(study, name, JUDGED),
    "pixel MSE x 1000": _error,
    "class rule": lambda study, name: satisfied(study, name, "class", EXPRESSION),
}


def summary(study: Study, name: str) -> dict[str, Figure | None]:
    """The figures of a configuration; None where it has none."""
    return {title: measure(study, name) for title, measure in MEASURES.items()}


def summary_table(study: Study) -> Table:
    """The configurations side by side."""
    rows = {name: list(summary(study, name).values()) for name in study.found}
    return Table("In brief", tuple(MEASURES), rows, NOTE)
