"""What a DisVAE must reach, and whether it does."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from train.disvae.tasks.leakage import above_chance, kept_apart
from train.disvae.tasks.study import Study
from train.disvae.tasks.swaps import READ, share
from train.scoring.figures import Figure
from train.scoring.pages import plain, shown


class Bar(NamedTuple):
    """A limit for a figure of each configuration that has both codes."""

    name: str
    limit: float
    least: bool
    """Whether the figure must be at least, or at most, the limit."""
    measure: Callable[[Study, str], Figure | None]


BARS = (
    Bar("identity in the expression code over identity in the identity code, above chance", 1 / 3, False, kept_apart),
    Bar(
        "expression in the identity code, above chance",
        0.05,
        False,
        lambda study, name: above_chance(study, name, "expression", "identity code"),
    ),
    Bar("swapped expression read again", 0.7, True, lambda study, name: share(study, name, READ)),
)


class Verdict(NamedTuple):
    """Whether a configuration reaches a bar."""

    configuration: str
    bar: Bar
    figure: Figure | None

    @property
    def met(self) -> bool:
        """By the figure itself; False where there is none."""
        if self.figure is None:
            return False
        value, limit = self.figure.value, self.bar.limit
        return value >= limit if self.bar.least else value <= limit

    def __str__(self) -> str:
        side, word = "least" if self.bar.least else "most", "met" if self.met else "missed"
        return f"{self.configuration}: {self.bar.name}: {shown(self.figure)}, at {side} {self.bar.limit:.3f}: {word}"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        facts = {"configuration": self.configuration, "bar": self.bar.name, "limit": self.bar.limit}
        return facts | {"least": self.bar.least, "figure": plain(self.figure), "met": self.met}


def verdicts(study: Study) -> Iterator[Verdict]:
    """Of each configuration that has both codes, bar by bar."""
    for name in study.generative:
        yield from (Verdict(name, bar, bar.measure(study, name)) for bar in BARS)
