"""The anatomy of a model's errors on labelled pictures: agreement, classes, bias, spread, and how sure it says it is.

Every figure with an interval is an array (1 + rounds,): of all pictures first, then of each resample of them, the same
for all models, so that models differ in pairs.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from train import metrics
from train.annotation_transfer import PRESETS, nearest
from train.datasets.ferplus import EMOTIONS
from train.scoring import clip_sums

AXES = ("valence", "arousal")
MEASURES = ("ccc", "pcc", "icc", "rmse", "sagr")
ELLIPSES = PRESETS["affectnet-8"].with_classes(EMOTIONS)
NEUTRAL, HAPPINESS = EMOTIONS.index("neutral"), EMOTIONS.index("happiness")
SMILE = 0.3
"""People's valence from which a face counts as smiling where there are no classes."""
GLOOMY = -0.1
"""A neutral face below this valence is read as unhappy."""
COVERAGES = {"50": 0.6745, "80": 1.2816, "90": 1.6449}
"""Half widths of the central Gaussian intervals, percent, in standard deviations."""
WORST = 0.2
"""Share of the pictures, those with the largest errors, that the deviation should find."""
QUADRANTS = ("V+ A+", "V- A+", "V- A-", "V+ A-")


@dataclass(frozen=True)
class Labels:
    """What N pictures are scored against."""

    target: np.ndarray
    """(N, 2): people's valence and arousal in [-1, 1]."""
    classes: np.ndarray | None
    """(N,) int: each picture's one of EMOTIONS; None where people named none."""
    baseline: np.ndarray
    """(2,): the constant answer to compare with."""
    protocol: str
    """What is measured, for the reader of the report."""

    @property
    def alike(self) -> np.ndarray:
        """(N,) int: the classes that weigh alike; the quadrants of people's affect where there are none."""
        return metrics.quadrant_of(self.target) if self.classes is None else self.classes

    @property
    def calm(self) -> np.ndarray:
        """(N,) bool: the faces that do not smile."""
        return self.target[:, 0] < SMILE if self.classes is None else self.classes != HAPPINESS

    def select(self, keep: np.ndarray) -> "Labels":
        """The pictures where keep (N,) bool holds."""
        classes = None if self.classes is None else self.classes[keep]
        return replace(self, target=self.target[keep], classes=classes)


@dataclass(frozen=True)
class Answer:
    """What a model says of N pictures."""

    affect: np.ndarray
    """(N, 2): valence and arousal of the single frame, in [-1, 1]."""
    quadrant: np.ndarray
    """(N,) int: the most probable quadrant."""
    expressions: np.ndarray | None = None
    """(N, 8): probabilities of EMOTIONS; None where the model gives none."""
    deviation: np.ndarray | None = None
    """(N, 2): standard deviations of valence and arousal, above 0; None where the model gives none."""


def resamples_of(n: int, rounds: int = clip_sums.ROUNDS) -> np.ndarray:
    """How often each of n pictures is counted (1 + rounds, n): once each, then as resamples hold it; n = 1 has none."""
    return np.concatenate([np.ones((1, n)), clip_sums.draws(n, rounds)])


def resampled_figures(answer: Answer, labels: Labels, drawn: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Every figure (1 + rounds,) that has an interval, by its name and then by axis or way of reading.

    drawn (1 + rounds, N) as of resamples_of. Names: the MEASURES, the same with `_alike` (the classes weigh alike),
    `ccc_without_smiles` where such faces are there, `quadrant` (macro accuracy), `accuracy` where there are classes.
    """
    sums = clip_sums.clip_sums(answer.affect, labels.target, np.arange(len(labels.target)), len(labels.target))
    plain = clip_sums.figures(clip_sums.resampled(sums, drawn))
    of_classes = [(drawn[:, own], sums[own]) for own in _members(labels.alike)]
    with np.errstate(invalid="ignore"):
        means = [(part := clip_sums.resampled(own, times)) / part[:, :1] for times, own in of_classes]
    alike = clip_sums.figures(np.nan_to_num(means).sum(axis=0))
    figures = {name: _by_axis(plain[name]) for name in MEASURES}
    figures |= {f"{name}_alike": _by_axis(alike[name]) for name in MEASURES}
    if labels.calm.any():
        calm = clip_sums.figures(clip_sums.resampled(sums[labels.calm], drawn[:, labels.calm]))
        figures["ccc_without_smiles"] = _by_axis(calm["ccc"])
    true = metrics.quadrant_of(labels.target)
    named = {"discriminator": answer.quadrant, "affect": metrics.quadrant_of(answer.affect)}
    figures["quadrant"] = {way: _mean_recall(said, true, drawn) for way, said in named.items()}
    if labels.classes is not None:
        read = readings_of(answer)
        figures["accuracy"] = {way: _mean_recall(said, labels.classes, drawn) for way, said in read.items()}
    return figures


def readings_of(answer: Answer) -> dict[str, np.ndarray]:
    """The class (N,) that is read from an answer: by the nearest centre, and by the most probable expression."""
    readings = {"nearest": nearest(ELLIPSES, answer.affect)}
    return readings if answer.expressions is None else readings | {"expressions": answer.expressions.argmax(axis=1)}


def anatomy_of(answer: Answer, labels: Labels, figures: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """All that is said of one model's answer, ready for JSON; figures as of resampled_figures."""
    error = answer.affect - labels.target
    deviation = answer.deviation
    return {
        "figures": {name: {key: with_interval(each) for key, each in own.items()} for name, own in figures.items()},
        "spread": {axis: _spread(answer.affect[:, i], labels.target[:, i]) for i, axis in enumerate(AXES)},
        "deviation": None if deviation is None else deviation_report(error, deviation, answer.affect),
        **({} if labels.classes is None else _class_report(answer, labels.target, labels.classes)),
    }


def differences(first: dict[str, dict[str, np.ndarray]], other: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """How much more the other model has than the first, of figures on the same resamples: CCC, and without smiles."""
    names = [name for name in ("ccc", "ccc_without_smiles") if name in first]
    return {name: {axis: with_interval(other[name][axis] - first[name][axis]) for axis in AXES} for name in names}


def with_interval(values: np.ndarray) -> dict[str, Any]:
    """The figure and its 95 % interval of values (1 + rounds,); None where there is none."""
    low, high = clip_sums.interval(values[1:])
    return {"value": _number(values[0]), "interval": None if np.isnan(low) else [float(low), float(high)]}


def _class_report(answer: Answer, target: np.ndarray, classes: np.ndarray) -> dict[str, Any]:
    """What is said by class: means and recalls, the confusion, the share of bias in the error, the neutral faces."""
    error, readings = answer.affect - target, readings_of(answer)
    rows, explained = {}, np.zeros(2)
    for k, name in enumerate(EMOTIONS):
        own = classes == k
        if not own.any():
            continue
        explained += own.sum() * error[own].mean(axis=0) ** 2
        rows[name] = {
            "n": int(own.sum()),
            "people": _named(target[own].mean(axis=0)),
            "model": _named(answer.affect[own].mean(axis=0)),
            "bias": _named(error[own].mean(axis=0)),
            "recall": {way: float((said[own] == k).mean()) for way, said in readings.items()},
        }
    squares = (error**2).sum(axis=0)
    confusion = {way: np.zeros((len(EMOTIONS), len(EMOTIONS)), int) for way in readings}
    for way, said in readings.items():
        np.add.at(confusion[way], (classes, said), 1)
    return {
        "classes": rows,
        "confusion": {way: counts.tolist() for way, counts in confusion.items()},
        "class_bias_share": _named(np.divide(explained, squares, out=np.full(2, np.nan), where=squares > 0)),
        "neutral": _neutral(answer.affect[classes == NEUTRAL], target[classes == NEUTRAL]),
    }


def _neutral(affect: np.ndarray, target: np.ndarray) -> dict[str, Any] | None:
    """Where the neutral faces lie, for the model and for people; None without any."""
    if not len(target):
        return None
    report: dict[str, Any] = {"n": len(target)}
    for name, side in {"model": affect, "people": target}.items():
        report[name] = {**_named(side.mean(axis=0)), "below": float((side[:, 0] < GLOOMY).mean())}
    return report


def _spread(affect: np.ndarray, target: np.ndarray) -> dict[str, float | None]:
    """The model's standard deviation over people's, and the slope of its answers on theirs."""
    m = metrics.moments(affect, target)
    if m.var_t == 0:
        return {"sd_ratio": None, "slope": None}
    return {"sd_ratio": float(np.sqrt(m.var_p / m.var_t)), "slope": m.covariance / m.var_t}


def deviation_report(error: np.ndarray, deviation: np.ndarray, affect: np.ndarray) -> dict[str, Any]:
    """How well the deviation (N, 2) tells the error (N, 2); quadrants are those of the model's own affect (N, 2).

    `both` is the distance in the circumplex, and the root of the summed variances.
    """
    size, sure = np.abs(error), deviation
    sizes = {**dict(zip(AXES, size.T, strict=True)), "both": np.sqrt((size**2).sum(axis=1))}
    said = {**dict(zip(AXES, sure.T, strict=True)), "both": np.sqrt((sure**2).sum(axis=1))}
    worst = max(round(WORST * len(error)), 1)
    report: dict[str, Any] = {"auroc": {}, "spearman": {}}
    for name, own in sizes.items():
        largest = np.zeros(len(own), bool)
        largest[np.argsort(-own, kind="stable")[:worst]] = True
        report["auroc"][name] = _number(metrics.auroc(said[name], largest))
        report["spearman"][name] = metrics.spearman(said[name], own)
    report["coverage"] = {share: _named((size <= z * sure).mean(axis=0)) for share, z in COVERAGES.items()}
    report["quadrants"] = {}
    for k, name in enumerate(QUADRANTS):
        own = metrics.quadrant_of(affect) == k
        if own.any():
            report["quadrants"][name] = {
                "n": int(own.sum()),
                "deviation": _named(sure[own].mean(axis=0)),
                "rmse": _named(np.sqrt((error[own] ** 2).mean(axis=0))),
                "coverage_90": _named((size[own] <= COVERAGES["90"] * sure[own]).mean(axis=0)),
            }
    return report


def _mean_recall(said: np.ndarray, true: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(1 + rounds,): the mean over the classes in true (N,) of the share of each that said (N,) names."""
    recalls = []
    for own in _members(true):
        counts = drawn[:, own].sum(axis=1)
        hits = drawn[:, own] @ (said[own] == true[own])
        # a rare class may be in none of a resample's pictures: it is then no part of the mean
        recalls.append(np.divide(hits, counts, out=np.full(len(drawn), np.nan), where=counts > 0))
    return np.nanmean(recalls, axis=0)


def _members(classes: np.ndarray) -> list[np.ndarray]:
    """Where (N,) each class is that occurs in classes (N,)."""
    return [classes == k for k in np.unique(classes)]


def _by_axis(values: np.ndarray) -> dict[str, np.ndarray]:
    return {axis: values[:, i] for i, axis in enumerate(AXES)}


def _named(values: np.ndarray) -> dict[str, float | None]:
    return {axis: _number(value) for axis, value in zip(AXES, values, strict=True)}


def _number(value: Any) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None
