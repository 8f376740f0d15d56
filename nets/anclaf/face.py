"""What C sees beside ZQ: the first levels of a network that has learnt to tell people apart, dlib's face ResNet.

The network is that of dlib's example dnn_face_recognition_ex.cpp (Davis King 2017), after ResNet-34 (He et al. 2016)
with fewer layers and half the filters. Its middle layers tell expressions apart; its last ones, which have learnt to
overlook them, are left out. `train.dlib` reads its weights.
"""

from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEM_WIDTH, STEM_KERNEL = 32, 7
LEVELS = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Width and number of blocks of each level; all but the first halve the side in their first block."""


class AreaShrink(nn.Module):
    """Pictures of one side to a smaller one, each pixel the mean of the area that it covers.

    As a convolution whose channels become neighbouring pixels, because ONNX Runtime's resizing is slow: from 128 to 96
    pixels, every square of 4 by 4 becomes one of 3 by 3.
    """

    areas: Tensor
    """(after^2, 1, before, before), of a square that both sides divide into whole pixels."""

    def __init__(self, before: int, after: int) -> None:
        """Sides in pixels."""
        super().__init__()
        step = gcd(before, after)
        self.before, self.after = before // step, after // step
        edges = torch.arange(self.after + 1) * self.before / self.after
        pixel = torch.arange(self.before)
        covered = (torch.minimum(edges[1:, None], pixel + 1.0) - torch.maximum(edges[:-1, None], pixel)).clamp(min=0)
        share = covered * self.after / self.before
        areas = torch.einsum("ai,bj->abij", share, share).reshape(-1, 1, self.before, self.before)
        self.register_buffer("areas", areas, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 1, S, S) to (B, 1, S', S')."""
        return F.pixel_shuffle(F.conv2d(pictures, self.areas.to(pictures.dtype), stride=self.before), self.after)


class FaceBlock(nn.Module):
    """Two convolutions beside the identity; one that halves the side averages the identity and adds empty channels.

    Halving an even side, the convolutions leave one row and column less than the average does (`shortens`).
    """

    def __init__(self, before: int, after: int, halving: bool, side: int) -> None:
        """side: of the maps that it reads."""
        super().__init__()
        self.halving, self.added_channels = halving, after - before
        self.shortens = halving and side % 2 == 0
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
        skip = F.pad(skip, (0, 0, 0, 0, 0, self.added_channels))
        return F.relu(skip + (F.pad(y, (0, 1, 0, 1)) if self.shortens else y))


class FaceEncoder(nn.Sequential):
    """Grey pictures (B, 1, size, size) in [-1, 1] to maps (B, width, side, side): the stem and the first levels.

    dlib's affine layers are part of the convolutions before them, and its three colours are one grey.
    """

    def __init__(self, size: int, levels: int) -> None:
        side = ((size - STEM_KERNEL) // 2 + 1 - 3) // 2 + 1
        parts = [nn.Sequential(nn.Conv2d(1, STEM_WIDTH, STEM_KERNEL, 2), nn.ReLU(), nn.MaxPool2d(3, 2))]
        before = STEM_WIDTH
        for number, (width, blocks) in enumerate(LEVELS[:levels]):
            first = FaceBlock(before, width, number > 0, side)
            parts.append(nn.Sequential(first, *(FaceBlock(width, width, False, side) for _ in range(blocks - 1))))
            before, side = width, side // 2 if number > 0 else side
        super().__init__(*parts)
