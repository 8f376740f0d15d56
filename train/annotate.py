"""`affect annotate`: emotion classes to valence and arousal, and back, over the classes' ellipses (LeVAsa)."""

from pathlib import Path
from typing import Any

import click

from tracker.commands.options import filled, setting
from train.annotating.choices import AnnotationConfig, Columns, Draw, Outputs, Words
from train.annotation_transfer import PRESETS


class Names(click.ParamType):
    """Names between commas."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names."""
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


@click.command("annotate")
@click.argument("source", metavar="INPUT", type=Path)
@click.option("--out", type=Path, required=True, help="The .csv or .json to write.")
@setting(AnnotationConfig, "preset", "--preset", type=click.Choice(list(PRESETS)), help="The classes' statistics.")
@setting(AnnotationConfig, "anchor", "--anchor", type=Path, help="A CSV of emotion, valence, arousal: its statistics.")
@setting(Draw, "spread", "--spread", help="Semi-axes in standard deviations: 1 as published; 2 keeps the real spread.")
@setting(Draw, "shape", "--shape", help="Uniform in the ellipse, or Gaussian with its semi-axes as deviations.")
@setting(Draw, "seed", "--seed", type=click.IntRange(min=0), help="The same seed draws the same points.")
@setting(Draw, "discrete", "--discrete", is_flag=True, help="Whole numbers from -10 to 10 in place of -1 to 1.")
@setting(AnnotationConfig, "reverse", "--reverse", is_flag=True, help="From valence and arousal to the class.")
@setting(AnnotationConfig, "nearest", "--nearest", help="With --reverse: which of the class is nearest.")
@setting(Words, "classes", "--classes", type=Names(), help="What the labels 0, 1, 2, ... mean.")
@setting(Words, "unlabelled", "--unlabelled", type=Names(), help="Classes to leave empty.")
@setting(Columns, "path", "--path-column", metavar="NAME", help="Column of the picture.")
@setting(Columns, "emotion", "--emotion-column", metavar="NAME", help="Of its class.")
@setting(Columns, "valence", "--valence-column", metavar="NAME")
@setting(Columns, "arousal", "--arousal-column", metavar="NAME")
@setting(Outputs, "plot", "--plot", type=Path, metavar="FILE.png", help="A picture of the ellipses and the points.")
@setting(Outputs, "save_statistics", "--save-statistics", type=Path, metavar="FILE.csv", help="For --anchor.")
def annotate(source: Path, **options: Any) -> None:
    """Give every picture of an emotion class a valence and an arousal, or with --reverse the other way round.

    INPUT is a CSV (path,emotion, or path and votes: neutral,happiness,...), a JSON object of labels, or a folder with
    one folder of pictures a class. A CSV written keeps INPUT's columns; `affect prepare table` reads it.
    """
    from train.annotating.annotation import annotate_source

    outputs = filled(Outputs, options)
    options |= {name: filled(kind, options) for name, kind in (("draw", Draw), ("words", Words), ("columns", Columns))}
    click.echo(annotate_source(source, outputs, filled(AnnotationConfig, options)))
    click.echo("\n".join(f"wrote {file}" for _, file in outputs.named()))
