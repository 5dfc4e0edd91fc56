"""Correlated noise, measured by what changes from a frame to the next along the motion.

Grain, scalers, demosaicking and codecs make the noise of neighbouring pixels alike. In one frame its coarse part cannot
be told from the picture, and flat blocks show less of it than there is. It differs from frame to frame, though, and the
picture does not: half the variance of the difference of two frames, along the motion and where the picture is flat, is
that of the noise, and so is its spectrum.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.noise import OPPONENT, NoiseModel, PerChannel
from reelprior.models.noise_blocks import SATURATION, cosines, inside_picture
from reelprior.models.noise_estimate import NoiseEstimate
from reelprior.models.spatial import fill_holes
from reelprior.models.warp import estimate_flow

__all__ = ["measure_over_time"]

#: Sides of the blocks that a spectrum and a variance are measured on, in pixels.
_SIDE, _BLOCK = 8, 16
#: Blur before motion and flatness are looked for, in pixels.
_BLUR_FOR_FLOW, _BLUR_FOR_FLATNESS = 1.5, 3.0
#: The share of blocks that counts for flat, and the quantile of their variances that no motion has raised; how many
#: standard deviations it lies below the mean.
_FLAT, _QUANTILE, _BELOW = 0.25, 0.1, 1.282
_QUANTILE_OF_PAIRS = 0.25
_LEAST_BLOCKS = 8
#: The share of a block that has to be picture, neither bar nor saturated, in both frames.
_WHOLE = 0.95
#: Less than so much of the variance that one frame shows: the frames are the same, or a codec has copied the noise.
_COPIED = 0.5
#: Of noise that may be white there has to be at least so much more than single frames show: motion adds a little. More
#: than the other is not the noise any more.
_MUCH, _MOST = 2.5, 64.0
#: Colours that have more than this of the luminance's power have all of it: motion that is left adds to luminance.
_ALIKE = 0.5
#: Blur beyond which a difference is flicker, in pixels; and how much stronger than the next frequencies the lowest one
#: may be: if it is stronger still, the frames show something else.
_FLICKER, _UNRELATED = 32.0, 3.0


def measure_over_time(
    pairs: NDArray[np.float32],
    estimate: NoiseEstimate,
    *,
    is_coded: bool,
    missing: NDArray[np.bool_] | None = None,
) -> NoiseEstimate:
    """Measure the variance and the spectrum of correlated noise.

    Parameters
    ----------
    pairs
        (P, 2, 3, H, W) float32 in [0, 1]: frames and those that follow them.
    estimate
        What single frames show: measured is how much more there is, in each channel.
    is_coded
        Whether a lossy codec has had the frames: no noise is white then, whatever flat blocks show.
    missing
        (P, 2, H, W), True where a frame says nothing; None where nothing is missing.

    Returns
    -------
    NoiseEstimate
        Of noise with a spectrum; ``estimate`` itself where the pairs tell nothing - they are copies of each other, too
        small, or nowhere alike - and where the noise is white.
    """
    noise = estimate.noise
    if min(pairs.shape[-2:], default=0) < 2 * _BLOCK:
        return estimate
    known = [None] * len(pairs) if missing is None else ~missing
    looked = [_flat_blocks(*pair, noise) for pair in zip(pairs, known, strict=True)]
    flat = [blocks for blocks in looked if blocks is not None]
    if not flat:
        return estimate
    excess = np.concatenate([blocks.excess for blocks in flat], axis=1)
    spectrum = _spectrum_of(np.concatenate([blocks.spectra for blocks in flat]), excess.mean(0))
    # By Parseval's theorem, from the sum of the squared autocorrelation.
    of_all = spectrum.mean(0)
    independent = _BLOCK**2 * of_all.mean() ** 2 / np.square(of_all).mean()
    # A codec leaves some frames more noise than others, and some move more: each pair for itself, and not the worst.
    of_pairs = [np.quantile(blocks.excess, _QUANTILE, axis=1) for blocks in flat]
    quiet = np.quantile(of_pairs, _QUANTILE_OF_PAIRS, axis=0)
    more = quiet / (1 - _BELOW * np.sqrt(2 / independent))
    may_be_white = not (is_coded or estimate.is_correlated)
    if more.max() > _MOST or (may_be_white and more.mean() < _MUCH):
        return estimate
    more = more.clip(1)
    return replace(
        estimate,
        noise=replace(
            noise,
            gain=_times(noise.gain, more),
            offset=_times(noise.offset, more),
            spectrum=tuple(round(float(power), 3) for power in spectrum.ravel()),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The flattest blocks of a pair.

    Attributes
    ----------
    excess
        (3, n) variance of the difference over that of the noise as single frames show it.
    spectra
        (n, 3, side, side) powers of the cosine transform in the same units, of luminance and opponent colours.
    """

    excess: NDArray[np.float32]
    spectra: NDArray[np.float32]


def _flat_blocks(
    pair: NDArray[np.float32], known: NDArray[np.bool_] | None, noise: NoiseModel
) -> _Blocks | None:
    """None where the frames (2, 3, H, W), as far as they are known (2, H, W), say nothing about their noise."""
    holes = [None, None] if known is None else ~known
    first, second = (fill_holes(*frame) for frame in zip(pair, holes, strict=True))
    flow = np.rint(estimate_flow(_blurred(first, _BLUR_FOR_FLOW), _blurred(second, _BLUR_FOR_FLOW))).astype(
        int
    )
    height, width = flow.shape[1:]
    y, x = np.mgrid[:height, :width] + flow[::-1]
    usable = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    usable &= inside_picture(pair).all((0, 1))
    usable &= ((pair > SATURATION) & (pair < 1 - SATURATION)).all((0, 1))
    there = (y.clip(0, height - 1), x.clip(0, width - 1))
    if known is not None:
        usable &= known[0] & known[1][there]
    # Whole pixels: between them noise is averaged.
    difference = (first - second[:, *there]) / np.float32(np.sqrt(2))
    difference -= _blurred(difference, _FLICKER)
    smooth = _blurred(first, _BLUR_FOR_FLATNESS)
    slopes = sum(np.square(np.gradient(smooth, axis=axis)).sum(0) for axis in (1, 2))
    variance = noise.variance_unclipped(torch.from_numpy(smooth)).expand(3, height, width).numpy()
    relative = difference / np.sqrt(variance)
    structure, share = (_block_means(plane[None].astype(np.float32))[0].ravel() for plane in (slopes, usable))
    whole = np.flatnonzero(share > _WHOLE)
    flat = whole[np.argsort(structure[whole])][: max(_LEAST_BLOCKS, round(_FLAT * len(whole)))]
    if len(flat) < _LEAST_BLOCKS:
        return None
    excess = _block_means(np.square(relative)).reshape(3, -1)[:, flat]
    spectra = _spectra(np.tensordot(OPPONENT.numpy(), relative, 1))[flat]
    powers = spectra.mean((0, 1))
    if np.median(excess) < _COPIED or powers[0, 0] > _UNRELATED * (powers[0, 1] + powers[1, 0]) / 2:
        return None
    return _Blocks(excess, spectra)


def _blurred(frame: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in frame])


def _block_means(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H, W) to (C, rows of blocks, columns of blocks); what is left of a block at the end is left out."""
    rows, columns = (side // _BLOCK for side in planes.shape[1:])
    cut = planes[:, : rows * _BLOCK, : columns * _BLOCK]
    means: NDArray[np.float32] = cut.reshape(len(planes), rows, _BLOCK, columns, _BLOCK).mean((2, 4))
    return means


def _spectra(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H, W) to (blocks, C, side, side): powers of the cosine transform, their mean over a block."""
    rows, columns = (side // _BLOCK for side in planes.shape[1:])
    parts = _BLOCK // _SIDE
    cut = planes[:, : rows * _BLOCK, : columns * _BLOCK]
    cut = cut.reshape(len(planes), rows, parts, _SIDE, columns, parts, _SIDE).transpose(1, 4, 0, 2, 5, 3, 6)
    basis = cosines(_SIDE)
    powers: NDArray[np.float32] = np.square(basis @ cut @ basis.T).mean((3, 4))
    return powers.reshape(-1, len(planes), _SIDE, _SIDE)


def _spectrum_of(spectra: NDArray[np.float32], excess: NDArray[np.float32]) -> NDArray[np.float32]:
    """(3, side, side), with a mean of 1: of the quieter half of the blocks, which no motion has added to."""
    spectrum: NDArray[np.float32] = spectra[excess <= np.median(excess)].mean(0)
    # What is uneven over more than a block is no noise.
    spectrum[:, 0, 0] = (spectrum[:, 0, 1] + spectrum[:, 1, 0]) / 2
    powers = spectrum.mean((1, 2))
    if powers[1:].max() > _ALIKE * powers[0]:
        spectrum = np.broadcast_to(spectrum.mean(0), spectrum.shape)
    normalised: NDArray[np.float32] = spectrum / spectrum.mean()
    return normalised


def _times(value: PerChannel, more: NDArray[np.float32]) -> PerChannel:
    three = value if isinstance(value, tuple) else (value, value, value)
    red, green, blue = (float(one * factor) for one, factor in zip(three, more, strict=True))
    return red, green, blue
