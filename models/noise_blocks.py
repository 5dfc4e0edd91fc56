"""Small blocks of a clip, split into their mean, their structure and their finest detail, where the noise is measured.

The basis is the discrete cosine transform, whose coefficients of white noise are independent: blocks can be chosen
by their low frequencies without touching the noise in the high ones (Ponomarenko et al. 2007; Colom and
Buades, IPOL 2013).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["SATURATION", "Blocks", "cosines", "cut_blocks", "inside_picture", "lag_one_correlation"]

#: A sample this close to 0 or 1 is taken for clipped: half a code value of 8 bits.
SATURATION = 0.5 / 255
_SIDE = 8
#: Blocks of a channel, about: enough for a hundredth of them to give a variance within a few per cent.
_BLOCKS = 40_000
#: So few whole blocks tell too little, where pixels are missing: smaller ones fit between these.
_FEW, _SMALL_SIDE = 40, 3
#: More saturated samples than this share tell too little about the noise before clipping.
_MOST_SATURATED = 0.3
#: Pixels on each side within which noise that was mostly cut off still shows itself somewhere.
_NEARBY = 3
#: Power at the end of the spectrum, in units of that in its middle, below which noise is correlated.
_FADED = 0.5


@dataclass(frozen=True, eq=False)
class Blocks:
    """The usable blocks of one channel, in the order of their means.

    Attributes
    ----------
    mean
        (n,) in [0, 1].
    structure, detail
        (n,) mean square of the low and of the high frequencies: for white noise both its variance on average.
    spectra
        (n, side, side) coefficients of the discrete cosine transform.
    """

    mean: NDArray[np.float64]
    structure: NDArray[np.float64]
    detail: NDArray[np.float64]
    spectra: NDArray[np.float32]

    def __len__(self) -> int:
        """How many."""
        return len(self.mean)


def cut_blocks(frames: NDArray[np.float32], missing: NDArray[np.bool_] | None = None) -> list[Blocks]:
    """Overlapping blocks of every channel, spread over all frames.

    Left out are blocks with missing pixels, blocks of one value (bars, blown highlights: no noise reached the file
    there) and blocks with many saturated samples, unless nothing else is left. Between pixels that are missing all
    over the picture the blocks are smaller.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1]. Sides below 3 have no high frequencies, and no blocks.
    missing
        (T, H, W), True where a frame says nothing; None where nothing is missing.
    """
    side = min(_SIDE, *frames.shape[2:])
    if side < _SMALL_SIDE:
        return [_no_blocks() for _ in range(frames.shape[1])]
    whole = None if missing is None else _whole(missing, side)
    if whole is not None and missing is not None and whole.sum() < _FEW:
        side = _SMALL_SIDE
        whole = _whole(missing, side)
    kept = frames.shape[0] * frames.shape[2] * frames.shape[3] if whole is None else int(whole.sum())
    step = max(1, math.isqrt(kept // _BLOCKS))
    basis = cosines(side)
    order = np.add.outer(np.arange(side), np.arange(side))  # horizontal plus vertical frequency
    low, high = (order > 0) & (order <= max(1, 3 * side // 8)), order >= side - 1
    channels = []
    for channel in range(frames.shape[1]):
        windows = sliding_window_view(frames[:, channel], (side, side), axis=(1, 2))[:, ::step, ::step]
        # (T, h, w, side, side) -> (n, side, side)
        samples = windows.reshape(-1, side, side) if whole is None else windows[whole[:, ::step, ::step]]
        if not len(samples):
            channels.append(_no_blocks())
            continue
        varied = np.ptp(samples, axis=(1, 2)) > 0
        saturated = ((samples <= SATURATION) | (samples >= 1 - SATURATION)).mean((1, 2))
        usable = varied & (saturated < _MOST_SATURATED)
        samples = samples[usable if usable.any() else varied]
        spectra = basis @ samples @ basis.T
        means = spectra[:, 0, 0] / side
        spectra = spectra[np.argsort(means)]
        channels.append(
            Blocks(
                mean=np.sort(means).astype(np.float64),
                structure=np.square(spectra[:, low], dtype=np.float64).mean(1),
                detail=np.square(spectra[:, high], dtype=np.float64).mean(1),
                spectra=spectra,
            )
        )
    return channels


def _whole(missing: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """(T, H - side + 1, W - side + 1): where the block that begins there has no missing pixel."""
    whole: NDArray[np.bool_] = ~np.asarray(
        sliding_window_view(missing, (side, side), axis=(1, 2)).any((3, 4))
    )
    return whole


def lag_one_correlation(spectra: NDArray[np.float32]) -> tuple[float, float]:
    """Correlation of neighbouring samples, and how much of a sample's variance the finest detail shows.

    Both from the mean power spectrum, by the covariance that each cosine has with itself one sample on. The blocks were
    chosen by their low frequencies, whose power is therefore taken from the frequencies next to them. Remains of the
    picture raise low frequencies too, but independent noise beneath them keeps the highest ones level: only a spectrum
    that fades out to its end is one of correlated noise.

    Parameters
    ----------
    spectra
        (n, side, side), of flat blocks, divided by the deviation of the noise.

    Returns
    -------
    tuple[float, float]
        0 and 1 unless the spectrum fades.
    """
    power = np.square(spectra, dtype=np.float64).mean(0)
    side = len(power)
    order = np.add.outer(np.arange(side), np.arange(side))
    middle, end = (order >= side - 1) & (order <= side + 1), order >= 2 * side - 4
    if power[end].mean() > _FADED * power[middle].mean():
        return 0.0, 1.0
    chosen_by = order <= max(1, 3 * side // 8)
    beside = order == max(1, 3 * side // 8) + 1
    power[chosen_by] = power[beside].mean()
    basis = cosines(side).astype(np.float64)
    shifted = (basis[:, 1:] * basis[:, :-1]).sum(1) * side / (side - 1)
    total = power.sum()
    correlation = float((power * (shifted[:, None] + shifted[None, :]) / 2).sum() / total)
    return correlation, float(power[order >= side - 1].mean() / power.mean())


def inside_picture(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where values change nearby along the row and along the column, same shape: not in bars, nor at their edges."""
    inside = np.ones(frames.shape, bool)
    for axis in (2, 3):
        side = frames.shape[axis]
        changes = np.diff(frames, axis=axis) != 0
        counted = np.insert(np.cumsum(changes, axis=axis, dtype=np.int32), 0, 0, axis=axis)
        at = np.arange(side)
        first, last = np.maximum(at - _NEARBY, 0), np.minimum(at + _NEARBY, side - 1)
        inside &= counted.take(last, axis=axis) > counted.take(first, axis=axis)
    return inside


def _no_blocks() -> Blocks:
    nothing = np.empty(0)
    return Blocks(nothing, nothing, nothing, np.empty((0, 3, 3), np.float32))


def cosines(side: int) -> NDArray[np.float32]:
    """Orthonormal basis of the discrete cosine transform (DCT-II), one frequency a row."""
    index = np.arange(side)
    basis = math.sqrt(2 / side) * np.cos(np.pi * np.outer(index, 2 * index + 1) / (2 * side))
    basis[0] /= math.sqrt(2)
    return basis.astype(np.float32)
