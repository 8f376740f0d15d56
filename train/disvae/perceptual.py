"""The perceptual reconstruction: how far pictures lie apart in the first layers of VGG19 (arXiv 1610.00291)."""

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tracker.errors import UsageError

CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256)}
"""VGG19's first, by their number in torchvision's `features`: channels in and out."""
POOLS = (4, 9)
READ = (1, 6, 11)
"""relu1_1, relu2_1 and relu3_1."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels in [0, 1]."""


class PerceptualDistance(nn.Module):
    """Half of the mean squared difference of each layer that is read, summed over the layers."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, state: dict[str, Tensor]) -> None:
        """state: torchvision's names, features.0.weight and on; KeyError or RuntimeError where it is another's."""
        super().__init__()
        self.layers = nn.Sequential(*(_layer(i) for i in range(max(READ) + 1)))
        own = {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
        self.layers.load_state_dict({name: own[name] for name in self.layers.state_dict()})
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor, others: Tensor) -> Tensor:
        """Of pictures (B, 1 or 3, S, S) in [0, 1] from others: a scalar."""
        pairs = zip(self.features(pictures), self.features(others), strict=True)
        return torch.stack([0.5 * F.mse_loss(one.float(), other.float()) for one, other in pairs]).sum()

    def features(self, pictures: Tensor) -> list[Tensor]:
        """The maps of the layers that are read."""
        maps, read = (pictures.expand(-1, 3, -1, -1) - self.mean) / self.deviation, []
        for number, layer in enumerate(self.layers):
            maps = layer(maps)
            if number in READ:
                read.append(maps)
        return read


def distance_of(vgg: str | None) -> Callable[[Tensor, Tensor], Tensor]:
    """The mean squared error of a pixel or, with a file of VGG19's weights, the perceptual distance; UsageError."""
    if vgg is None:
        return F.mse_loss
    path = Path(vgg)
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give torchvision's vgg19-dcbb9e9d.pth, or take --recon pixel")
    try:
        return PerceptualDistance(torch.load(path, weights_only=True)).eval()
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, AttributeError, UnpicklingError) as error:
        raise UsageError(
            f"{path} does not hold VGG19's weights ({type(error).__name__}); give torchvision's vgg19-dcbb9e9d.pth, or "
            "take --recon pixel"
        ) from error


def _layer(number: int) -> nn.Module:
    if number in CONVOLUTIONS:
        return nn.Conv2d(*CONVOLUTIONS[number], 3, padding=1)
    return nn.MaxPool2d(2) if number in POOLS else nn.ReLU()
