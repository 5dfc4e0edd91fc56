"""The frame: what readers yield and writers take. Plain arrays and integers, no torch, no PyAV."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame"]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and its place in time.

    Attributes
    ----------
    pixels
        (3, H, W) float32, R'G'B' in [0, 1], full range.
    index
        Position in the source, counted from 0 in presentation order.
    pts
        Presentation time in units of ``time_base``.
    duration
        In units of ``time_base``; 0 where the source does not say.
    time_base
        Seconds per unit.
    """

    pixels: NDArray[np.float32]
    index: int
    pts: int
    duration: int
    time_base: Fraction

    @property
    def pts_seconds(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)
