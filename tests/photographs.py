"""Real pictures for the tests of the models, from the files inside scikit-image's wheel: no download."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

__all__ = ["grainy", "noisy", "panned", "passing_object", "photograph", "psnr"]


@cache
def _astronaut() -> NDArray[np.float32]:
    """Halved by area, so that a small crop holds some structure: (3, 256, 256) float32 in [0, 1]."""
    full = data.astronaut().astype(np.float32) / 255
    return full.reshape(256, 2, 256, 2, 3).mean((1, 3)).transpose(2, 0, 1)


def photograph(height: int, width: int, *, top: int = 20, left: int = 80) -> NDArray[np.float32]:
    """A crop of the astronaut, the face and what surrounds it: (3, H, W) float32 in [0, 1]."""
    crop = _astronaut()[:, top : top + height, left : left + width]
    assert crop.shape == (3, height, width)
    return np.ascontiguousarray(crop)


def panned(frames: int, height: int, width: int, *, step: tuple[int, int] = (1, 2)) -> NDArray[np.float32]:
    """A camera that moves ``step`` = (dx, dy) pixels a frame over it: (T, 3, H, W) float32 in [0, 1]."""
    dx, dy = step
    return np.stack([photograph(height, width, top=20 + dy * t, left=80 + dx * t) for t in range(frames)])


def passing_object() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """An object of 24 x 40 pixels that passes, 5 pixels a frame, before two motions: clean frames and its masks."""
    truth = panned(8, 72, 112, step=(2, 0))
    truth[:, :, :36] = photograph(36, 112, top=120, left=60)  # the upper half stands still
    hidden = np.zeros((8, 72, 112), bool)
    for t in range(8):
        hidden[t, 16:56, 30 + 5 * t : 54 + 5 * t] = True
    return truth, hidden


def noisy(pixels: NDArray[np.float32], sigma_8bit: float, *, seed: int = 7) -> NDArray[np.float32]:
    """With Gaussian noise, clipped to [0, 1] and rounded to 8 bits, as it comes from files."""
    noise = np.random.default_rng(seed).normal(0, sigma_8bit / 255, pixels.shape)
    return (np.rint(np.clip(pixels + noise, 0, 1) * 255) / 255).astype(np.float32)


def grainy(
    pixels: NDArray[np.float32], sigma_8bit: float, *, blur: float, seed: int = 7
) -> NDArray[np.float32]:
    """The same for noise that a Gaussian of so many pixels has made alike in neighbouring pixels: (T, 3, H, W)."""
    grain = np.random.default_rng(seed).normal(0, 1, pixels.shape)
    grain = np.stack([[cv2.GaussianBlur(plane, (0, 0), blur) for plane in frame] for frame in grain])
    grain *= sigma_8bit / 255 / grain.std()
    return (np.rint(np.clip(pixels + grain, 0, 1) * 255) / 255).astype(np.float32)


def psnr(pixels: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio in dB of arrays in [0, 1]."""
    return float(-10 * np.log10(np.mean((pixels.astype(np.float64) - reference) ** 2)))
