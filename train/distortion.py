"""What a camera and a room do to a face: augmentation (G's target keeps it) and distortion (G has to remove it).

All work on batches (B, 1 or 3, S, S) of grey levels 0 to 255 as float tensors and draw from torch's global generator.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def augment(crops: Tensor, size: int) -> Tensor:
    """Rotation, scale, shift, flip and light; crops with a margin (B, C, S + 2 margin, ...) to (B, C, size, size)."""
    return light(move(crops.float(), size))


def move(crops: Tensor, size: int) -> Tensor:
    """A random similarity (a little squeezed) about the middle, and a flip for every second crop."""
    count, side = len(crops), crops.shape[-1]
    angle = torch.randn(count).mul(0.17).clamp(-0.5, 0.5)
    scale = torch.exp(_uniform(count, -0.18, 0.18)) * size / side
    squeeze = torch.exp(_uniform(count, -0.06, 0.06))
    flip = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = torch.stack([_uniform(count, -0.12, 0.12), _uniform(count, -0.12, 0.12)], 1) * size / side
    rows = [
        torch.stack([cos * flip * squeeze, -sin, shift[:, 0]], 1),
        torch.stack([sin * flip, cos / squeeze, shift[:, 1]], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1), [count, 1, size, size], align_corners=False)
    return F.grid_sample(crops, grid, padding_mode="border", align_corners=False)


def light(image: Tensor) -> Tensor:
    """Gamma, contrast, brightness, a slope of light across the face, and more or less sharpness."""
    count = len(image)
    gamma = torch.exp(_uniform(count, -0.6, 0.6)).view(-1, 1, 1, 1)
    image = 255 * (image / 255).clamp(0, 1) ** gamma
    mean = image.mean(dim=(1, 2, 3), keepdim=True)
    image = mean + (image - mean) * torch.exp(_uniform(count, -0.5, 0.4)).view(-1, 1, 1, 1)
    image = image + _uniform(count, -40, 40).view(-1, 1, 1, 1)
    image = _some(image, 0.3, _slope)
    return _some(image, 0.4, _sharpen).clamp(0, 255)


def distort(image: Tensor, share: float = 1.0, kind: str = "camera") -> Tensor:
    """A share of the batch (B, C, S, S) as a camera spoils it, or (kind published) by one of the paper's six.

    camera: each of DISTORTIONS strikes its part of the batch.
    """
    strike = _strike if kind == "camera" else _strike_one
    return (strike(image) if share == 1 else _some(image, share, strike)).clamp(0, 255)


def low_resolution(image: Tensor) -> Tensor:
    """Down to a face of 12 to 40 pixels and back."""
    side = int(torch.randint(12, 41, ()))
    small = F.interpolate(image, size=(side, side), mode="area")
    return F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)


def blur(image: Tensor) -> Tensor:
    """Gaussian, standard deviation 0.5 to 2 pixels, wider along one axis at times (motion)."""
    for axis in (2, 3):
        image = _convolve(image, float(_uniform(1, 0.3, 2.0)), axis)
    return image


def noise(image: Tensor) -> Tensor:
    """Gaussian, standard deviation up to 25 grey levels, another for each picture."""
    return image + torch.randn_like(image) * _uniform(len(image), 0, 25).view(-1, 1, 1, 1)


def dark(image: Tensor) -> Tensor:
    """A tenth to a half of the light, with the sensor's noise."""
    image = image * _uniform(len(image), 0.1, 0.5).view(-1, 1, 1, 1)
    return (image + torch.randn_like(image) * 2.5).clamp(0, 255).round()


def cover(image: Tensor) -> Tensor:
    """A flat rectangle of up to two fifths of each side, anywhere."""
    count, side = len(image), image.shape[-1]
    at = torch.arange(side)
    inside = []
    for _ in range(2):
        start = _uniform(count, -0.1, 0.9)[:, None] * side
        inside.append((at >= start) & (at < start + _uniform(count, 0.1, 0.4)[:, None] * side))
    mask = (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
    return torch.where(mask, _uniform(count, 0, 255).view(-1, 1, 1, 1), image)


def jpeg(image: Tensor) -> Tensor:
    """Compressed at a quality of 8 to 60."""
    out = []
    for picture in image.clamp(0, 255).round().byte().permute(0, 2, 3, 1).numpy():
        quality = int(torch.randint(8, 61, ()))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out.append(np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED)).reshape(picture.shape))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float()


DISTORTIONS: tuple[tuple[float, Callable[[Tensor], Tensor]], ...] = (
    (0.12, low_resolution),
    (0.12, low_resolution),
    (0.15, blur),
    (0.15, dark),
    (0.25, noise),
    (0.25, cover),
    (0.15, jpeg),
)
"""Share of the batch and what strikes it, in the order of light, lens, sensor, codec."""


def shrink(image: Tensor, level: int) -> Tensor:
    """Down by 2, 4 or 8 and back."""
    small = F.interpolate(image, scale_factor=1 / (2, 4, 8)[level], mode="area")
    return F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)


def soften(image: Tensor, level: int) -> Tensor:
    """Gaussian blur of radius 1, 3 or 5."""
    return _convolve(_convolve(image, (1.0, 3.0, 5.0)[level], 2), (1.0, 3.0, 5.0)[level], 3)


def grain(image: Tensor, level: int) -> Tensor:
    """Gaussian noise of variance .001, .005 or .01 of the range; the released code lets it wrap around."""
    return image + torch.randn_like(image) * 255 * (0.001, 0.005, 0.01)[level] ** 0.5


def brightness(image: Tensor, level: int) -> Tensor:
    """Three quarters, five quarters or one and a half times the light."""
    return image * (0.75, 1.25, 1.5)[level]


def grey(image: Tensor, level: int) -> Tensor:
    """Without colour; the level does not matter."""
    return image.mean(dim=1, keepdim=True).expand_as(image)


def grid(image: Tensor, level: int) -> Tensor:
    """White blocks in 7 columns and 12 rows, each half its cell in both directions; the level does not matter."""
    side = image.shape[-1]
    at = torch.arange(side)
    rows, columns = ((at * count / side) % 1 < 0.5 for count in (12, 7))
    return torch.where(rows[:, None] & columns[None], 255.0, image)


PUBLISHED: tuple[Callable[[Tensor, int], Tensor], ...] = (shrink, soften, grain, brightness, grey, grid)
"""The six of the released code, each at three levels; one of them strikes half of the pictures."""


def _strike_one(image: Tensor) -> Tensor:
    image = image.clone()
    chosen = torch.randint(0, 2 * len(PUBLISHED), (len(image),))
    levels = torch.randint(0, 3, (len(image),))
    for number, distortion in enumerate(PUBLISHED):
        for level in range(3):
            struck = (chosen == number) & (levels == level)
            if struck.any():
                image[struck] = distortion(image[struck], level)
    return image


def _strike(image: Tensor) -> Tensor:
    for share, distortion in DISTORTIONS:
        image = _some(image, share, distortion)
    return image


def _some(image: Tensor, share: float, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The batch with `change` applied to a random share of it."""
    chosen = torch.rand(len(image)) < share
    if not chosen.any():
        return image
    image = image.clone()
    image[chosen] = change(image[chosen])
    return image


def _slope(image: Tensor) -> Tensor:
    count, side = len(image), image.shape[-1]
    at = torch.linspace(-1, 1, side)
    angle = _uniform(count, 0, 2 * math.pi).view(-1, 1, 1)
    slope = torch.cos(angle) * at[None, None, :] + torch.sin(angle) * at[None, :, None]
    return image * (1 + _uniform(count, 0, 0.6).view(-1, 1, 1) * slope)[:, None]


def _sharpen(image: Tensor) -> Tensor:
    smooth = _convolve(_convolve(image, 1.0, 2), 1.0, 3)
    return image + (image - smooth) * _uniform(len(image), 0.2, 1.5).view(-1, 1, 1, 1)


def _convolve(image: Tensor, deviation: float, axis: int) -> Tensor:
    """A Gaussian along one axis (2 rows, 3 columns) with repeated borders."""
    reach = math.ceil(2.5 * deviation)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).view((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
    pad = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
    channels = image.shape[1]
    padded = F.pad(image, pad, mode="replicate")
    return F.conv2d(padded, kernel.expand(channels, -1, -1, -1), groups=channels)


def _uniform(count: int, low: float, high: float) -> Tensor:
    return torch.empty(count).uniform_(low, high)
