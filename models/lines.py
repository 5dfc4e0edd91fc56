"""Thin vertical lines: how clearly each pixel shows one, and the best nearly straight paths down a picture."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "Plane", "line_contrast", "line_votes", "lines_in", "widened"]

#: Contrast, in [0, 1], at which a pixel has a whole vote where the picture is plain.
_CONTRAST = 7 / 255
#: How much of the usual contrast of thin structure around a pixel is asked for in addition.
_TEXTURE = 2.0
#: Share of the votes that a row of a line needs on average, and what a step aside costs, in votes.
_NEEDED, _ASIDE = 0.4, 1.5
#: Votes beyond those needed that make a line, as a share of the height.
_SCORE = 0.06
#: How far a line may lean or waver: pixels, and pixels per row.
_WAVER, _LEAN = 4.0, 1 / 15
#: The shortest line, as a share of the height.
_SHORTEST = 0.2
#: Columns at the edges of the picture that have no side to compare with.
_EDGE = 4
#: Lines are so many columns apart at least.
_APART = 4

Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Line:
    """A line of one frame: the column of its middle in each of some rows, from the top, and its score in votes."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    score: float


def lines_in(evidence: Plane) -> list[Line]:
    """Paths down the picture with the most votes beyond those needed, the clearest first.

    The best path that ends at a pixel is the best that ends in the row above, or none, and the pixel (Viterbi 1967;
    Smith and Waterman 1981 for what begins and ends anywhere). Gaps are crossed where both sides make up for them.
    """
    height, width = evidence.shape
    own = evidence - np.float32(_NEEDED)
    own[:, :_EDGE] = own[:, -_EDGE:] = -1
    score, came = np.zeros_like(own), np.zeros(own.shape, np.int8)
    above = np.zeros(width + 2, np.float32)
    for y in range(height):
        ways = np.stack([above[1:-1], above[:-2] - np.float32(_ASIDE), above[2:] - np.float32(_ASIDE)])
        came[y] = np.array([0, -1, 1], np.int8)[ways.argmax(axis=0)]
        score[y] = own[y] + np.maximum(ways.max(axis=0), 0)
        above[1:-1] = np.maximum(score[y], 0)
    least = _SCORE * height
    peaks = (score >= least) & (score == cv2.dilate(score, np.ones((3, 2 * _APART + 1), np.uint8)))
    ends = np.argwhere(peaks)[np.argsort(-score[peaks], kind="stable")]
    lines: list[Line] = []
    for end in ends:
        rows, columns = _path(score, came, (int(end[0]), int(end[1])))
        aside = float(np.abs(np.diff(columns)).sum())
        line = Line(rows, columns, float(own[rows, columns].sum()) - _ASIDE * aside)
        straight = aside <= _WAVER + _LEAN * len(rows)
        if line.score < least or len(rows) < _SHORTEST * height or not straight:
            continue
        lines.append(line)
        for beside in range(-_APART, _APART + 1):
            score[line.rows, np.clip(line.columns + beside, 0, width - 1)] = 0  # taken
    return lines


def _path(
    score: Plane, came: NDArray[np.int8], end: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the path to an end, from where it begins or leaves what is taken."""
    y, x = end
    columns: list[int] = []
    while y >= 0 and score[y, x] > 0:
        columns.append(x)
        x += int(came[y, x])
        y -= 1
    return np.arange(y + 1, end[0] + 1), np.array(columns[::-1], np.intp)


def line_contrast(signed: Plane) -> Plane:
    """How much lighter than both sides a pixel's line is, for lines of 1 to 3 pixels; never below 0.

    Half the difference of the sides is taken off: beside an edge of the scene they differ, beside a scratch they do
    not.
    """
    calm: Plane = cv2.blur(signed, (1, 5)).astype(np.float32, copy=False)
    # This column and the next.
    sides: Plane = cv2.blur(calm, (2, 1), anchor=(0, 0)).astype(np.float32, copy=False)
    thin = calm - _side(_shifted(sides, -3), _shifted(sides, 2))
    wide = cv2.blur(calm, (3, 1)) - _side(_shifted(sides, -4), _shifted(sides, 3))
    contrast: Plane = np.maximum(np.maximum(thin, wide), 0)
    return contrast


def _side(left: Plane, right: Plane) -> Plane:
    side: Plane = np.maximum(left, right) + 0.5 * np.abs(left - right)
    return side


def line_votes(contrast: Plane, sensitivity: float) -> Plane:
    """(H, W) in [0, 1]: the contrast against what is asked for, which is more where thin structure is common."""
    height, width = contrast.shape
    usual = cv2.blur(contrast, (max(15, width // 8) | 1, max(15, height // 8) | 1))
    votes: Plane = np.clip(contrast * sensitivity / (_CONTRAST + _TEXTURE * usual), 0, 1)
    return votes


def _shifted(picture: Plane, by: int) -> Plane:
    """The picture's value ``by`` columns to the right, its edges repeated."""
    width = picture.shape[1]
    return picture[:, np.clip(np.arange(width) + by, 0, width - 1)]


def widened(votes: Plane) -> Plane:
    """Each pixel the largest of itself and its neighbours left and right."""
    widened: Plane = cv2.dilate(votes, np.ones((1, 3), np.uint8)).astype(np.float32, copy=False)
    return widened
