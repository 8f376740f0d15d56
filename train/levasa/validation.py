"""What a LeVAsa in training is worth on the faces that validate."""

from dataclasses import replace

import numpy as np
import torch

from nets.levasa import LATENTS, Levasa
from train import metrics
from train.config import StageOneConfig
from train.examples import Examples, examples, inner
from train.levasa.config import LabelsConfig
from train.levasa.labels import expected_labels
from train.prepared import Prepared


def validation_of(data: Prepared, keep: np.ndarray, labels: LabelsConfig) -> Examples:
    """The faces that are scored, where keep (N,) bool holds, with the labels that are expected of their votes."""
    faces = examples(data, keep, StageOneConfig(), training=False)
    return replace(faces, affect=torch.from_numpy(expected_labels(data, labels)[faces.rows]))


@torch.no_grad()
def validate(model: Levasa, faces: Examples, margin: int) -> dict[str, float]:
    """Error of the reconstruction from the means, nats of each latent, and the heads' MSE, R2 and CCC."""
    parts = []
    for index in torch.arange(len(faces)).split(256):
        crops = inner(faces.pictures(index), margin).to(next(model.parameters()).device)
        latents = model.latents(crops)
        error = ((model.decode(latents.mean) - model.scale(crops)) ** 2).mean(dim=(1, 2, 3))
        answer = model.affect(latents.mean) if model.heads else latents.mean[:, :0, 0]
        parts.append(torch.cat([error[:, None], latents.divergence(), answer], dim=1).cpu())
    values = torch.cat(parts).numpy().astype(np.float64)
    means = dict(zip(("val_reconstruction", *(f"nats_{name}" for name in LATENTS)), values[:, :4].mean(0), strict=True))
    return {name: round(float(value), 5) for name, value in (means | scores(values[:, 4:], faces)).items()}


def scores(affect: np.ndarray, faces: Examples) -> dict[str, float]:
    """MSE, R2 and CCC of each axis of affect (N, 2); nothing where it is (N, 0)."""
    found = {}
    for axis, name in zip(range(affect.shape[1]), ("valence", "arousal"), strict=False):
        target = faces.affect[:, axis].double().numpy()
        found[f"mse_{name}"] = error = ((affect[:, axis] - target) ** 2).mean()
        found[f"r2_{name}"] = 1 - error / target.var()
        found[f"ccc_{name}"] = metrics.ccc(affect[:, axis], target)
    return found
