"""`affect eval disvae`: DisVAEs and their CNN baseline on the folds that they have not seen, as one report."""

import json
from pathlib import Path
from typing import Any

import click


@click.command("disvae")
@click.option("--data", type=Path, required=True, help="A prepared set: see affect prepare.")
@click.option("--folds", type=Path, required=True, help="The file of folds that the models were trained by.")
@click.option("--runs", type=Path, default=Path("runs"), show_default=True, help="Folder of the trainings' runs.")
@click.option(
    "--config",
    "configs",
    multiple=True,
    default=("two-stage", "end-to-end", "small", "baseline"),
    show_default=True,
    help="A name of train/configs/disvae/, or a .json file; again for each.",
)
@click.option("--fold", "chosen", type=click.IntRange(min=0), multiple=True, help="Again for each.  [default: all]")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="faces=1000, rounds=200 and the like.")
@click.option("--out", type=Path, required=True, help="Folder of the report and its pictures.")
def evaluate_disvae(changes: tuple[str, ...], out: Path, **options: Any) -> None:
    """How well a DisVAE's codes of identity and expression lie apart, and what they are worth.

    Accuracy of the expression against the CNN baseline, what linear probes read in each code, swapped expressions
    encoded again, reconstruction, and whether distances follow expression and degree: over all folds whose models are
    there, with intervals over people. Writes OUT/report.md, report.json, topology.png and grid.png.
    """
    from train import run
    from train.command import changes_of
    from train.config import settings
    from train.disvae.tasks.config import TasksConfig
    from train.disvae.tasks.evaluation import Options, report_of
    from train.scoring.pages import REPORT, write_files

    config = settings(TasksConfig, changes_of(changes))
    run.make_folder(out)
    report = report_of(Options(**options), config)
    files: dict[str, bytes | str] = {file: each.png for file, each in report.pictures.items()}
    files |= {"report.json": json.dumps(report.to_dict(), indent=2) + "\n", REPORT: report.markdown()}
    written = write_files(out, files)
    lines = [*report.notes, report.brief.markdown(), *report.verdicts]
    click.echo("\n".join([*lines, "wrote", *(f"  {path}" for path in written)]))
