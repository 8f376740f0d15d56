"""Layers that G and C share."""

from typing import Literal

from torch import Tensor, nn

Norm = Literal["instance", "batch", "none"]


def norm_layer(kind: Norm, channels: int) -> nn.Module:
    """Normalisation of (B, channels, H, W).

    Instance normalisation keeps no running statistics: the released G does, and then gives another latent in evaluation
    than in training. Batch normalisation is a fixed affine map in evaluation and folds into its convolution.
    """
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


class Residual(nn.Module):
    """conv, norm, ReLU, conv, norm; with the identity added unless skip is False."""

    def __init__(self, channels: int, norm: Norm, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            norm_layer(norm, channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to the same shape."""
        return x + self.body(x) if self.skip else self.body(x)
