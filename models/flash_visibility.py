"""Where the flash shot may be believed: not at its shadows, highlights, overexposed areas, moved objects.

What both lights show alike, paint and shape, cancels in the quotient of the two shots. An edge that is left in it
belongs to one light alone, and must not be drawn into the picture of the other.
"""

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.noise import NoiseModel

__all__ = ["flash_visibility"]

#: An edge in the quotient as strong as this (a natural logarithm: 1.5 times) counts half; noise is allowed for beside
#: it.
_EDGE = 0.4
#: Standard deviations of the noise that an edge has to exceed before it counts.
_NOISE_MARGIN = 2.5
#: Samples of the flash shot from here on are overexposed.
_OVEREXPOSED = 0.98
#: Relative noise, after smoothing, at which edges are looked for; and the range of the smoothing, in pixels.
_WANTED_NOISE, _LEAST_SIGMA, _LARGEST_SIGMA = 0.1, 1.0, 4.0


def flash_visibility(
    flash: NDArray[np.float32],
    ambient: NDArray[np.float32],
    noise: NoiseModel,
    *,
    inside: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """How far each pixel of the flash shot shows what the ambient shot shows.

    Parameters
    ----------
    flash
        (3, H, W) in [0, 1], on the grid of the ambient shot.
    ambient
        (3, H, W) in [0, 1], noisy.
    noise
        Of the ambient shot.
    inside
        (H, W), False where the flash shot does not reach.

    Returns
    -------
    NDArray[np.float32]
        (H, W) in [0, 1].
    """
    grey, flash_grey = ambient.mean(axis=0, dtype=np.float32), flash.mean(axis=0, dtype=np.float32)
    level = torch.from_numpy(cv2.GaussianBlur(grey, (0, 0), _LARGEST_SIGMA)).clamp(0, 1)
    # The mean of three channels with independent noise.
    deviation = np.sqrt(_variance(noise, level) / 3)
    typical = float(np.median(deviation)) / max(float(np.median(grey)), 1e-3)
    # White noise smoothed by a Gaussian keeps 1 / (2 sqrt(pi) sigma) of its deviation.
    sigma = min(max(typical / (2 * math.sqrt(math.pi) * _WANTED_NOISE), _LEAST_SIGMA), _LARGEST_SIGMA)
    smooth, flash_smooth = (cv2.GaussianBlur(picture, (0, 0), sigma) for picture in (grey, flash_grey))
    floor = 0.01 + deviation / (2 * math.sqrt(math.pi) * sigma)
    quotient = np.log(np.maximum(flash_smooth, 0) + 0.01) - np.log(np.maximum(smooth, 0) + floor)
    # The response of a Gaussian derivative to a step is its height over sqrt(2 pi) sigma; the derivative of white noise
    # has the deviation 1 / (2 sqrt(2 pi) sigma^2).
    edge = math.sqrt(2 * math.pi) * sigma * np.hypot(*_gradient(quotient))
    noise_of_edge = deviation / (np.maximum(smooth, 0) + floor) / (2 * sigma)
    strength = np.maximum(edge - _NOISE_MARGIN * noise_of_edge, 0) / _EDGE
    # The strongest edge within the reach of the smoothing: what is beside an edge shows it, too.
    reach = 2 * math.ceil(sigma) + 1
    strength = cv2.dilate(strength.astype(np.float32), np.ones((reach, reach), np.uint8))
    visible = 1 / (1 + strength**4)
    overexposed = (flash.max(axis=0) >= _OVEREXPOSED).astype(np.float32)
    visible *= 1 - cv2.dilate(overexposed, np.ones((5, 5), np.uint8))
    if inside is not None:
        visible *= 1 - cv2.dilate((~inside).astype(np.float32), np.ones((5, 5), np.uint8))
    return np.asarray(np.clip(cv2.GaussianBlur(visible, (0, 0), 1.0), 0, 1), np.float32)


def _variance(noise: NoiseModel, level: torch.Tensor) -> NDArray[np.float32]:
    """(H, W): the mean over the channels, at a grey level."""
    three = level.expand(1, 3, *level.shape)
    return np.asarray(noise.variance(three)[0].mean(0).numpy())


def _gradient(picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Central differences along x and y: (H, W) each."""
    return np.gradient(picture, axis=1), np.gradient(picture, axis=0)
