"""Alignment to a fraction of a pixel: the moved shot, relit place by place, must predict the fixed one.

Structures that are compared alike, as `registration` does, are found from afar and in any light, but dark places count
in them as much as bright ones. Here every pixel counts as its noise allows. In a window around each pixel the fixed
shot is a linear function of the moved one (He et al., ECCV 2010); what that leaves, over the variance of the noise, is
made least by the displacement of a homography (Gauss-Newton, from a coarse to a fine scale). Where the light differs in
more than strength the residual is larger than the noise, and counts accordingly less.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.noise import NoiseModel
from reelprior.models.registration import Registration, agreement

__all__ = ["refine"]

#: Longest side of the pictures that are compared, in pixels: larger ones are shrunk by area first.
_LONGEST_SIDE = 1600
#: Of each scale: standard deviation of the smoothing in pixels, and how many of the displacement's terms are free
#: (shift, affine, homography).
_SCALES = ((3.0, 2), (3.0, 6), (1.5, 8), (0.7, 8))
#: Radius of the windows, in pixels at least and in units of the smoothing.
_RADIUS, _RADIUS_PER_SIGMA = 8, 4
#: Variance of the moved shot below which a window counts as flat.
_FLATNESS = 1e-4
_STEPS = 10
#: A step that moves no corner by this much, in pixels, is the last of its scale.
_SMALL_STEP = 0.01
#: A corner of the picture is moved by this share of its diagonal at most.
_LARGEST_CHANGE = 0.05

Grey = NDArray[np.float32]


def refine(
    rough: Registration,
    moving: NDArray[np.float32],
    fixed: NDArray[np.float32],
    noise: NoiseModel,
    *,
    relative_noise: float,
) -> Registration:
    """Refine an alignment.

    Parameters
    ----------
    rough
        Within a few pixels, from `reelprior.models.registration.register`.
    moving, fixed
        (3, H, W), the shots that were aligned.
    noise
        Of ``fixed``.
    relative_noise
        As for `register`.

    Returns
    -------
    Registration
        The displacement that explains the fixed shot best, perhaps the given one, and how well the structures agree.
    """
    height, width = fixed.shape[1:]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey, moving_grey = (_grey(picture, size) for picture in (fixed, moving))
    level = torch.from_numpy(cv2.GaussianBlur(grey, (0, 0), 4.0)).clamp(0, 1)
    # Of the mean of three channels; shrinking by area takes as much again.
    of_channels = noise.variance(level.expand(1, 3, *level.shape))[0].mean(0)
    variance = (of_channels * scale**2 / 3).numpy()
    basis = _displacements(*grey.shape)
    maps, least = rough.maps, np.inf
    for start in (rough.maps, _without_bending(rough.maps)):
        shrunk = np.stack([cv2.resize(axis, size, interpolation=cv2.INTER_AREA) for axis in start])
        small = ((shrunk + 0.5) * scale - 0.5).astype(np.float32)
        problem = _Problem(moving_grey, grey, variance, small, basis)
        for terms in (np.zeros(8), problem.solve()):
            left = problem.left(terms)
            if left < least:
                change = _displacement(terms, height, width) / np.float32(scale)
                maps, least = (start + change).astype(np.float32), left
    shift = float(np.hypot(*(maps - _grid(height, width))).mean())
    refined = replace(rough, maps=maps, shift_px=shift)
    correlation, significance = agreement(refined.warp(moving), fixed, relative_noise=relative_noise)
    return replace(refined, correlation=correlation, significance=significance)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A displacement on top of ``maps``, as the coefficients of ``basis`` (8, 2, h, w), in pixels at the corners."""

    moving: Grey
    fixed: Grey
    variance: Grey
    maps: NDArray[np.float32]
    basis: NDArray[np.float32]

    def solve(self) -> NDArray[np.float64]:
        terms = np.zeros(8)
        most = _LARGEST_CHANGE * float(np.hypot(*self.fixed.shape))
        for sigma, free in _SCALES:
            for _ in range(_STEPS):
                step = self._step(terms, sigma, free)
                terms[:free] += step
                if not np.isfinite(terms).all() or np.abs(terms).max() > most:
                    return np.zeros(8)
                if np.abs(step).max() < _SMALL_STEP:
                    break
        return terms

    def left(self, terms: NDArray[np.float64]) -> float:
        """Mean squared residual at the finest scale, in units of the noise's variance; robust."""
        residual, _, _, seen = self._residual(terms, _SCALES[-1][0])
        energy = residual**2 / self.variance
        return float((seen * energy / (1 + energy / 9)).sum() / max(float(seen.sum()), 1.0))

    def _step(self, terms: NDArray[np.float64], sigma: float, free: int) -> NDArray[np.float64]:
        residual, slope, relit, seen = self._residual(terms, sigma)
        radius = _radius(sigma)
        # Smoothing leaves this part of the variance of white noise.
        variance = self.variance / max(1.0, 4 * np.pi * sigma**2)
        excess = np.maximum(_mean(residual**2, radius) - variance, 0)
        weight = seen / (variance + excess)
        down, across = np.gradient(relit)
        jacobian = (slope * (across * self.basis[:free, 0] + down * self.basis[:free, 1])).reshape(free, -1)
        weighted = jacobian * weight.reshape(-1)
        matrix = (weighted @ jacobian.T).astype(np.float64)
        matrix += 1e-6 * np.trace(matrix) / free * np.eye(free) + 1e-12 * np.eye(free)
        return np.asarray(np.linalg.solve(matrix, weighted @ residual.reshape(-1)), np.float64)

    def _residual(self, terms: NDArray[np.float64], sigma: float) -> tuple[Grey, Grey, Grey, Grey]:
        """What the relit shot leaves of the fixed one; the windows' slopes; the moved shot; where it is."""
        height, width = self.fixed.shape
        x, y = self.maps + _displacement(terms, height, width)
        moved = cv2.remap(self.moving, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        seen = ((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)).astype(np.float32)
        moved, fixed = (cv2.GaussianBlur(picture, (0, 0), sigma) for picture in (moved, self.fixed))
        radius = _radius(sigma)
        weight = seen / self.variance
        total = _mean(weight, radius) + 1e-12
        mean_moved, mean_fixed = (_mean(weight * picture, radius) / total for picture in (moved, fixed))
        covariance = _mean(weight * moved * fixed, radius) / total - mean_moved * mean_fixed
        spread = _mean(weight * moved * moved, radius) / total - mean_moved**2
        slope = np.asarray(covariance / (spread + _FLATNESS), np.float32)
        residual = np.asarray(fixed - mean_fixed - slope * (moved - mean_moved), np.float32)
        return residual, slope, np.asarray(moved, np.float32), seen


def _grey(picture: NDArray[np.float32], size: tuple[int, int]) -> Grey:
    grey = picture.mean(axis=0, dtype=np.float32)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)


def _displacements(height: int, width: int) -> NDArray[np.float32]:
    """(8, 2, h, w): the displacements (dx, dy) of a small homography, each about 1 at the corners."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    one, none = np.ones_like(x), np.zeros_like(x)
    across = (one, none, x, y, none, none, x * x, x * y)
    down = (none, one, none, none, x, y, x * y, y * y)
    return np.stack([np.stack(pair) for pair in zip(across, down, strict=True)]).astype(np.float32)


def _displacement(terms: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """(2, h, w): the sum of `_displacements`, without holding all of them."""
    x, y = np.linspace(-1, 1, width)[None], np.linspace(-1, 1, height)[:, None]
    bent = terms[6] * x + terms[7] * y
    across = terms[0] + terms[2] * x + terms[3] * y + x * bent
    down = terms[1] + terms[4] * x + terms[5] * y + y * bent
    return np.stack([across, down]).astype(np.float32)


def _without_bending(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The shift that is nearest to a displacement: noise bends a homography far more easily than it moves it."""
    grid = _grid(*maps.shape[1:])
    return np.asarray(grid + (maps - grid).mean(axis=(1, 2), keepdims=True))


def _grid(height: int, width: int) -> NDArray[np.float32]:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)


def _radius(sigma: float) -> int:
    return max(_RADIUS, round(_RADIUS_PER_SIGMA * sigma))


def _mean(picture: Grey, radius: int) -> Grey:
    return np.asarray(cv2.blur(picture, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT), np.float32)
