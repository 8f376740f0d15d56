"""How often the classifier names the expression of people that it has never seen, beside the CNN baseline."""

from collections.abc import Mapping

import numpy as np

from train.disvae.tasks.items import Findings, pooled
from train.disvae.tasks.study import Study
from train.disvae.tasks.trial import Trial
from train.scoring.figures import Figure
from train.scoring.pages import Cells, Table

PUBLISHED = Table(
    "Published accuracy, percent",
    ("CK+", "Oulu-CASIA", "RaFD"),
    {"CNN baseline": (84.38, 77.78, 94.16), "DisVAE": (98.37, 87.90, 99.78)},
    "Best over the training by the test fold, of the peaks of expressions alone; on RaFD people who trained are tested "
    "too (Wang, Zhang and Shang, FG 2023, by the slides of a reproduction and the authors' code).",
    digits=2,
)
NOTE = (
    "Accuracy and macro accuracy (every expression weighs alike) of the faces of all folds, each by the model that has "
    "not seen the person; then the mean, the lowest and the highest of the folds' own. Less the baseline's: on the "
    "faces that both have, the same people drawn for both. Constant: the training faces' commonest expression."
)


def accuracy(trial: Trial) -> Findings:
    """Each test face: its class, what it was taken for, whether that is right, and whether the constant is."""
    commonest = np.bincount(trial.taught.classes.numpy()).argmax()
    values = {"truth": trial.truth, "said": trial.said, "hit": trial.said == trial.truth}
    return {"faces": trial.items(values | {"constant": trial.truth == commonest})}


def accuracy_tables(study: Study) -> list[Table]:
    """Of all faces, by degree, and what is taken for what."""
    return [_overall(study), _by_degree(study), *(_confusion(study, name) for name in study.found), PUBLISHED]


def _overall(study: Study) -> Table:
    columns = ("accuracy", "macro accuracy", "folds' mean", "lowest", "highest", "less the baseline's")
    rows: dict[str, Cells] = {name: _row(study, name) for name in study.found}
    faces = study.widest("faces")
    rows["constant"] = [study.mean(faces, faces["constant"]), 1 / len(study.classes), *[None] * 4]
    return Table("Expression of people never seen", columns, rows, NOTE)


def _row(study: Study, name: str) -> Cells:
    folds = [findings["faces"]["hit"].mean() for findings in study.found[name].values()]
    faces = study.items(name, "faces")
    among = (float(np.mean(folds)), float(min(folds)), float(max(folds)))
    return [study.mean(faces, faces["hit"]), study.macro(faces), *among, difference(study, name)]


def difference(study: Study, name: str) -> Figure | None:
    """A configuration's accuracy less the baseline's on the folds that both have; None for the baseline itself."""
    if study.baseline in (None, name):
        return None
    own, other = study.found[name], study.found[study.baseline]
    shared = [fold for fold in own if fold in other]
    if not shared:
        return None
    faces, others = (pooled([each[fold]["faces"] for fold in shared]) for each in (own, other))
    return study.mean(faces, faces["hit"].astype(float) - others["hit"])


def _by_degree(study: Study) -> Table:
    parts: dict[str, Mapping[int, Figure | None]] = {}
    for name in study.found:
        faces = study.items(name, "faces")
        parts[name] = study.by_degree(faces, faces["hit"])
    faces = study.widest("faces")
    parts["constant"] = study.by_degree(faces, faces["constant"])
    return Table("Accuracy by degree", degree_names(study), {name: list(row.values()) for name, row in parts.items()})


def degree_names(study: Study) -> tuple[str, ...]:
    """What the columns of Study.by_degree are called."""
    degrees = np.unique(study.widest("faces").degree).tolist()
    return tuple(f"degree {degree}" if degree else "neutral, or not told" for degree in degrees)


def _confusion(study: Study, name: str) -> Table:
    faces, count = study.items(name, "faces"), len(study.classes)
    counts = np.zeros((count, count))
    np.add.at(counts, (faces["truth"], faces["said"]), 1)
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    rows = dict(zip(study.classes, shares.tolist(), strict=True))
    return Table(f"{name}: what (by row) is taken for what, shares", study.classes, rows, digits=2)
