"""One model on the fold that it has not seen: the faces, and what it says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor, arange

from nets.disvae import Disvae
from tracker.errors import DataError
from train.datasets.expressions import NEUTRAL, NONE
from train.disvae.faces import Faces, expressions_of, faces_of
from train.disvae.tasks.config import TasksConfig
from train.disvae.tasks.items import Items
from train.disvae.validation import Encoded, encode_faces
from train.examples import inner
from train.folds import Rows
from train.prepared import Prepared


@dataclass(frozen=True)
class Trial:
    """A model, faces to teach probes and faces to test on."""

    network: Disvae
    """In evaluation mode."""
    data: Prepared
    taught: Faces
    """Of those that trained the model."""
    test: Faces
    """Of N faces of other people."""
    config: TasksConfig
    judge: Disvae | None = None
    """Another model that has not seen the test faces either, to read what this one makes."""

    @classmethod
    def of(
        cls, network: Disvae, data: Prepared, rows: Rows, config: TasksConfig, judge: Disvae | None = None
    ) -> "Trial":
        """On the rows of a prepared set whose expression is told; DataError where one person alone is to be tested."""
        told = expressions_of(data) != NONE
        drawn = np.random.default_rng(config.seed).permutation(np.flatnonzero(rows["train"] & told & data.found))
        taught = np.isin(np.arange(len(told)), drawn[: config.faces])
        test = faces_of(data, rows["test"] & told)
        if len(np.unique(test.person)) < 2:
            raise DataError(
                f"{data.folder}: all test faces are of {data.subjects[test.person[0]]!r}; expected two persons or "
                "more in each fold: make fewer folds with affect eval folds"
            )
        return cls(network, data, faces_of(data, taught), test, config, judge)

    @cached_property
    def learnt(self) -> Encoded:
        """What the model says of the taught faces."""
        return encode_faces(self.network, self.taught, pictures=False)

    @cached_property
    def told(self) -> Encoded:
        """What the model says of the test faces."""
        return encode_faces(self.network, self.test)

    @property
    def truth(self) -> np.ndarray:
        """(N,) int: the test faces' expressions."""
        return self.test.classes.numpy()

    @property
    def said(self) -> np.ndarray:
        """(N,) int: what the classifier takes them for."""
        return self.told.logits.argmax(1).numpy()

    @cached_property
    def judged(self) -> np.ndarray:
        """(N,) int: what the judge takes them for; the model itself where there is none."""
        return encode_faces(self.judge or self.network, self.test).logits.argmax(1).numpy()

    @property
    def degree(self) -> np.ndarray:
        """(N,) int: of the test faces' expressions, from 1; 0 for neutral, and where it is not told."""
        known = self.data.extra.get("degree")
        return np.zeros(len(self.test), int) if known is None else known[self.test.rows].astype(int)

    @property
    def neutral(self) -> np.ndarray:
        """(N,) bool: the test faces that are neutral."""
        return np.array([name == NEUTRAL for name in self.data.classes])[self.truth]

    def crops(self, faces: Faces) -> Tensor:
        """(M, C, S, S) uint8: the pictures of faces, without their margin."""
        every = faces.pictures(arange(len(faces)))
        return inner(every, (every.shape[-1] - self.network.config.size) // 2)

    def items(self, values: Mapping[str, np.ndarray], index: np.ndarray | None = None) -> Items:
        """What was found of the test faces, or of those at an index (M,)."""
        index = np.arange(len(self.test)) if index is None else index
        return Items(self.test.person[index], self.degree[index], values)
