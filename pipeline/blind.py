"""What can be measured without knowing the truth: flicker, and whether what was taken away looks like noise.

Each of them can be cheated by itself (a blur leaves no noise, a copy takes nothing away), so they are only read
together, and never called quality. Frames are (3, H, W) float32 R'G'B' in [0, 1]; results are in 8-bit grey levels
unless said otherwise.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flicker", "amount_misfit", "noise_left", "repetition", "structure_removed"]

Pixels = NDArray[np.float32]

#: Distances over which a residual is compared with itself, in pixels.
_REACH = 3
#: A standard deviation, in [0, 1], that is rounding and not a change.
_NOTHING = 1e-6


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


def amount_misfit(before: Pixels, after: Pixels) -> float:
    """How far what was taken away is from the noise that was there: ``|std(before - after) - noise_left(before)|``.

    A restoration that leaves noise takes too little, one that takes picture too much.
    """
    return abs(255.0 * float((before - after).std(dtype=np.float64)) - noise_left(before))


def structure_removed(before: Pixels, after: Pixels) -> float:
    """How far what was taken away is from white noise, within a picture.

    The root of the sum of squares of the residual's autocorrelation at all distances of 1 to 3 pixels: 0 for white
    noise, up to the sampling error (about 7 / sqrt(3 H W)). Edges that were smoothed away raise it, low frequencies of
    noise that were left too, and so does noise that is itself correlated: it compares two results on the same footage,
    and says little across footages. NaN where nothing was taken away.
    """
    residual = before - after
    residual = residual - residual.mean(axis=(1, 2), keepdims=True)
    if float(residual.std(dtype=np.float64)) < _NOTHING or min(residual.shape[1:]) < 2 * _REACH + 1:
        return math.nan
    # Wiener and Khinchin: the autocorrelation (periodic, summed over channels) from the power spectrum.
    power = np.square(np.abs(np.fft.rfft2(residual.astype(np.float64)))).sum(axis=0)
    correlation = np.fft.irfft2(power, s=residual.shape[1:])
    near = np.roll(correlation / correlation[0, 0], (_REACH, _REACH), (0, 1))[
        : 2 * _REACH + 1, : 2 * _REACH + 1
    ]
    return math.sqrt(max(0.0, float(np.square(near).sum()) - 1.0))


def repetition(residual: Pixels, next_residual: Pixels) -> float:
    """Correlation of what was taken away from a frame and from the next, at least 0.

    Noise is new in every frame and so is grain; what repeats is picture that stands still. NaN where nothing was taken
    away.
    """
    a, b = (one.astype(np.float64).ravel() - one.mean(dtype=np.float64) for one in (residual, next_residual))
    spread = math.sqrt(float(a @ a) * float(b @ b)) / a.size
    return max(0.0, float(a @ b) / a.size / spread) if spread > _NOTHING**2 else math.nan


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
