"""Tape drop-outs: stretches of one or two lines that are lost in one frame, seen neither before, after, above nor
below."""

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import Defects, find_by_frame
from reelprior.models.surroundings import surroundings

__all__ = ["find_dropouts"]

#: Contrast, in [0, 1], against the neighbouring frames and against the lines above and below.
_CONTRAST = 12 / 255
#: The same in standard deviations of what the flow does not explain.
_NOISE = 2.0
#: How many times the neighbours' disagreement the contrast has to be.
_AGREEMENT = 1.5
#: Gaps in a run that are bridged, the shortest run and the highest, in pixels; how elongated it is at least.
_GAP, _SHORTEST, _HIGHEST, _ELONGATION = 5, 8, 4, 3


def find_dropouts(
    frames: NDArray[np.float32], wanted: range | None = None, *, sensitivity: float = 1.0
) -> Defects:
    """Find lost stretches of lines in consecutive frames of one scene.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1]. The verdict on a frame depends on `surroundings.REACH` frames on each side.
    wanted
        Positions of the frames to judge, all by default; the others are only looked at.
    sensitivity
        Divides the contrast asked for.

    Returns
    -------
    Defects
        Nothing if there are fewer than three frames.
    """
    return find_by_frame(frames, wanted, lambda grey: lambda t: _judge(grey, t, sensitivity))


def _judge(grey: NDArray[np.float32], t: int, sensitivity: float) -> NDArray[np.float32]:
    """(H, W) confidence of frame t."""
    frame, around = grey[t], surroundings(grey, t)
    judged = np.zeros_like(frame)
    contrast = (_CONTRAST + _NOISE * around.unexplained) / sensitivity
    across = cv2.blur(frame, (7, 1))
    # One line away and two lines away, for runs of one line and of two or three.
    line = np.maximum(_ridge(across, 2), _ridge(across, 3))
    agreed = np.maximum(contrast, _AGREEMENT * around.spread)
    suspect = ((around.beyond_all > agreed) & (line > contrast)).astype(np.uint8)
    runs = cv2.morphologyEx(suspect, cv2.MORPH_CLOSE, np.ones((1, _GAP), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(runs, connectivity=8)
    for label in range(1, count):
        left, top, width, height = boxes[label, :4]
        if width < max(_SHORTEST, _ELONGATION * height) or height > _HIGHEST:
            continue
        box = (slice(top, top + height), slice(left, left + width))
        inside = labels[box] == label
        evidence = float((np.minimum(around.beyond_all, line) / contrast)[box][inside].mean())
        judged[box][inside] = 1 - 0.5**evidence
    with_soft_edge: NDArray[np.float32] = cv2.dilate(judged, np.ones((3, 3), np.uint8)).astype(np.float32)
    return with_soft_edge


def _ridge(picture: NDArray[np.float32], distance: int) -> NDArray[np.float32]:
    """How much lighter, or darker, than the lines at a distance both above and below; never below 0."""
    padded = cv2.copyMakeBorder(picture, distance, distance, 0, 0, cv2.BORDER_REFLECT_101)
    above, below = picture - padded[: -2 * distance], picture - padded[2 * distance :]
    ridge: NDArray[np.float32] = np.maximum(np.minimum(above, below), np.minimum(-above, -below))
    return np.maximum(ridge, 0)
