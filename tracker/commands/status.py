"""`affect status`: how far the runs over a folder are."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracker.commands.options import debug_option
from tracker.commands.tables import table

if TYPE_CHECKING:
    from tracker.status import Status

NAMED = 3
"""Sources of a state that are named, unless all went well with them."""


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--manifest", metavar="FILE", help="The run's manifest, which knows of sources not begun by any call.")
@debug_option()
def status(folder: str, manifest: str | None) -> None:
    """Tell how much is done, failed, in work, left behind by dead processes, and waiting; and the time left.

    DIR is what `affect track -o` writes to. The time left takes the sources to be as long as those that are done, and
    as many at work as now.
    """
    from tracker.status import status_of

    click.echo(told(status_of(Path(folder), Path(manifest) if manifest else None)))


def told(status: "Status") -> str:
    """The lines of a status: a state, how many sources it has, what is worth knowing of them."""
    lines = []
    for state, sources in status.sources.items():
        count = len(sources) + (status.unclaimed if state == "waiting" else 0)
        why = [f"{name}: {detail}" if detail else name for name, detail in sources.items()]
        named = "; ".join(why[:NAMED]) + ("; ..." if len(why) > NAMED else "")
        note = f"{status.rows} rows" if state == "done" else "" if state == "waiting" else named
        lines += [(state, str(count), note)] if count or state == "done" else []
    if status.left_s is not None:
        lines.append(("time left", str(timedelta(seconds=round(status.left_s))), ""))
    elif status.work_s:
        lines.append(("time left", "-", f"{timedelta(seconds=round(status.work_s))} of one process; none is at work"))
    return "\n".join(table(lines, right=(1,)))
