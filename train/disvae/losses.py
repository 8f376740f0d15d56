"""What DisVAE's training minimises (Wang, Zhang and Shang, FG 2023; weights by the authors' code)."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from nets.disvae import Code, Disvae
from train.datasets.expressions import NONE
from train.disvae.config import DisvaeTraining

Distance = Callable[[Tensor, Tensor], Tensor]
"""Of pictures (B, C, S, S) in [0, 1] from others: a scalar."""
Losses = dict[str, Tensor]


class Batch(NamedTuple):
    """B faces: those of the second half show the persons of the first half again, in the same order."""

    pictures: Tensor
    """(B, C, S, S), grey levels 0 to 255."""
    classes: Tensor
    """(B,) int: the expression; NONE where it is not told."""


def of_partner(values: Tensor) -> Tensor:
    """Of each of a batch (B, ...) what the other picture of the same person has."""
    return values.roll(len(values) // 2, 0)


def identity_losses(model: Disvae, batch: Batch, config: DisvaeTraining, distance: Distance) -> Losses:
    """The other picture out of this one's code: it can hold only what both have in common, who it is."""
    return _identity_losses(model, batch, model.identity(batch.pictures), distance)


def expression_losses(model: Disvae, batch: Batch, config: DisvaeTraining, distance: Distance) -> Losses:
    """The picture itself out of both codes, and its class out of the expression's."""
    return _expression_losses(model, batch, model.identity(batch.pictures), config, distance)


def both_losses(model: Disvae, batch: Batch, config: DisvaeTraining, distance: Distance) -> Losses:
    """The two at once; the class says nothing to the identity's encoder."""
    who = model.identity(batch.pictures)
    return _identity_losses(model, batch, who, distance) | _expression_losses(model, batch, who, config, distance)


def class_losses(model: Disvae, batch: Batch, config: DisvaeTraining, distance: Distance) -> Losses:
    """The CNN baseline's only loss."""
    return {"classes": class_loss(model, model.expression(batch.pictures).mean, batch.classes)}


def _identity_losses(model: Disvae, batch: Batch, who: Code, distance: Distance) -> Losses:
    target = of_partner(model.scale(batch.pictures))
    return {
        "identity_reconstruction": distance(model.decode(who.sample()), target),
        "identity_kl": who.divergence().mean(),
        "sameness": 1 - likeness(who.mean),
    }


def _expression_losses(model: Disvae, batch: Batch, who: Code, config: DisvaeTraining, distance: Distance) -> Losses:
    code = model.expression(batch.pictures)
    drawn = code.sample() if config.sampled else code.mean
    person = of_partner(who.mean) if config.identity_from == "other" else who.mean
    losses = {
        "reconstruction": distance(model.decode(model.fuse(person, drawn)), model.scale(batch.pictures)),
        "kl": code.divergence().mean(),
        "classes": class_loss(model, code.mean, batch.classes),
        "strangeness": likeness(code.mean),
    }
    return losses | ({"swap": swap_loss(model, who.mean, drawn, batch.classes)} if config.weight("swap") else {})


def class_loss(model: Disvae, code: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy of codes (B, L) whose class (B,) is told; 0 where it is told of none."""
    told = (classes != NONE).float()
    each = F.cross_entropy(model.classify(code), classes.where(told > 0, 0), reduction="none")
    return (each * told).sum() / told.sum().clamp(min=1)


def likeness(codes: Tensor) -> Tensor:
    """How alike the codes (B, L) of each person are: the intraclass correlation, the components' mean; 1 the same."""
    within = ((codes - of_partner(codes)) ** 2).mean(0) / 2
    return 1 - (within / (codes.var(0) + 1e-8)).mean()


def swap_loss(model: Disvae, who: Tensor, expression: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy of the expression that is read in its picture on another person, for half of the batch.

    Batch normalisation goes by its running values, which pictures that were made do not change.
    """
    half = len(who) // 2
    made = model.decode(model.fuse(who.roll(1, 0)[:half], expression[:half]))
    encoder, training = model.expression_encoder, model.expression_encoder.training
    code = encoder.eval()(made).mean
    encoder.train(training)
    return class_loss(model, code, classes[:half])
