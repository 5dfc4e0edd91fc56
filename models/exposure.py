"""A photograph's exposure and noise, as the fit wants them: bright parts near 1, and how much of it is noise."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.noise import NoiseModel, PerChannel
from reelprior.models.noise_estimate import detect_clipping, estimate_noise

__all__ = ["Exposed", "expose", "relative_noise"]

#: The 99.9th percentile, after smoothing, is brought to this level: noise above it stays below 1 as a rule.
_BRIGHT = 0.8
#: A coarser scale whose noise is this much more than that of independent pixels shows grain.
_GRAIN_RATIO = 1.5
_LARGEST_GRAIN_PX = 4


@dataclass(frozen=True, eq=False)
class Exposed:
    """A photograph brought to a working exposure.

    Attributes
    ----------
    pixels
        (3, H, W), the photograph times ``factor``.
    factor
        At least 1; exact division gives the photograph back.
    noise
        Of ``pixels``.
    grain_px
        Size of the noise's grain: 1, 2 or 4 pixels.
    """

    pixels: NDArray[np.float32]
    factor: float
    noise: NoiseModel
    grain_px: int


def expose(pixels: NDArray[np.float32], *, noise: NoiseModel | None = None) -> Exposed:
    """Bring a photograph to a working exposure and measure its noise.

    Parameters
    ----------
    pixels
        (3, H, W) in [0, 1], dark perhaps.
    noise
        Of the photograph as it is; None measures it.
    """
    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 2.0) for channel in pixels])
    factor = max(1.0, _BRIGHT / max(float(np.percentile(smooth, 99.9)), 1e-6))
    scaled = (pixels * np.float32(factor)).astype(np.float32)
    estimate = estimate_noise(np.clip(scaled, 0, 1)[None])
    measured = estimate.noise
    grain_px, strength = _grain(scaled, measured) if estimate.is_correlated else (1, 1.0)
    if noise is None:
        noise = _times(measured, strength)
    else:
        known = replace(noise, clipped=False)
        noise = detect_clipping(_exposed_by(known, factor), np.clip(scaled, 0, 1)[None])
    return Exposed(scaled, factor, noise, grain_px)


def relative_noise(exposed: Exposed) -> float:
    """Standard deviation of the noise over the mean of the picture."""
    return exposed.noise.sigma / max(float(exposed.pixels.mean()), 1e-3)


def _grain(pixels: NDArray[np.float32], noise: NoiseModel) -> tuple[int, float]:
    """Size of the grain, and how much stronger the noise is there than independent pixels would make it.

    Halving by area halves the deviation of independent noise; that of larger grain stays.
    """
    grain, strength, sigma = 1, 1.0, noise.sigma
    while grain < _LARGEST_GRAIN_PX and min(pixels.shape[1:]) >= 64 * grain:
        side = 2 * grain
        height, width = (length // side * side for length in pixels.shape[1:])
        size = (width // side, height // side)
        small = np.stack([cv2.resize(c[:height, :width], size, interpolation=cv2.INTER_AREA) for c in pixels])
        coarser = side * estimate_noise(np.clip(small, 0, 1)[None]).noise.sigma
        if sigma == 0 or coarser < _GRAIN_RATIO * sigma:
            break
        grain, strength, sigma = side, strength * coarser / sigma, coarser
    return grain, strength


def _exposed_by(noise: NoiseModel, factor: float) -> NoiseModel:
    """var[k y] = k^2 var[y], and x = (k x) / k."""
    return replace(noise, gain=_scaled(noise.gain, factor), offset=_scaled(noise.offset, factor**2))


def _times(noise: NoiseModel, strength: float) -> NoiseModel:
    """Noise of a deviation that many times larger."""
    return replace(noise, gain=_scaled(noise.gain, strength**2), offset=_scaled(noise.offset, strength**2))


def _scaled(value: PerChannel, factor: float) -> PerChannel:
    if not isinstance(value, tuple):
        return value * factor
    red, green, blue = value
    return red * factor, green * factor, blue * factor
