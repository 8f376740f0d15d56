"""What a study says of the paper's two findings and of its comparison of annealings, in words that follow from it."""

import math
from collections.abc import Iterator

from train.landmarks.scoring.config import LESS, M1, M2, NONE, PCA, VAE, WHOLE
from train.landmarks.scoring.scores import accuracy, of_group, triplets
from train.landmarks.scoring.seeds import differs
from train.landmarks.scoring.study import Study
from train.scoring.figures import Figure

OTHERS = (NONE, PCA, VAE, M1)
"""What the paper compares M2 with."""


def verdicts(study: Study, kind: str) -> Iterator[str]:
    """Sentences on one kind of landmarks."""
    yield _most_triplets(study, kind)
    yield _at_least_as_accurate(study, kind)
    for title, other in (
        ("M2 with the divergence annealed alone, less the whole prior annealed", WHOLE),
        ("M2 less what needs no learning, the landmarks less the neutral face", LESS),
    ):
        leads = [told(study.lead(kind, M2, other, measure)) for measure in (triplets, accuracy)]
        yield f"{title}: satisfied triplets {leads[0]}, accuracy {leads[1]}."


def _most_triplets(study: Study, kind: str) -> str:
    best = max(OTHERS, key=lambda row: study.figure(kind, row, triplets).value)
    lead = study.lead(kind, M2, best, triplets)
    measured = f"Satisfied triplets, M2 less {best}, the best of the others: {told(lead)}"
    if lead.value > 0:
        return f"{measured}. M2 satisfies the most, as the paper found."
    return f"{measured}. **M2 does not satisfy the most**, as it did in the paper; {_worst_group(study, kind, best)}."


def _worst_group(study: Study, kind: str, best: str) -> str:
    """Where M2 loses most."""
    leads = {name: study.lead(kind, M2, best, of_group(name)) for name in study.groups(kind)}
    worst = min(leads, key=lambda name: leads[name].value)
    return f"it loses most among the triplets of {worst}, {told(leads[worst])}"


def _at_least_as_accurate(study: Study, kind: str) -> str:
    lead = study.lead(kind, M1, VAE, accuracy)
    measured = f"Accuracy, M1 less VAE: {told(lead)}"
    if lead.value >= 0:
        return f"{measured}. M1 is at least as accurate, as the paper found."
    nats = [study.figure(kind, row, lambda score: score.nats or 0.0).value for row in (M1, VAE)]
    return f"{measured}. **M1 is less accurate than the VAE**, as it was not in the paper; its codes hold \
{nats[0]:.1f} nats of a face, the VAE's {nats[1]:.1f}."


def told(lead: Figure) -> str:
    """A difference with its interval, and whether that leaves out none at all."""
    value, low, high = (f"{round(each, 3) + 0.0:+.3f}" for each in lead)
    if not math.isfinite(lead.low):
        return value
    unsure = "" if differs(lead) else ", which is not told from none"
    return f"{value} ({low} to {high}{unsure})"
