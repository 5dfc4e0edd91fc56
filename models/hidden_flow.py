"""Motion inside holes: what is known around a pixel, matched with what is known around its match.

Optical flow looks at whole patches, and a patch that reaches into a hole follows what stands in it for the time being.
Here only pixels that both frames know are compared. Candidates are the flow found outside, continued into the hole in
several ways (smoothly, and from each of four sides, so that a hole across the border of two motions has both to choose
from), and small steps from the best of them, down to a quarter of a pixel. For a wire of a few pixels the known pixels
on its two sides decide; deep inside a large hole the nearest known ones do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.spatial import fill_smoothly

__all__ = ["HiddenFlow", "grown", "match_hidden"]

#: Pixels around a hole whose flow saw into it: half a patch of the flow's.
_MARGIN = 4
#: Standard deviations, in pixels, of the windows compared: the wide one, which counts little, decides far from the rim.
_NEAR, _FAR, _FAR_SHARE = 2.0, 6.0, 0.02
#: Pixels around what is matched that its windows reach.
_REACH = 12
#: Steps of the search, in pixels, one after the other.
_STEPS = (2.0, 1.0, 0.5, 0.25)
_SIDES = ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0))
#: Another candidate must be better by this share and this difference: between equals the smooth flow stays.
_BETTER_SHARE, _BETTER = 0.98, 1e-4
#: Of a fetched pixel that counts as known, and of a window's weight that is enough to compare.
_KNOWN, _ENOUGH = 0.99, 1e-4
#: Mean absolute value of a Gaussian with a standard deviation of 1.
_MEAN_ABSOLUTE = 0.8
#: Difference of windows that cannot be compared.
_INCOMPARABLE = 1.0

Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class HiddenFlow:
    """A flow whose hidden part was matched.

    Attributes
    ----------
    flow
        (2, H, W), (dx, dy) in pixels.
    difference
        (H, W), mean absolute difference in [0, 1] of the known pixels around each pixel from those around its match,
        as far as nothing explains it; negative where the flow was left as it was.
    """

    flow: Plane
    difference: Plane


def grown(holes: NDArray[np.bool_]) -> Plane:
    """(H, W): 1 in holes and the margin around them whose flow they spoil, else 0."""
    side = 2 * _MARGIN + 1
    return np.asarray(cv2.dilate(holes.astype(np.float32), np.ones((side, side), np.uint8)), np.float32)


def match_hidden(
    flow: Plane,
    blind: NDArray[np.bool_],
    *,
    pictures: tuple[Plane, Plane],
    holes: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    error: Plane | None = None,
) -> HiddenFlow:
    """Find the flow where it could not be estimated.

    Parameters
    ----------
    flow
        (2, H, W), (dx, dy) in pixels, from the first picture to the second.
    blind
        (H, W), True where it is not to be believed; neither everywhere nor nowhere.
    pictures
        (3, H, W) in [0, 1] each; what is in their holes is not looked at.
    holes
        (H, W) each, True where a picture says nothing.
    error
        (H, W): variance of what the pictures' differences have besides motion and noise, as fields do whose rows are
        interpolated; None if nothing.

    Returns
    -------
    HiddenFlow
        With the flow as it was outside of ``blind``.
    """
    rows, columns = (
        slice(max(0, int(at[0]) - _REACH), int(at[-1]) + 1 + _REACH)
        for at in (np.flatnonzero(blind.any(axis=1)), np.flatnonzero(blind.any(axis=0)))
    )
    windows = _Windows(pictures, holes, rows, columns)
    explained = np.float32(0) if error is None else np.float32(_MEAN_ABSOLUTE) * np.sqrt(error[rows, columns])
    smooth = fill_smoothly(flow, blind)
    best = np.ascontiguousarray(smooth[:, rows, columns])
    least = np.maximum(windows.difference(best), explained)

    def try_other(candidate: Plane) -> None:
        nonlocal best, least
        difference = windows.difference(candidate)
        difference = np.maximum(difference, explained)  # what is explained decides nothing
        better = difference < least * np.float32(_BETTER_SHARE) - np.float32(_BETTER)
        best, least = np.where(better, candidate, best), np.where(better, difference, least)

    # What flow saw beside a hole may be right; what it saw inside is compared with nothing, and must not come along.
    beside = flow if not holes[0].any() else fill_smoothly(flow, holes[0])
    try_other(np.ascontiguousarray(beside[:, rows, columns]))
    for continued in _from_sides(flow, blind, smooth):
        try_other(np.ascontiguousarray(continued[:, rows, columns]))
    for step in _STEPS:
        for side in _SIDES:
            try_other(best + np.float32(step) * np.array(side, np.float32)[:, None, None])
    # Single pixels that found something by chance follow the others.
    best = np.stack([cv2.medianBlur(np.ascontiguousarray(one), 5) for one in best])
    least = windows.difference(best)
    least = np.sqrt(np.maximum(np.square(least) - np.square(explained), 0))

    matched, difference = flow.copy(), np.full(blind.shape, -1, np.float32)
    here = blind[rows, columns]
    matched[:, rows, columns] = np.where(here, best, flow[:, rows, columns])
    difference[rows, columns] = np.where(here, least, -1)
    return HiddenFlow(matched, difference)


def _from_sides(flow: Plane, blind: NDArray[np.bool_], otherwise: Plane) -> Iterator[Plane]:
    """The flow continued into blind places from the nearest seen one to the left, the right, above and below."""
    for axis in (1, 0):
        for turned in (False, True):
            seen = np.flip(~blind, axis) if turned else ~blind
            along = np.arange(blind.shape[axis]).reshape((1, -1) if axis else (-1, 1))
            last = np.maximum.accumulate(np.where(seen, along, -1), axis=axis)
            values = np.flip(flow, axis + 1) if turned else flow
            taken = np.take_along_axis(values, np.broadcast_to(last.clip(0), values.shape), axis=axis + 1)
            if turned:
                taken, last = np.flip(taken, axis + 1), np.flip(last, axis)
            yield np.where(last >= 0, taken, otherwise)


class _Windows:
    """Comparison of what two pictures know, within a rectangle of the first."""

    def __init__(
        self,
        pictures: tuple[Plane, Plane],
        holes: tuple[NDArray[np.bool_], NDArray[np.bool_]],
        rows: slice,
        columns: slice,
    ) -> None:
        height, width = holes[0].shape
        self._first = np.ascontiguousarray(pictures[0][:, rows, columns].transpose(1, 2, 0))  # (h, w, 3)
        self._second = np.ascontiguousarray(pictures[1].transpose(1, 2, 0))
        self._known_first = ~holes[0][rows, columns]
        self._known_second = (~holes[1]).astype(np.float32)
        self._y = np.arange(height, dtype=np.float32)[rows, None]
        self._x = np.arange(width, dtype=np.float32)[None, columns]

    def difference(self, flow: Plane) -> Plane:
        """(h, w): mean absolute difference of the known pixels around each pixel, for a flow (2, h, w)."""
        x, y = self._x + flow[0], self._y + flow[1]
        fetched = cv2.remap(self._second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        reached = cv2.remap(self._known_second, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        both = (self._known_first & (np.asarray(reached) > _KNOWN)).astype(np.float32)
        error = np.abs(self._first - fetched).mean(axis=2) * both
        total, weight = self._around(error), self._around(both)
        return np.where(
            weight > _ENOUGH, total / np.maximum(weight, np.float32(_ENOUGH)), np.float32(_INCOMPARABLE)
        )

    @staticmethod
    def _around(values: Plane) -> Plane:
        near, far = (cv2.GaussianBlur(values, (0, 0), sigma) for sigma in (_NEAR, _FAR))
        return np.asarray(near + np.float32(_FAR_SHARE) * far, np.float32)
