"""How well faces come back out of both codes, and how much the codes hold."""

import torch

from nets.disvae import Code
from train.disvae.tasks.items import Findings
from train.disvae.tasks.study import CODES, Study
from train.disvae.tasks.trial import Trial
from train.scoring.pages import Cells, Table

NOTE = (
    "Pixels in [0, 1]; faces decoded from the means of both codes, beside the training faces' mean picture. Nats: "
    "divergence of a code from the standard normal distribution, the sum over its components; of a code whose mean "
    "alone was trained, they say how far its means spread."
)


@torch.no_grad()
def reconstruction(trial: Trial) -> Findings:
    """Each test face: its pixels' squared error, that of the mean picture, and the nats of its codes."""
    network, crops, error = trial.network, trial.crops(trial.test), trial.told.error
    if error is None:
        return {}
    mean = trial.crops(trial.taught).numpy().mean(axis=0) / 255
    values = {"error": error.numpy(), "mean picture": ((crops.numpy() / 255 - mean) ** 2).mean(axis=(1, 2, 3))}
    codes = zip(CODES, (network.expression(crops), network.identity(crops)), strict=True)
    return {"pictures": trial.items(values | {name: nats(code).numpy() for name, code in codes})}


def nats(code: Code) -> torch.Tensor:
    """(B,): the divergence of a code, summed over its components."""
    return code.nats().sum(1)


def reconstruction_tables(study: Study) -> list[Table]:
    """The error and the nats of each configuration that makes pictures."""
    rows: dict[str, Cells] = {}
    for name in study.having("pictures"):
        items = study.items(name, "pictures")
        error = study.mean(items, 1000 * items["error"])
        rows[name] = [error, *(study.mean(items, items[code]) for code in CODES)]
    if rows:
        items = study.widest("pictures")
        rows["mean picture"] = [study.mean(items, 1000 * items["mean picture"]), None, None]
    columns = ("pixel MSE x 1000", *(f"nats, {code}" for code in CODES))
    return [Table("Test faces", columns, rows, NOTE)] if rows else []
