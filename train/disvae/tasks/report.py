"""The report of `affect eval disvae`: Markdown with its tables and pictures, and the same as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

from train.disvae.tasks.accuracy import accuracy_tables
from train.disvae.tasks.bars import verdicts
from train.disvae.tasks.leakage import leakage_tables
from train.disvae.tasks.reconstruction import reconstruction_tables
from train.disvae.tasks.study import Study
from train.disvae.tasks.summary import summary_table
from train.disvae.tasks.swaps import swap_tables
from train.disvae.tasks.topology import topology_picture, topology_tables
from train.scoring.pages import Table

SECTIONS: dict[str, Callable[[Study], list[Table]]] = {
    "Expression": accuracy_tables,
    "Leakage": leakage_tables,
    "Swaps": swap_tables,
    "Reconstruction": reconstruction_tables,
    "Topology": topology_tables,
}
PROTOCOL = (
    "Every test person is in one fold alone, and tested by the model that was trained without. In brackets: 95 % "
    "bootstrap intervals over the people of all folds, {rounds} resamples; codes are their means, models in evaluation "
    "mode. Probes of the expression are fitted on at most {faces} training faces of each fold; all settings were fixed "
    "beforehand."
)
MAPPED = (
    "First two principal components of the expression codes of one fold's test faces; larger dots are higher degrees"
)
EDITED = "{name}: the identity of each row wears the expression of each column's head (people and faces drawn)"


class Picture(NamedTuple):
    """Of a report."""

    caption: str
    png: bytes


def pictures_of(study: Study, edits: Mapping[str, bytes]) -> dict[str, Picture]:
    """By the name of the file: the map of the codes, and the edits of each configuration that makes some."""
    files = {name: f"grid-{name}.png" if number else "grid.png" for number, name in enumerate(edits)}
    grids = {files[name]: Picture(EDITED.format(name=name), png) for name, png in edits.items()}
    return {"topology.png": Picture(MAPPED, topology_picture(study)), **grids}


@dataclass(frozen=True)
class Report:
    """All that is written."""

    set_name: str
    study: Study
    notes: Sequence[str]
    """What must be said of it."""
    pictures: Mapping[str, Picture]
    """By the name of the file."""

    @cached_property
    def sections(self) -> dict[str, list[Table]]:
        """The tables by the title of their section."""
        return {title: tables for title, make in SECTIONS.items() if (tables := make(self.study))}

    @cached_property
    def brief(self) -> Table:
        """The configurations at a glance."""
        return summary_table(self.study)

    @cached_property
    def verdicts(self) -> list[str]:
        """Which bars are met."""
        return [str(verdict) for verdict in verdicts(self.study)] or ["No configuration has both codes."]

    def markdown(self) -> str:
        """The whole report."""
        models = "; ".join(map(_tested, self.study.facts()))
        parts = [f"# DisVAE on {self.set_name}", f"Tested: {models}.", *self.notes]
        parts += [PROTOCOL.format(**asdict(self.study.config))]
        parts += [self.brief.markdown(), "\n".join(f"- {line}" for line in self.verdicts)]
        for number, (title, tables) in enumerate(self.sections.items(), 1):
            parts += [f"## {number}. {title}", *(table.markdown() for table in tables)]
        shown = [f"![{each.caption}]({file})\n\n*{each.caption}.*" for file, each in self.pictures.items()]
        return "\n\n".join([*parts, "## Pictures", *shown]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "set": self.set_name,
            "configurations": self.study.facts(),
            "notes": list(self.notes),
            "config": asdict(self.study.config),
            "brief": self.brief.to_dict(),
            "bars": [verdict.to_dict() for verdict in verdicts(self.study)],
            "sections": {title: [table.to_dict() for table in tables] for title, tables in self.sections.items()},
            "pictures": {file: each.caption for file, each in self.pictures.items()},
        }


def _tested(facts: dict[str, Any]) -> str:
    return f"{facts['name']}, {facts['faces']:,} faces of folds {', '.join(map(str, facts['folds']))}"
