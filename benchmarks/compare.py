"""What got slower or faster between two files of the same benchmark: a paired test over their rounds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Round, markdown, read_report
from tracker.errors import UsageError

LEVEL = 0.05
LEAST_ROUNDS = 6
"""With fewer pairs no figures whatever give p < LEVEL: the smallest two-sided p of n pairs is 2 / 2^n."""
EXACT_PAIRS = 14
"""Up to so many pairs all signs are tried; of more, DRAWS at random."""
DRAWS = 20_000
MACHINE = ("cpu", "cores", "system")


@dataclass(frozen=True)
class Change:
    """One figure in both files."""

    name: str
    before: float
    """Median over the rounds of the first file."""
    after: float
    """Of the second."""
    ratio: float | None
    """after / before, geometric mean over the pairs; None where a figure is not above 0."""
    interval: tuple[float, float] | None
    """Of the ratio, 95 %, by bootstrap over the pairs."""
    p: float | None
    """Two-sided; None with fewer than LEAST_ROUNDS pairs."""
    verdict: str
    """slower, faster, worse, better, no difference found, or that nothing can be told."""


def compare(first: Path, second: Path) -> tuple[str, list[str]]:
    """The table, and warnings in plain lines. Raises DataError for other files, UsageError for other benchmarks."""
    before, after = read_report(first), read_report(second)
    if before["benchmark"] != after["benchmark"]:
        raise UsageError(
            f"{first} is of affect bench {before['benchmark']} and {second} of {after['benchmark']}; "
            "expected two files of the same benchmark"
        )
    changes = changes_of(before, after)
    if not changes:
        raise UsageError(f"{first} and {second} have no figure in common; measure both with the same version")
    return "\n\n".join([change_table(changes, first, second), told(changes, before, after)]), warnings(before, after)


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every figure that both have, in the order of the first."""
    pairs = list(zip(before["rounds"], after["rounds"], strict=False))
    names = [name for name in before["rounds"][0] if name in after["rounds"][0]]
    return [change(name, pairs, name in before["more_is_better"]) for name in names]


def change(name: str, pairs: Sequence[tuple[Round, Round]], more_is_better: bool) -> Change:
    """One figure over the pairs of rounds."""
    values = np.array([[one[name], other[name]] for one, other in pairs], np.float64)
    before, after = np.median(values, axis=0).tolist()
    if (values <= 0).any():
        shifts, ratio = values[:, 1] - values[:, 0], None
    else:
        shifts = np.log(values[:, 1] / values[:, 0])
        ratio = math.exp(shifts.mean())
    enough = len(pairs) >= LEAST_ROUNDS
    interval = bootstrap(shifts) if enough and ratio is not None else None
    p = sign_flip_p(shifts) if enough else None
    return Change(name, before, after, ratio, interval, p, verdict(p, float(shifts.mean()), name, more_is_better))


def verdict(p: float | None, shift: float, name: str, more_is_better: bool) -> str:
    """What a change of that sign is called."""
    if p is None:
        return "too few rounds to tell"
    if p >= LEVEL:
        return "no difference found"
    good = (shift > 0) == more_is_better
    timed = name.endswith((" ms", "frames/s", "/s"))
    return ("faster" if good else "slower") if timed else ("better" if good else "worse")


def sign_flip_p(differences: np.ndarray) -> float:
    """Two-sided p that paired differences (n,) are centred on 0: how often random signs give a mean as far from it."""
    if not differences.any():
        return 1.0
    means = np.abs(_signs(len(differences)) @ differences)
    return float((means >= abs(differences.sum()) * (1 - 1e-9)).mean())


def _signs(count: int) -> np.ndarray:
    if count <= EXACT_PAIRS:
        return np.array(list(product((-1.0, 1.0), repeat=count)))
    drawn = np.random.default_rng(0).choice((-1.0, 1.0), (DRAWS, count))
    return np.concatenate([np.ones((1, count)), drawn])


def bootstrap(logs: np.ndarray) -> tuple[float, float]:
    """95 % interval of the ratio behind the logarithms (n,), drawn with replacement."""
    picks = np.random.default_rng(0).integers(0, len(logs), (DRAWS, len(logs)))
    low, high = np.exp(np.percentile(logs[picks].mean(axis=1), (2.5, 97.5)))
    return float(low), float(high)


def change_table(changes: Sequence[Change], first: Path, second: Path) -> str:
    """A row a figure."""
    head = ["figure", f"A: {first.name}", f"B: {second.name}", "B / A (95 %)", "p", "B is"]
    return markdown(head, map(_row, changes))


def _row(change: Change) -> list[str]:
    ratio = "-" if change.ratio is None else f"{change.ratio:.3f}"
    interval = "" if change.interval is None else " ({:.3f} to {:.3f})".format(*change.interval)
    p = "-" if change.p is None else f"{change.p:.3f}"
    return [change.name, f"{change.before:.2f}", f"{change.after:.2f}", ratio + interval, p, change.verdict]


def told(changes: Sequence[Change], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """How the table is to be read."""
    rounds = [len(each["rounds"]) for each in (before, after)]
    pairs = min(rounds)
    cut = f" (the first of {max(rounds)} and {pairs})" if len(set(rounds)) > 1 else ""
    if pairs < LEAST_ROUNDS:
        return (
            f"{pairs} pairs of rounds{cut}: nothing can be told; {LEAST_ROUNDS} or more are needed for p < {LEVEL}. "
            f"Measure both again with --repeat {LEAST_ROUNDS} or more."
        )
    return (
        f"{pairs} pairs of rounds{cut}, paired by their order; p by flipping the signs of the differences. Where "
        f"nothing changed, one row in {round(1 / LEVEL)} still shows p < {LEVEL}, and there are {len(changes)} rows; "
        f"A began {before['began']}, B {after['began']}: a machine that was busier meanwhile looks like slower code."
    )


def warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What else differs between the two: the machine, the versions, the settings."""
    one, other = before["machine"], after["machine"]
    machines = differences(*({name: machine[name] for name in MACHINE} for machine in (one, other)))
    versions = differences(one["versions"], other["versions"])
    settings = differences(before["settings"], after["settings"])
    lines = [
        machines and f"A and B come from different machines, so the difference is theirs too: {', '.join(machines)}",
        versions and f"A and B were measured with different versions: {', '.join(versions)}",
        settings and f"A and B were measured with different settings: {', '.join(settings)}",
    ]
    return [line for line in lines if line]


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """ "name a / b" for what is not the same in both; how often is no such thing."""
    names = [name for name in {**one, **other} if name != "repeat"]
    return [f"{name} {one.get(name)} / {other.get(name)}" for name in names if one.get(name) != other.get(name)]
