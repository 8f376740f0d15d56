"""`affect repair`: what a killed run left, made into files that every reader opens."""

import re
from pathlib import Path

import click

from tracker.commands.options import debug_option
from tracker.errors import SinkError, UsageError
from tracker.words import counted

JOURNAL_NAME = re.compile(r"(.+)\.part(-\d+)?\.arrows")


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@debug_option()
@click.pass_context
def repair(context: click.Context, paths: tuple[str, ...]) -> None:
    """Make Parquet files of what killed runs left.

    A PATH is a folder of outputs, with all below it, or a journal NAME.part.arrows; of each journal comes
    NAME.part.parquet with every row that was written. What a run is still writing is left alone.
    """
    from tracker.leases import is_held
    from tracker.outputs import SHEET
    from tracker.sinks.files import JOURNAL
    from tracker.sinks.parquet import repair_journal

    journals: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            journals += sorted(each for each in path.rglob(f"*{JOURNAL}") if JOURNAL_NAME.fullmatch(each.name))
        elif JOURNAL_NAME.fullmatch(path.name) and path.is_file():
            journals.append(path)
        else:
            raise UsageError(f"{path} is neither a folder nor a journal; expected a folder, or a NAME.part{JOURNAL}")
    failed = False
    for journal in journals:
        name = journal.name.rpartition(".part")[0]
        if is_held(journal.with_name(f"{name}{SHEET}")):
            click.echo(f"{journal}: a run is writing it; left alone", err=True)
            continue
        try:
            file, rows = repair_journal(journal)
            click.echo(f"{file}: {counted(rows, 'row')}", err=True)
        except SinkError as error:
            click.echo(f"error: {journal}: {error}", err=True)
            failed = True
    if not journals:
        click.echo("nothing to repair", err=True)
    context.exit(int(failed))
