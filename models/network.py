"""The generator: an untrained encoder-decoder with skip connections, whose structure is the prior.

``SkipGenerator`` is the "skip" network of Ulyanov, Vedaldi and Lempitsky, "Deep Image Prior" (arXiv:1711.10925,
supplementary material), with two additions: it may work at 1/2 or 1/4 of the resolution between a pixel unshuffle of
its input and a pixel shuffle of its output, and its input may hold guide images beside the noise code.
"""

import torch
from torch import Tensor, nn

from reelprior.models.settings import NetworkSettings

__all__ = ["SkipGenerator", "convolve_doubled"]


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
        self.head = _Pointwise(settings.channels[0], out_channels * block, 1)

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
        self.join = _Join(settings, below, skip, width)
        self.refine = _unit(settings, width, width, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        below = self.down(x)
        if self.deeper is not None:
            below = self.deeper(below)
        merged: Tensor = self.refine(self.join(below, None if self.skip is None else self.skip(x)))
        return merged


class _Pointwise(nn.Conv2d):
    """A 1x1 convolution as one product of matrices, which PyTorch makes of it only when several threads compute."""

    def forward(self, x: Tensor) -> Tensor:
        rows = nn.functional.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return rows.permute(0, 3, 1, 2)


class _Join(nn.Module):
    """The deeper branch, upsampled, beside the skip branch: normalised, and one 3x3 unit of both.

    Normalising commutes with nearest upsampling, and the convolution is done in one with it where zeros are padded.
    """

    def __init__(self, settings: NetworkSettings, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.normalise_below = nn.BatchNorm2d(below)
        self.normalise_skip = nn.BatchNorm2d(skip) if skip else None
        self.convolve = nn.Conv2d(below + skip, outputs, 3, padding=1, padding_mode=settings.padding)
        self.finish = _finish(outputs)
        self._at_once = settings.upsampling == "nearest" and settings.padding == "zeros"
        self._upsample = nn.Upsample(
            scale_factor=2,
            mode=settings.upsampling,
            align_corners=False if settings.upsampling == "bilinear" else None,
        )

    def forward(self, below: Tensor, skip: Tensor | None) -> Tensor:
        if skip is not None and self.normalise_skip is not None:
            skip = self.normalise_skip(skip)
        joined = self._joined_at_once(below, skip) if self._at_once else self._joined(below, skip)
        result: Tensor = self.finish(joined)
        return result

    def _joined(self, below: Tensor, skip: Tensor | None) -> Tensor:
        below = self.normalise_below(self._upsample(below))
        joined: Tensor = self.convolve(below if skip is None else torch.cat([below, skip], 1))
        return joined

    def _joined_at_once(self, below: Tensor, skip: Tensor | None) -> Tensor:
        below = self.normalise_below(below)
        weight, channels = self.convolve.weight, below.shape[1]
        joined = convolve_doubled(below, weight[:, :channels], self.convolve.bias)
        if skip is not None:
            joined += nn.functional.conv2d(skip, weight[:, channels:], padding=1)
        return joined


def convolve_doubled(picture: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve with a 3x3 kernel what each pixel becoming 2x2 equal ones would make of a picture, zeros around it.

    The window of a pixel of the larger picture covers only 2x2 pixels of the smaller one: both together are a
    transposed convolution, with 4/9 of the products and without the larger picture.

    Parameters
    ----------
    picture
        (N, I, H, W).
    weight, bias
        (O, I, 3, 3) and (O,) or None, as of `torch.nn.functional.conv2d`.

    Returns
    -------
    Tensor
        (N, O, 2 H, 2 W).
    """
    pad = nn.functional.pad
    kernel = weight.flip(2, 3)
    kernel = pad(kernel, (0, 1)) + pad(kernel, (1, 0))
    kernel = pad(kernel, (0, 0, 0, 1)) + pad(kernel, (0, 0, 1, 0))
    return nn.functional.conv_transpose2d(picture, kernel.transpose(0, 1), bias, stride=2, padding=1)


def _unit(
    settings: NetworkSettings, inputs: int, outputs: int, *, kernel: int, stride: int = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, LeakyReLU(0.2)."""
    if kernel == stride == 1:
        return nn.Sequential(_Pointwise(inputs, outputs, 1), *_finish(outputs))
    padded = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=settings.padding)
    return nn.Sequential(padded, *_finish(outputs))


def _finish(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True))
