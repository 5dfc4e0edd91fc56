"""Variance stabilisation: a sensor's noise becomes Gaussian of one standard deviation, for peers that know no other.

The generalised Anscombe transform (Starck, Murtagh and Bijaoui 1998) and the closed form of its exact unbiased inverse
(Makitalo and Foi, IEEE TIP 22(1), 2013).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stabiliser"]

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Stabiliser:
    """For noise of variance ``gain * x + offset`` at a clean value x in [0, 1]."""

    gain: float
    offset: float

    @property
    def sigma_8bit(self) -> float:
        """Standard deviation of stabilised noise, in 255ths of the stabilised range."""
        low, high = self._range()
        return 255 / (high - low)

    def forward(self, noisy: Pixels) -> Pixels:
        """Stabilise; [0, 1] becomes [0, 1]."""
        low, high = self._range()
        return ((self._root(noisy) - low) / (high - low)).astype(np.float32)

    def inverse(self, stabilised: Pixels) -> Pixels:
        """The values whose noisy samples have these means when stabilised."""
        low, high = self._range()
        # Below this the closed form is not monotonic; the algebraic inverse is zero there or less.
        root = np.maximum(stabilised * (high - low) + low, 2 * np.sqrt(3 / 8 + self.offset / self.gain**2))
        counts = (
            root**2 / 4
            + np.sqrt(3 / 2) / (4 * root)
            - 11 / (8 * root**2)
            + 5 * np.sqrt(3 / 2) / (8 * root**3)
            - 1 / 8
            - self.offset / self.gain**2
        )
        return np.asarray(counts * self.gain, np.float32)

    def _root(self, x: Pixels) -> Pixels:
        """In counts: x / gain of them, with a Gaussian part of variance offset / gain^2."""
        return np.asarray(2 * np.sqrt(np.maximum(x / self.gain + 3 / 8 + self.offset / self.gain**2, 0)))

    def _range(self) -> tuple[float, float]:
        low, high = self._root(np.array([0.0, 1.0], np.float32))
        return float(low), float(high)
