"""The command `affect`: a group whose commands are imported when they are called, so that help stays fast."""

import errno
import importlib
import io
import os
import sys
import traceback
from typing import Any, NamedTuple

import click

import tracker
from tracker.addresses import shown_in
from tracker.commands.options import DEBUG, debug_option
from tracker.errors import UsageError
from tracker.faults import plain_line

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the signal's number."""


def settle_streams() -> None:
    """Make the standard streams take any text, whatever the locale, and be there where the caller closed them (cron).

    A closed one is opened onto nothing, so that no output gets its number and no library writes into that. Standard
    output stays None for Python, so that JSON lines for it can be refused.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Entry(NamedTuple):
    """Where a command stands, and its line in the help."""

    place: str
    help: str


COMMANDS = {
    "track": Entry("tracker.commands.track:track", "Track the apparent affect of every face in videos and pictures."),
    "status": Entry("tracker.commands.status:status", "Tell how far the runs over a folder are."),
    "merge": Entry("tracker.commands.merge:merge", "Make one Parquet of all tables of a folder, and check them."),
    "rerun": Entry("tracker.commands.rerun:rerun", "Track a source again as its META.json tells, and compare."),
    "image": Entry("tracker.commands.image:image", "Measure pictures, each by itself."),
    "live": Entry("tracker.commands.live:live", "Track a camera or a stream as it comes."),
    "summary": Entry("tracker.commands.summary:summary", "Sum up traces: means, losses, whether they are fit to use."),
    "export-trace": Entry("tracker.commands.export_trace:export_trace", "Write traces for ELAN, Praat, BIDS and EDF+."),
    "report": Entry("tracker.commands.report:report", "Make a page of a trace and its video."),
    "repair": Entry("tracker.commands.repair:repair", "Recover readable files from killed runs."),
    "edit": Entry("tracker.commands.edit:edit", "Change the expression of a face by a generative model."),
    "models": Entry("tracker.commands.models:models", "List the models: size, terms, figures."),
    "info": Entry("tracker.commands.info:info", "Describe a source or a checkpoint."),
    "doctor": Entry("tracker.commands.doctor:doctor", "Tell what is installed, and what is missing for what."),
    "export": Entry("tracker.commands.export:export", "Write what runs a checkpoint without torch."),
    "eval": Entry("train.evaluate:evaluate", "Score a model against people's votes."),
    "prepare": Entry("train.prepare:prepare", "Turn a data set into aligned crops for training."),
    "annotate": Entry("train.annotate:annotate", "Carry labels from emotion classes to valence and arousal, and back."),
    "synth": Entry("train.synthetic:synth", "Make synthetic faces and clips whose truth is known."),
    "train": Entry("train.command:train", "Train a model."),
    "bench": Entry("benchmarks.command:bench", "Measure speed and memory, and what got slower."),
}


class CommandGroup(click.Group):
    """Imports a command when it is called; says its error in one plain line and exits with 1, or 2 for wrong usage."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None where there is none."""
        return load(COMMANDS[cmd_name].place) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands and their lines, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        settle_streams()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            ctx.exit(fail(error, ctx.meta.get(DEBUG, False)))


def load(place: str) -> Any:
    """The object that "module:name" names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def fail(error: Exception, debug: bool) -> int:
    """Say the error on standard error, after its traceback where wanted; returns the exit code."""
    if debug:
        click.echo(shown_in("".join(traceback.format_exception(error))), err=True, nl=False)
    click.echo(f"error: {plain_line(error)}", err=True)
    return 2 if isinstance(error, UsageError) else 1


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tracker.__version__, message="affect %(version)s")
@debug_option()
def main() -> None:
    """Video in, a timed valence-arousal trace per face out.

    What is estimated is apparent affect, the expression that a face shows, not what a person feels.
    """


if __name__ == "__main__":
    main()
