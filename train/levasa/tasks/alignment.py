"""Task 2: how near z_v and z_a are to valence and arousal, beside what knows nothing and what knows the emotion."""

import numpy as np

from nets.levasa import LEVELS
from train.annotation_transfer import STEPS, discrete
from train.levasa.tasks.faces import EXPECTED, Faces
from train.levasa.tasks.study import AXES, Study
from train.scoring.figures import Figure
from train.scoring.pages import Outcome, Table

SUMMED = (*AXES, "V + A")
COMPONENTS = (
    "Rows of components take each component of z_v and z_a as an answer, and their errors' mean, as published but "
    "in evaluation mode; MAE is the mean of absolute errors."
)
ENTROPY = "Nats, of the tenths -10 to 10; frequencies are the training faces', one face added to each tenth."


def alignment(study: Study) -> Outcome:
    """Squared and absolute error of the heads and of the latents' components; cross-entropy of discrete models."""
    tables = [_errors_table(study, name) for name in study.test.labels]
    return Outcome([*tables, _entropy_table(study)] if study.discrete else tables)


def _errors_table(study: Study, name: str) -> Table:
    target = study.test.labels[name][..., None]
    rows = {}
    for title, values in (answers(study) | baselines(study, name)).items():
        error = values - target
        rows[title] = _summed(study, (error**2).mean(axis=2)) + _summed(study, np.abs(error).mean(axis=2))
    columns = tuple(f"{measure} {axis}" for measure in ("MSE", "MAE") for axis in SUMMED)
    return Table(f"Error against {name}", columns, rows, COMPONENTS, digits=4)


def answers(study: Study) -> dict[str, np.ndarray]:
    """Valence and arousal (N, 2, K) of the test faces: by each model's heads, K = 1, and by its 32 components."""
    known = {label: test for label, (_, test) in study.answers.items()}
    heads = {f"head: {label}": test.affect[..., None] for label, test in known.items() if test.affect is not None}
    return heads | {f"components: {label}": test.z[:, :2] for label, test in known.items()}


def baselines(study: Study, name: str) -> dict[str, np.ndarray]:
    """(N, 2, 1): zero, the training faces' mean label, its mean for the face's emotion, and a drawn label's expected
    value."""
    labels, test = study.train.labels[name], study.test
    rows = {"zero": np.zeros((len(test), 2)), "constant: training mean": np.tile(labels.mean(axis=0), (len(test), 1))}
    if study.train.emotion is not None:
        rows["mean of the face's emotion"] = class_means(labels, study.train.emotion, len(test.names))[test.emotion]
    if name != EXPECTED and EXPECTED in test.labels:
        rows[EXPECTED] = test.labels[EXPECTED]
    return {title: values[..., None] for title, values in rows.items()}


def class_means(labels: np.ndarray, emotion: np.ndarray, classes: int) -> np.ndarray:
    """(classes, 2): the mean of labels (N, 2) of each emotion (N,); of all where an emotion has no face."""
    own = [labels[emotion == k] for k in range(classes)]
    return np.array([(each if len(each) else labels).mean(axis=0) for each in own])


def _entropy_table(study: Study) -> Table:
    taught, truth = levels(study.train), levels(study.test)
    everyone = np.zeros(len(taught), int)
    said = {label: test.log_shares for label, (_, test) in study.answers.items()}
    rows = {label: surprise(shares, truth) for label, shares in said.items() if shares is not None}
    rows["uniform"] = np.full((len(truth), 2), np.log(LEVELS))
    rows["frequencies"] = surprise(log_frequencies(taught, everyone, 1)[np.zeros(len(truth), int)], truth)
    if study.train.emotion is not None:
        by_emotion = log_frequencies(taught, study.train.emotion, len(study.test.names))
        rows["frequencies of the face's emotion"] = surprise(by_emotion[study.test.emotion], truth)
    columns = tuple(f"cross-entropy {axis}" for axis in SUMMED)
    return Table("Discrete labels", columns, {name: _summed(study, each) for name, each in rows.items()}, ENTROPY)


def levels(faces: Faces) -> np.ndarray:
    """(N, 2) int, 0 to 20: the learnt labels in tenths from -10."""
    return discrete(faces.learnt).astype(int) + STEPS


def surprise(log_shares: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """(N, 2): minus the log probability, of log_shares (N, 2, 21), of the levels (N, 2) that hold."""
    return -np.take_along_axis(log_shares, levels[..., None], axis=2)[..., 0]


def log_frequencies(levels: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """(groups, 2, 21): of each level among the levels (N, 2) of the faces of each group (N,), one added to all."""
    counts = np.ones((groups, 2, LEVELS))
    for axis in range(2):
        np.add.at(counts[:, axis], (group, levels[:, axis]), 1)
    return np.log(counts / counts.sum(axis=2, keepdims=True))


def _summed(study: Study, errors: np.ndarray) -> list[Figure]:
    """The mean of errors (N, 2) by axis, and that of both axes' sum."""
    return [study.resamples.mean(each) for each in (*errors.T, errors.sum(axis=1))]
