"""`affect export-trace`: traces in the formats of other programs."""

from typing import Any

import click

from tracker.commands.options import debug_option, setting
from tracker.config import ExportConfig
from tracker.errors import UsageError


@click.command()
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@setting(ExportConfig, "format", "--to", help="The format.")
@setting(ExportConfig, "folder", "-o", "--out", metavar="DIR", help="Folder of the files; of BIDS, its root.")
@setting(ExportConfig, "events", "--events", metavar="FILE", help="Table of events (CSV, TSV).")
@setting(ExportConfig, "one_person", "--one-person", is_flag=True, help="All faces of a file are one person's.")
@setting(ExportConfig, "step", "--step", metavar="S", help="ELAN, Praat: seconds of an interval of valence, arousal.")
@setting(ExportConfig, "participant", "--participant", metavar="LABEL", help="BIDS: sub-LABEL.")
@setting(ExportConfig, "session", "--session", metavar="LABEL", help="BIDS: ses-LABEL.")
@setting(ExportConfig, "task", "--task", metavar="LABEL", help="BIDS: task-LABEL; otherwise the trace's name.")
@setting(ExportConfig, "overwrite", "--overwrite", is_flag=True, help="Replace files that are there already.")
@debug_option()
def export_trace(traces: tuple[str, ...], **options: Any) -> None:
    """Write traces in the formats of other programs.

    A TRACE is a file that `affect track` wrote (CSV, JSON lines, Parquet), or a folder with all below it. elan makes
    NAME.eaf, textgrid NAME.TextGrid: tiers of the status, the quadrant, valence and arousal. bids: physio and events
    below sub-LABEL/beh. edf: an EDF+ file a face. table: a CSV a face at even steps, for the import dialogues of
    Noldus, iMotions, ELAN and others.
    """
    config = ExportConfig(**options)
    from tracker.sinks.files import write_whole
    from tracker.traces.exports import export

    files = export(traces, config)
    standing = [str(file) for file in files if file.exists()]
    if standing and not config.overwrite:
        raise UsageError(f"{', '.join(standing)} exists; --overwrite replaces it, -o keeps both")
    for file, content in files.items():
        write_whole(file, content)
        click.echo(str(file), err=True)
