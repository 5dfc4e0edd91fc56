"""Measure the noise of a clip on its flattest blocks: constant or growing with the light, clipped or not, correlated.

White noise has the same power at every frequency, pictures have little at high ones. Blocks whose low frequencies hold
no more than noise show in their high ones what the noise is. Over blocks of all grey levels a line, variance = gain * x
+ offset, is fitted as clipping bends it. What structure adds can only raise a variance, so the fit hardly minds levels
that lie above the line and insists on those below.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.noise import LEAST_VARIANCE, NoiseModel, clipped_moments
from reelprior.models.noise_blocks import SATURATION, Blocks, cut_blocks, inside_picture, lag_one_correlation
from reelprior.models.spatial import fill_holes, quick_denoise

__all__ = ["NoiseEstimate", "detect_clipping", "estimate_noise"]

_LEVELS = 12
#: A block is flat where its structure is below this part of the noise variance; a fifth of all noise is.
_FLAT = 0.7
#: The first choice of flat blocks: this share of those with the least structure, at least so many.
_FIRST_SHARE, _FIRST_BLOCKS = 0.02, 20
#: Relative error of a level's variance that no number of blocks removes: at first, and among blocks known to be flat.
_MODEL_ERROR, _MODEL_ERROR_FLAT = 0.06, 0.02
#: Overlapping blocks count for about this many independent high frequencies.
_FREQUENCIES_PER_BLOCK = 10
#: A slope has to explain the levels this much better than a constant; noise that falls with the light is rarer than
#: dark texture, which looks like it.
_BETTER_BY, _BETTER_RISING, _BETTER_FALLING = 20.0, 0.42, 0.2
#: What is below this may as well be chance.
CORRELATED = 0.1
#: Grid points of the clean values, from 0 to 1.
_CLEAN = torch.linspace(0, 1, 129, dtype=torch.float64)
_ROUNDS_OF_REFINEMENT = 4
_ROUNDS_OF_SEARCH = 6


@dataclass(frozen=True)
class NoiseEstimate:
    """What the frames tell of their noise.

    Attributes
    ----------
    noise
        Its model, per channel.
    kind
        "constant", or "poisson-gaussian" where the variance depends on the light.
    correlation
        Of neighbouring pixels; 0 where it cannot be told from that of the picture, as with independent noise.
    """

    noise: NoiseModel
    kind: Literal["constant", "poisson-gaussian"]
    correlation: float

    @property
    def is_correlated(self) -> bool:
        """Whether a codec, a scaler, a demosaicking or the grain of film has shaped the noise."""
        return self.correlation > CORRELATED


@dataclass(frozen=True, eq=False)
class _Levels:
    """Measured grey levels of one channel: (n,) means, variances, and relative errors of the variances."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True)
class _Line:
    """Variance at black and at white, before clipping; both above 0. How badly it explains the levels."""

    black: float
    white: float
    misfit: float = 0.0


def estimate_noise(frames: NDArray[np.float32], missing: NDArray[np.bool_] | None = None) -> NoiseEstimate:
    """Measure the noise of a few frames.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1].
    missing
        (T, H, W), True where a frame says nothing; None where nothing is missing. No noise is what is told of frames
        of which too little is known.
    """
    channels = cut_blocks(frames, missing)
    estimate = _measure(channels, clipped=True)
    noise = detect_clipping(replace(estimate.noise, clipped=False), frames, missing)
    return estimate if noise.clipped else _measure(channels, clipped=False)


def detect_clipping(
    noise: NoiseModel, frames: NDArray[np.float32], missing: NDArray[np.bool_] | None = None
) -> NoiseModel:
    """Tell whether the noise was clipped to [0, 1].

    It was if at least half as many samples are saturated as the model predicts for a clipped picture. Footage whose
    noise fades towards black (film, video after gamma) fails that test, and must: assuming clipping there would darken
    the shadows. Areas of one value, such as bars, have no noise and do not count.

    Parameters
    ----------
    noise
        What is known of the noise.
    frames
        (T, 3, H, W) float32 in [0, 1]: a few frames of the clip.
    missing
        (T, H, W), True where a frame says nothing; None where nothing is missing.
    """
    inside = inside_picture(frames)
    if missing is not None:
        inside &= ~missing[:, None]
    if noise.sigma == 0 or not inside.any():
        return replace(noise, clipped=False)
    holes = [None] * len(frames) if missing is None else missing
    clean = torch.from_numpy(
        np.stack(
            [
                quick_denoise(fill_holes(*frame), sigma=noise.sigma)
                for frame in zip(frames, holes, strict=True)
            ]
        )
    )
    deviation = noise.variance_unclipped(clean).sqrt()
    predicted = torch.special.ndtr(-clean / deviation) + torch.special.ndtr((clean - 1) / deviation)
    saturated = (frames <= SATURATION) | (frames >= 1 - SATURATION)
    return replace(
        noise, clipped=bool(saturated[inside].mean() > 0.5 * predicted.numpy()[inside].mean(dtype=np.float64))
    )


def _measure(channels: list[Blocks], *, clipped: bool) -> NoiseEstimate:
    measured = [(blocks, _first_levels(blocks)) for blocks in channels if len(blocks)]
    if not measured:
        return NoiseEstimate(NoiseModel(0.0, 0.0), "constant", 0.0)
    constant = [_fit_line(levels, sloped=False, clipped=clipped) for _, levels in measured]
    sloped = [_fit_line(levels, sloped=True, clipped=clipped) for _, levels in measured]
    depends = _light_matters(constant, sloped)
    lines = sloped if depends else constant
    refined, correlations, shares = [], [], []
    for (blocks, _), line in zip(measured, lines, strict=True):
        better, flat = _refine(blocks, line, sloped=depends, clipped=clipped)
        deviation = np.sqrt(_at(better, blocks.mean[flat], clipped=clipped)).astype(np.float32)
        correlation, share = lag_one_correlation(blocks.spectra[flat] / deviation[:, None, None])
        refined.append(better)
        correlations.append(correlation)
        shares.append(share)
    correlation = float(np.median(correlations))
    if correlation > CORRELATED:
        # The finest detail of such noise is weaker than the rest: what a pixel has of it is the mean over the spectrum.
        refined = [_Line(line.black / s, line.white / s) for line, s in zip(refined, shares, strict=True)]
    # A channel without a single usable block (all of one value) is given what the others have.
    known = iter(refined)
    common = _Line(*np.mean([(line.black, line.white) for line in refined], 0))
    red, green, blue = (next(known) if len(blocks) else common for blocks in channels)
    noise = NoiseModel(
        gain=(red.white - red.black, green.white - green.black, blue.white - blue.black) if depends else 0.0,
        offset=(red.black, green.black, blue.black),
        clipped=clipped,
    )
    return NoiseEstimate(noise, "poisson-gaussian" if depends else "constant", round(correlation, 3))


def _light_matters(constant: list[_Line], sloped: list[_Line]) -> bool:
    """Whether all channels together speak for a slope."""
    before, after = (sum(line.misfit for line in lines) for lines in (constant, sloped))
    rising = sum(np.log(line.white / line.black) for line in sloped) > 0
    return before - after > _BETTER_BY and after < before * (_BETTER_RISING if rising else _BETTER_FALLING)


def _first_levels(blocks: Blocks) -> _Levels:
    """Each grey level's flattest blocks, by its own noise: a fixed point of "flat" and "noise of the flat"."""

    def flattest(part: NDArray[np.intp]) -> NDArray[np.intp]:
        order = part[np.argsort(blocks.structure[part])]
        structure, detail = blocks.structure[order], np.cumsum(blocks.detail[order])
        count = least = min(len(part), max(_FIRST_BLOCKS, int(_FIRST_SHARE * len(part))))
        for _ in range(10):
            flat = int(np.searchsorted(structure, _FLAT * detail[count - 1] / count))
            if max(least, flat) == count:
                break
            count = max(least, flat)
        return order[:count]

    return _levels(blocks, flattest, error=_MODEL_ERROR)


def _refine(blocks: Blocks, line: _Line, *, sloped: bool, clipped: bool) -> tuple[_Line, NDArray[np.intp]]:
    """Let the line itself tell which blocks are flat, and measure it again on them; the line and the flat blocks."""
    flat = np.empty(0, np.intp)
    for _ in range(_ROUNDS_OF_REFINEMENT):
        is_flat = blocks.structure < _FLAT * _at(line, blocks.mean, clipped=clipped)

        def flattest(part: NDArray[np.intp], is_flat: NDArray[np.bool_] = is_flat) -> NDArray[np.intp]:
            return part[is_flat[part]]

        levels = _levels(blocks, flattest, error=_MODEL_ERROR_FLAT)
        if len(levels.mean) < 2:
            break
        line, flat = _fit_line(levels, sloped=sloped, clipped=clipped), np.flatnonzero(is_flat)
    if len(flat) < _FIRST_BLOCKS:
        flat = np.argsort(blocks.structure)[: max(_FIRST_BLOCKS, len(blocks) // 100)]
    return line, flat


def _levels(
    blocks: Blocks, choose: Callable[[NDArray[np.intp]], NDArray[np.intp]], *, error: float
) -> _Levels:
    """Mean and variance of the chosen blocks of each grey level; blocks come in the order of their means."""
    parts = np.array_split(np.arange(len(blocks)), max(1, min(_LEVELS, len(blocks) // (5 * _FIRST_BLOCKS))))
    chosen = [part for part in map(choose, parts) if len(part) >= min(10, len(blocks))]
    counts = np.array([len(part) for part in chosen], np.float64)
    return _Levels(
        mean=np.array([blocks.mean[part].mean() for part in chosen]),
        variance=np.array([max(blocks.detail[part].mean(), LEAST_VARIANCE) for part in chosen]),
        error=np.sqrt(2 / (_FREQUENCIES_PER_BLOCK * counts) + error**2),
    )


def _fit_line(levels: _Levels, *, sloped: bool, clipped: bool) -> _Line:
    """The line with the least misfit, on a grid over the logarithms of its ends that is made finer around the best."""
    low, high = np.log(levels.variance.min()) - 1, np.log(levels.variance.max()) + 1
    centre, reach = np.full(2, (low + high) / 2), (high - low) / 2
    misfit = np.inf
    for _ in range(_ROUNDS_OF_SEARCH):
        steps = np.linspace(-reach, reach, 9)
        grid = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2) if sloped else np.stack([steps] * 2, 1)
        ends = centre + grid
        # Where levels say nothing about one end, it is like the other.
        misfits = _misfits(np.exp(ends), levels, clipped=clipped) + 0.1 * np.square(ends[:, 0] - ends[:, 1])
        best = int(misfits.argmin())
        centre, misfit, reach = ends[best], float(misfits[best]), reach / 3
    black, white = np.exp(centre)
    return _Line(float(black), float(white), misfit)


def _misfits(ends: NDArray[np.float64], levels: _Levels, *, clipped: bool) -> NDArray[np.float64]:
    """(n,) for (n, 2) variances at black and white."""
    expected, variance = _curves(ends, clipped=clipped)
    predicted = np.stack(
        [np.interp(levels.mean, x, y) for x, y in zip(expected, variance, strict=True)]
    )  # (n, levels)
    error = np.log(levels.variance / predicted) / levels.error
    # Too much may be structure, and counts for 9 at most (Geman and McClure 1987); too little is not (Huber 1964).
    above = np.square(error) / (1 + np.square(error) / 9)
    below = np.where(error > -3, np.square(error), -6 * error - 9)
    misfit: NDArray[np.float64] = np.where(error > 0, above, below).sum(1)
    return misfit


def _at(line: _Line, mean: NDArray[np.float64], *, clipped: bool) -> NDArray[np.float64]:
    """Variance of the samples at the means of blocks."""
    expected, variance = _curves(np.array([[line.black, line.white]]), clipped=clipped)
    at_means: NDArray[np.float64] = np.interp(mean, expected[0], variance[0])
    return at_means


def _curves(ends: NDArray[np.float64], *, clipped: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of the samples, (n, points) each, along the clean values, for (n, 2) variances at the ends."""
    black, white = torch.from_numpy(ends).T[:, :, None]
    variance = black + (white - black) * _CLEAN
    if not clipped:
        return _CLEAN.expand_as(variance).numpy(), variance.numpy()
    mean, variance = clipped_moments(_CLEAN, variance.sqrt())
    return mean.numpy(), variance.numpy()
