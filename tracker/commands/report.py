"""`affect report`: a page of a trace and its video."""

from pathlib import Path
from typing import Any

import click

from tracker.commands.options import debug_option, setting
from tracker.config import ReportConfig


@click.command()
@click.argument("table", type=Path, metavar="TRACE")
@setting(ReportConfig, "video", "--video", metavar="FILE", help="The video.  [default: the one that was tracked]")
@setting(ReportConfig, "embed", "--embed", is_flag=True, help="Put the video into the page, not a link to it.")
@setting(ReportConfig, "thumbnails", "--thumbnails", is_flag=True, help="Put a small picture of each face into it.")
@setting(ReportConfig, "overwrite", "--overwrite", is_flag=True, help="Replace a page that is there already.")
@click.option("-o", "--out", type=Path, metavar="FILE", help="The page (.html).  [default: beside the trace]")
@debug_option()
def report(table: Path, out: Path | None, **options: Any) -> None:
    """Make one HTML file of a trace: its course beside the video, the faces, and figures.

    A TRACE is a CSV, JSON lines or Parquet file that `affect track` or `affect live` wrote. The page opens in a browser
    with the network off and sends nothing anywhere. Faces can be renamed and merged there, moments marked and stretches
    excluded; what is saved are new files, the trace is not changed.
    """
    config = ReportConfig(**options)
    from tracker.report import write_report

    click.echo(f"wrote {write_report(table, config, out)}", err=True)
