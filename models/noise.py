"""What is known of the noise: its variance at a grey level, what clipping did to it, and how to measure it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reelprior.models.spatial import quick_denoise

__all__ = ["NoiseModel", "detect_clipping", "estimate_noise"]

#: A sample this close to 0 or 1 is taken for clipped: half a code value of 8 bits.
_SATURATION = 0.5 / 255
#: Rounding to 8 bits alone is noise of 1 / sqrt(12) grey levels; a variance below it means nothing.
_LEAST_VARIANCE = 1 / 12 / 255**2


@dataclass(frozen=True)
class NoiseModel:
    """Independent noise of variance ``gain * x + offset`` at a clean value x in [0, 1] (Foi et al., TIP 2008).

    Attributes
    ----------
    gain, offset
        Signal-dependent and constant part of the variance, in units of [0, 1] squared.
    clipped
        Whether the noisy samples were clipped to [0, 1], as those of integer formats are.
    """

    gain: float
    offset: float
    clipped: bool = False

    @classmethod
    def from_sigma_8bit(cls, sigma: float) -> "NoiseModel":
        """Constant noise of a standard deviation in 8-bit grey levels."""
        return cls(gain=0.0, offset=(sigma / 255) ** 2)

    @property
    def sigma(self) -> float:
        """Standard deviation at mid-grey, in [0, 1]."""
        return math.sqrt(max(0.0, 0.5 * self.gain + self.offset))

    def variance(self, clean: Tensor) -> Tensor:
        """Variance of the noisy samples, after clipping where they were clipped; any shape, in [0, 1] squared."""
        variance = self._variance_unclipped(clean)
        if not self.clipped:
            return variance
        # Var[clip(y)] = E[clip(y)^2] - E[clip(y)]^2, by the moments of a rectified Gaussian at both ends.
        deviation = variance.sqrt()
        first = _rectified_mean(clean, deviation) - _rectified_mean(clean - 1, deviation)
        second = (
            _rectified_square(clean, deviation)
            - _rectified_square(clean - 1, deviation)
            - 2 * _rectified_mean(clean - 1, deviation)
        )
        return (second - first.square()).clamp(min=_LEAST_VARIANCE)

    def expected(self, clean: Tensor) -> Tensor:
        """Mean of the noisy samples of a clean picture: the picture itself, but for clipping.

        Noise clipped at black is brighter than black on average. A fit that compares its picture with the noisy one
        directly learns that grey veil; one that compares ``expected(picture)`` does not.
        """
        if not self.clipped:
            return clean
        deviation = self._variance_unclipped(clean).sqrt()
        return _rectified_mean(clean, deviation) - _rectified_mean(clean - 1, deviation)

    def _variance_unclipped(self, clean: Tensor) -> Tensor:
        return (self.gain * clean + self.offset).clamp(min=_LEAST_VARIANCE)


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


def estimate_noise(frames: NDArray[np.float32]) -> NoiseModel:
    """Constant noise by the median absolute deviation of the finest diagonal details.

    Donoho and Johnstone 1994: sigma = median(abs(HH)) / 0.6745, HH the diagonal Haar band. Samples near black and white
    are left out, since clipping narrows the noise there.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1].

    Returns
    -------
    NoiseModel
        The median over frames and channels; clipping detected.
    """
    height, width = frames.shape[2] // 2 * 2, frames.shape[3] // 2 * 2
    if not height or not width:
        return NoiseModel(0.0, 0.0)
    even, odd = frames[:, :, 0:height:2, :width], frames[:, :, 1:height:2, :width]
    # Rows (a b) over (c d): the Haar bands of every 2x2 block.
    a, b, c, d = even[..., 0::2], even[..., 1::2], odd[..., 0::2], odd[..., 1::2]
    diagonal, mean = np.abs(a - b - c + d) / 2, (a + b + c + d) / 4
    sigmas = []
    for band, level in zip(
        diagonal.reshape(-1, diagonal[0, 0].size), mean.reshape(-1, mean[0, 0].size), strict=True
    ):
        inner = band[(level > 0.15) & (level < 0.85)]
        sigmas.append(float(np.median(inner if inner.size > band.size // 50 else band)) / 0.6745)
    return detect_clipping(NoiseModel(0.0, float(np.median(sigmas)) ** 2), frames)


def detect_clipping(noise: NoiseModel, frames: NDArray[np.float32]) -> NoiseModel:
    """Tell whether the noise was clipped to [0, 1].

    It was if at least half as many samples are saturated as the model predicts for a clipped picture. Footage whose
    noise fades towards black (film, video after gamma) fails that test, and must: assuming clipping there would darken
    the shadows.

    Parameters
    ----------
    noise
        What is known of the noise.
    frames
        (T, 3, H, W) float32 in [0, 1]: a few frames of the clip.
    """
    if noise.sigma == 0:
        return noise
    clean = torch.from_numpy(np.stack([quick_denoise(frame, sigma=noise.sigma) for frame in frames]))
    deviation = noise._variance_unclipped(clean).sqrt()
    saturated = _cumulative(-clean / deviation) + _cumulative((clean - 1) / deviation)
    observed = np.mean((frames <= _SATURATION) | (frames >= 1 - _SATURATION))
    return replace(noise, clipped=bool(observed > 0.5 * float(saturated.mean())))
