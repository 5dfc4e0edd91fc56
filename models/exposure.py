"""A photograph's exposure and noise, as the fit wants them: bright parts near 1, and how much of it is noise."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.estimates import guided_estimate, unbiased
from reelprior.models.noise import NoiseModel, PerChannel
from reelprior.models.noise_estimate import detect_clipping, estimate_noise

__all__ = ["Exposed", "expose", "measure_beside", "relative_noise"]

#: The 99.9th percentile, after smoothing, is brought to this level: noise above it stays below 1 as a rule.
_BRIGHT = 0.8
#: A coarser scale whose noise is this much more than that of independent pixels shows grain.
_GRAIN_RATIO = 1.5
_LARGEST_GRAIN_PX = 4
#: Noise is measured on strips of so many rows; of a large photograph on some, evenly spread, of so many pixels in all.
_STRIP_ROWS, _MOST_PIXELS = 256, 4_000_000
#: Window and flatness of the guided filter that tells what another shot shows too: wide, so that it takes next to
#: nothing of the noise with it.
_SHARED_RADIUS, _SHARED_FLATNESS = 7, 1e-4
#: The deviation to which the rest is brought, in units of the first measurement, so that nothing of it is clipped.
_UNIT, _LEAST_DEVIATION = 0.1, 1e-4
#: From this part of the first measurement on the second one has found no texture that the first took for noise.
_AS_MUCH = 0.85


@dataclass(frozen=True, eq=False)
class Exposed:
    """A photograph brought to a working exposure.

    Attributes
    ----------
    pixels
        (3, H, W), the photograph times ``factor``.
    factor
        At least 1; exact division gives the photograph back.
    noise
        Of ``pixels``.
    grain_px
        Size of the noise's grain: 1, 2 or 4 pixels.
    """

    pixels: NDArray[np.float32]
    factor: float
    noise: NoiseModel
    grain_px: int


def expose(pixels: NDArray[np.float32], *, noise: NoiseModel | None = None) -> Exposed:
    """Bring a photograph to a working exposure and measure its noise.

    Parameters
    ----------
    pixels
        (3, H, W) in [0, 1], dark perhaps.
    noise
        Of the photograph as it is; None measures it.
    """
    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 2.0) for channel in pixels])
    factor = max(1.0, _BRIGHT / max(float(np.percentile(smooth, 99.9)), 1e-6))
    scaled = (pixels * np.float32(factor)).astype(np.float32)
    looked_at = np.concatenate([scaled[:, rows] for rows in _strips(*scaled.shape[1:])], axis=1)
    measured, grain_px = _measured(looked_at)
    if noise is None:
        noise = measured
    else:
        known = replace(noise, clipped=False)
        noise = detect_clipping(_exposed_by(known, factor), np.clip(looked_at, 0, 1)[None])
    return Exposed(scaled, factor, noise, grain_px)


def measure_beside(exposed: Exposed, other: NDArray[np.float32]) -> Exposed:
    """Measure the noise again on what another shot of the scene does not show.

    Fine regular texture looks like grain to a single shot; that it is none shows where both shots have it. What the
    second measurement finds more than the first (objects that moved, edges of one light) is not believed.

    Parameters
    ----------
    exposed
        As `expose` measured it.
    other
        (3, H, W) in [0, 1], on the same grid.
    """
    strips = _strips(*other.shape[1:])
    noise, grain_px = _measured(
        np.concatenate([_not_shared(exposed, other, rows) for rows in strips], axis=1)
    )
    part = noise.sigma / _UNIT
    if part >= _AS_MUCH:
        return exposed
    return replace(exposed, noise=_times(exposed.noise, part), grain_px=grain_px)


def _not_shared(exposed: Exposed, other: NDArray[np.float32], rows: slice) -> NDArray[np.float32]:
    """(3, rows, W): what the other shot does not show, in units of its expected deviation, around mid-grey."""
    reach = 2 * _SHARED_RADIUS
    around = slice(max(0, rows.start - reach), rows.stop + reach)
    pixels, guide = (torch.from_numpy(picture[:, around])[None] for picture in (exposed.pixels, other))
    shared = guided_estimate(pixels, guide, radius=_SHARED_RADIUS, flatness=_SHARED_FLATNESS)
    expected = exposed.noise.variance(unbiased(shared, exposed.noise)).sqrt().clamp(min=_LEAST_DEVIATION)
    rest: NDArray[np.float32] = (0.5 + _UNIT * (pixels - shared) / expected)[0].numpy()
    return rest[:, rows.start - around.start :][:, : rows.stop - rows.start]


def _strips(height: int, width: int) -> list[slice]:
    """Rows that are looked at: all, in strips, or so many strips as are enough."""
    most = max(1, _MOST_PIXELS // (_STRIP_ROWS * width))
    if -(-height // _STRIP_ROWS) <= most:
        return [slice(top, min(height, top + _STRIP_ROWS)) for top in range(0, height, _STRIP_ROWS)]
    tops = np.linspace(0, height - _STRIP_ROWS, most).astype(int).tolist()
    return [slice(top, top + _STRIP_ROWS) for top in tops]


def relative_noise(exposed: Exposed) -> float:
    """Standard deviation of the noise over the mean of the picture."""
    return exposed.noise.sigma / max(float(exposed.pixels.mean()), 1e-3)


def _measured(pixels: NDArray[np.float32]) -> tuple[NoiseModel, int]:
    """The noise, as strong as it is at the size of its grain, and that size in pixels."""
    estimate = estimate_noise(np.clip(pixels, 0, 1)[None])
    grain_px, strength = _grain(pixels, estimate.noise) if estimate.is_correlated else (1, 1.0)
    return _times(estimate.noise, strength), grain_px


def _grain(pixels: NDArray[np.float32], noise: NoiseModel) -> tuple[int, float]:
    """Size of the grain, and how much stronger the noise is there than independent pixels would make it.

    Halving by area halves the deviation of independent noise; that of larger grain stays.
    """
    grain, strength, sigma = 1, 1.0, noise.sigma
    while grain < _LARGEST_GRAIN_PX and min(pixels.shape[1:]) >= 64 * grain:
        side = 2 * grain
        height, width = (length // side * side for length in pixels.shape[1:])
        size = (width // side, height // side)
        small = np.stack([cv2.resize(c[:height, :width], size, interpolation=cv2.INTER_AREA) for c in pixels])
        coarser = side * estimate_noise(np.clip(small, 0, 1)[None]).noise.sigma
        if sigma == 0 or coarser < _GRAIN_RATIO * sigma:
            break
        grain, strength, sigma = side, strength * coarser / sigma, coarser
    return grain, strength


def _exposed_by(noise: NoiseModel, factor: float) -> NoiseModel:
    """var[k y] = k^2 var[y], and x = (k x) / k."""
    return replace(noise, gain=_scaled(noise.gain, factor), offset=_scaled(noise.offset, factor**2))


def _times(noise: NoiseModel, strength: float) -> NoiseModel:
    """Noise of a deviation that many times larger."""
    return replace(noise, gain=_scaled(noise.gain, strength**2), offset=_scaled(noise.offset, strength**2))


def _scaled(value: PerChannel, factor: float) -> PerChannel:
    if not isinstance(value, tuple):
        return value * factor
    red, green, blue = value
    return red * factor, green * factor, blue * factor
