"""What a linear probe reads in each code: who it is, and which expression."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from train.disvae.tasks.items import Findings
from train.disvae.tasks.study import CODES, Study
from train.disvae.tasks.trial import Trial
from train.disvae.validation import Encoded
from train.scoring.figures import Figure
from train.scoring.pages import Cells, Table
from train.scoring.probes import predicted

DRAWN = tuple(f"{code}, drawn" for code in CODES)
NOTE = (
    "Accuracy of a logistic regression on standardised means of a code, and what of it is above chance. Drawn: on one "
    "draw of each code instead, from which the decoder learns: what lies below a code's own noise is not in it. "
    "Identity: among the people of each test fold; half of each one's pictures, of every expression alike and of the "
    "same degrees for all, teach the probe and the other half test it. Expression: taught by training faces, tested "
    "on people never seen; chance is the commonest's share."
)


def leakage(trial: Trial) -> Findings:
    """Of each test face of the second halves, and of each test face, whether the probes are right, and chance."""
    teach = halves(trial.test.person, trial.truth, trial.degree, trial.config.seed)
    rest, who = np.flatnonzero(~teach), trial.test.person
    learnt, told = (codes_of(encoded) | draws_of(encoded) for encoded in (trial.learnt, trial.told))
    identity = {name: _hits(trial, (code[teach], who[teach]), (code[rest], who[rest])) for name, code in told.items()}
    taught = trial.taught.classes.numpy()
    expression = {name: _hits(trial, (learnt[name], taught), (code, trial.truth)) for name, code in told.items()}
    identity["chance"] = np.full(len(rest), 1 / len(np.unique(who)))
    expression["chance"] = trial.truth == np.bincount(taught).argmax()
    return {"identity": trial.items(identity, rest), "expression": trial.items(expression)}


def codes_of(encoded: Encoded) -> dict[str, np.ndarray]:
    """The means (N, L) of the codes that the model has, by name."""
    return _there(CODES, (encoded.expression, encoded.identity))


def draws_of(encoded: Encoded) -> dict[str, np.ndarray]:
    """One draw (N, L) of each of them, by name."""
    return _there(DRAWN, (encoded.drawn_expression, encoded.drawn_identity))


def _there(names: Sequence[str], codes: Sequence[Tensor | None]) -> dict[str, np.ndarray]:
    return {name: code.numpy() for name, code in zip(names, codes, strict=True) if code is not None}


def halves(person: np.ndarray, expression: np.ndarray, degree: np.ndarray, seed: int) -> np.ndarray:
    """(N,) bool: a half of each person's pictures, and of each expression's as near to a half as can be.

    Drawn, but of the same degrees for all: halves that differ would let the other half be told by what it lacks.
    """
    rng = np.random.default_rng(seed)
    cells, cell = np.unique(np.stack([expression, degree]), axis=1, return_inverse=True)
    drawn = rng.permutation(cells.shape[1])[cell.ravel()]
    order = np.lexsort([rng.permutation(len(person)), drawn, expression, person])
    place = np.arange(len(person)) - np.searchsorted(person[order], person[order])
    first = np.empty(len(person), bool)
    first[order] = place % 2 == 0
    return first


def _hits(trial: Trial, taught: tuple[np.ndarray, np.ndarray], tested: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Whether a probe that is taught codes and answers, (M, L) and (M,), names those that it is tested on."""
    probe = LogisticRegression(C=trial.config.probe_penalty, max_iter=trial.config.probe_steps)
    return predicted(probe, taught, tested[0]) == tested[1]


def leakage_tables(study: Study) -> list[Table]:
    """Accuracy of the probes of each code, and above chance."""
    rows: dict[str, Cells] = {}
    for name in study.found:
        for code in (*CODES, *DRAWN):
            if code in study.items(name, "identity").values:
                rows[f"{name}: {code}"] = _row(study, name, code)
    rows["chance"] = [chance_of(study, "identity"), None, chance_of(study, "expression"), None]
    columns = ("identity", "identity above chance", "expression", "expression above chance")
    return [Table("What the codes tell", columns, rows, NOTE)]


def _row(study: Study, name: str, code: str) -> Cells:
    identity, expression = (study.items(name, what) for what in ("identity", "expression"))
    return [
        study.mean(identity, identity[code]),
        above_chance(study, name, "identity", code),
        study.mean(expression, expression[code]),
        above_chance(study, name, "expression", code),
    ]


def chance_of(study: Study, what: str) -> Figure | None:
    """The accuracy of knowing nothing of `what`."""
    items = study.widest(what)
    return study.mean(items, items["chance"])


def above_chance(study: Study, name: str, what: str, code: str) -> Figure | None:
    """What of `what` a probe reads in a code, beyond chance; None where the configuration has no such code."""
    items = study.items(name, what)
    return study.mean(items, items[code].astype(float) - items["chance"]) if code in items.values else None


def kept_apart(study: Study, name: str) -> Figure | None:
    """Identity that the expression code tells over identity that the identity code tells, both above chance."""
    items = study.items(name, "identity")
    expression, identity = (items[code] - items["chance"] for code in CODES)
    return study.ratio(items, expression, identity)
