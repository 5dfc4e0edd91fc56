"""The generator: an untrained encoder-decoder with skip connections, whose structure is the prior.

``SkipGenerator`` is the "skip" network of Ulyanov, Vedaldi and Lempitsky, "Deep Image Prior" (arXiv:1711.10925,
supplementary material), with two additions: it may work at 1/2 or 1/4 of the resolution between a pixel unshuffle of
its input and a pixel shuffle of its output, and its input may hold guide images beside the noise code.
"""

import torch
from torch import Tensor, nn

from reelprior.models.settings import NetworkSettings

__all__ = ["SkipGenerator"]


class SkipGenerator(nn.Module):
    """Maps [noise code, guides] to a picture.

    Parameters
    ----------
    settings
        Scales, channels and resolution. The published denoising network is ``channels = 5 x 128``,
        ``skip_channels = 5 x 4``, ``shuffle = 1``, ``upsampling = "bilinear"``, ``code_channels = 32``.
    guide_channels
        Channels of the guide images, 0 for none.
    out_channels
        Channels of the picture.
    """

    def __init__(self, settings: NetworkSettings, *, guide_channels: int, out_channels: int = 3) -> None:
        super().__init__()
        self.shuffle = settings.shuffle
        block = settings.shuffle**2
        # The code is drawn at the network's own resolution; guides arrive at full resolution and are unshuffled.
        inputs = settings.code_channels + guide_channels * block
        self.body = _Scale(settings, depth=0, inputs=inputs)
        self.head = nn.Conv2d(settings.channels[0], out_channels * block, 1)

    def forward(self, code: Tensor, guides: Tensor | None = None) -> Tensor:
        """Generate.

        Parameters
        ----------
        code
            (1, C, H / shuffle, W / shuffle) noise.
        guides
            (1, G, H, W) or None. H and W are multiples of :meth:`multiple_of`.

        Returns
        -------
        Tensor
            (1, out_channels, H, W) in (0, 1).
        """
        x = code
        if guides is not None:
            x = torch.cat([code, nn.functional.pixel_unshuffle(guides, self.shuffle)], 1)
        return torch.sigmoid(nn.functional.pixel_shuffle(self.head(self.body(x)), self.shuffle))

    @staticmethod
    def multiple_of(settings: NetworkSettings) -> int:
        """The number that a picture's height and width must be a multiple of."""
        return int(settings.shuffle * 2 ** len(settings.channels))


class _Scale(nn.Module):
    """One scale: a skip branch beside a downsampled, recursively deeper branch, merged on the way up."""

    def __init__(self, settings: NetworkSettings, *, depth: int, inputs: int) -> None:
        super().__init__()
        width, skip = settings.channels[depth], settings.skip_channels[depth]
        deepest = depth + 1 == len(settings.channels)
        self.skip = _unit(settings, inputs, skip, kernel=1) if skip else None
        down = [_unit(settings, inputs, width, kernel=3, stride=2)]
        if settings.convolutions_down == 2:
            down.append(_unit(settings, width, width, kernel=3))
        self.down = nn.Sequential(*down)
        self.deeper = None if deepest else _Scale(settings, depth=depth + 1, inputs=width)
        below = width if deepest else settings.channels[depth + 1]
        self.up = nn.Upsample(
            scale_factor=2,
            mode=settings.upsampling,
            align_corners=False if settings.upsampling == "bilinear" else None,
        )
        self.merge = nn.Sequential(
            nn.BatchNorm2d(below + skip),
            _unit(settings, below + skip, width, kernel=3),
            _unit(settings, width, width, kernel=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        below = self.down(x)
        if self.deeper is not None:
            below = self.deeper(below)
        below = self.up(below)
        if self.skip is not None:
            below = torch.cat([below, self.skip(x)], 1)
        merged: Tensor = self.merge(below)
        return merged


def _unit(
    settings: NetworkSettings, inputs: int, outputs: int, *, kernel: int, stride: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, LeakyReLU(0.2)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=settings.padding),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2, inplace=True),
    )
