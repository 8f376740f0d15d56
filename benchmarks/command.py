"""`affect bench`: how fast the tracker is on this machine, and what got slower since."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.config import BenchConfig
from tracker.commands.options import Size, filled, setting
from tracker.config import TrackerConfig

if TYPE_CHECKING:
    from benchmarks.report import Report

BUSY = 0.5
"""Processes that wanted a core over the last minute; with more, figures suffer."""
OUTPUTS = ("csv", "jsonl", "parquet", "video", "plot")
JSON = click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures there.")


@click.group()
def bench() -> None:
    """Measure speed and memory; tables as markdown, figures as JSON, two of which can be compared."""


def bench_options(repeat: int) -> Callable[[Any], Any]:
    """The options that all benchmarks of the tracker have; repeat is the default."""
    shared = [
        setting(BenchConfig, "source", "--source", metavar="FILE", help="A video (default: the sample clip)."),
        setting(BenchConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a file."),
        setting(TrackerConfig, "sequence_length", "--sequence-length", type=int, metavar="N", help="Window, 1 to 32."),
        setting(TrackerConfig, "runtime", "--runtime", help="What runs the networks; auto is the faster."),
        setting(TrackerConfig, "threads", "--threads", type=click.IntRange(1), metavar="N", help="Of the networks."),
        setting(TrackerConfig, "faces", "--faces", metavar="N", help="So many faces, tiled into the picture."),
        setting(TrackerConfig, "landmarker", "--landmarker", help="What finds faces and their landmarks."),
        setting(TrackerConfig, "landmark_model", "--landmark-model", metavar="NAME|PATH", help="Beside it."),
        setting(BenchConfig, "size", "--size", type=Size(), metavar="WxH", help="Picture scaled to it."),
        click.option("--repeat", default=repeat, show_default=True, metavar="N", help="Rounds."),
        JSON,
    ]

    def with_options(command: Any) -> Any:
        for option in reversed(shared):
            command = option(command)
        return command

    return with_options


@bench.command("latency")
@click.option("--fps", default=30.0, show_default=True, help="Frames a second: the clip's pace is scaled to it.")
@click.option("--seconds", default=60.0, show_default=True, help="Of each round, after the warm-up.")
@click.option("--warm-up", default=2.0, show_default=True, help="Seconds of each round that do not count.")
@bench_options(repeat=1)
def bench_latency(fps: float, seconds: float, warm_up: float, file: Path | None, **options: Any) -> None:
    """Capture to sample of a live run, stage by stage; drops; and the lag of window and filter."""
    config = bench_config(options)
    from benchmarks.latency import Pace, measure

    pace = Pace(fps, seconds, warm_up)
    tell(lambda: measure(config, pace), file)


@bench.command("throughput")
@bench_options(repeat=6)
def bench_throughput(file: Path | None, **options: Any) -> None:
    """Frames a second of a file, overlapped and one stage after another; and what each stage takes."""
    config = bench_config(options)
    from benchmarks.throughput import measure

    tell(lambda: measure(config), file)


@bench.command("memory")
@click.option("--minutes", default=30.0, show_default=True, help="Of the soak: the clip in a loop at its pace, live.")
@click.option("--clips", type=(int, int), metavar="FEW MANY", help="Instead: peak over a file of so many clips, twice.")
@click.option("--output", "outputs", type=click.Choice(OUTPUTS), multiple=True, default=["csv"], help="With --clips.")
@bench_options(repeat=1)
def bench_memory(
    minutes: float, clips: tuple[int, int] | None, outputs: tuple[str, ...], file: Path | None, **options: Any
) -> None:
    """Resident memory over time, and the threads that are left; or peaks over the length of a file."""
    config = bench_config(options)
    from benchmarks import memory, soak

    if clips:
        tell(lambda: memory.measure(config, clips, outputs), file)
    else:
        tell(lambda: soak.measure(config, minutes), file)


@bench.command("startup")
@bench_options(repeat=6)
def bench_startup(file: Path | None, **options: Any) -> None:
    """From the start of a fresh process to the import, the first frame and the first sample."""
    config = bench_config(options)
    from benchmarks.startup import measure

    tell(lambda: measure(config), file)


@bench.command("landmarks")
@click.argument("sources", nargs=-1, metavar="[FILE...]")
@setting(BenchConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a file.")
@click.option("--repeat", default=6, show_default=True, metavar="N", help="Rounds of the times.")
@JSON
def bench_landmarks(sources: tuple[str, ...], model: str, repeat: int, file: Path | None) -> None:
    """Our run of the face networks beside MediaPipe (extra mediapipe): landmarks, valence, arousal, small faces, time.

    A FILE is a video (default: the sample clip); the first one's face is made small.
    """
    from benchmarks.landmarks import measure

    tell(lambda: measure(sources or (BenchConfig().source,), model, repeat), file)


@bench.command("identity")
@click.option("--media", type=Path, multiple=True, metavar="CLIP", help="A video of one person, again for each.")
@click.option("--persons", type=Path, multiple=True, metavar="FOLDER", help="Pictures of one person, again for each.")
@click.option("--groups", default=3, show_default=True, metavar="N", help="Of persons, for each scene.")
@setting(BenchConfig, "model", "--model", metavar="NAME|PATH", help="Of `affect models`, or a file.")
@JSON
def bench_identity(
    media: tuple[Path, ...], persons: tuple[Path, ...], groups: int, model: str, file: Path | None
) -> None:
    """Ids over cuts, crossings and absences in made scenes: by place alone, and as the tracker gives them."""
    from benchmarks.identity import measure

    tell(lambda: measure(media, persons, groups, model), file)


@bench.command("training")
@click.option("--config", default="compact", show_default=True, help="A name of train/configs/ with a stage two.")
@click.option("--seconds", default=10.0, show_default=True, help="Of each rate.")
@click.option("--repeat", default=1, show_default=True, metavar="N", help="Rounds.")
@JSON
def bench_training(config: str, seconds: float, repeat: int, file: Path | None) -> None:
    """Pictures and windows a second of training, on noise."""
    from benchmarks.training import measure

    tell(lambda: measure(config, seconds, repeat), file)


@bench.command("many")
@click.option("--sources", default=100_000, show_default=True, metavar="N")
@click.option("--machines", default=1000, show_default=True, metavar="N", help="With one process each.")
@click.option("--shards", default=200, show_default=True, metavar="N", help="Of the sources, shared by the machines.")
@click.option("--failures", default=0.05, show_default=True, help="Share of the tries in which a machine dies.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where it is done; a temporary one unless given.")
def bench_many(sources: int, machines: int, shards: int, failures: float, folder: Path | None) -> None:
    """Many machines on one folder, simulated: claims, leases, sheets and the manifest as in a run, without video."""
    from benchmarks.many import simulate, told

    click.echo(told(simulate(sources, machines, shards, failures, folder)))


@bench.command("compare")
@click.argument("first", type=click.Path(dir_okay=False, path_type=Path), metavar="A.json")
@click.argument("second", type=click.Path(dir_okay=False, path_type=Path), metavar="B.json")
def bench_compare(first: Path, second: Path) -> None:
    """What got slower or faster from A to B, by a paired test over their rounds."""
    from benchmarks.compare import compare

    table, warnings = compare(first, second)
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(table)


def bench_config(options: dict[str, Any]) -> BenchConfig:
    """The configuration that the options describe; raises UsageError for values out of range."""
    return replace(filled(BenchConfig, options), tracker=filled(TrackerConfig, options))


def tell(measure: "Callable[[], Report]", file: Path | None) -> None:
    """Measure, print, and write the file where one is wanted."""
    from benchmarks.machine import load_of_others
    from benchmarks.report import check_place, publish

    check_place(file)
    began, load = datetime.now().astimezone(), load_of_others()
    if load > BUSY:
        click.echo(f"warning: the machine is busy (load {load:.1f}): all will seem slower than it is", err=True)
    click.echo(publish(measure(), began, load, file))
