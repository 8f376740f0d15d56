"""What LeVAsa's training minimises (arXiv 2007.10058): reconstruction, divergence of the latents, alignment."""

import torch.nn.functional as F
from torch import Tensor

from nets.levasa import HIGH, Heads, Levasa


def losses_of(model: Levasa, crops: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """reconstruction, kl, and affect where the model has heads, of crops (B, C, S, S) and labels (B, 2)."""
    latents = model.latents(crops)
    z, picture = latents.sample(), model.scale(crops)
    losses = {
        "reconstruction": F.mse_loss(model.decode(z), picture),
        "kl": latents.divergence().sum() / picture.numel(),
    }
    if model.config.heads != "none":
        losses["affect"] = alignment_loss(model.head_outputs(z), labels, model.config.heads)
    return losses


def alignment_loss(outputs: Tensor, labels: Tensor, heads: Heads) -> Tensor:
    """Of the heads' outputs (B, 2, K) against labels (B, 2) in [-1, 1]: the valence's error plus the arousal's.

    Mean squared error of all K, or cross-entropy against the nearest tenth.
    """
    if heads == "classes":
        levels = (HIGH * labels).round().long() + HIGH
        return 2 * F.cross_entropy(outputs.flatten(0, 1), levels.flatten())
    return 2 * F.mse_loss(outputs, labels[..., None].expand_as(outputs))
