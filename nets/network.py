"""What the tracker asks of a network, whatever its kind."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from nets.answer import Answer as Answer
from nets.expressions import EXPRESSIONS as EXPRESSIONS

if TYPE_CHECKING:
    from nets.anclaf.combiner import Recurrence


class Shape(Protocol):
    """What is read of the config of every kind."""

    @property
    def size(self) -> int:
        """Side of the crop, pixels."""

    @property
    def channels(self) -> int:
        """3 RGB, 1 grey."""

    @property
    def feature(self) -> int:
        """Width F of the feature."""

    def to_dict(self) -> dict:
        """For a model card: JSON values only."""


class Network(nn.Module, ABC):
    """Reads valence and arousal off aligned crops; it holds no state between calls.

    A kind answers for each frame alone unless it has a recurrence, which answers for a window of frames.
    """

    config: Shape

    @abstractmethod
    def encode(self, crops: Tensor) -> Answer:
        """What is read off crops (B, C, S, S) of 0 to 255."""

    def combine(self, window: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (B, n, F), valid (B, n) bool to the newest frame's affect (B, 2) and attention (B, n) or None."""
        raise NotImplementedError(f"{type(self).__name__} answers for each frame alone: see encode()")

    @property
    def recurrence(self) -> "Recurrence | None":
        """What reads a window of features; None where each frame is answered for alone."""
        return None

    @property
    def has_affect(self) -> bool:
        """Whether it tells valence and arousal at all: a plain autoencoder does not."""
        return True

    @property
    def has_expressions(self) -> bool:
        """Whether encode() gives the probabilities of EXPRESSIONS."""
        return False

    @property
    def has_deviation(self) -> bool:
        """Whether encode() tells how far off its valence and arousal may be."""
        return False

    @property
    def answers(self) -> tuple[str, ...]:
        """The fields of Answer that encode() fills, in their order."""
        optional = {"expressions": self.has_expressions, "deviation": self.has_deviation}
        return tuple(name for name in Answer._fields if optional.get(name, True))

    @property
    def reading_names(self) -> tuple[str, ...]:
        """What the feature's columns are called, in order, where they are worth recording; empty where not."""
        return ()


def joint_quadrants(high: Tensor) -> Tensor:
    """(B, 4): joint probabilities of ++, -+, --, +- from those (B, 2) that valence and that arousal are high."""
    valence, arousal = high.unbind(1)
    low_valence, low_arousal = 1 - valence, 1 - arousal
    joint = [valence * arousal, low_valence * arousal, low_valence * low_arousal, valence * low_arousal]
    return torch.stack(joint, dim=1)
