"""`affect summary`: figures of traces, as a table and as a page to read."""

from pathlib import Path
from typing import Any

import click

from tracker.commands.options import Span, debug_option, setting
from tracker.commands.tables import table
from tracker.config import SummaryConfig
from tracker.errors import UsageError
from tracker.words import counted


@click.command()
@click.argument("traces", nargs=-1, required=True, metavar="TRACE...")
@setting(SummaryConfig, "window", "--window", type=float, metavar="S", help="Windows of so many seconds besides.")
@setting(SummaryConfig, "events", "--events", metavar="FILE", help="Table of events (CSV, TSV), for conditions.")
@setting(SummaryConfig, "around", "--around", type=Span(), metavar="A:B", help="What counts, seconds from an event.")
@setting(SummaryConfig, "one_person", "--one-person", is_flag=True, help="All faces of a file are one person's.")
@setting(SummaryConfig, "folder", "-o", "--out", metavar="DIR", help="Folder of summary.csv and summary.md.")
@setting(SummaryConfig, "overwrite", "--overwrite", is_flag=True, help="Replace a summary that is there already.")
@debug_option()
def summary(traces: tuple[str, ...], **options: Any) -> None:
    """Sum up traces: mean, spread, quadrants, peaks, losses, how sure the mean is, and whether it is fit to use.

    A TRACE is a file that `affect track` wrote (CSV, JSON lines, Parquet), or a folder with all below it. There
    is a row for every face, over the whole trace, each condition, each event, and each window. Conditions are the
    events of FILE (onset, duration, trial_type as BIDS has them; or timestamp, event), or those of NAME.events.csv
    beside a trace.
    """
    config = SummaryConfig(**options)
    from tracker.sinks.files import write_whole
    from tracker.traces.page import page_of, table_of
    from tracker.traces.summary import summarise

    files = [Path(config.folder, f"summary{suffix}") for suffix in (".csv", ".md")]
    standing = [str(file) for file in files if file.exists()]
    if standing and not config.overwrite:
        raise UsageError(f"{', '.join(standing)} exists; --overwrite replaces it, -o keeps both")
    summaries = summarise(traces, config)
    write_whole(files[0], table_of(summaries))
    write_whole(files[1], page_of(summaries).encode())
    rows = [("file", "face", "fit", "why")]
    rows += [
        (str(each.figures["file"]), str(each.figures["face_id"]), each.fit.verdict, "; ".join(each.fit.reasons))
        for each in summaries
        if each.part.told == "all"
    ]
    click.echo("\n".join([*table(rows), f"{counted(len(summaries), 'row')}: {', '.join(map(str, files))}"]), err=True)
