"""`affect eval landmarks`: Table II's protocol on a synthetic set, with what it needs trained on the way."""

from pathlib import Path
from typing import Any

import click

from tracker.config import default_of
from train.landmarks.scoring.config import KINDS, Options


@click.command("landmarks")
@click.option("--data", type=Path, required=True, help="A set of affect synth set, or the folder of BU-3DFE.")
@click.option("--out", type=Path, required=True, help="Folder of the report, the models and the found landmarks.")
@click.option("--seeds", type=click.IntRange(1, 100), default=default_of(Options, "seeds"), show_default=True,
              help="Repetitions of everything, behind the intervals.")  # fmt: skip
@click.option("--landmarks", "kinds", multiple=True, type=click.Choice(list(KINDS)),
              help="The known ones with jitter, or those that MediaPipe finds.  [default: both]")  # fmt: skip
@click.option(
    "--found", type=Path, help="File of the found landmarks, made where it is not there.  [default: OUT/found.npz]"
)
@click.option(
    "--triplets", type=Path, help="A CSV: reference,nearer,farther (rows of the table),weight; else they are drawn."
)
@click.option(
    "--clip", "clips", multiple=True, type=Path, help="A video for the picture of the code's path; again for more."
)
@click.option("--processes", type=click.IntRange(1, 64), default=default_of(Options, "processes"), show_default=True,
              help="Models trained at a time.")  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="In place of every configuration's.")
def evaluate_landmarks(**settings: Any) -> None:
    """The landmark VAE's accuracy and satisfied triplets: none, PCA, VAE, M1, M2, beside the published Table II.

    Trains what is not yet trained below OUT; run again, it goes on where it stopped. Writes OUT/report.md, report.json,
    traversals.png, space.png, and, where clips are given, path.png.
    """
    from tracker.faces.shape import MEDIAPIPE_83
    from train.landmarks.scoring import shown
    from train.landmarks.scoring.follow import follow
    from train.landmarks.scoring.report import write_report
    from train.landmarks.scoring.study import run_study

    options = Options(**settings)
    clips = [follow(file, MEDIAPIPE_83) for file in options.clips]
    study = run_study(options)
    if not study.asked_the_tracker:
        click.echo(
            f"{options.found_file} is not of the model that ships now: without it, all is found again, and the report"
            " says what the tracker's choice of the neutral face is worth",
            err=True,
        )
    pictures = {"traversals.png": shown.traversals(study), "space.png": shown.space(study)}
    if clips:
        pictures["path.png"] = shown.paths(study, clips)
    click.echo("wrote\n" + "\n".join(f"  {path}" for path in write_report(study, pictures)))
