"""What of the source goes into restored frames: its known pixels, its grey, and what lies beyond the engine's range.

The engine works within [0, 1]. Video does not: highlights brighter than white and colours outside the R'G'B' cube are
common and must not be lost. They are carried around the engine, unrestored, where they are more than noise.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import feathered
from reelprior.models.flicker import ToneCurve

__all__ = ["blended", "mixed", "without_flicker", "without_tint"]

Pixels = NDArray[np.float32]

_GREY = 1e-4
"""Difference of channels up to which a frame counts as grey: far below a step of 12 bits, above rounding."""
_WINDOW = 5
"""Side of the square, in pixels, over which what lies beyond the range is averaged before it is judged. Noise around
black is beyond it by 0.4 sigma on average; the mean of 25 such samples exceeds one sigma once in a million."""


def mixed(
    restored: Pixels,
    source: Pixels,
    missing: NDArray[np.bool_] | None,
    *,
    sigma: float,
    only_missing: bool,
    feather: int = 0,
) -> Pixels:
    """Restored frames with what has to be the source's in them.

    Parameters
    ----------
    restored
        (T, 3, H, W) R'G'B' in [0, 1], from the engine; changed in place.
    source
        The same frames as they were read, not clipped.
    missing
        (T, H, W), True where the source is not to be trusted; or ``None``.
    sigma
        Standard deviation of the source's noise.
    only_missing
        Whether known pixels are the source's.
    feather
        Pixels around what is missing over which it fades into the source then.
    """
    known = _known(source, missing)
    without_tint(restored, source, missing)
    for frame, original, where in zip(restored, source, known, strict=True):
        np.add(frame, _beyond(original, sigma) * where, out=frame)
    if not only_missing:
        return restored
    if feather and missing is not None:
        weights = feathered(missing, feather)[:, None]
        known, restored = weights[:, 0] == 0, source + weights * (restored - source)
    return np.where(known[:, None], source, restored)  # (T, 1, H, W) against (T, 3, H, W)


def without_tint(restored: Pixels, source: Pixels, missing: NDArray[np.bool_] | None) -> Pixels:
    """Restored frames (T, 3, H, W) of any size, changed in place: those whose source is grey get no colour.

    ``source`` and ``missing`` are as in `mixed`.
    """
    known = _known(source, missing)
    says = known.any(axis=(1, 2))
    grey = np.array([_is_grey(*frame) for frame in zip(source, known, strict=True)])
    grey[~says] = says.any() and grey[says].all()  # of a frame of which nothing is known the others tell
    for frame, is_grey in zip(restored, grey, strict=True):
        if is_grey:
            frame[:] = frame.mean(axis=0)
    return restored


def blended(restored: Pixels, source: Pixels, strength: float) -> Pixels:
    """Frames of which ``strength``, 0 to 1, are the restored ones, and the rest the source."""
    return restored if strength == 1 else source + np.float32(strength) * (restored - source)


def without_flicker(frames: Pixels, curves: Sequence[ToneCurve]) -> Pixels:
    """Frames (T, 3, H, W) with each its tone curve, which is made for [0, 1]: what lies beyond stays beyond."""
    if all(curve.is_identity for curve in curves):
        return frames
    within = np.clip(frames, 0, 1)
    toned = [curve.apply(frame) for curve, frame in zip(curves, within, strict=True)]
    return np.stack(toned) + (frames - within)


def _known(source: Pixels, missing: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    return np.ones(source[:, 0].shape, np.bool_) if missing is None else ~missing


def _is_grey(pixels: Pixels, where: NDArray[np.bool_]) -> bool:
    return bool(np.ptp(pixels, axis=0)[where].max(initial=0.0) <= _GREY)


def _beyond(pixels: Pixels, sigma: float) -> Pixels:
    """What of a frame (3, H, W) lies outside [0, 1] and is no noise."""
    beyond = pixels - np.clip(pixels, 0, 1)
    if not beyond.any():
        return beyond
    local = np.stack([cv2.blur(channel, (_WINDOW, _WINDOW)) for channel in beyond])
    return np.where(np.abs(local) > sigma, beyond, np.float32(0))
