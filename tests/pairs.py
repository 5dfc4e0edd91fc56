"""A flash/no-flash pair made of one photograph: warm dim light from the left against a white flash, with its shadow."""

import numpy as np
from numpy.typing import NDArray
from photographs import photograph

__all__ = ["SHADOW", "flash_pair"]

#: (rows, columns) of the flash's shadow in a pair of 48 x 64.
SHADOW = (slice(12, 36), slice(36, 56))


def flash_pair(
    height: int = 48, width: int = 64, *, sigma: float = 0.08, shadow: bool = True, seed: int = 3
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(flash, noisy ambient, clean ambient), (3, H, W) float32 each."""
    scene = photograph(height, width)
    light = np.array([0.9, 0.6, 0.35], np.float32)[:, None, None] * np.linspace(
        1, 0.5, width, dtype=np.float32
    )
    ambient = scene * light
    flash = 0.9 * scene
    if shadow:
        flash[:, *SHADOW] *= 0.15
    noise = np.random.default_rng(seed).normal(0, sigma, ambient.shape)
    return (
        flash.astype(np.float32),
        np.clip(ambient + noise, 0, 1).astype(np.float32),
        ambient.astype(np.float32),
    )
