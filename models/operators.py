"""Forward operators: how a latent frame becomes what was observed.

Each is a frozen dataclass called with (N, C, H, W) and returning (N, C, H', W'); all are linear, so that gradients
through them are their adjoints. ``Compose`` chains them.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from reelprior.models.reductions import LANCZOS, PointSpread
from reelprior.models.warp import warp

__all__ = ["Blur", "Compose", "Downsample", "ForwardOperator", "Identity", "Mask", "Warp"]


class ForwardOperator(Protocol):
    """Anything that maps (N, C, H, W) to (N, C, H', W')."""

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Observe the latent frame without noise."""
        ...


@dataclass(frozen=True, eq=False)
class Identity:
    """The frame itself."""

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Return the frame."""
        return latent


@dataclass(frozen=True, eq=False)
class Mask:
    """Only some pixels: ``known`` is (N, 1, H, W), 0 where nothing is observed."""

    known: Tensor

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Set what is not observed to 0."""
        return latent * self.known


@dataclass(frozen=True, eq=False)
class Warp:
    """Another moment: ``flow`` (N, 2, H, W) from the observed frame to the latent one, in pixels."""

    flow: Tensor

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Fetch the latent frame along the flow, bilinearly."""
        return warp(latent, self.flow)


@dataclass(frozen=True, eq=False)
class Blur:
    """A Gaussian point spread of standard deviation ``sigma`` pixels."""

    sigma: float

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Blur over three standard deviations on each side."""
        radius = max(1, math.ceil(3 * self.sigma))
        at = torch.arange(-radius, radius + 1, dtype=latent.dtype, device=latent.device)
        return _separable(
            latent, torch.exp(-0.5 * (at / self.sigma) ** 2), stride=1, before=radius, after=radius
        )


@dataclass(frozen=True, eq=False)
class Downsample:
    """A lower resolution by an integer ``factor``, sampled at half-pixel phase.

    By default with the reduction of Ulyanov et al. 2017 for super-resolution, Lanczos with two lobes. Height and width
    must be multiples of the factor.
    """

    factor: int
    spread: PointSpread = LANCZOS

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Reduce (N, C, H, W) to (N, C, H / factor, W / factor)."""
        height, width = latent.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"{width}x{height} is not a multiple of the factor {self.factor}; pad the frame first"
            )
        taps = self.spread.taps(self.factor, like=latent)
        # Around the centre of each block.
        margins = [(side - self.factor) // 2 for side in taps.shape]
        if taps.ndim == 1:
            return _separable(latent, taps, stride=self.factor, before=margins[0], after=margins[0])
        channels = latent.shape[1]
        around = functional.pad(latent, (margins[1], margins[1], margins[0], margins[0]), mode="replicate")
        return functional.conv2d(
            around, taps.expand(channels, 1, *taps.shape), stride=self.factor, groups=channels
        )


@dataclass(frozen=True, eq=False)
class Compose:
    """Operators applied from the first to the last."""

    operators: tuple[ForwardOperator, ...]

    def __call__(self, latent: Tensor, /) -> Tensor:
        """Apply them all."""
        for operator in self.operators:
            latent = operator(latent)
        return latent


def _separable(x: Tensor, kernel: Tensor, *, stride: int, before: int, after: int) -> Tensor:
    """Correlate rows and columns of (N, C, H, W) with a kernel that is normalised first; edges are repeated."""
    kernel, channels = kernel / kernel.sum(), x.shape[1]
    x = functional.pad(x, (before, after, before, after), mode="replicate")
    x = functional.conv2d(x, kernel.expand(channels, 1, 1, -1), stride=(1, stride), groups=channels)
    return functional.conv2d(
        x, kernel[:, None].expand(channels, 1, -1, 1), stride=(stride, 1), groups=channels
    )
