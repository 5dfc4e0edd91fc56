"""The noises of the comparison, added with one fixed seed to clips that are clean: 8 bit in, 8 bit out.

Clips are (T, H, W, 3) uint8, R'G'B'.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAUSSIAN", "NOISES", "SENSOR", "Noise"]

_SEED = 7

Video = NDArray[np.uint8]


@dataclass(frozen=True)
class Noise:
    """Independent noise of variance ``gain * x + offset`` at a clean value x in [0, 1], rounded and clipped.

    Attributes
    ----------
    name
        As tables, files and ``--noises`` say it.
    gain
        Of the Poisson part, in [0, 1] units; 0 is Gaussian noise.
    offset
        Variance of the Gaussian part, in [0, 1] squared.
    """

    name: str
    gain: float
    offset: float

    @classmethod
    def gaussian(cls, sigma_8bit: float) -> "Noise":
        """Gaussian noise of a standard deviation in grey levels."""
        return cls(f"sigma{sigma_8bit:g}", 0.0, (sigma_8bit / 255) ** 2)

    @property
    def is_constant(self) -> bool:
        """Whether one standard deviation tells it all."""
        return self.gain == 0

    @property
    def title(self) -> str:
        """For people."""
        return f"sigma {self.sigma_8bit():g}" if self.is_constant else self.name

    def sigma_8bit(self, clip: Video | None = None) -> float:
        """Standard deviation in grey levels: the root mean square over a clip, or that at mid-grey."""
        level = 0.5 if clip is None else float(clip.mean()) / 255
        return round(255 * math.sqrt(self.gain * level + self.offset), 2)

    def add(self, clip: Video) -> Video:
        """The noisy clip: always the same one for a clean one."""
        random = np.random.default_rng(_SEED)
        if self.is_constant:
            noisy = clip + random.normal(0, self.sigma_8bit(), clip.shape)
        else:
            counts = random.poisson(clip / 255 / self.gain)
            noisy = 255 * (counts * self.gain + random.normal(0, math.sqrt(self.offset), clip.shape))
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


GAUSSIAN = tuple(Noise.gaussian(sigma) for sigma in (10, 25, 50))
#: A small sensor in dim light: 20 grey levels at mid-grey, 5 in black, 28 in white.
SENSOR = Noise("sensor", gain=0.012, offset=0.0004)
NOISES = {noise.name: noise for noise in (*GAUSSIAN, SENSOR)}
