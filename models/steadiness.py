"""Unsteadiness of a film in its gate: how far the whole picture jumps from frame to frame. Measured, never removed."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["jump", "unsteadiness"]

#: Width to which frames are reduced: a jump is of the whole picture.
_WIDTH = 320
#: Below this response the two frames have too little in common.
_LEAST_RESPONSE = 0.1


def jump(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[float, float] | None:
    """Shift of the whole picture by phase correlation, (dx, dy) in pixels of the frames; None where nothing fits.

    Parameters
    ----------
    before, after
        (H, W) float32 grey levels.
    """
    height, width = before.shape
    scale = min(1.0, _WIDTH / width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    first, second = (cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in (before, after))
    (dx, dy), response = cv2.phaseCorrelate(first, second, cv2.createHanningWindow(size, cv2.CV_32F))
    return (dx / scale, dy / scale) if response >= _LEAST_RESPONSE else None


def unsteadiness(jumps: Iterable[tuple[float, float] | None]) -> float:
    """Standard deviation of the jumps in pixels, without what is steady about them: pans and tilts.

    Parameters
    ----------
    jumps
        From frame to frame within one scene, in order.
    """
    known = np.array([one for one in jumps if one is not None])
    if len(known) < 4:
        return 0.0
    # A pan is the same from one jump to the next, a picture that sits badly in the gate is not.
    changes = np.diff(known, axis=0) / np.sqrt(2)
    return float(np.sqrt(np.square(np.median(np.abs(changes), axis=0) / 0.6745).sum()))
