"""What a variant of DisVAE is worth: trained, and measured as `affect eval disvae` measures it."""

from pathlib import Path

from train.disvae.config import DisvaeTraining
from train.disvae.tasks.config import TasksConfig
from train.disvae.tasks.evaluation import findings_of, open_model
from train.disvae.tasks.study import Study
from train.disvae.tasks.summary import summary
from train.disvae.tasks.trial import Trial
from train.disvae.training import train_disvae
from train.folds import Rows
from train.prepared import open_prepared


def measure_disvae(
    config: DisvaeTraining, data: Path, rows: Rows, out: Path, _processes: int
) -> dict[str, list[float] | None]:
    """Train on the rows of a prepared set, in this process, and give the summary of the test rows' faces: by name
    [value, low, high] of the 95 % interval, None where the variant has no such figure."""
    checkpoint = train_disvae(config, data, rows, out, f"affect train ablation --config disvae: {out.name}")
    prepared, tasks = open_prepared(data), TasksConfig()
    findings = findings_of(Trial.of(open_model(checkpoint, prepared), prepared, rows, tasks))
    found = summary(Study(prepared.classes, {config.name: {0: findings}}, tasks), config.name)
    return {name: figure and [round(value, 4) for value in figure] for name, figure in found.items()}
