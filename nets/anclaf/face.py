"""G's encoder from a network that has seen faces: the first levels of dlib's face recognition ResNet.

The network is that of dlib's example dnn_face_recognition_ex.cpp (Davis King 2017), after ResNet-34 (He et al. 2016)
with fewer layers and half the filters. What it learnt in its middle layers tells expressions apart; its last ones, which
have learnt to ignore them, are left out. `train.dlib` reads its weights.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from nets.anclaf.layers import Norm, norm_layer

STEM_WIDTH, STEM_KERNEL = 32, 7
LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Width and number of blocks of each level; all but the first halve the side in their first block."""


class FaceBlock(nn.Module):
    """Two convolutions beside the identity; one that halves the side averages the identity and adds empty channels."""

    def __init__(self, before: int, after: int, halving: bool) -> None:
        super().__init__()
        self.halving = halving
        stride, padding = (2, 0) if halving else (1, 1)
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, padding), nn.ReLU(), nn.Conv2d(after, after, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, h, w) to (B, after, h, w) or (B, after, h // 2, w // 2)."""
        y = self.body(x)
        if not self.halving:
            return F.relu(x + y)
        skip = F.avg_pool2d(x, 2)
        # dlib adds maps of different sizes as if the smaller one went on with zeros
        skip = F.pad(skip, (0, 0, 0, 0, 0, y.shape[1] - skip.shape[1]))
        y = F.pad(y, (0, skip.shape[3] - y.shape[3], 0, skip.shape[2] - y.shape[2]))
        return F.relu(skip + y)


class FaceEncoder(nn.Sequential):
    """Grey pictures (B, 1, S, S) in [-1, 1] to Z: the stem and the first `levels` levels.

    dlib's affine layers are part of the convolutions before them, and its colours were added to one grey.
    """

    def __init__(self, levels: int) -> None:
        widths = [STEM_WIDTH, *(width for width, _ in LEVELS[:levels])]
        stem = nn.Sequential(nn.Conv2d(1, STEM_WIDTH, STEM_KERNEL, 2), nn.ReLU(), nn.MaxPool2d(3, 2))
        parts = [
            nn.Sequential(
                *(FaceBlock(before if n == 0 else after, after, level > 0 and n == 0) for n in range(LEVELS[level][1]))
            )
            for level, (before, after) in enumerate(pairwise(widths))
        ]
        super().__init__(stem, *parts)


def face_sides(size: int, levels: int) -> list[int]:
    """Sides of the maps from the picture of `size` to Z: after the stem's convolution, its pooling, and each halving."""
    convolved = (size - STEM_KERNEL) // 2 + 1
    sides = [size, convolved, (convolved - 3) // 2 + 1]
    for _ in range(levels - 1):
        sides.append(sides[-1] // 2)
    return sides


class FaceGenerator(nn.Module):
    """G with a FaceEncoder, and a decoder that goes back through the encoder's sides."""

    def __init__(self, size: int, levels: int, norm: Norm) -> None:
        super().__init__()
        self.encoder = FaceEncoder(levels)
        sides = face_sides(size, levels)[::-1]
        width = LEVELS[levels - 1][0]
        decoder: list[nn.Module] = []
        for before, after in pairwise(sides[:-1]):
            kernel = after - 2 * (before - 1)
            decoder += [
                nn.ConvTranspose2d(width, width // 2, kernel, 2, bias=False),
                norm_layer(norm, width // 2),
                nn.ReLU(),
            ]
            width //= 2
        kernel = sides[-1] - 2 * (sides[-2] - 1)
        self.decoder = nn.Sequential(*decoder, nn.ConvTranspose2d(width, 1, kernel, 2), nn.Tanh())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Picture (B, 1, S, S) in [-1, 1] to Z (B, width, side, side) and the denoised picture."""
        latent = self.encoder(image)
        return latent, self.decoder(latent)
