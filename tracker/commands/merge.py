"""`affect merge`: one Parquet table of all tables of a folder."""

from pathlib import Path

import click

from tracker.commands.options import debug_option
from tracker.words import counted


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("-o", "--out", "target", metavar="FILE", help="The table; DIR.parquet unless given.")
@click.option("--manifest", metavar="FILE", help="Check that all sources of this manifest are there.")
@click.option("--overwrite", is_flag=True, help="Replace a table that is there already.")
@debug_option()
def merge(folder: str, target: str | None, manifest: str | None, overwrite: bool) -> None:
    """Make one Parquet table of all tables (Parquet, else CSV) of DIR with all below it, each row with its source.

    It is written only if every source is complete, and each (source, frame, face_id) there once, without a gap.
    """
    from tracker.merging import merge_tables

    file = Path(target) if target else Path(folder).resolve().with_suffix(".parquet")
    sources, rows = merge_tables(Path(folder), file, Path(manifest) if manifest else None, overwrite)
    click.echo(f"{file}: {counted(rows, 'row')} of {counted(sources, 'source')}", err=True)
