"""Motion inside holes: what is known around a pixel, matched with what is known around its match.

Optical flow looks at whole patches, and a patch that reaches into a hole follows what stands in it for the time being.
Here only pixels that both frames know are compared. Candidates are the flow found outside, continued into the hole in
several ways (smoothly; from each of four sides, so that a hole across the border of two motions has both to choose
from; and as planes would move), the flow by way of the frames between, and small steps from the best of them, down to a
quarter of a pixel. For a wire of a few pixels the known pixels on its two sides decide; deep inside a large hole the
nearest known ones do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.spatial import fill_smoothly

__all__ = ["HiddenFlow", "grown", "match_hidden", "planes_of"]

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
_MEAN_OF_COLOURS = np.array([[1 / 3, 1 / 3, 1 / 3, 0]], np.float32)
#: Of a fetched pixel that counts as known, and of a window's weight that is enough to compare.
_KNOWN, _ENOUGH = 0.99, 1e-4
#: Mean absolute value of a Gaussian with a standard deviation of 1.
_MEAN_ABSOLUTE = 0.8
#: Motions of planes: how far around a hole flow is looked at, in pixels; of how many of its pixels, about; how many
#: planes there may be; and how many pixels, moving as it does to this accuracy in pixels, a plane needs.
_RING, _SAMPLES, _PLANES, _SUPPORT, _ALIKE = 24, 4000, 2, 50, 0.75
#: Side of the blocks that are searched one by one, in pixels: a wire across a large picture blinds little of it.
_BLOCK = 128
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
    others: Sequence[Plane] = (),
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
    others
        Flows like ``flow``, found in other ways.

    Returns
    -------
    HiddenFlow
        With the flow as it was outside of ``blind``.
    """
    smooth = fill_smoothly(flow, blind)
    # What flow saw beside a hole may be right; what it saw inside is compared with nothing, and must not come along.
    beside = flow if not holes[0].any() else fill_smoothly(flow, holes[0])
    continued = (*_from_sides(flow, blind, smooth), *_as_planes(flow, blind))
    candidates = (smooth, *others, beside, *continued)
    matched, difference = flow.copy(), np.full(blind.shape, -1, np.float32)
    first, second = (_with_known(*one) for one in zip(pictures, holes, strict=True))
    for block in _blocks(blind):
        reached = _widened(block, blind.shape)
        explained = np.float32(0) if error is None else np.float32(_MEAN_ABSOLUTE) * np.sqrt(error[reached])
        windows = _Windows(first, second, *reached)
        best = _best([np.ascontiguousarray(one[:, *reached]) for one in candidates], windows, explained)
        left = windows.difference(best)
        left = np.sqrt(np.maximum(np.square(left) - np.square(explained), 0))
        inner = tuple(
            slice(at.start - around.start, at.stop - around.start)
            for at, around in zip(block, reached, strict=True)
        )
        here = blind[block]
        matched[:, *block] = np.where(here, best[:, *inner], flow[:, *block])
        difference[block] = np.where(here, left[inner], -1)
    return HiddenFlow(matched, difference)


def _best(candidates: Sequence[Plane], windows: "_Windows", explained: Plane | np.float32) -> Plane:
    """(2, h, w): at each pixel the flow whose windows differ least, what is ``explained`` deciding nothing."""
    best, least = candidates[0], np.maximum(windows.difference(candidates[0]), explained)

    def try_other(candidate: Plane) -> None:
        nonlocal best, least
        difference = np.maximum(windows.difference(candidate), explained)
        better = difference < least * np.float32(_BETTER_SHARE) - np.float32(_BETTER)
        best, least = np.where(better, candidate, best), np.where(better, difference, least)

    for candidate in candidates[1:]:
        try_other(candidate)
    for step in _STEPS:
        for side in _SIDES:
            try_other(best + np.float32(step) * np.array(side, np.float32)[:, None, None])
    # Single pixels that found something by chance follow the others.
    return np.stack([cv2.medianBlur(np.ascontiguousarray(one), 5) for one in best])


def _blocks(blind: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    """Rectangles that together hold all blind pixels, of `_BLOCK` pixels a side at most."""
    for top in range(0, blind.shape[0], _BLOCK):
        for left in range(0, blind.shape[1], _BLOCK):
            part = blind[top : top + _BLOCK, left : left + _BLOCK]
            if part.any():
                rows, columns = (np.flatnonzero(part.any(axis=axis)) for axis in (1, 0))
                yield (
                    slice(top + int(rows[0]), top + int(rows[-1]) + 1),
                    slice(left + int(columns[0]), left + int(columns[-1]) + 1),
                )


def _widened(block: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """A rectangle with what the windows of its pixels reach, as far as the picture goes."""
    rows, columns = (
        slice(max(0, at.start - _REACH), min(side, at.stop + _REACH))
        for at, side in zip(block, shape, strict=True)
    )
    return rows, columns


def _as_planes(flow: Plane, blind: NDArray[np.bool_]) -> Iterator[Plane]:
    """The flow of planes that move as what is seen around blind places does, the largest plane first."""
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in blind.shape[::-1])))  # x, y
    for matrix in planes_of(flow, blind, unseen=blind):
        moved = np.tensordot(matrix[:, :2], grid, axes=1) + matrix[:, 2, None, None]
        yield np.asarray(moved - grid, np.float32)


def planes_of(
    flow: Plane, hole: NDArray[np.bool_], *, unseen: NDArray[np.bool_]
) -> Iterator[NDArray[np.float64]]:
    """The planes whose motion is seen around a hole, the largest first.

    Parameters
    ----------
    flow
        (2, H, W), (dx, dy) in pixels.
    hole
        (H, W), around which to look.
    unseen
        (H, W), True where the flow is not to be believed.

    Yields
    ------
    NDArray[np.float64]
        (2, 3): the affine map from a pixel (x, y, 1) to where its plane moves it. Two planes at most.
    """
    side = 2 * _RING + 1
    near = cv2.dilate(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    y, x = np.nonzero(near & ~unseen)
    some = slice(None, None, max(1, len(y) // _SAMPLES))
    y, x = y[some], x[some]
    here = np.stack([x, y], axis=1).astype(np.float32)
    there = here + flow[:, y, x].T
    for _ in range(_PLANES):
        if len(here) < _SUPPORT:
            return
        matrix, of_plane = cv2.estimateAffine2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=_ALIKE)
        if matrix is None or of_plane.sum() < _SUPPORT:
            return
        yield np.asarray(matrix, np.float64)
        others = of_plane[:, 0] == 0
        here, there = here[others], there[others]


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
    """Comparison of what two pictures (H, W, 4) know (see `_with_known`), within a rectangle of the first."""

    def __init__(self, first: Plane, second: Plane, rows: slice, columns: slice) -> None:
        height, width = first.shape[:2]
        self._first, self._second = np.ascontiguousarray(first[rows, columns]), second
        self._known_first = self._first[..., 3] > 0
        self._y = np.arange(height, dtype=np.float32)[rows, None]
        self._x = np.arange(width, dtype=np.float32)[None, columns]

    def difference(self, flow: Plane) -> Plane:
        """(h, w): mean absolute difference of the known pixels around each pixel, for a flow (2, h, w)."""
        # What lies outside of the second picture is not known, as its fourth channel says.
        fetched = cv2.remap(
            self._second,
            self._x + flow[0],
            self._y + flow[1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        both = (self._known_first & (fetched[..., 3] > _KNOWN)).astype(np.float32)
        error = cv2.transform(cv2.absdiff(self._first, fetched), _MEAN_OF_COLOURS) * both
        pair = cv2.merge([error, both])
        near = cv2.GaussianBlur(pair, (0, 0), _NEAR)
        far = cv2.GaussianBlur(pair, (0, 0), _FAR)
        total, weight = cv2.split(cv2.addWeighted(near, 1.0, far, _FAR_SHARE, 0.0))
        return np.where(
            weight > _ENOUGH, total / np.maximum(weight, np.float32(_ENOUGH)), np.float32(_INCOMPARABLE)
        )


def _with_known(picture: Plane, holes: NDArray[np.bool_]) -> Plane:
    """(H, W, 4): a picture (3, H, W), and 1 where it is known, 0 in its holes."""
    return np.ascontiguousarray(np.concatenate([picture, ~holes[None]]).transpose(1, 2, 0), np.float32)
