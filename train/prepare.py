"""`affect prepare`: the tracker's own landmarks and alignment over a whole data set, into memory-mapped crops."""

import importlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracker.errors import CheckpointError
from train.datasets import DATA_SETS

if TYPE_CHECKING:
    from tracker.faces.align import Template

MARGIN = 8
"""Pixels kept around a crop, for training to rotate and shift it."""
ALL_VIEWS = click.Option(["--all-views"], is_flag=True, help="Pictures not taken from the front too.")
OPTIONS: dict[str, list[click.Parameter]] = {
    "sewa": [click.Option(["--rating"], type=click.Choice(["AV", "V", "A"]), help="Which raters' labels.")],
    "rafd": [ALL_VIEWS],
    "kdef": [ALL_VIEWS],
}
"""Of one data set alone; those of its `read`."""
SEQUENCES = "train.clips.sequences:prepare_sequences"


class PrepareGroup(click.Group):
    """A command for each data set, and `sequences`, which is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of the help."""
        return [*DATA_SETS, "sequences"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command of that name; wrong usage where there is none."""
        if cmd_name == "sequences":
            module, _, name = SEQUENCES.partition(":")
            return getattr(importlib.import_module(module), name)
        if cmd_name not in DATA_SETS:
            ctx.fail(f"there is no data set {cmd_name}; there are {', '.join(self.list_commands(ctx))}")
        return command_of(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The data sets and their lines, without importing them."""
        with formatter.section("Data sets"):
            formatter.write_dl([(name, entry.help) for name, entry in DATA_SETS.items()])
        with formatter.section("Made from a prepared data set"):
            formatter.write_dl([("sequences", "Synthetic clips from prepared faces.")])


@click.group(cls=PrepareGroup)
def prepare() -> None:
    """Prepare a data set for training: find and align every face, once.

    A run that was stopped goes on where it was when the same command is given again.
    """


def command_of(name: str) -> click.Command:
    """The command that prepares the data set of that name."""
    params: list[click.Parameter] = [
        click.Option(["--root"], type=Path, required=True, help="Where the data set lies."),
        click.Option(["--out"], type=Path, required=True, help="Folder to write; new, or one that was begun."),
        click.Option(["--size"], type=click.IntRange(16, 512), default=64, show_default=True, help="Pixels of a crop."),
        click.Option(
            ["--channels"], type=click.Choice(["1", "3"]), default="1", show_default=True, help="Grey or RGB."
        ),
        click.Option(
            ["--margin"], type=click.IntRange(0, 256), default=MARGIN, show_default=True, help="Pixels kept around it."
        ),
        click.Option(["--like"], metavar="MODEL", help="Crops as this model takes them, whatever --size, --channels."),
        click.Option(
            ["--workers"], type=click.IntRange(1, 256), default=os.cpu_count() or 1, help="Processes; one a core."
        ),
        click.Option(["--low"], type=float, help="Lowest label, in place of the data set's own."),
        click.Option(["--high"], type=float, help="Highest label."),
        click.Option(["--threshold"], type=float, help="Where the quadrants part; else the middle of the range."),
    ]
    params += OPTIONS.get(name, [])
    return click.Command(name, params=params, callback=_callback(name), help=DATA_SETS[name].help)


def template_of(size: int, channels: str, like: str | None, margin: int) -> "Template":
    """The template of the crops: of a size, or a model's own; CheckpointError for one that cannot be used."""
    from nets.card import CheckpointFault, find, read_card
    from tracker.faces.align import Template

    if like is None:
        return Template(size=size, channels=int(channels), margin=margin)
    try:
        return replace(Template.from_card(read_card(find(like)).crop), margin=margin)
    except CheckpointFault as error:
        raise CheckpointError(str(error)) from error


def _callback(name: str) -> Any:
    def run(root: Path, out: Path, margin: int, workers: int, **options: Any) -> None:
        from train.preparing.preparation import prepare_set, scale_with
        from train.preparing.report import table_of

        scale = scale_with(name, *(options.pop(key) for key in ("low", "high", "threshold")))
        template = template_of(options.pop("size"), options.pop("channels"), options.pop("like"), margin)
        chosen = {key: value for key, value in options.items() if value is not None}
        try:
            report = prepare_set(name, root, out, template, scale, workers, **chosen)
        except KeyboardInterrupt:
            click.echo("stopped; what is done is kept, and the same command goes on", err=True)
            raise
        click.echo(table_of(report))

    return run
