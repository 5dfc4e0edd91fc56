"""A quick look without the noise: holes filled and noise reduced within one frame, by classical means.

Its results are never output. They guide the generator and the optical flow, which both need a picture that shows the
structure without the target's noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.lost import fill_rows, missing_rows

__all__ = ["fill_holes", "fill_smoothly", "quick_denoise"]

#: Share of missing pixels, and of those among them with a known neighbour, from which holes count as scattered.
_MUCH, _MOSTLY = 0.4, 0.6


def fill_holes(frame: NDArray[np.float32], missing: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Continue the surroundings into the holes (Telea 2004, OpenCV); between scattered pixels and rows, interpolate.

    Parameters
    ----------
    frame
        (3, H, W) float32 in [0, 1].
    missing
        (H, W), True where the frame says nothing.

    Returns
    -------
    NDArray[np.float32]
        (3, H, W); outside the holes the frame itself.
    """
    if missing is None or not missing.any() or missing.all():
        return frame
    given, rows = missing, missing_rows(missing)
    if rows is not None:
        frame = fill_rows(frame, rows)
        holes = (missing & ~rows[:, None]).astype(np.uint8)
        # The rows between were interpolated from the holes above and below them.
        missing = cv2.dilate(holes, np.ones((3, 1), np.uint8)).astype(np.bool_)
        if not missing.any() or missing.all():
            return frame
    if _scattered(missing):
        return np.where(given, fill_smoothly(frame, missing), frame)
    filled = cv2.inpaint(_to_bytes(frame), missing.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.where(missing & given, _from_bytes(filled), frame)


def fill_smoothly(values: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Interpolate what is missing from all sides, over any distance: push and pull (Gortler et al., SIGGRAPH 1996).

    Parameters
    ----------
    values
        (C, H, W), anything: a picture, a flow.
    missing
        (H, W), True where there is no value; not everywhere.

    Returns
    -------
    NDArray[np.float32]
        (C, H, W); where nothing is missing the values themselves.
    """
    known = (~missing).astype(np.float32)
    rows = np.ascontiguousarray((values * known).transpose(1, 2, 0))  # (C, H, W) -> (H, W, C)
    return np.ascontiguousarray(_pulled(rows, known).transpose(2, 0, 1))


def _pulled(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values times weights, completed to weight 1 everywhere from the picture of half the size."""
    height, width = weight.shape
    if height * width == 1 or weight.min() >= 1:
        return np.asarray(weighted / np.maximum(weight, np.float32(1e-12))[..., None], np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    sums = 4 * _resized(weighted, half, cv2.INTER_AREA).reshape(half[1], half[0], -1)
    weights = 4 * _resized(weight, half, cv2.INTER_AREA)
    surplus: NDArray[np.float32] = np.asarray(np.maximum(weights, 1), np.float32)
    sums, weights = np.asarray(sums / surplus[..., None]), np.asarray(weights / surplus)
    below = _pulled(sums.astype(np.float32), weights.astype(np.float32))
    above = _resized(below, (width, height), cv2.INTER_LINEAR).reshape(height, width, -1)
    return np.asarray(weighted + (1 - weight)[..., None] * above, np.float32)


def _resized(values: NDArray[np.float32], size: tuple[int, int], interpolation: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, size, interpolation=interpolation), np.float32)


def _scattered(missing: NDArray[np.bool_]) -> bool:
    """Whether most holes are a pixel or two wide, or so many that pixels stand alone between them."""
    if missing.mean() > _MUCH:
        return True
    inner = cv2.erode(missing.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return bool(inner.sum() < (1 - _MOSTLY) * missing.sum())


def quick_denoise(frame: NDArray[np.float32], *, sigma: float) -> NDArray[np.float32]:
    """Non-local means of the 8-bit picture (Buades et al. 2005, OpenCV), strength 0.8 sigma.

    Parameters
    ----------
    frame
        (3, H, W) float32 in [0, 1].
    sigma
        Standard deviation of the noise, in [0, 1].

    Returns
    -------
    NDArray[np.float32]
        (3, H, W) float32 in [0, 1].
    """
    strength = 0.8 * sigma * 255
    if strength < 0.5:
        return frame
    return _from_bytes(cv2.fastNlMeansDenoisingColored(_to_bytes(frame), None, strength, strength, 5, 15))


def _to_bytes(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    # (3, H, W) -> (H, W, 3), R'G'B' -> B'G'R'
    return np.ascontiguousarray(
        np.clip(np.rint(frame[::-1].transpose(1, 2, 0) * 255), 0, 255).astype(np.uint8)
    )


def _from_bytes(picture: cv2.typing.MatLike) -> NDArray[np.float32]:
    # (H, W, 3) -> (3, H, W), B'G'R' -> R'G'B'
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[::-1].astype(np.float32) / 255)
