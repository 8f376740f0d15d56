"""`affect track`: sources in, outputs in a folder, a summary at the end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tracker.commands.options import (
    Part,
    debug_option,
    face_options,
    filled,
    landmark_options,
    password_option,
    setting,
)
from tracker.commands.tables import table
from tracker.config import BatchConfig, OutputConfig, SmoothingConfig, SourceOptions, TrackerConfig
from tracker.errors import UsageError
from tracker.words import counted

if TYPE_CHECKING:
    from tracker.sheets import Outcome

EXIT_CODES = {"done": 0, "skipped": 0, "planned": 0, "truncated": 1, "failed": 1, "refused": 2, "interrupted": 130}
"""By the outcome of a source; the largest is the command's."""


@click.command()
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@setting(OutputConfig, "folder", "-o", "--out", metavar="DIR", help="Folder of the outputs.")
@setting(OutputConfig, "csv", "--csv/--no-csv", help="A table, one row a face and frame (on unless --no-csv).")
@setting(OutputConfig, "jsonl", "--jsonl", metavar="F", help="JSON lines to a file, a folder, or - (standard output).")
@setting(OutputConfig, "parquet", "--parquet", is_flag=True, help="The table as Parquet.")
@setting(OutputConfig, "video", "--video", is_flag=True, help="The video with box, valence-arousal point and trail.")
@setting(OutputConfig, "plot", "--plot", is_flag=True, help="A picture of the traces.")
@setting(OutputConfig, "attention", "--attention", is_flag=True, help="Where the model's attention looks.")
@setting(OutputConfig, "report", "--report", is_flag=True, help="A page with the traces beside the video.")
@setting(
    BatchConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a .safetensors or .onnx file."
)
@setting(TrackerConfig, "sequence_length", "--sequence-length", type=int, metavar="N", help="Window, 1 to 32 frames.")
@landmark_options
@setting(
    OutputConfig,
    "baseline",
    "--baseline",
    metavar="A:B|FILE|own|auto",
    help="Where the face rests, for valence_rel and arousal_rel.",
)
@setting(SmoothingConfig, "kind", "--smoothing", help="Filter behind the network.")
@face_options
@setting(TrackerConfig, "device", "--device", metavar="NAME", help="cpu, cuda, cuda:1 or mps.")
@setting(TrackerConfig, "runtime", "--runtime", help="What runs the networks; auto is the faster.")
@setting(SourceOptions, "start", "--start", type=float, metavar="S", help="Begin at this time, seconds.")
@setting(SourceOptions, "end", "--end", type=float, metavar="S", help="End at this time, seconds.")
@setting(SourceOptions, "fps", "--fps", type=float, metavar="N", help="Pictures are a film of so many a second.")
@setting(SourceOptions, "sequence", "--sequence", is_flag=True, help="Pictures are a film, whatever their names.")
@setting(SourceOptions, "stream", "--stream", type=int, metavar="N", help="Video stream, as `affect info` counts.")
@setting(OutputConfig, "columns", "--columns", help="Naming scheme of the columns.")
@setting(OutputConfig, "empty", "--empty", help="What CSV has for a number that was not measured.")
@setting(OutputConfig, "blur_faces", "--blur-faces", is_flag=True, help="Hide who it is in the overlay video.")
@setting(BatchConfig, "resume", "--resume", is_flag=True, help="Skip what is complete; do again what broke off.")
@setting(BatchConfig, "overwrite", "--overwrite", is_flag=True, help="Replace outputs that are there already.")
@setting(BatchConfig, "recursive", "--recursive", is_flag=True, help="Folders with all that is below them.")
@setting(
    OutputConfig, "name", "--output-name", metavar="TEMPLATE", help="Such as {path}/{name}, {parent}-{name}-{start}."
)
@setting(
    OutputConfig,
    "full_paths",
    "--full-paths",
    is_flag=True,
    help="Write the home folder in full in meta.json, not as ~.",
)
@setting(OutputConfig, "source_column", "--source-column", is_flag=True, help="A last column that names the source.")
@setting(BatchConfig, "workers", "--workers", metavar="N", help="Sources tracked at once, each by its own process.")
@setting(BatchConfig, "listed", "--list", metavar="FILE|-", help="A file that names sources, one a line.")
@setting(BatchConfig, "shard", "--shard", type=Part(), metavar="I/N", help="The I-th of N parts of the sources.")
@setting(BatchConfig, "manifest", "--manifest", metavar="FILE", help="Add a line of JSON for each source at its end.")
@setting(BatchConfig, "dry_run", "--dry-run", is_flag=True, help="Tell what would be done, and do nothing.")
@setting(BatchConfig, "quiet", "--quiet", is_flag=True, help="Tell only what goes wrong.")
@password_option
@debug_option(expose_value=True)
@click.pass_context
def track(context: click.Context, /, sources: tuple[str, ...], **options: Any) -> None:
    """Track the apparent affect of every face in videos and pictures.

    A SOURCE is a video, a folder of videos or of pictures, a glob, or - (a container on standard input). Pictures are
    measured each by itself, unless they are numbered (shot7.png, shot8.png), or --sequence or --fps says that they are
    a film. Of each, DIR gets NAME.csv, .jsonl, .parquet, .overlay.mp4, .png, .attention.png and .html as asked for, and
    NAME.meta.json, which tells how they came about. What else a model tells of a face (a DisVAE the probability of each
    expression and its code, a --landmark-model its code z_0, z_1, ...) stands in JSON lines and Parquet, not in CSV.
    """
    config = batch_config(options)
    if not sources and config.listed is None:
        raise click.MissingParameter(param=next(each for each in context.command.params if each.name == "sources"))
    from tracker.batch import run_batch
    from tracker.commands.models import check_attention, check_landmark_model, model_card

    card = model_card(config.model)
    models = {"model": card.sha256}
    if config.tracker.landmark_model:
        check_tells_readings(config.output)
        models["landmark_model"] = check_landmark_model(config.tracker).sha256
    if config.output.attention:
        check_attention(card, config.tracker.sequence_length)
    outcomes = run_batch(sources, config, models)
    if told := summary(outcomes, config.quiet):
        click.echo(told, err=True)
    context.exit(max((EXIT_CODES[outcome.state] for outcome in outcomes), default=0))


def check_tells_readings(output: OutputConfig) -> None:
    """Raise UsageError where none of the outputs has what a landmark model says."""
    if not (output.jsonl or output.parquet):
        raise UsageError("--landmark-model is told in JSON lines and Parquet alone; add --jsonl F or --parquet")


def batch_config(options: dict[str, Any]) -> BatchConfig:
    """The configuration that the command's options describe; raises UsageError for values out of range."""
    options["smoothing"] = filled(SmoothingConfig, options)
    parts = {"tracker": TrackerConfig, "source": SourceOptions, "output": OutputConfig}
    return BatchConfig(**{name: filled(part, options) for name, part in parts.items()}, **options)


def summary(outcomes: "Sequence[Outcome]", quiet: bool = False) -> str:
    """What became of each source: a line for one, a table for several; and after Ctrl-C, how to go on.

    quiet: of those that went wrong alone; an empty text where none did.
    """
    if not outcomes:
        return "" if quiet else "no source falls to this shard"
    shown = [each for each in outcomes if EXIT_CODES[each.state]] if quiet else outcomes
    lines = _table(shown) if len(shown) > 1 else []
    if any(outcome.state == "interrupted" for outcome in outcomes):
        lines.append(_how_to_go_on(outcomes))
    return "\n".join(lines or map(_line, shown))


def _line(outcome: "Outcome") -> str:
    if outcome.state in ("failed", "refused"):
        return (
            f"error: {outcome.detail}" if outcome.uri in outcome.detail else f"error: {outcome.uri}: {outcome.detail}"
        )
    if outcome.state in ("skipped", "planned"):
        return f"{outcome.uri}: {outcome.detail}"
    told = "warning: " if outcome.state == "truncated" else ""
    written = f"{counted(outcome.rows, 'row')} in {outcome.seconds:.1f} s: {', '.join(outcome.files)}"
    return f"{told}{outcome.uri}: {written}" + (f" ({outcome.detail})" if outcome.detail else "")


def _table(outcomes: "Sequence[Outcome]") -> list[str]:
    rows = [(o.uri[-48:], o.output, str(o.rows), f"{o.seconds:.1f}", _result(o)) for o in outcomes]
    return table([("source", "output", "rows", "seconds", "result"), *rows], right=(2, 3))


def _result(outcome: "Outcome") -> str:
    return f"{outcome.state}: {outcome.detail}" if outcome.detail else outcome.state


def _how_to_go_on(outcomes: "Sequence[Outcome]") -> str:
    kept = [file for outcome in outcomes if outcome.state == "interrupted" for file in outcome.files]
    done = sum(outcome.state in ("done", "skipped") for outcome in outcomes)
    partial = f"; what was written of the rest is in {', '.join(kept)}" if kept else ""
    return f"interrupted: {done} of {len(outcomes)} complete{partial}; the same command with --resume goes on"
