"""The expression of one person on the identity of another: what is read in the picture, encoded again."""

import numpy as np
import torch

from nets.disvae import Disvae
from nets.pictures import batch_of, crops_of
from train.disvae.tasks.accuracy import degree_names
from train.disvae.tasks.items import Findings, Items
from train.disvae.tasks.study import Study
from train.disvae.tasks.trial import Trial
from train.disvae.validation import BATCH
from train.metrics import group_means
from train.scoring.figures import Figure
from train.scoring.pages import Cells, Table

READ, TRUE, JUDGED, NEARER = (
    "expression read in B",
    "true expression of B",
    "the baseline's reading of B",
    "identity nearer A's",
)
COLUMNS = (READ, TRUE, JUDGED, NEARER)
NOTE = (
    "Pairs of test persons A and B: the fused codes of A's identity and B's expression are decoded, and the picture is "
    "encoded again: shares in which the classifier says what it says of B's face, or what B's face shows; in which the "
    "CNN baseline of the same fold, which has no part in the making, says what it says of B's face; and in which the "
    "identity code is nearer to the mean code of A's faces than to that of B's. Own face: both codes of one face. "
    "Constant: always the commonest answer. Intervals: of people A drawn anew."
)


def swaps(trial: Trial) -> Findings:
    """Each pair, and each face with its own codes; nothing for the CNN baseline, which makes no pictures."""
    if not trial.network.config.generative:
        return {}
    who, every = pairs(trial.test.person, trial.config.partners, trial.config.seed), np.arange(len(trial.test))
    return {"swaps": _worn(trial, *who), "own faces": _worn(trial, every, every)}


def pairs(person: np.ndarray, partners: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (M,) of faces A, drawn, and B: every face (N,) is so many times B, each time with another person as A."""
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(np.flatnonzero(person != own), partners) for own in person]
    return np.concatenate(drawn), np.repeat(np.arange(len(person)), partners)


@torch.no_grad()
def _worn(trial: Trial, a: np.ndarray, b: np.ndarray) -> Items:
    """The expressions of faces b (M,) on the identities of faces a (M,), encoded again."""
    parts = [_again(trial, a[at : at + BATCH], b[at : at + BATCH]) for at in range(0, len(a), BATCH)]
    said, judged, identity = (np.concatenate(part) for part in zip(*parts, strict=True))
    own, other = (np.linalg.norm(identity - _mean_codes(trial)[index], axis=1) for index in (a, b))
    values = {READ: said == trial.said[b], TRUE: said == trial.truth[b], NEARER: own < other}
    if trial.judge is not None:
        values[JUDGED] = judged == trial.judged[b]
    values["constant"] = trial.said[b] == np.bincount(trial.said).argmax()
    return Items(trial.test.person[a], trial.degree[b], values)


def _again(trial: Trial, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """In the pictures made of faces a and b: the class (M,) that is read, and by the judge, and the identity code
    (M, L)."""
    network, identity = trial.network, trial.told.identity
    assert identity is not None
    fused = network.fuse(identity[a], trial.told.expression[b])
    pictures = batch_of(crops_of(network.decode(fused)))
    said, judged = (_classes(model, pictures) for model in (network, trial.judge or network))
    return said, judged, network.identity(pictures).mean.numpy()


def _classes(model: Disvae, pictures: torch.Tensor) -> np.ndarray:
    return model.classify(model.expression(pictures).mean).argmax(1).numpy()


def _mean_codes(trial: Trial) -> np.ndarray:
    """(N, L): for each test face the mean of its person's identity codes."""
    assert trial.told.identity is not None
    return group_means(trial.told.identity.double().numpy(), trial.test.person)


def swap_tables(study: Study) -> list[Table]:
    """The shares of the pairs in which the swap is read again, and by the degree of B's expression."""
    rows: dict[str, Cells] = {}
    for name in study.generative:
        rows[name] = [share(study, name, column) for column in COLUMNS]
        rows[f"{name}: own face"] = [share(study, name, column, "own faces") for column in COLUMNS[:-1]] + [None]
        rows[f"{name}: constant"] = [share(study, name, "constant"), None, None, 0.5]
    return [Table("Swaps, encoded again", COLUMNS, rows, NOTE), _by_degree(study)] if rows else []


def share(study: Study, name: str, column: str, what: str = "swaps") -> Figure | None:
    """Of the pairs in which a column holds; None where it was not asked."""
    if name not in study.generative or column not in (items := study.items(name, what)).values:
        return None
    return study.mean(items, items[column])


def _by_degree(study: Study) -> Table:
    rows: dict[str, Cells] = {}
    for name in study.generative:
        items = study.items(name, "swaps")
        for column in [column for column in COLUMNS if column in items.values]:
            rows[f"{name}: {column}"] = list(study.by_degree(items, items[column]).values())
    return Table("Swaps by the degree of B's expression", degree_names(study), rows)
