"""`affect image`: pictures, each measured by itself, as a table."""

from pathlib import Path
from typing import Any

import click

from tracker.commands.options import debug_option, setting
from tracker.config import BatchConfig, SourceOptions, TrackerConfig
from tracker.errors import SinkError, SourceError


@click.command()
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE|FOLDER...")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="A CSV in place of the screen.")
@click.option("--annotate", type=click.Path(path_type=Path), metavar="DIR", help="Pictures with box and point, too.")
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
@setting(BatchConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a file.")
@setting(TrackerConfig, "faces", "--faces", metavar="N", help="Most faces in a picture.")
@setting(TrackerConfig, "device", "--device", metavar="NAME", help="cpu, cuda, cuda:1 or mps.")
@setting(TrackerConfig, "runtime", "--runtime", help="What runs the networks; auto is the faster.")
@debug_option()
def image(
    pictures: tuple[str, ...], out: Path | None, annotate: Path | None, overwrite: bool, model: str, **options: Any
) -> None:
    """Measure each PICTURE, and each in a FOLDER, by itself; the columns are those of `affect track`."""
    from tracker.engine import Engine, track
    from tracker.sinks import SinkContext, open_sink
    from tracker.sinks.files import open_output
    from tracker.sinks.records import FLAT, column_names, columns_behind, csv_lines, rows
    from tracker.sources.images import ImageReader

    found = {each: pictures_in(each) for each in pictures}
    if out is not None and out.exists() and not overwrite:
        raise SinkError(f"{out} exists; --overwrite replaces it, another -o keeps both")
    table = open_output("-" if out is None else out)
    try:
        with Engine(model, TrackerConfig(**options)) as engine:
            for number, (source, paths) in enumerate(found.items()):
                reader = ImageReader(source, paths, SourceOptions(), film=False)
                context = SinkContext(reader.info, source, extras=engine.told, model=engine.runtime.card.name)
                columns = [column for column in columns_behind(context) if column.kind in FLAT]
                if number == 0:
                    table.write(csv_lines([column_names("affect", columns)]))
                drawing = open_sink("video", annotate, context) if annotate else None
                for tracked in track(reader.frames(), engine):
                    table.write(csv_lines(row.values() for row in rows(tracked, extras=columns)))
                    if drawing is not None:
                        drawing.write(tracked)
                for warning in reader.report().warnings:
                    click.echo(f"warning: {source}: {warning}", err=True)
        table.finish()
    finally:
        table.abort()
    if out is not None:
        click.echo(f"wrote {out}", err=True)


def pictures_in(source: str) -> list[str]:
    """The pictures that a file, a folder or a glob stands for; raises SourceError, UsageError."""
    from tracker.sources import check_named, find_pictures

    check_named(source)
    if source == "-" or "://" in source:
        raise SourceError(f"{source} is no picture file; expected a picture, a folder of pictures, or a glob")
    if not (found := find_pictures(source)):
        raise SourceError(f"{source} is no picture; expected one, a folder of pictures, or a glob: see affect track")
    return found
