"""What a benchmark hands over: tables for people, and a file of rounds for `affect bench compare`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine, machine_lines
from tracker.errors import DataError, UsageError
from tracker.sinks import write_meta

FORMAT = 1
PERCENTILES = (50, 95, 99)

Round = dict[str, float]
"""Figures of one round by their names, which bear the unit."""


@dataclass(frozen=True)
class Report:
    """What was measured."""

    benchmark: str
    """Name of the command."""
    settings: dict[str, Any]
    rounds: list[Round]
    """Each with the same names."""
    text: str
    """Markdown: tables, and what must be said of them."""
    more_is_better: tuple[str, ...] = ()
    """Names of the figures of which more is better; of the others less is."""
    found: dict[str, Any] = field(default_factory=dict)
    """Whatever else was measured."""


def publish(report: Report, began: datetime, load: float, file: Path | None) -> str:
    """The machine and the tables as text; all of it goes into file too. Raises SinkError.

    began is when the measurement did, load how busy the machine was then.
    """
    measured_on = machine()
    if file:
        moment = {"began": began.isoformat(timespec="seconds"), "load": load}
        facts = {"format": FORMAT, "benchmark": report.benchmark, **moment}
        figures = {"more_is_better": report.more_is_better, "rounds": report.rounds, "found": report.found}
        write_meta(file, {**facts, "machine": measured_on, "settings": report.settings, **figures})
    told = ", ".join(f"{name} {value}" for name, value in report.settings.items() if value is not None)
    when = f"{began:%Y-%m-%d %H:%M}, load {load:.1f}"
    return f"{machine_lines(measured_on)}\nsettings  {told}\nbegan     {when}\n\n{report.text}"


def check_place(file: Path | None) -> None:
    """Raise UsageError, before anything is measured, where no file can be written."""
    if file and not file.parent.is_dir():
        raise UsageError(f"--json {file}: the folder {file.parent} does not exist; make it first")


def read_report(file: Path) -> dict[str, Any]:
    """A file that publish() wrote. Raises DataError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}; expected a file of affect bench --json") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not found.get("rounds"):
        raise DataError(f"{file} is not a file of affect bench ... --json with rounds in it (format {FORMAT})")
    return found


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table, all columns but the first flush right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percentile_rows(times: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """A row of PERCENTILES, two decimals, for each name of what took any time at all."""
    taken = {name: np.percentile(each, PERCENTILES) for name, each in times.items() if any(each)}
    return [[name, *(f"{value:.2f}" for value in values)] for name, values in taken.items()]


def gone_through(rounds: Sequence[Round]) -> list[Round]:
    """The rounds without the stages that none of them has gone through, whose medians are 0."""
    idle = {name for name in rounds[0] if name.endswith("p50 ms") and not any(each[name] for each in rounds)}
    return [{name: value for name, value in each.items() if name not in idle} for each in rounds]


def medians(rounds: Sequence[Round]) -> Round:
    """Of each figure, over the rounds."""
    return {name: float(np.median([each[name] for each in rounds])) for name in rounds[0]}
