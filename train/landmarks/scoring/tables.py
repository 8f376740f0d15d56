"""The tables of a study: Table II beside the published one, by rule, what codes hold, the price of practice."""

from train.landmarks.scoring.config import KINDS, LESS, M1, M2, ROWS, TRAINED
from train.landmarks.scoring.neutrals import WAYS
from train.landmarks.scoring.published import ACCURACY, POSED, TRIPLETS
from train.landmarks.scoring.scores import Measure, accuracy, beside, of_group, triplets
from train.landmarks.scoring.seeds import over_seeds
from train.landmarks.scoring.study import Study
from train.scoring.figures import Figure
from train.scoring.pages import Table

BESIDE = (
    "Published: the authors' Table II, one training each on BU-3DFE's 100 persons. It has no row for landmarks less the"
    " person's neutral face, nor for the whole prior annealed."
)
HOLD = (
    "Of the test persons' faces. Error: root of the mean squared distance from a landmark to where the code's mean is"
    " decoded to, per cent of the distance between the eyes. Active: dimensions whose means vary by more than"
    " 0.01."
)
IN_PLACE = "Test persons' faces beside another one in place of their neutral face; classifiers and models are the same."
PRICE = "Found less known landmarks, seed by seed, each with its own trainings."


def tables_of(study: Study) -> dict[str, Table]:
    """By name: those of each kind of landmarks, and, where both were studied, their difference."""
    tables = dict[str, Table]()
    for kind in study.options.chosen:
        tables |= {
            f"{kind}: Table II": _posed(study, kind),
            f"{kind}: by group": _by_group(study, kind),
            f"{kind}: codes": _codes(study, kind),
            f"{kind}: neutral": _neutral(study, kind),
        }
    if len(study.options.chosen) == len(KINDS):
        tables["price"] = _price(study)
    return tables


def _posed(study: Study, kind: str) -> Table:
    columns = (ACCURACY, f"{ACCURACY}, published", TRIPLETS, f"{TRIPLETS}, published")
    rows = {}
    for row in ROWS:
        published = POSED.get(row, (None, None))
        ours = (study.figure(kind, row, measure) for measure in (accuracy, triplets))
        rows[row] = [cell for pair in zip(ours, published, strict=True) for cell in pair]
    return Table(f"Table II on {KINDS[kind]}", columns, rows, BESIDE)


def _by_group(study: Study, kind: str) -> Table:
    groups = study.groups(kind)
    rows = {row: [study.figure(kind, row, of_group(name)) for name in groups] for row in ROWS}
    told = "weight" if study.options.triplets else "rule"
    return Table(f"Satisfied triplets by {told}, {KINDS[kind]}", tuple(groups), rows)


def _codes(study: Study, kind: str) -> Table:
    measures: dict[str, Measure] = {
        "error %": lambda score: 100 * (score.error or 0.0),
        "nats": lambda score: score.nats or 0.0,
        "active": lambda score: score.active or 0.0,
    }
    rows = {row: [study.figure(kind, row, measure) for measure in measures.values()] for row in TRAINED}
    return Table(f"What the codes hold, {KINDS[kind]}", tuple(measures), rows, HOLD, digits=2)


def _neutral(study: Study, kind: str) -> Table:
    """Of what reads a neutral face: accuracy and triplets beside other faces in its place."""
    known = study.scores[kind][0][M2].by_neutral
    columns = {f"{row}, {name}": (row, name) for name in (ACCURACY, TRIPLETS) for row in (LESS, M1, M2)}
    rows = {
        way: [study.figure(kind, row, beside(way, name)) for row, name in columns.values()]
        for way in WAYS
        if way in known
    }
    told = "; ".join(f"{way}: {WAYS[way]}" for way in rows)
    return Table(f"What the neutral face is worth, {KINDS[kind]}", tuple(columns), rows, f"{IN_PLACE} {told}.")


def _price(study: Study) -> Table:
    rows = {row: [_fall(study, row, measure) for measure in (accuracy, triplets)] for row in ROWS}
    return Table("The price of practice", (ACCURACY, TRIPLETS), rows, PRICE)


def _fall(study: Study, row: str, measure: Measure) -> Figure:
    pairs = zip(study.scores["found"], study.scores["exact"], strict=True)
    return over_seeds([measure(found[row]) - measure(exact[row]) for found, exact in pairs])
