"""A transposed convolution as a matrix product, for training on a CPU.

For maps of a few pixels a side oneDNN's own, and its gradients above all, takes three times as long.
"""

from typing import Any

from torch import Tensor, nn
from torch.autograd import Function


class TransposedConvolution(nn.ConvTranspose2d):
    """As torch's, without padding; in training on a CPU by one matrix product, elsewhere torch's own."""

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, C, h, w) to (B, D, H, W)."""
        if not self.training or maps.device.type != "cpu":
            return super().forward(maps, output_size)
        product = maps.permute(0, 2, 3, 1) @ self.weight.permute(0, 2, 3, 1).flatten(1)
        patches = product.unflatten(3, (*self.kernel_size, self.out_channels))
        whole = _Joined.apply(patches, self.stride[0]).permute(0, 3, 1, 2)
        return whole if self.bias is None else whole + self.bias[:, None, None].to(whole.dtype)


def cut(maps: Tensor, side: int, stride: int) -> Tensor:
    """The patches (B, h, w, side, side, C) of maps (B, H, W, C)."""
    return maps.unfold(1, side, stride).unfold(2, side, stride).permute(0, 1, 2, 4, 5, 3).contiguous()


def joined(patches: Tensor, stride: int) -> Tensor:
    """Maps (B, H, W, C) of patches (B, h, w, side, side, C): where some overlap they add. The transpose of `cut`."""
    count, rows, columns, side, _, channels = patches.shape
    height, width = ((n - 1) * stride + side for n in (rows, columns))
    maps = patches.new_zeros(count, height, width, channels)
    for i in range(side):
        for j in range(side):
            maps[:, i : i + stride * rows : stride, j : j + stride * columns : stride] += patches[:, :, :, i, j]
    return maps


class _Joined(Function):
    @staticmethod
    def forward(ctx: Any, patches: Tensor, stride: int) -> Tensor:
        ctx.side, ctx.stride = patches.shape[3], stride
        return joined(patches, stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return cut(gradients[0], ctx.side, ctx.stride), None
