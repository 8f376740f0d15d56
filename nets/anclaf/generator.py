"""G: a denoising autoencoder whose bottleneck is the latent Z (Aspandi et al. 2021, Eq. 1)."""

from torch import Tensor, nn

from nets.anclaf.layers import Norm, Residual, norm_layer


class Generator(nn.Module):
    """Encoder to Z at a quarter of the side, decoder back to the picture.

    Z is the last encoder block's output. That block has no skip and ends in a normalisation, as in the released model;
    there is no connection from encoder to decoder but Z. `blocks` counts the residual blocks before and after Z,
    `kernel` is the side of the first and the last convolution.
    """

    def __init__(self, channels: int, width: int, blocks: tuple[int, int], norm: Norm, kernel: int) -> None:
        super().__init__()
        w, (before, after), edge = width, blocks, (kernel, 1, kernel // 2)
        self.encoder = nn.Sequential(
            *_conv(nn.Conv2d(channels, w, *edge, bias=False), norm),
            *_conv(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), norm),
            *_conv(nn.Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False), norm),
            *(Residual(4 * w, norm, skip=i < before - 1) for i in range(before)),
        )
        self.decoder = nn.Sequential(
            *(Residual(4 * w, norm) for _ in range(after)),
            *_conv(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), norm),
            *_conv(nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), norm),
            nn.Conv2d(w, channels, *edge, bias=False),
            nn.Tanh(),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Picture (B, C, S, S) in [-1, 1] to Z (B, 4 width, S/4, S/4) and the denoised picture."""
        latent = self.encoder(image)
        return latent, self.decoder(latent)


def _conv(conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm) -> tuple[nn.Module, ...]:
    return conv, norm_layer(norm, conv.out_channels), nn.ReLU()
