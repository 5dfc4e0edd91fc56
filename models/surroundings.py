"""What the frames around a frame say about it, along the motion: the range that every pixel should lie in.

What is seen in one frame only lies outside that range: dust and tape drop-outs are looked for there.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.warp import estimate_flow

__all__ = ["REACH", "Surroundings", "surroundings"]

#: Frames on each side that the range depends on.
REACH = 2

#: A pixel and its four neighbours: what the flow may be off by.
_PATCH = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
#: Side of the square over which a median tells what the flow leaves unexplained: dust in it does not count.
_AROUND = 31

Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Expectations for one frame, (H, W) float32 each.

    Attributes
    ----------
    beyond
        How far the frame lies outside the range of both motion-compensated neighbours and their nearest pixels, in
        [0, 1]; 0 inside. The rank-order test of Nadenau and Mitra (1997), with a range instead of ranks.
    beyond_all
        The same with the next two neighbours in the range too: what two frames away is seen again is no dust.
    beyond_most
        The same again, but one of the four may disagree: it may have dust of its own, or a flow that went astray.
    expected
        The median of the four neighbours.
    spread
        How far the neighbours differ from each other around a pixel, plus what the flow leaves unexplained there.
    unexplained
        The latter alone: a robust standard deviation of frame minus expectation around each pixel.
    one_sided
        Whether all neighbours are on one side, at an end of the clip: then what is seen for the first or last time
        looks like what is seen in one frame only.
    """

    beyond: Plane
    beyond_all: Plane
    beyond_most: Plane
    expected: Plane
    spread: Plane
    unexplained: Plane
    one_sided: bool


def surroundings(grey: NDArray[np.float32], t: int) -> Surroundings:
    """Look at a frame from its neighbours.

    Parameters
    ----------
    grey
        (T, H, W) float32 in [0, 1], at least three frames of one scene.
    t
        Which frame. At the ends of the clip the neighbours lie on one side.
    """
    count = len(grey)
    others = sorted((k for k in range(count) if k != t), key=lambda k: (abs(k - t), k))[: 2 * REACH]
    frame = grey[t]
    pairs = [_along_flow(frame, grey[k]) for k in others]
    laid = np.stack([picture for picture, _ in pairs])
    # What comes from outside a neighbour could be anything.
    lows = np.stack([np.where(inside, cv2.erode(picture, _PATCH), 0) for picture, inside in pairs])
    highs = np.stack([np.where(inside, cv2.dilate(picture, _PATCH), 1) for picture, inside in pairs])
    spare = int(len(others) > 2)
    expected = np.median(laid, axis=0).astype(np.float32)
    unexplained = _median_around(np.abs(frame - expected)) / np.float32(0.6745)
    deviations = np.sort(np.abs(laid - expected), axis=0)
    return Surroundings(
        beyond=_outside(frame, lows[:2].min(axis=0), highs[:2].max(axis=0)),
        beyond_all=_outside(frame, lows.min(axis=0), highs.max(axis=0)),
        beyond_most=_outside(frame, np.sort(lows, axis=0)[spare], np.sort(highs, axis=0)[-1 - spare]),
        expected=expected,
        # The largest of the four may be dust in a neighbour; the second largest is disagreement.
        spread=cv2.blur(deviations[-2], (5, 5)) + unexplained,
        unexplained=unexplained,
        one_sided=t in (0, count - 1),
    )


def _outside(frame: Plane, low: Plane, high: Plane) -> Plane:
    outside: Plane = np.maximum(np.maximum(low - frame, frame - high), 0)
    return outside


def _median_around(values: Plane) -> Plane:
    """The median of values of at most a quarter, in steps of a quarter of an 8-bit level."""
    steps = np.clip(np.rint(values * 1020), 0, 255).astype(np.uint8)
    median: Plane = cv2.medianBlur(steps, _AROUND).astype(np.float32) / np.float32(1020)
    return median


def _along_flow(frame: Plane, other: Plane) -> tuple[Plane, NDArray[np.bool_]]:
    """Another frame laid on this one's grid, and where it comes from inside that frame."""
    flow = estimate_flow(frame[None], other[None])
    height, width = frame.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows, columns = rows + flow[1], columns + flow[0]
    laid: Plane = cv2.remap(other, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
        np.float32, copy=False
    )
    inside: NDArray[np.bool_] = (columns > -1) & (columns < width) & (rows > -1) & (rows < height)
    return laid, inside
