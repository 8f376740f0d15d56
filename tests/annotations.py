"""Calls of `affect annotate`, and what they write."""

import csv
from pathlib import Path

from click.testing import CliRunner, Result

from tracker.cli import main


def run(*arguments: object) -> Result:
    """One call."""
    return CliRunner().invoke(main, ["annotate", *map(str, arguments)])


def done(*arguments: object) -> str:
    """What a call that succeeds prints."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(message: str, *arguments: object, code: int = 1) -> None:
    """The call ends with this code and with these words in its one line."""
    result = run(*arguments)
    assert message in result.stderr.strip().splitlines()[-1]
    assert result.exit_code == code


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
