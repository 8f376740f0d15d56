"""What every task reads: the faces, what each model says of them, and how it is measured."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from train.levasa.config import LabelsConfig
from train.levasa.tasks.config import TasksConfig
from train.levasa.tasks.encoded import Encoded, Model, encode
from train.levasa.tasks.faces import Faces
from train.scoring.figures import Resamples

AXES = ("V", "A")


@dataclass(frozen=True)
class Study:
    """The models side by side on the same faces."""

    models: tuple[Model, ...]
    train: Faces
    test: Faces
    config: TasksConfig
    drawn_by: LabelsConfig
    """How the labels are drawn by which all are judged."""
    notes: tuple[str, ...] = ()
    """What must be said of it."""

    @cached_property
    def taught(self) -> Faces:
        """The training faces on which probes are fitted."""
        order = np.random.default_rng(self.config.seed).permutation(len(self.train))
        return self.train.select(np.sort(order[: self.config.faces]))

    @cached_property
    def resamples(self) -> Resamples:
        """Of the test faces."""
        subjects = self.test.data.subject[self.test.rows]
        return Resamples.of(subjects, self.config.rounds, self.config.seed)

    @cached_property
    def answers(self) -> dict[str, tuple[Encoded, Encoded]]:
        """By a model's label, what it says of the taught faces and of the test's."""
        return {model.label: (encode(model, self.taught), encode(model, self.test)) for model in self.models}

    @property
    def discrete(self) -> bool:
        """Whether any model names whole labels."""
        return any(model.heads == "classes" for model in self.models)
