"""A quick look without the noise: holes filled and noise reduced within one frame, by classical means.

Its results are never output. They guide the generator and the optical flow, which both need a picture that shows the
structure without the target's noise.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.lost import fill_rows, missing_rows

__all__ = ["fill_holes", "quick_denoise"]


def fill_holes(frame: NDArray[np.float32], missing: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Continue the surroundings into the holes (Telea 2004, OpenCV); missing rows are interpolated.

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
        if not missing.any():
            return frame
    filled = cv2.inpaint(_to_bytes(frame), missing.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.where(missing & given, _from_bytes(filled), frame)


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
