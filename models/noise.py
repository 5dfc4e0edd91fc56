"""What is known of the noise: its variance at a grey level, and what clipping did to it; not how it is measured."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["LEAST_VARIANCE", "OPPONENT", "NoiseModel", "PerChannel", "clipped_moments"]

#: Rounding to 8 bits alone is noise of 1 / sqrt(12) grey levels; a variance below it means nothing.
LEAST_VARIANCE = 1 / 12 / 255**2

#: Luminance and two opponent colours, orthonormal: noise that is independent in red, green and blue is so in these.
OPPONENT = functional.normalize(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]))

#: Side of the patches whose transform the frequencies of a spectrum are of.
_SIDE = 8

#: One number for all channels, or one each for red, green and blue.
PerChannel = float | tuple[float, float, float]


@dataclass(frozen=True)
class NoiseModel:
    """Independent noise of variance ``gain * x + offset`` at a clean value x in [0, 1] (Foi et al., TIP 2008).

    Attributes
    ----------
    gain, offset
        Signal-dependent and constant part of the variance, in units of [0, 1] squared: one number, or one each for
        red, green and blue. A gain below 0 is noise that is stronger in the shadows, as after a gamma curve.
    clipped
        Whether the noisy samples were clipped to [0, 1], as those of integer formats are.
    spectrum
        Its power at the frequencies of a cosine transform of 8 x 8 pixels, row by row, of luminance and the two
        opponent colours (`OPPONENT`), one after the other, with a mean of 1 over all of them; None for white noise.
        Grain, scalers, demosaicking and codecs make noise of neighbouring pixels alike: more at low frequencies.
        Subsampled colour makes that of red, green and blue alike: more of it is luminance.
    """

    gain: PerChannel
    offset: PerChannel
    clipped: bool = False
    spectrum: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Turn the lists that JSON gives into tuples: a frozen model is hashed and compared."""
        for name in ("gain", "offset", "spectrum"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))

    @classmethod
    def from_sigma_8bit(cls, sigma: float) -> "NoiseModel":
        """Constant noise of a standard deviation in 8-bit grey levels."""
        return cls(gain=0.0, offset=(sigma / 255) ** 2)

    @property
    def sigma(self) -> float:
        """Standard deviation at mid-grey, in [0, 1], all channels together."""
        return math.sqrt(sum(sigma**2 for sigma in self.sigmas()) / 3)

    def sigmas(self, clean: float = 0.5) -> tuple[float, float, float]:
        """Standard deviations of red, green and blue at a clean value, in [0, 1], before clipping."""
        red, green, blue = (
            math.sqrt(max(0.0, gain * clean + offset))
            for gain, offset in zip(_three(self.gain), _three(self.offset), strict=True)
        )
        return red, green, blue

    @property
    def balance(self) -> tuple[float, float, float]:
        """Variances of red, green and blue at mid-grey over their mean: 1 each where the channels are alike."""
        red, green, blue = (sigma**2 for sigma in self.sigmas())
        mean = (red + green + blue) / 3
        return (red / mean, green / mean, blue / mean) if min(red, green, blue) > 0 else (1.0, 1.0, 1.0)

    def spectrum_of(self, patch: int, device: torch.device) -> Tensor | None:
        """(3, patch^2) power in a cosine transform of so many pixels a side, with a mean of 1; None for white noise."""
        if self.spectrum is None:
            return None
        known = torch.tensor(self.spectrum, dtype=torch.float32, device=device).reshape(3, _SIDE, _SIDE)
        # Frequency i of a transform of n pixels has i / 2 n periods a pixel.
        at = (torch.arange(patch, device=device) * _SIDE / patch).clamp(max=_SIDE - 1) / (_SIDE - 1) * 2 - 1
        grid = torch.stack(torch.meshgrid(at, at, indexing="xy"), -1)[None]
        power = functional.grid_sample(known[None], grid, align_corners=True)[0].flatten(1)
        # What a channel has of the noise does not depend on the size of patches.
        return power * (known.mean((1, 2)) / power.mean(1).clamp(min=1e-6))[:, None]

    def of_grey(self) -> "NoiseModel":
        """With the same noise in red, green and blue, as grey footage has it: all of it luminance."""
        luminance = (1.0,) * _SIDE**2 if self.spectrum is None else self.spectrum[: _SIDE**2]
        all_of_it = 3 * _SIDE**2 / sum(luminance)
        return replace(self, spectrum=(*(power * all_of_it for power in luminance), *(0.0,) * (2 * _SIDE**2)))

    def along_rows(self) -> "NoiseModel":
        """With the spectrum of rows alone: for frames, of what was measured on fields, whose rows lie farther apart."""
        if self.spectrum is None:
            return self
        known = torch.tensor(self.spectrum).reshape(3, _SIDE, _SIDE)
        of_rows = known.mean(1, keepdim=True).expand_as(known)
        return replace(self, spectrum=tuple(of_rows.flatten().tolist()))

    def variance(self, clean: Tensor) -> Tensor:
        """Variance of the noisy samples, after clipping where they were clipped, in [0, 1] squared.

        Any shape; (..., 3, H, W) where the channels differ.
        """
        variance = self.variance_unclipped(clean)
        if not self.clipped:
            return variance
        return clipped_moments(clean, variance.sqrt())[1]

    def expected(self, clean: Tensor) -> Tensor:
        """Mean of the noisy samples of a clean picture: the picture itself, but for clipping.

        Noise clipped at black is brighter than black on average. A fit that compares its picture with the noisy one
        directly learns that grey veil; one that compares ``expected(picture)`` does not.
        """
        if not self.clipped:
            return clean
        return _clipped_mean(clean, self._deviation(clean))

    def _deviation(self, clean: Tensor) -> Tensor | float:
        """Standard deviation of the noise before anything was clipped; of constant noise a number a channel."""
        if any(_three(self.gain)):
            return self.variance_unclipped(clean).sqrt()
        red, green, blue = (math.sqrt(max(offset, LEAST_VARIANCE)) for offset in _three(self.offset))
        return _beside((red, green, blue), clean)

    def variance_unclipped(self, clean: Tensor) -> Tensor:
        """Variance of the noise before anything was clipped; shapes and units as of `variance`."""
        gain, offset = _beside(self.gain, clean), _beside(self.offset, clean)
        return (gain * clean + offset).clamp(min=LEAST_VARIANCE)


def _three(value: PerChannel) -> tuple[float, float, float]:
    return value if isinstance(value, tuple) else (value, value, value)


def _beside(value: PerChannel, picture: Tensor) -> float | Tensor:
    """A number, or one for each channel where they differ, ready to be multiplied with a picture."""
    if not isinstance(value, tuple):
        return value
    return value[0] if len(set(value)) == 1 else _on_device(value, picture.dtype, picture.device)


@lru_cache(maxsize=32)
def _on_device(values: tuple[float, float, float], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(3, 1, 1); kept, because a fit asks at every iteration and should not wait for a copy to the device."""
    return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1)


def clipped_moments(clean: Tensor, deviation: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of clip(y, 0, 1) for y ~ N(clean, deviation^2), of any shapes that broadcast.

    Var[clip(y)] = E[clip(y)^2] - E[clip(y)]^2, by the moments of a rectified Gaussian at both ends.
    """
    first = _clipped_mean(clean, deviation)
    second = (
        _rectified_square(clean, deviation)
        - _rectified_square(clean - 1, deviation)
        - 2 * _rectified_mean(clean - 1, deviation)
    )
    return first, (second - first.square()).clamp(min=LEAST_VARIANCE)


def _clipped_mean(clean: Tensor, deviation: Tensor | float) -> Tensor:
    mean: Tensor = _ClippedMean.apply(clean, deviation)  # type: ignore[no-untyped-call]
    return mean


class _ClippedMean(torch.autograd.Function):
    """E[clip(y, 0, 1)] for y ~ N(clean, deviation^2), the difference of two rectified means.

    A fit asks for it at every iteration. Its derivatives are what it is made of: by the clean value the probability
    that nothing is clipped, by the deviation the difference of the densities at both ends.
    """

    @staticmethod
    def forward(ctx: Any, clean: Tensor, deviation: Tensor | float) -> Tensor:
        black, white = clean / deviation, (clean - 1) / deviation
        above = _cumulative(white)
        unclipped = _cumulative(black) - above
        difference = _density(black) - _density(white)
        ctx.save_for_backward(unclipped, difference)
        ctx.shapes = clean.shape, deviation.shape if isinstance(deviation, Tensor) else ()
        return clean * unclipped + above + deviation * difference

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (unclipped, difference) = gradients, ctx.saved_tensors
        by_clean, by_deviation = ctx.needs_input_grad
        of_clean, of_deviation = ctx.shapes
        return (
            (gradient * unclipped).sum_to_size(of_clean) if by_clean else None,
            (gradient * difference).sum_to_size(of_deviation) if by_deviation else None,
        )


def _rectified_mean(mean: Tensor, deviation: Tensor) -> Tensor:
    """E[max(0, y)] for y ~ N(mean, deviation^2)."""
    z = mean / deviation
    return mean * _cumulative(z) + deviation * _density(z)


def _rectified_square(mean: Tensor, deviation: Tensor) -> Tensor:
    """E[max(0, y)^2] for y ~ N(mean, deviation^2)."""
    z = mean / deviation
    return (mean.square() + deviation.square()) * _cumulative(z) + mean * deviation * _density(z)


def _cumulative(z: Tensor) -> Tensor:
    return 0.5 * (1 + torch.erf(z / math.sqrt(2)))


def _density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
