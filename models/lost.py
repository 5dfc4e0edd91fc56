"""Frames of which nothing is known, and rows: what stands in for them until the prior has restored them.

A lost frame has no picture from which flow could be estimated or a guide made; a picture interpolated along the motion
between the nearest whole frames is a far better start than an empty one. The rows of the other field are holes of one
pixel's height, everywhere: their mean from above and below is quicker and better than continuing edges into holes.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.models.warp import estimate_flow, warp

__all__ = ["fill_lost", "fill_rows", "holes_of", "lost_frames", "missing_rows", "nearest_whole"]


def lost_frames(missing: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
    """(T,): True for frames of which nothing is known. ``missing`` is (T, H, W), or None for ``count`` whole frames."""
    if missing is None:
        return np.zeros(count, np.bool_)
    lost: NDArray[np.bool_] = np.logical_and.reduce(missing, axis=(1, 2))
    return lost


def nearest_whole(lost: NDArray[np.bool_], t: int) -> int:
    """The frame next to ``t`` that is not lost, ``t`` itself where it is whole or none is."""
    whole = np.flatnonzero(~lost)
    return t if not len(whole) or not lost[t] else int(whole[np.abs(whole - t).argmin()])


def fill_lost(pictures: NDArray[np.float32], lost: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Put pictures in the place of lost frames: interpolated along the motion, or repeated at the clip's ends.

    The flows from a moment between two frames to both are those of Jiang et al., "Super SloMo", CVPR 2018, eq. 4,
    from the flows between the two frames.

    Parameters
    ----------
    pictures
        (T, 3, H, W) float32 in [0, 1].
    lost
        (T,), True for frames whose pictures say nothing.

    Returns
    -------
    NDArray[np.float32]
        (T, 3, H, W); whole frames as they are.
    """
    whole = np.flatnonzero(~lost)
    if not lost.any() or not len(whole):
        return pictures
    filled = pictures.copy()
    filled[: whole[0]] = pictures[whole[0]]
    filled[whole[-1] + 1 :] = pictures[whole[-1]]
    for before, after in pairwise(whole):
        if after - before > 1:
            filled[before + 1 : after] = _between(pictures[before], pictures[after], int(after - before) - 1)
    return filled


def _between(before: NDArray[np.float32], after: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count, 3, H, W): pictures at equal steps between two."""
    forward = torch.from_numpy(estimate_flow(before, after))[None]
    backward = torch.from_numpy(estimate_flow(after, before))[None]
    first, last = torch.from_numpy(before)[None], torch.from_numpy(after)[None]
    pictures = []
    for step in range(1, count + 1):
        at = step / (count + 1)
        to_first = -(1 - at) * at * forward + at**2 * backward
        to_last = (1 - at) ** 2 * forward - at * (1 - at) * backward
        pictures.append(((1 - at) * warp(first, to_first) + at * warp(last, to_last))[0].numpy())
    return np.stack(pictures)


def missing_rows(missing: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """(H,), True for the rows of the other field: every other row, missing whole; None where the frame is no field.

    Any other row that is missing whole is a hole like those that are not as wide.
    """
    if missing is None or missing.all():
        return None
    for first in (0, 1):
        others = missing[first::2]
        if len(others) and others.all():
            rows = np.zeros(len(missing), np.bool_)
            rows[first::2] = True
            return rows
    return None


def holes_of(missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W), True in the holes of a frame that are not rows of the other field (see `missing_rows`)."""
    rows = missing_rows(missing)
    return missing.copy() if rows is None else missing & ~rows[:, None]


def fill_rows(frame: NDArray[np.float32], rows: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Interpolate missing rows (H,) of a frame (3, H, W) linearly between the nearest known ones."""
    at, known = np.arange(len(rows)), np.flatnonzero(~rows)
    after = np.searchsorted(known, at).clip(max=len(known) - 1)
    before = (after - 1).clip(min=0)
    first, last = known[before], known[after]
    share = ((at - first) / np.maximum(last - first, 1)).clip(0, 1).astype(np.float32)[:, None]
    filled = frame.copy()
    filled[:, rows] = ((1 - share) * frame[:, first] + share * frame[:, last])[:, rows]
    return filled
