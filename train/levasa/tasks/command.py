"""`affect eval levasa`: LeVAsa's seven tasks on several checkpoints side by side, as one report."""

from pathlib import Path
from typing import Any

import click

from train.levasa.tasks.config import TITLES


@click.command("levasa")
@click.option("--model", "models", multiple=True, required=True, help="A .safetensors file, again for each.")
@click.option("--data", type=Path, required=True, help="A prepared set: see affect prepare.")
@click.option(
    "--task", "tasks", multiple=True, type=click.Choice(["all", *TITLES]), help="Again for each.  [default: all]"
)
@click.option("--split", "part", type=click.Choice(["test", "validation"]), default="test", show_default=True)
@click.option("--folds", type=Path, help="A file made by affect eval folds, in place of the set's own split.")
@click.option("--fold", type=click.IntRange(min=0), default=0, show_default=True, help="The fold that tests.")
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="faces=10000, rounds=200 and the like.")
@click.option("--json", "file", type=Path, help="Write every figure to this file.")
@click.option("--out", type=Path, required=True, help="Folder of the report and its pictures.")
def evaluate_levasa(file: Path | None, out: Path, **options: Any) -> None:
    """LeVAsa's seven tasks: reconstruction, alignment with valence and arousal, and what the latents tell.

    Give the vanilla model and the aligned ones together: they are measured on the same faces, side by side, with the
    constant, majority and class-mean baselines and the published figures. Writes OUT/report.md and its pictures.
    """
    from train import run
    from train.evaluate import check_folder, write_json
    from train.levasa.tasks.evaluation import Options, open_study, run_tasks
    from train.levasa.tasks.report import json_of, markdown_of
    from train.scoring.pages import REPORT, pictures_of, write_files

    check_folder(file)
    run.make_folder(out)
    study, tasks = open_study(Options(**options))
    outcomes = run_tasks(study, tasks)
    written = write_files(out, pictures_of(outcomes) | {REPORT: markdown_of(study, outcomes)})
    if file is not None:
        write_json(json_of(study, outcomes), file)
    click.echo("wrote\n" + "\n".join(f"  {path}" for path in written))
