"""What was found in all folds of several configurations side by side, and the figures that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from train.disvae.tasks.config import TasksConfig
from train.disvae.tasks.items import Findings, Items, pooled
from train.scoring.figures import Figure, Resamples

CODES = ("expression code", "identity code")


@dataclass(frozen=True)
class Study:
    """The configurations, each on its test folds."""

    classes: tuple[str, ...]
    """Names of the expressions."""
    found: Mapping[str, Mapping[int, Findings]]
    """By configuration and fold; no configuration is without any."""
    config: TasksConfig

    def items(self, name: str, what: str) -> Items:
        """What was looked at in all folds of a configuration."""
        return pooled([findings[what] for findings in self.found[name].values()])

    def having(self, what: str) -> list[str]:
        """The configurations of which that was looked at."""
        return [name for name, folds in self.found.items() if all(what in findings for findings in folds.values())]

    @property
    def generative(self) -> list[str]:
        """The configurations that have both codes."""
        return self.having("swaps")

    @property
    def baseline(self) -> str | None:
        """The configuration that is the CNN baseline, where there is one."""
        return next((name for name in self.found if name not in self.generative), None)

    def widest(self, what: str) -> Items:
        """Of the configuration with most folds of those that have it, for what all share: labels, constants, pixels."""
        return self.items(max(self.having(what), key=lambda name: len(self.found[name])), what)

    def mean(self, items: Items, values: np.ndarray) -> Figure | None:
        """The mean of values (M,) of items with its 95 % interval over resampled people; None of no items."""
        return self._resamples(items).mean(values.astype(float)) if len(items) else None

    def ratio(self, items: Items, values: np.ndarray, others: np.ndarray) -> Figure | None:
        """The mean of values (M,) of items over that of others (M,), likewise; None where that is not above 0."""
        return self._resamples(items).ratio(values.astype(float), others) if others.sum() > 0 else None

    def macro(self, items: Items) -> Figure:
        """The mean over the classes of the share of each that is hit, likewise."""
        own = np.equal.outer(items["truth"], np.unique(items["truth"])).astype(float)
        return self._resamples(items).figure(np.hstack([own * items["hit"][:, None], own]), _macro)

    def _resamples(self, items: Items) -> Resamples:
        return Resamples.of(items.person, self.config.rounds, self.config.seed)

    def by_degree(self, items: Items, values: np.ndarray) -> dict[int, Figure | None]:
        """The mean of values (M,) of the items of each degree that the test faces have."""
        degrees = np.unique(self.widest("faces").degree).tolist()
        return {d: self.mean(items.select(items.degree == d), values[items.degree == d]) for d in degrees}

    def facts(self) -> list[dict[str, Any]]:
        """What was evaluated, as JSON values."""
        return [
            {"name": name, "folds": list(folds), "faces": len(self.items(name, "faces"))}
            for name, folds in self.found.items()
        ]


def _macro(means: np.ndarray) -> np.ndarray:
    """From the shares (..., 2K) of faces that are of a class and hit, and of a class; a class not drawn drops out."""
    hits, own = np.split(means, 2, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmean(hits / own, axis=-1)
