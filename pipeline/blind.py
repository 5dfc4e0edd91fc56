"""What can be measured without knowing the truth: noise left, flicker, and picture in what was taken away.

Each of them can be cheated by itself (a blur leaves no noise, a copy takes nothing away), so they are only read
together, and never called quality. Frames are (3, H, W) float32 R'G'B' in [0, 1]; results are in 8-bit grey levels
unless said otherwise.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Flicker", "noise_left", "structure_removed"]

Pixels = NDArray[np.float32]

#: Side of the window over which a residual is averaged, in pixels: far beyond the reach of chroma subsampling.
_WINDOW = 7


def noise_left(pixels: Pixels) -> float:
    """Fine-grained noise: the median absolute deviation of the diagonal Haar band (Donoho and Johnstone 1994).

    Fine texture counts as noise, and so a clean picture has a little; noise that is correlated over several pixels
    (grain, codecs) is underestimated. NaN for pictures with a side of a single pixel.
    """
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    if not height or not width:
        return math.nan
    even, odd = pixels[:, 0:height:2, :width], pixels[:, 1:height:2, :width]
    diagonal = (even[..., 0::2] - even[..., 1::2] - odd[..., 0::2] + odd[..., 1::2]) / 2
    return 255.0 * float(np.median(np.abs(diagonal))) / 0.6745


def structure_removed(before: Pixels, after: Pixels) -> float:
    """How much of what was taken away hangs together, relative to white noise.

    The residual averaged over a window of 7 x 7 pixels, its standard deviation times 7 over that of the residual
    itself: 1 where it is white noise, 7 where it is constant over the window. Edges and texture that were smoothed
    away raise it, and so does noise that is itself correlated: it compares two results on the same footage, and says
    little across footages. NaN where nothing was taken away.
    """
    residual = (before - after).transpose(1, 2, 0)  # (3, H, W) -> (H, W, 3)
    spread = float(residual.std(dtype=np.float64))
    if spread < 1e-6 or min(residual.shape[:2]) < 2 * _WINDOW:
        return math.nan
    averaged = cv2.blur(np.ascontiguousarray(residual), (_WINDOW, _WINDOW))
    inside = averaged[_WINDOW // 2 : -(_WINDOW // 2), _WINDOW // 2 : -(_WINDOW // 2)]
    return _WINDOW * float(inside.std(dtype=np.float64)) / spread


class Flicker:
    """Unsteadiness in time: ``mean |x_t - (x_{t-1} + x_{t+1}) / 2|``, one frame of a clip after the other.

    What moves or fades evenly cancels to first order; noise, pulsing brightness and jumping patches do not. What
    moves unevenly counts too, the same before and after.
    """

    def __init__(self) -> None:
        self._past: list[Pixels] = []

    def add(self, pixels: Pixels, *, new_scene: bool = False) -> float | None:
        """Take the next frame; the flicker of the frame before it, or None where that has not two neighbours."""
        if new_scene:
            self._past = []
        if len(self._past) < 2:
            self._past.append(pixels)
            return None
        first, middle = self._past
        self._past = [middle, pixels]
        return 255.0 * float(np.mean(np.abs(middle - (first + pixels) / 2), dtype=np.float64))
