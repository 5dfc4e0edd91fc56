"""Chroma resampling: subsampled planes to full size, and back without loss.

Linear interpolation takes a chroma plane to the size of the luma plane. The way back is its least-squares
left inverse ``(U'U)^-1 U'``: a short low-pass filter for pictures in general, and *exactly* the identity for
planes that were interpolated here. So a picture that nobody touched keeps its chroma codes, which the usual
pairs (bicubic both ways, or a box filter down) do not give.

Siting: vertically, samples lie between the rows. Horizontally they lie on the even columns ("left": MPEG-2,
H.264, H.265, the usual kind) or between columns ("centre": JPEG, MPEG-1). Plain arrays only, nothing about
files here.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Subsampling", "multiply"]

# Outputs per block of a banded matrix: few enough that a block is mostly not zeros.
_BLOCK = 16
# Chroma samples on either side that the inverse takes into account; its tail falls as 3^-k or faster.
_TAIL = 8
# Multiply-adds below which OpenBLAS stays in the calling thread. Waking threads for products of this kind
# gains nothing, and costs ten times the work itself where several processes share the cores.
_ONE_THREAD = 250_000

# (first output, end of outputs, first input, end of inputs, weights (outputs, inputs) float32)
_Block = tuple[int, int, int, int, NDArray[np.float32]]


class Subsampling:
    """How the chroma planes of a pixel format relate to its luma plane.

    Parameters
    ----------
    horizontal, vertical
        Luma samples per chroma sample: 1, 2 or 4.
    centred
        Whether chroma lies between the columns instead of on the even ones.
    """

    def __init__(self, horizontal: int, vertical: int, *, centred: bool) -> None:
        self.horizontal = horizontal
        self.vertical = vertical
        self.centred = centred

    @property
    def is_none(self) -> bool:
        """Whether chroma has the size of luma."""
        return self.horizontal == self.vertical == 1

    def up(self, plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Interpolate a (ceil(H / vertical), ceil(W / horizontal)) plane to ``size`` (H, W)."""
        if self.vertical > 1:
            plane = _apply(_up_blocks(size[0], self.vertical, True), plane, size[0], axis=0)
        if self.horizontal > 1:
            plane = _apply(_up_blocks(size[1], self.horizontal, self.centred), plane, size[1], axis=1)
        return plane

    def down(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bring an (H, W) plane to the size of chroma: the inverse of :meth:`up` where there is one."""
        height, width = plane.shape
        if self.vertical > 1:
            blocks = _down_blocks(height, self.vertical, True)
            plane = _apply(blocks, plane, -(-height // self.vertical), axis=0)
        if self.horizontal > 1:
            blocks = _down_blocks(width, self.horizontal, self.centred)
            plane = _apply(blocks, plane, -(-width // self.horizontal), axis=1)
        return plane


def _apply(blocks: list[_Block], plane: NDArray[np.float32], size: int, *, axis: int) -> NDArray[np.float32]:
    """Multiply a banded matrix, given in blocks, into one axis of a plane."""
    shape = (size, plane.shape[1]) if axis == 0 else (plane.shape[0], size)
    out = np.empty(shape, np.float32)
    source, target = (plane, out) if axis == 0 else (plane.T, out.T)
    for o0, o1, i0, i1, weights in blocks:
        multiply(weights, source[i0:i1], target[o0:o1])
    return out


def multiply(
    matrix: NDArray[np.float32], columns: NDArray[np.float32], out: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``matrix @ columns`` for a small matrix and many columns, in the calling thread. Returns ``out``."""
    step = max(_ONE_THREAD // matrix.size, 1)
    for start in range(0, columns.shape[1], step):
        out[:, start : start + step] = matrix @ columns[:, start : start + step]
    return out


def _taps(
    luma: NDArray[np.int64], count: int, ratio: int, centred: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Left neighbours of luma positions among ``count`` chroma samples, and weights of the right ones."""
    offset = (ratio - 1) / 2 if centred else 0.0
    place = np.clip((luma - offset) / ratio, 0, count - 1)  # beyond the edge samples, their value goes on
    left = np.minimum(np.floor(place).astype(np.int64), max(count - 2, 0))
    return left, place - left


def _matrix(
    luma: NDArray[np.int64], chroma: range, count: int, ratio: int, centred: bool
) -> NDArray[np.float64]:
    """Interpolation from the chroma samples of ``chroma`` to luma positions, (len(luma), len(chroma))."""
    left, fraction = _taps(luma, count, ratio, centred)
    columns = np.arange(chroma.start, chroma.stop)
    return np.where(columns == left[:, None], 1 - fraction[:, None], 0.0) + np.where(
        columns == left[:, None] + 1, fraction[:, None], 0.0
    )


@lru_cache(maxsize=32)
def _up_blocks(size: int, ratio: int, centred: bool) -> list[_Block]:
    count = -(-size // ratio)
    blocks: list[_Block] = []
    for start in range(0, size, _BLOCK):
        luma = np.arange(start, min(start + _BLOCK, size))
        left, _ = _taps(luma, count, ratio, centred)
        chroma = range(int(left[0]), min(int(left[-1]) + 2, count))
        weights = _matrix(luma, chroma, count, ratio, centred)
        blocks.append((start, start + len(luma), chroma.start, chroma.stop, weights.astype(np.float32)))
    return blocks


@lru_cache(maxsize=32)
def _down_blocks(size: int, ratio: int, centred: bool) -> list[_Block]:
    """The left inverse of the interpolation, block by block.

    Each block inverts the rows of a window that depend on chroma samples of that window alone, so that
    cutting off the tail never costs exactness.
    """
    count = -(-size // ratio)
    everything = np.arange(size)
    left, fraction = _taps(everything, count, ratio, centred)
    right = left + (fraction > 0)
    blocks: list[_Block] = []
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        window = range(max(start - _TAIL, 0), min(stop + _TAIL, count))
        luma = everything[(left + (fraction == 1) >= window.start) & (right < window.stop)]
        inverse = np.linalg.pinv(_matrix(luma, window, count, ratio, centred))
        weights = inverse[start - window.start : stop - window.start]
        blocks.append((start, stop, int(luma[0]), int(luma[-1]) + 1, weights.astype(np.float32)))
    return blocks
