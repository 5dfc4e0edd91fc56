"""Block coding as an observation: a file that states its quantisation steps says between which bounds the truth lies.

A decoded coefficient k q stands for all values from (k - 1/2) q to (k + 1/2) q. The engine sees this as noise of known
strength. What it makes of a JPEG picture is then brought back between the bounds, which it left only by mistake. Those
of video are widened by dead zones and blurred by loop filters: restored frames keep them anyhow, and only the strength
is used. Where a stream tells no steps, its rate tells the strength.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelprior.models.noise import NoiseModel

__all__ = ["Quantisation", "errors_of_rate", "errors_of_step"]

_BLOCK = 8
#: Variance of the errors of a JPEG picture over its step to the power.
_OF_JPEG, _POWER = 0.69, 1.3
#: How many times as coarse as a step of H.264 one of MPEG acts: wide dead zones, and no loop filter.
_COARSER = 3.0
#: Standard deviation in grey levels of an error at one bit a pixel, over the picture's mean steepness.
_OF_STEEPNESS = 0.12
#: R'G'B' to Y'CbCr of JFIF, full range, and back.
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCC.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True)
class Quantisation:
    """Quantisation steps of a picture coded in blocks of 8 x 8.

    Attributes
    ----------
    tables
        64 steps for luma, or for Y, Cb and Cr, row by row from the lowest frequency, in 8-bit grey levels.
    bounded
        How many of the components, from luma on, give bounds: chroma only at full resolution.
    top, left
        Where the picture begins within the coded one: blocks begin at multiples of 8 there.
    """

    tables: tuple[tuple[int, ...], ...]
    bounded: int = 1
    top: int = 0
    left: int = 0

    @property
    def noise(self) -> NoiseModel:
        """The errors as noise: variance 0.69 q^1.3 in 8-bit grey levels squared, q the mean of the nine lowest steps.

        Foi, Katkovnik and Egiazarian, "Pointwise Shape-Adaptive DCT", IEEE TIP 2007, section VII.
        """
        lowest = np.array(self.tables[0], np.float64).reshape(_BLOCK, _BLOCK)[:3, :3].mean()
        return NoiseModel.from_sigma_8bit(float(np.sqrt(_photographic_variance(float(lowest)))))

    def at(self, top: int, left: int) -> "Quantisation":
        """The same for a part of the picture that begins there."""
        return Quantisation(self.tables, self.bounded, self.top + top, self.left + left)

    def bound(self, restored: NDArray[np.float32], decoded: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring a restored picture between the bounds of the decoded one.

        Parameters
        ----------
        restored, decoded
            (3, H, W) in [0, 1]. Blocks that the picture holds only a part of are left as they are.

        Returns
        -------
        NDArray[np.float32]
            (3, H, W) in [0, 1].
        """
        height, width = restored.shape[1:]
        first = (-self.top % _BLOCK, -self.left % _BLOCK)
        rows = (height - first[0]) // _BLOCK * _BLOCK
        columns = (width - first[1]) // _BLOCK * _BLOCK
        if rows <= 0 or columns <= 0:
            return restored
        inside = np.s_[:, first[0] : first[0] + rows, first[1] : first[1] + columns]
        planes, captured = (
            np.einsum("oc,chw->ohw", _TO_YCC, picture[inside]) * 255 for picture in (restored, decoded)
        )
        for component in range(min(self.bounded, len(self.tables))):
            steps = np.array(self.tables[component], np.float32).reshape(_BLOCK, _BLOCK)
            shift = 128 if component == 0 else 0
            wanted, stored = _blocks(planes[component] - shift), _blocks(captured[component] - shift)
            centre = np.rint(stored / steps) * steps
            bounded = np.clip(wanted, centre - steps / 2, centre + steps / 2)
            planes[component] = _picture(bounded) + shift
        result = restored.copy()
        result[inside] = np.einsum("oc,chw->ohw", _TO_RGB, planes / 255).clip(0, 1)
        return result


def errors_of_step(step: float, *, loop_filter: bool = True) -> NoiseModel:
    """Errors of coding in video as noise, by its quantisation step q.

    1 / variance = 12 / q^2 + 1 / (0.69 q^1.3): fine steps leave errors that are uniform within them, coarse ones no
    larger errors than photographs have detail; see `Quantisation.noise`.

    Parameters
    ----------
    step
        In 8-bit grey levels of an orthonormal transform, above 0.
    loop_filter
        Whether the codec smooths its blocks, as H.264 does. Of those that do not (MPEG-1, -2, -4, H.263) a step acts as
        three times as coarse a one: so restoration gained most in trials with quantisers of 4 to 16.
    """
    acting = step if loop_filter else _COARSER * step
    return NoiseModel.from_sigma_8bit((12 / acting**2 + 1 / _photographic_variance(acting)) ** -0.5)


def _photographic_variance(step: float) -> float:
    """In 8-bit grey levels squared; see `Quantisation.noise`."""
    return float(_OF_JPEG * step**_POWER)


def errors_of_rate(frames: NDArray[np.float32], *, bits_per_pixel: float) -> NoiseModel:
    """Errors of coding as noise, estimated from how many bits a codec had for how much picture.

    sigma = 0.12 G / sqrt(bits per pixel), G the mean of |dx| + |dy| in grey levels: errors scale with the contrast, and
    the square root was found with HEVC, AV1 and VP9 at 0.02 to 0.4 bits a pixel. There all errors together are about
    0.15 G / sqrt(bits per pixel), give or take a third; the factor is below that, because a part of them is lost detail
    that only looks removable, and too weak is safer than too strong.

    Parameters
    ----------
    frames
        (T, 3, H, W) in [0, 1], decoded.
    bits_per_pixel
        Of the stream, above 0.
    """
    grey = 255 * frames.mean(axis=1)
    steepness = sum(float(np.abs(np.diff(grey, axis=axis)).mean()) for axis in (1, 2) if grey.shape[axis] > 1)
    return NoiseModel.from_sigma_8bit(_OF_STEEPNESS * steepness / bits_per_pixel**0.5)


def _cosines() -> NDArray[np.float32]:
    """The orthonormal cosine transform of a block's side (8, 8)."""
    n = np.arange(_BLOCK)
    matrix = np.cos(np.pi / _BLOCK * (n[None] + 0.5) * n[:, None]) * np.sqrt(2 / _BLOCK)
    matrix[0] *= np.sqrt(0.5)
    return np.asarray(matrix, np.float32)


def _blocks(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) to the coefficients of its blocks (H / 8, W / 8, 8, 8)."""
    height, width = plane.shape
    split = plane.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).swapaxes(1, 2)
    return np.asarray(_cosines() @ split @ _cosines().T, np.float32)


def _picture(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    split = np.asarray(_cosines().T @ coefficients @ _cosines(), np.float32)
    rows, columns = split.shape[:2]
    return split.swapaxes(1, 2).reshape(rows * _BLOCK, columns * _BLOCK)
