"""`affect train`: makes the weights that ship, and others, from a configuration and a data set."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

DEFAULT_CONFIG = "compact-ferplus"


@click.group()
def train() -> None:
    """Train a model on a data set that you hold."""


@train.command("anclaf")
@click.option("--config", default=DEFAULT_CONFIG, show_default=True, help="A name of train/configs/, or a .json file.")
@click.option("--data", type=Path, required=True, help="The FER+ .npz.")
@click.option(
    "--out", type=Path, default=Path("runs"), show_default=True, help="Folder of runs; a run goes on where it stopped."
)
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="That share every batch.")
@click.option("--epochs", type=click.IntRange(min=1), help="In place of the configuration's.")
def train_anclaf(config: str, data: Path, out: Path, processes: int, epochs: int | None) -> None:
    """ANCLaF's first stage without the adversarial game, on FER+: writes OUT/CONFIG/NAME.safetensors and its card.

    At the end the model is measured on FER+'s test split, and the card tells what came out.
    """
    from train.anclaf import StageOneConfig, export, train_stage_one
    from train.evaluate import ferplus_report, open_runtime, table_of

    settings = StageOneConfig.read(config)
    if epochs is not None:
        settings = replace(settings, epochs=epochs)
    folder = out / Path(config).stem
    train_stage_one(settings, data, folder, processes)
    path = export(settings, folder, f"affect train anclaf --config {config} --data FILE")
    report = ferplus_report(open_runtime(str(path)), data)
    add_figures(path, {"ferplus": report})
    click.echo(f"{table_of(report)}\nwrote {path} and its card")


def add_figures(path: Path, figures: dict[str, Any]) -> None:
    """Write what was measured into the card of a checkpoint."""
    from nets.checkpoint import read_card, write_card

    write_card(path, replace(read_card(path), figures=figures))
