"""Dust and dirt: what is in one frame only, judged against its neighbours along the motion.

Pixels outside the neighbours' range are joined to blobs, and a blob has to stand cross-examination before it is called
dust: the neighbours must agree with each other on what should be there, it must stand out clearly, it must be small,
and it must not be an object that moves too fast for the flow, which is searched for in both neighbours.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import Defects, find_by_frame
from reelprior.models.surroundings import Surroundings, surroundings

__all__ = ["find_dust"]

#: Contrast beyond the neighbours' range, in [0, 1], from which a pixel makes a blob, and to which a blob extends.
_SEED_CONTRAST, _RIM_CONTRAST = 8 / 255, 3 / 255
#: The same in standard deviations of what the flow does not explain.
_SEED_NOISE, _RIM_NOISE = 2.0, 1.0
#: The largest blob that is believed: a share of the picture, but at least so many pixels.
_LARGEST_SHARE, _LARGEST_PIXELS = 0.004, 250
#: Share of a frame that may be dust before nothing in it is believed: a flash, or motion that the flow has lost.
_MOST = 0.05
#: A blob is found again where a neighbour differs from it by less than this share of its contrast (squared).
_SAME = 0.35
#: How far an object may move per frame, as a share of the picture's width.
_SEARCH = 0.05
#: What is shown to a person and left alone.
_UNSURE = 0.4
#: Side of the square around a blob in which other suspects cast doubt on it: water and leaves glitter in crowds.
_CROWD = 61
#: Weights of `_signs`, and a constant: a logistic regression over two kinds of synthetic dust on fourteen stretches of
#: seven clips, of which each is judged as well by the others'; rounded to what that means.
_WEIGHTS = (3.4, -3.5, 2.45, 0.9, -1.8, 1.55, -4.3, -0.4, -0.7, 11.4)

_BLOCK = np.ones((3, 3), np.uint8)
_LEVEL = 1 / 255

Plane = NDArray[np.float32]


def find_dust(
    frames: NDArray[np.float32], wanted: range | None = None, *, sensitivity: float = 1.0
) -> Defects:
    """Find dust in consecutive frames of one scene.

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
        Nothing if there are fewer than three frames: dust is told by its neighbours.
    """
    return find_by_frame(frames, wanted, lambda grey: lambda t: _judge(grey, t, sensitivity))


@dataclass(frozen=True, eq=False)
class _Blob:
    """A connected group of suspect pixels: its box with a margin, and which pixels of the box."""

    rows: slice
    columns: slice
    inside: NDArray[np.bool_]


def _judge(grey: NDArray[np.float32], t: int, sensitivity: float) -> Plane:
    """Confidence for every pixel of a frame, (H, W)."""
    frame, around = grey[t], surroundings(grey, t)
    confidence = np.zeros(frame.shape, np.float32)
    seeds = around.beyond_most > (_SEED_CONTRAST + _SEED_NOISE * around.unexplained) / sensitivity
    rim = around.beyond_most > _RIM_CONTRAST + _RIM_NOISE * around.unexplained
    largest = max(_LARGEST_PIXELS, _LARGEST_SHARE * frame.size)
    crowd: Plane = cv2.boxFilter(rim.astype(np.float32), -1, (_CROWD, _CROWD), normalize=False).astype(
        np.float32, copy=False
    )
    for blob in _blobs(seeds, rim):
        signs = _signs(blob, frame, around, crowd, sensitivity)
        logit = _WEIGHTS[-1] + sum(weight * sign for weight, sign in zip(_WEIGHTS, signs, strict=False))
        sure = 1 / (1 + math.exp(-logit))
        if sure >= 0.5 and (blob.inside.sum() > largest or _moves(blob, grey, t, around.expected)):
            sure = _UNSURE
        part = confidence[blob.rows, blob.columns]
        part[blob.inside] = np.maximum(part[blob.inside], sure)
    if (confidence >= 0.5).mean() > _MOST:
        confidence = np.minimum(confidence, np.float32(_UNSURE))
    return confidence


def _signs(
    blob: _Blob, frame: Plane, around: Surroundings, crowd: Plane, sensitivity: float
) -> tuple[float, ...]:
    """What tells dust: logarithms of its contrast, the neighbours' disagreement and so on; and an end of the clip."""
    inside = blob.inside
    core = cv2.erode(inside.astype(np.uint8), _BLOCK) > 0
    core = core if core.any() else inside

    def mean(of: Plane, where: NDArray[np.bool_]) -> float:
        return float(of[blob.rows, blob.columns][where].mean())

    area = float(inside.sum())
    outlines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    length = max(cv2.arcLength(outline, True) for outline in outlines)
    middle = ((blob.rows.start + blob.rows.stop) // 2, (blob.columns.start + blob.columns.stop) // 2)
    signs = (
        max(mean(np.abs(frame - around.expected), core) * sensitivity, 1e-3),
        mean(around.spread, inside) + _LEVEL,
        mean(around.beyond, inside) * sensitivity + _LEVEL,
        mean(around.beyond_all, inside) * sensitivity + _LEVEL / 10,
        max(mean(around.beyond_most, core) * sensitivity, 1e-3),
        float(core.sum()),
        length**2 / area,  # least for a disc
        max(0.0, float(crowd[middle]) - area) + 4,
    )
    return (*map(math.log, signs), float(around.one_sided))


def _blobs(seeds: NDArray[np.bool_], rim: NDArray[np.bool_]) -> Iterator[_Blob]:
    """Connected groups of rim pixels that hold a seed; each enlarged by a pixel for its soft edge."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats((rim | seeds).astype(np.uint8), connectivity=8)
    height, width = seeds.shape
    for label in np.unique(labels[seeds]):
        left, top, across, down = boxes[label, :4]
        rows = slice(max(0, top - 2), min(height, top + down + 2))
        columns = slice(max(0, left - 2), min(width, left + across + 2))
        inside = (labels[rows, columns] == label).astype(np.uint8)
        yield _Blob(rows, columns, cv2.dilate(inside, _BLOCK) > 0)


def _moves(blob: _Blob, grey: NDArray[np.float32], t: int, expected: Plane) -> bool:
    """Whether the blob is in two neighbours too, elsewhere: an object faster than the flow."""
    box = (blob.rows, blob.columns)
    patch = np.ascontiguousarray(grey[t][box])
    energy = float(np.square(patch - expected[box]).sum())
    reach = max(4, round(_SEARCH * grey.shape[2]))
    last = len(grey) - 1
    steps = (1, 2) if t == 0 else (-1, -2) if t == last else (-1, 1)
    found = [_find(patch, grey[t + step], blob, reach * abs(step)) for step in steps]
    if any(error > _SAME * energy for error, _ in found):
        return False
    # What moves steadily is opposite, or twice as far, in the other neighbour.
    per_frame = [shift / step for (_, shift), step in zip(found, steps, strict=True)]
    return bool(np.hypot(*(per_frame[0] - per_frame[1])) <= 2 + 0.5 * np.hypot(*per_frame[0]))


def _find(patch: Plane, other: Plane, blob: _Blob, reach: int) -> tuple[float, NDArray[np.float64]]:
    """The least squared difference of a patch within reach, and where: (dy, dx)."""
    height, width = other.shape
    top, left = max(0, blob.rows.start - reach), max(0, blob.columns.start - reach)
    bottom, right = min(height, blob.rows.stop + reach), min(width, blob.columns.stop + reach)
    errors = cv2.matchTemplate(np.ascontiguousarray(other[top:bottom, left:right]), patch, cv2.TM_SQDIFF)
    least, _, (x, y), _ = cv2.minMaxLoc(errors)
    return max(0.0, least), np.array([y + top - blob.rows.start, x + left - blob.columns.start], np.float64)
