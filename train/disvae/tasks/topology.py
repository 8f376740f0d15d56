"""Whether distances between codes follow the expression and its degree (the rules of Mikheeva, Ek and Kjellstrom)."""

from collections.abc import Callable

import numpy as np
from sklearn.decomposition import PCA

from train import metrics
from train.disvae.tasks.items import Findings, Items
from train.disvae.tasks.leakage import codes_of
from train.disvae.tasks.study import Study
from train.disvae.tasks.trial import Trial
from train.scoring.figures import Figure
from train.scoring.pages import Cells, Table
from train.scoring.pictures import draw_maps

PIXELS = "pixels"
DOT, GROWTH = 6.0, 9.0
"""Areas in the map, square points: of a face without a degree, and what each degree adds."""
NOTE = (
    "Triplets of test faces, all that there are, on Euclidean distances of the codes' means; a tie counts half. Class: "
    "a face of the same expression is nearer than one of another. Degree: within an expression, a face nearer in "
    "degree is nearer. Neutral: a neutral face is nearer than one of a different expression. Intervals: of the "
    "anchors' people drawn anew. Rank correlation: Spearman's, of the distance from the person's own neutral face with "
    "the degree, mean over people. Pixels: of the pictures themselves."
)


def rule_class(trial: Trial, anchor: int) -> np.ndarray:
    """(N,): how near each test face should be to the anchor, 0 nearest; NaN where the rule says nothing of it."""
    return np.where(trial.truth == trial.truth[anchor], 0.0, 1.0)


def rule_degree(trial: Trial, anchor: int) -> np.ndarray:
    """As rule_class: by the degree, within the anchor's expression."""
    gaps = np.abs(trial.degree - trial.degree[anchor]).astype(float)
    told = (trial.degree > 0) & (trial.degree[anchor] > 0)
    return np.where((trial.truth == trial.truth[anchor]) & told, gaps, np.nan)


def rule_neutral(trial: Trial, anchor: int) -> np.ndarray:
    """As rule_class: neutral faces first, then those of expressions other than the anchor's."""
    if trial.neutral[anchor]:
        return np.full(len(trial.truth), np.nan)
    return np.where(trial.neutral, 0.0, np.where(trial.truth == trial.truth[anchor], np.nan, 1.0))


RULES: dict[str, Callable[[Trial, int], np.ndarray]] = {
    "class": rule_class,
    "degree": rule_degree,
    "neutral": rule_neutral,
}


def topology(trial: Trial) -> Findings:
    """Each anchor's triplets, each person's rank correlation, and the map of the expression codes."""
    pixels = trial.crops(trial.test).flatten(1).numpy().astype(np.float32)
    spaces = {name: distances(code) for name, code in (codes_of(trial.told) | {PIXELS: pixels}).items()}
    points = PCA(2, svd_solver="full").fit_transform(trial.told.expression.numpy())
    mapped = trial.items({"x": points[:, 0], "y": points[:, 1], "truth": trial.truth})
    triplets = {f"triplets: {name}": _triplets(trial, rule, spaces) for name, rule in RULES.items()}
    return triplets | {"ranks": _ranks(trial, spaces), "map": mapped}


def distances(codes: np.ndarray) -> np.ndarray:
    """(N, N) Euclidean, of codes (N, L)."""
    codes = codes.astype(np.float64)
    squares = (codes**2).sum(axis=1)
    return np.sqrt((squares[:, None] + squares - 2 * codes @ codes.T).clip(0))


def kept(distance: np.ndarray, order: np.ndarray) -> tuple[float, int]:
    """How many pairs of faces are at distances (N,) in their order (N,), NaN left out, and how many there are."""
    held, pairs = 0.0, 0
    for level in np.unique(order[np.isfinite(order)]):
        near, far = np.sort(distance[order == level]), distance[order > level]
        held += sum(np.searchsorted(near, far, side).sum() for side in ("left", "right")) / 2
        pairs += len(near) * len(far)
    return float(held), pairs


def _triplets(trial: Trial, rule: Callable[[Trial, int], np.ndarray], spaces: dict[str, np.ndarray]) -> Items:
    every = range(len(trial.test))
    orders = np.array([rule(trial, anchor) for anchor in every])
    np.fill_diagonal(orders, np.nan)
    found = {name: np.array([kept(space[i], orders[i]) for i in every]) for name, space in spaces.items()}
    return trial.items({name: counts[:, 0] for name, counts in found.items()} | {"triplets": found[PIXELS][:, 1]})


def _ranks(trial: Trial, spaces: dict[str, np.ndarray]) -> Items:
    """Of each person with a neutral face and faces of two degrees or more."""
    person, degree = trial.test.person, trial.degree
    moved = {who: (person == who) & (degree > 0) for who in np.unique(person[trial.neutral]).tolist()}
    people = [who for who, faces in moved.items() if len(np.unique(degree[faces])) > 1]
    rank = {
        name: np.array([
            metrics.spearman(space[(person == who) & trial.neutral].mean(axis=0)[moved[who]], degree[moved[who]])
            for who in people
        ])
        for name, space in spaces.items()
    }  # fmt: skip
    return Items(np.array(people, int), np.zeros(len(people), int), rank)


def topology_tables(study: Study) -> list[Table]:
    """The share of triplets that each rule has, and the rank correlation, of each code."""
    rows: dict[str, Cells] = {}
    for name in study.found:
        codes = [code for code in study.items(name, "ranks").values if code != PIXELS]
        rows |= {f"{name}: {code}": _row(study, name, code) for code in codes}
    rows[PIXELS] = _row(study, max(study.found, key=lambda name: len(study.found[name])), PIXELS)
    rows["chance"] = [0.5] * len(RULES) + [0.0]
    return [Table("Distances", (*(f"{rule} rule" for rule in RULES), "rank correlation"), rows, NOTE)]


def _row(study: Study, name: str, code: str) -> Cells:
    return [*(satisfied(study, name, rule, code) for rule in RULES), ranked(study, name, code)]


def satisfied(study: Study, name: str, rule: str, code: str) -> Figure | None:
    """The share of a rule's triplets that distances of a code keep."""
    items = study.items(name, f"triplets: {rule}")
    return study.ratio(items, items[code], items["triplets"])


def ranked(study: Study, name: str, code: str) -> Figure | None:
    """The mean over people of the rank correlation of distance from neutral and degree."""
    items = study.items(name, "ranks")
    return study.mean(items, items[code])


def topology_picture(study: Study) -> bytes:
    """PNG: the first two principal components of the expression codes of the fold that most configurations have."""
    folds = sorted(fold for each in study.found.values() for fold in each)
    fold = max(folds, key=folds.count)
    mapped = {name: each[fold]["map"] for name, each in study.found.items() if fold in each}
    points = {name: np.column_stack([items["x"], items["y"]]) for name, items in mapped.items()}
    faces = next(iter(mapped.values()))
    words = np.array(study.classes)[faces["truth"]]
    return draw_maps({"expression code": points}, words, DOT + GROWTH * faces.degree)
