"""Tasks 3 to 5: what probes read in the latents: the emotion, the latent's own axis, and the other one."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from train.levasa.tasks.alignment import levels
from train.levasa.tasks.probes import CLASSIFIERS, REGRESSORS, Probe
from train.levasa.tasks.study import AXES, Study
from train.scoring.figures import Figure
from train.scoring.pages import Cells, Outcome, Table
from train.scoring.probes import predicted

LATENTS = {"z_v": (0,), "z_a": (1,), "z_v, z_a": (0, 1), "z_v, z_a, z_z": (0, 1, 2)}
"""What the emotion is read from: places in Encoded.z."""


class Question(NamedTuple):
    """What is read from what."""

    axis: int
    """0 valence, 1 arousal."""
    latent: int
    """Place in Encoded.z, of the axis of the same number."""


Questions = Mapping[str, Question]
OWN = {"V from z_v": Question(0, 0), "A from z_a": Question(1, 1)}
OTHER = {"V from z_a": Question(0, 1), "A from z_v": Question(1, 0)}
OTHER_LABEL = (
    "Rows of a true label read the other axis' label in place of a latent: what a latent that told that axis exactly, "
    "and nothing else, would tell of this one."
)

Inputs = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""What a probe reads, of the taught faces and of the test's, (M, K) and (N, K), by who says it."""


def emotion(study: Study) -> Outcome:
    """Accuracy of the emotion from each latent, and from several, beside the commonest emotion's and chance."""
    taught, truth = study.taught.emotion, study.test.emotion
    assert taught is not None and truth is not None
    rows = _accuracies(study, {name: latents(study, *places) for name, places in LATENTS.items()}, taught, truth)
    rows |= {"majority": _majority(study, taught, truth), "chance": [1 / len(np.unique(taught))] * len(CLASSIFIERS)}
    return Outcome([Table("Accuracy of the emotion", tuple(CLASSIFIERS), rows)])


def regression(study: Study) -> Outcome:
    """Valence from z_v and arousal from z_a."""
    return _regressed(study, OWN)


def inverse(study: Study) -> Outcome:
    """Valence from z_a and arousal from z_v, beside what the other axis' own label says of it."""
    return _regressed(study, OTHER)


def latents(study: Study, *places: int) -> Inputs:
    """The latents at those places of Encoded.z, by model."""
    return {
        label: (taught.z[:, places].reshape(len(taught.z), -1), test.z[:, places].reshape(len(test.z), -1))
        for label, (taught, test) in study.answers.items()
    }


def read(study: Study, inputs: Inputs, target: np.ndarray, probes: Mapping[str, Probe]) -> dict[str, list[np.ndarray]]:
    """What each probe, taught the target (M,), answers for the test faces, (N,), by who says what it reads."""
    jobs = [
        delayed(predicted)(probe(study.config), (taught, target), test)
        for taught, test in inputs.values()
        for probe in probes.values()
    ]
    said = Parallel(study.config.processes, return_as="generator")(jobs)
    answers = iter(list(tqdm(said, "fitting", len(jobs), unit="fit", leave=False)))
    return {name: [next(answers) for _ in probes] for name in inputs}


def _regressed(study: Study, questions: Questions) -> Outcome:
    tables = [table for name in study.test.labels for table in _regression_tables(study, questions, name)]
    return Outcome([*tables, _level_table(study, questions)] if study.discrete else tables)


def _regression_tables(study: Study, questions: Questions, name: str) -> list[Table]:
    r_squared, explained = dict[str, Cells](), dict[str, Cells]()
    for title, question in questions.items():
        target, truth = (faces.labels[name][:, question.axis] for faces in (study.taught, study.test))
        answers = read(study, _inputs(study, question, name), target, REGRESSORS)
        answers["constant"] = [np.full(len(truth), target.mean())] * len(REGRESSORS)
        for who, each in answers.items():
            r_squared[f"{title}: {who}"] = [study.resamples.r_squared(answer, truth) for answer in each]
            explained[f"{title}: {who}"] = [study.resamples.explained_variance(answer, truth) for answer in each]
    columns, note = tuple(REGRESSORS), OTHER_LABEL if questions is OTHER else ""
    return [
        Table(f"R2 against {name}", columns, r_squared, note),
        Table(f"Explained variance of {name}", columns, explained),
    ]


def _inputs(study: Study, question: Question, name: str) -> Inputs:
    """The latents, and, where they are the other axis', its own label."""
    axis, latent = question
    if axis == latent:
        return latents(study, latent)
    taught, test = (faces.labels[name][:, [latent]] for faces in (study.taught, study.test))
    return {**latents(study, latent), f"the true label of {AXES[latent]}": (taught, test)}


def _level_table(study: Study, questions: Questions) -> Table:
    """Accuracy of the whole tenth."""
    rows: dict[str, Cells] = {}
    for title, (axis, latent) in questions.items():
        taught, truth = levels(study.taught)[:, axis], levels(study.test)[:, axis]
        rows |= _accuracies(study, {title: latents(study, latent)}, taught, truth)
        rows[f"{title}: majority"] = _majority(study, taught, truth)
    return Table("Accuracy of the whole label, -10 to 10", tuple(CLASSIFIERS), rows)


def _accuracies(study: Study, inputs: Mapping[str, Inputs], taught: np.ndarray, truth: np.ndarray) -> dict[str, Cells]:
    return {
        f"{name}: {who}": [study.resamples.mean(answer == truth) for answer in answers]
        for name, each in inputs.items()
        for who, answers in read(study, each, taught, CLASSIFIERS).items()
    }


def _majority(study: Study, taught: np.ndarray, truth: np.ndarray) -> list[Figure]:
    return [study.resamples.mean(truth == np.bincount(taught).argmax())] * len(CLASSIFIERS)
