"""Line scratches: thin lines along the film that stay in place while the scene moves.

A pixel votes for a line if it is lighter, or darker, than both its sides. Votes are counted over rows and over the
neighbouring frames at the same place: what is tall and lasts is a line. Whether it is a scratch is another question,
and the scene answers it: where the scene moves, structure of the scene is found again along the motion, a scratch
where it was (after Newson et al., 2014). Where nothing moves there are three signs of a scratch: it is tall, its
contrast changes from frame to frame, and it runs over whatever is behind it. With too little of these, or among many of
its kind, the line is shown as unsure and left alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import Defects, find_by_frame
from reelprior.models.warp import estimate_flow

__all__ = ["SCRATCH_REACH", "find_scratches"]

#: Frames on each side that the verdict on a frame depends on.
SCRATCH_REACH = 6

#: Contrast, in [0, 1], at which a pixel has a whole vote where the picture is plain.
_CONTRAST = 7 / 255
#: How much of the usual contrast of thin structure around a pixel is asked for in addition.
_TEXTURE = 2.0
#: Rows over which votes are counted, as a share of the height.
_ROWS = 0.12
#: Share of the votes, in this frame and in its neighbours, that makes a line.
_SHARE, _LASTING = 0.5, 0.4
#: The shortest line, as a share of the height, and how far a line may lean or waver: pixels, and pixels per row.
_SHORTEST = 0.2
#: Heights, as shares of the picture's, from which a line that changes or crosses things may be taken for a scratch.
_FAIRLY_TALL, _TALL, _THROUGHOUT = 0.3, 0.5, 0.85
_WAVER, _LEAN = 4.0, 1 / 15
#: Columns at the edges of the picture that have no side to compare with.
_EDGE = 4
#: Motion, in pixels, from which the scene can testify.
_MOTION = 1.5
#: So many lines within such a share of the width, the line itself among them, are taken for structure of the scene.
_ALIKE, _BESIDE = 3, 0.15
_UNSURE = 0.4

Plane = NDArray[np.float32]


def find_scratches(
    frames: NDArray[np.float32], wanted: range | None = None, *, sensitivity: float = 1.0
) -> Defects:
    """Find scratches in consecutive frames of one scene.

    Parameters
    ----------
    frames
        (T, 3, H, W) float32 in [0, 1]. The verdict on a frame depends on `SCRATCH_REACH` frames on each side.
    wanted
        Positions of the frames to judge, all by default; the others are only looked at.
    sensitivity
        Divides the contrast asked for.

    Returns
    -------
    Defects
        Nothing if there are fewer than three frames: a line is told from the scene by its neighbours.
    """

    def judge_of(grey: Plane) -> Callable[[int], Plane]:
        # Film is lighter or darker along a scratch.
        light, dark = (_Lines(np.float32(polarity) * grey, grey, sensitivity) for polarity in (1.0, -1.0))
        return lambda t: np.maximum(light.judge(t), dark.judge(t))

    return find_by_frame(frames, wanted, judge_of)


@dataclass(frozen=True, eq=False)
class _Line:
    """A connected line of one frame: its box, and which pixels of the box."""

    rows: slice
    columns: slice
    inside: NDArray[np.bool_]


class _Lines:
    """The light lines of a clip (the dark ones of its negative)."""

    def __init__(self, signed: NDArray[np.float32], grey: NDArray[np.float32], sensitivity: float) -> None:
        self._grey = grey
        self._contrast = np.stack([_line_contrast(frame) for frame in signed])
        self._votes = np.stack([_votes(contrast, sensitivity) for contrast in self._contrast])
        rows = max(9, round(_ROWS * grey.shape[1])) | 1
        # A wavering line may be a pixel aside in the next rows and frames.
        self._counted = np.stack([cv2.blur(_widened(votes), (1, rows)) for votes in self._votes])
        self._calm: dict[int, Plane] = {}

    def judge(self, t: int) -> Plane:
        """Confidence for every pixel of a frame, (H, W)."""
        confidence = np.zeros(self._grey.shape[1:], np.float32)
        others = [k for k in self._around(t) if k != t]
        lasting = np.mean([_widened(self._counted[k]) for k in others], axis=0)
        suspect = (self._votes[t] > 0.3) & (self._counted[t] > _SHARE) & (lasting > _LASTING)
        lines = list(_tall(suspect, round(_SHORTEST * self._grey.shape[1])))
        for line in lines:
            sure = self._confidence(line, t, crowded=_crowded(line, lines, suspect.shape[1]))
            part = confidence[line.rows, line.columns]
            part[line.inside] = np.maximum(part[line.inside], sure)
        return confidence

    def _around(self, t: int) -> range:
        return range(max(0, t - SCRATCH_REACH), min(len(self._grey), t + SCRATCH_REACH + 1))

    def _confidence(self, line: _Line, t: int, *, crowded: bool) -> float:
        """How sure a line is a scratch."""
        rows, columns = np.nonzero(line.inside)
        rows, columns = rows + line.rows.start, columns + line.columns.start
        around = self._around(t)
        distant = max((around.start, around.stop - 1), key=lambda k: abs(k - t))
        motion = self._motion(t, distant, line)
        if abs(motion) >= _MOTION:
            votes = _widened(self._votes[distant])
            moved = np.clip(columns + round(motion), 0, votes.shape[1] - 1)
            stays, follows = float(votes[rows, columns].mean()), float(votes[rows, moved].mean())
            return float(np.clip(0.5 + 2 * (stays - follows - 0.15), 0, 1))
        if crowded:
            return _UNSURE
        height = len(np.unique(rows)) / self._grey.shape[1]
        changes, crosses = self._unrest(rows, columns, around), self._crosses(line, t)
        scratch = (
            (changes and crosses and height >= _FAIRLY_TALL)
            or (changes and height >= _TALL)
            or (crosses and height >= _THROUGHOUT)
        )
        return 0.6 if scratch else _UNSURE

    def _motion(self, t: int, other: int, line: _Line) -> float:
        """How far the scene around a line moves sideways to another frame, in pixels."""
        flow = estimate_flow(self._without_lines(t)[None], self._without_lines(other)[None])
        margin = max(8, self._grey.shape[2] // 40)
        columns = slice(max(0, line.columns.start - margin), line.columns.stop + margin)
        return float(np.median(flow[0, line.rows, columns]))

    def _without_lines(self, t: int) -> Plane:
        """A frame in which thin lines are gone, so that the flow is the scene's own."""
        if t not in self._calm:
            if len(self._calm) > 2 * SCRATCH_REACH + 2:
                self._calm.clear()
            levels = np.clip(np.rint(self._grey[t] * 255), 0, 255).astype(np.uint8)
            self._calm[t] = cv2.medianBlur(levels, 7).astype(np.float32) / 255
        return self._calm[t]

    def _unrest(self, rows: NDArray[np.intp], columns: NDArray[np.intp], around: range) -> bool:
        """Whether the line's contrast changes from frame to frame more than noise explains."""
        contrasts = self._contrast[around.start : around.stop, rows, columns]
        change = float(contrasts.std(axis=0).mean())
        return change > 0.2 * float(contrasts.mean()) + 2 / 255

    def _crosses(self, line: _Line, t: int) -> bool:
        """Whether what is behind the line changes along it: an object's own line ends with the object."""
        middle = (line.columns.start + line.columns.stop) // 2
        strip = self._without_lines(t)[line.rows, max(0, middle - 6) : middle + 7].mean(axis=1)
        return float(strip.max() - strip.min()) > 0.1


def _crowded(line: _Line, lines: list[_Line], width: int) -> bool:
    """Whether a line is one of a row of such lines: panelling, a fence, a grille."""
    middle = (line.rows.start + line.rows.stop) / 2
    beside = [
        other
        for other in lines
        if abs(other.columns.start - line.columns.start) <= _BESIDE * width
        and other.rows.start <= middle < other.rows.stop
    ]
    return len(beside) > _ALIKE  # itself among them


def _line_contrast(signed: Plane) -> Plane:
    """How much lighter than both sides a pixel's line is, for lines of 1 to 3 pixels; never below 0.

    Half the difference of the sides is taken off: beside an edge of the scene they differ, beside a scratch they do
    not.
    """
    calm: Plane = cv2.blur(signed, (1, 5)).astype(np.float32, copy=False)
    sides: Plane = cv2.blur(calm, (2, 1), anchor=(0, 0)).astype(
        np.float32, copy=False
    )  # this column and the next
    thin = calm - _side(_shifted(sides, -3), _shifted(sides, 2))
    wide = cv2.blur(calm, (3, 1)) - _side(_shifted(sides, -4), _shifted(sides, 3))
    contrast: Plane = np.maximum(np.maximum(thin, wide), 0)
    return contrast


def _side(left: Plane, right: Plane) -> Plane:
    side: Plane = np.maximum(left, right) + 0.5 * np.abs(left - right)
    return side


def _votes(contrast: Plane, sensitivity: float) -> Plane:
    """From 0 to 1: the contrast against what is asked for, which is more where thin structure is common."""
    height, width = contrast.shape
    usual = cv2.blur(contrast, (max(15, width // 8) | 1, max(15, height // 8) | 1))
    votes: Plane = np.clip(contrast * sensitivity / (_CONTRAST + _TEXTURE * usual), 0, 1)
    return votes


def _shifted(picture: Plane, by: int) -> Plane:
    """The picture's value ``by`` columns to the right, its edges repeated."""
    width = picture.shape[1]
    return picture[:, np.clip(np.arange(width) + by, 0, width - 1)]


def _widened(votes: Plane) -> Plane:
    """Each pixel the largest of itself and its neighbours left and right."""
    widened: Plane = cv2.dilate(votes, np.ones((1, 3), np.uint8)).astype(np.float32, copy=False)
    return widened


def _tall(suspect: NDArray[np.bool_], shortest: int) -> Iterator[_Line]:
    """Lines of a certain height, gaps bridged, each a pixel wider on both sides for its soft edge."""
    gap = max(7, shortest // 2) | 1
    bridged = cv2.morphologyEx(suspect.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(bridged, connectivity=8)
    width = suspect.shape[1]
    for label in range(1, count):
        left, top, across, down = boxes[label, :4]
        at_edge = left < _EDGE or left + across > width - _EDGE
        if at_edge or down < shortest or across > _WAVER + _LEAN * down:
            continue
        rows, columns = slice(top, top + down), slice(max(0, left - 1), min(width, left + across + 1))
        inside = (labels[rows, columns] == label).astype(np.uint8)
        yield _Line(rows, columns, cv2.dilate(inside, np.ones((1, 3), np.uint8)) > 0)
