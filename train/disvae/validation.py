"""What a DisVAE in training is worth on the faces that validate."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nets.disvae import Disvae
from train.datasets.expressions import NONE
from train.disvae.faces import Faces
from train.examples import inner

BATCH = 256


class Encoded(NamedTuple):
    """What a model says of N faces."""

    expression: Tensor
    """(N, L): the means of the codes."""
    logits: Tensor
    """(N, K)."""
    identity: Tensor | None = None
    """(N, L); None for the CNN baseline."""
    drawn_expression: Tensor | None = None
    """(N, L): one draw of each code, as the decoder meets it in training; None likewise."""
    drawn_identity: Tensor | None = None
    """(N, L); None likewise."""
    error: Tensor | None = None
    """(N,): mean squared error of the picture made of both means, of a pixel in [0, 1]; None likewise."""


@torch.no_grad()
def encode_faces(model: Disvae, faces: Faces, pictures: bool = True) -> Encoded:
    """Every face, without its margin, by a model in evaluation mode; the draws are the same in every call.

    pictures False makes none, and leaves their error out.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = [_encode(model, faces, index, pictures) for index in torch.arange(len(faces)).split(BATCH)]
    columns = zip(*parts, strict=True)
    return Encoded(*(None if column[0] is None else torch.cat(column).cpu() for column in columns))  # type: ignore[arg-type]


def _encode(model: Disvae, faces: Faces, index: Tensor, pictures: bool) -> Encoded:
    crops = faces.pictures(index)
    crops = inner(crops, (crops.shape[-1] - model.config.size) // 2).to(model.centres.device)
    code = model.expression(crops)
    logits = model.classify(code.mean)
    if not model.config.generative:
        return Encoded(code.mean, logits)
    who = model.identity(crops)
    error = _error(model, crops, who.mean, code.mean) if pictures else None
    return Encoded(code.mean, logits, who.mean, code.sample(), who.sample(), error)


def _error(model: Disvae, crops: Tensor, who: Tensor, expression: Tensor) -> Tensor:
    """(B,): mean squared error of a pixel in the pictures made of codes (B, L)."""
    return ((model.decode(model.fuse(who, expression)) - model.scale(crops)) ** 2).mean(dim=(1, 2, 3))


def validate(model: Disvae, faces: Faces) -> dict[str, float]:
    """Accuracy and cross-entropy of the expression, and the error of the pictures where the model makes any."""
    encoded, told = encode_faces(model, faces), faces.classes != NONE
    logits, classes = encoded.logits[told], faces.classes[told]
    found = {"accuracy": (logits.argmax(1) == classes).float().mean(), "entropy": F.cross_entropy(logits, classes)}
    if encoded.error is not None:
        found["pixel_error"] = encoded.error.mean()
    return {f"val_{name}": round(float(value), 5) for name, value in found.items()}
