"""Line scratches: thin lines along the film that stay in place while the scene moves.

A pixel votes for a line if it is lighter, or darker, than both its sides, in its frame and in the mean of those before
or after it. Nearly straight paths down the picture collect votes, across gaps where the line cannot be seen: what is
tall, clear, straight and lasts is a line. Whether it is a scratch is another question, and the scene answers it: where
the scene moves, structure of the scene is found again along the motion, a scratch where it was (after Newson et al.,
2014). Where nothing moves there are three signs of a scratch: it is tall, its contrast changes from frame to frame, and
it runs over whatever is behind it, which is the same on both sides. With too little of these, or among many of its
kind, the line is shown as unsure and left alone.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.defects import Defects, find_by_frame
from reelprior.models.lines import Line, Plane, line_contrast, line_votes, lines_in, widened
from reelprior.models.warp import estimate_flow

__all__ = ["SCRATCH_REACH", "find_scratches"]

#: Frames on each side that the verdict on a frame depends on.
SCRATCH_REACH = 6

#: Neighbouring frames, on either side, in which a line has to be, too.
_LASTS = 4
#: Pixels up to so many columns aside belong to a line.
_WIDEST = 4
#: Pixels with this share of a line's contrast belong to it.
_OF_CONTRAST = 0.3
#: Share of the height over which a line's width is measured.
_PIECE = 0.1
#: The height, as a share of the picture's, from which one sign of a scratch is enough where nothing moves.
_TALL = 0.5
#: Standard deviations in a median absolute one, for normal noise.
_DEVIATIONS = 1.4826
#: What is behind a line lies between these columns on both sides of it, and differs by this much along it at least;
#: across it by no more than this share of that.
_BEHIND, _VARIED, _SAME_SIDES = (4, 8), 0.1, 0.8
#: Motion, in pixels, from which the scene can testify, and the share of a line's rows that have to.
_MOTION, _WITNESSES = 1.5, 0.3
#: Lines within this share of the width are beside each other.
_BESIDE = 0.15
#: Weights of the logarithm of a line's score, the root of its steps aside, the logarithm of the lines beside it, and
#: what stays of it while the scene moves; and a constant: a logistic regression over two kinds of synthetic scratches
#: on fourteen stretches of seven clips, of which each is judged as well by the others'; rounded to what that means.
_WEIGHTS = (4.4, -0.85, -0.55, 1.4, 8.3)
_UNSURE = 0.4


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
        scene = _Scene(grey)
        kinds = [_Lines(np.float32(polarity) * grey, scene, sensitivity) for polarity in (1.0, -1.0)]
        return lambda t: _judge(kinds, t)

    return find_by_frame(frames, wanted, judge_of)


class _Scene:
    """What is behind the lines of a clip, and how it moves."""

    def __init__(self, grey: Plane) -> None:
        self._grey = grey
        self._calm: dict[int, Plane] = {}
        self._flows: dict[int, dict[int, Plane]] = {}

    def flows(self, t: int) -> dict[int, Plane]:
        """How far the scene moves sideways from a frame to some around it, in pixels."""
        if t not in self._flows:
            around = _around(t, len(self._grey))
            others = {
                around.start,
                around.stop - 1,
                max(around.start, t - 3),
                min(around.stop - 1, t + 3),
            } - {t}
            margin = 2 * max(8, self._grey.shape[2] // 40) + 1
            flows = {
                k: estimate_flow(self.without_lines(t)[None], self.without_lines(k)[None])
                for k in sorted(others)
            }
            self._flows = {t: {k: cv2.blur(flow[0], (margin, 5)) for k, flow in flows.items()}}
        return self._flows[t]

    def without_lines(self, t: int) -> Plane:
        """A frame in which thin lines are gone, so that the flow is the scene's own."""
        if t not in self._calm:
            if len(self._calm) > 2 * SCRATCH_REACH + 2:
                self._calm.clear()
            levels = np.clip(np.rint(self._grey[t] * 255), 0, 255).astype(np.uint8)
            self._calm[t] = cv2.medianBlur(levels, 7).astype(np.float32) / 255
        return self._calm[t]


class _Lines:
    """The light lines of a clip (the dark ones of its negative)."""

    def __init__(self, signed: Plane, scene: _Scene, sensitivity: float) -> None:
        self._signed, self._scene, self._sensitivity = signed, scene, sensitivity
        self._contrast = np.stack([line_contrast(frame) for frame in signed])
        self._votes = np.stack([line_votes(contrast, sensitivity) for contrast in self._contrast])
        # A wavering line may be a pixel aside in the next frames.
        self._near = np.stack([widened(votes) for votes in self._votes])
        self._means: dict[range, Plane] = {}

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self._signed.shape[1], self._signed.shape[2]

    def lines(self, t: int) -> list[Line]:
        """The lines of a frame, the clearest first."""
        return lines_in(self._evidence(t))

    def _evidence(self, t: int) -> Plane:
        """Votes of a frame, and of the mean of those before or after it, in which a scene that moves is blurred."""
        sides = (range(max(0, t - _LASTS), t), range(t + 1, min(len(self._signed), t + 1 + _LASTS)))
        lasting = [self._votes_of_mean(side) for side in sides if side]
        evidence: Plane = 0.5 * (self._votes[t] + np.max(lasting, axis=0))
        return evidence

    def _votes_of_mean(self, frames: range) -> Plane:
        if frames not in self._means:
            mean = self._signed[frames.start : frames.stop].mean(axis=0)
            # A line may waver.
            self._means[frames] = widened(line_votes(line_contrast(mean), self._sensitivity))
        return self._means[frames]

    def confidence(self, line: Line, t: int, *, beside: int) -> float:
        """How sure a line is a scratch, of which so many others as clear are beside it."""
        height, length = self._signed.shape[1], len(line.rows)
        moves, stays = self._testimony(line, t)
        aside = float(np.abs(np.diff(line.columns)).sum()) / length * height
        signs = (math.log(line.score / height), math.sqrt(aside), math.log(1 + beside), stays)
        logit = _WEIGHTS[4] + sum(weight * sign for weight, sign in zip(_WEIGHTS, signs, strict=False))
        sure = 1 / (1 + math.exp(-logit))
        if moves:
            return sure if stays > 0 else min(sure, _UNSURE)
        changes, crosses = self._unrest(line, t), self._crosses(line, t)
        needed = {2: 0.0, 1: _TALL, 0: np.inf}[changes + crosses]
        return sure if length >= needed * height else min(sure, _UNSURE)

    def _testimony(self, line: Line, t: int) -> tuple[bool, float]:
        """Whether the scene moves sideways behind a line, and how much more of the line stays than goes with it."""
        clearest = (0.0, 0.0)
        for k, flow in self._scene.flows(t).items():
            motion = flow[line.rows, line.columns]
            tells = np.abs(motion) >= _MOTION
            if tells.mean() >= _WITNESSES:
                moved = np.clip(line.columns + np.rint(motion).astype(np.intp), 0, flow.shape[1] - 1)
                stays, follows = (
                    float(self._near[k][line.rows, at][tells].mean()) for at in (line.columns, moved)
                )
                clearest = max(clearest, (stays, follows), key=max)
        return max(clearest) > 0, clearest[0] - clearest[1]

    def pixels(self, line: Line, t: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The pixels of a line, rows and columns: its middle, and what beside it has a share of its contrast."""
        reach = np.arange(-_WIDEST - 2, _WIDEST + 3)
        columns = np.clip(line.columns[:, None] + reach, 0, self.size[1] - 1)
        rows = np.broadcast_to(line.rows[:, None], columns.shape)
        # A single row is noise.
        profile = cv2.blur(self._signed[t][rows, columns], (1, round(_PIECE * self.size[0]) | 1))
        left, right = profile[:, :2].mean(axis=1, keepdims=True), profile[:, -2:].mean(axis=1, keepdims=True)
        profile = profile - left - (right - left) * np.linspace(0, 1, len(reach), dtype=np.float32)
        whole = np.median(profile, axis=0, keepdims=True)
        usual = float(whole.max())
        # Where the line itself is hardly seen, its width is not either: there it is as wide as elsewhere.
        wide = np.minimum(_thick(profile, usual), widened(_thick(whole, usual)))
        soft = widened(wide) > 0
        return rows[soft], columns[soft]

    def _unrest(self, line: Line, t: int) -> bool:
        """Whether the line's contrast changes from frame to frame more than noise explains."""
        around = _around(t, len(self._signed))
        # A picture that is unsteady in its gate moves its own lines a pixel aside, or jumps for a frame or two: that is
        # no unrest of theirs.
        contrasts = np.stack([widened(self._contrast[k])[line.rows, line.columns] for k in around])
        usual = np.median(contrasts, axis=0)
        change = _DEVIATIONS * float(np.median(np.abs(contrasts - usual), axis=0).mean())
        return change > 0.2 * float(contrasts.mean()) + 2 / 255

    def _crosses(self, line: Line, t: int) -> bool:
        """Whether what is behind the line changes along it, and is the same on both of its sides.

        An object's own line ends with the object, and a corner or a door frame parts two things.
        """
        calm, width = self._scene.without_lines(t), self.size[1]
        sides = []
        for way in (-1, 1):
            columns = np.clip(line.columns[:, None] + way * np.arange(*_BEHIND), 0, width - 1)
            side: Plane = calm[line.rows[:, None], columns].mean(axis=1, keepdims=True)
            sides.append(cv2.blur(side, (1, 5)))
        behind = 0.5 * (sides[0] + sides[1])
        across = float(np.abs(sides[0] - sides[1]).mean())
        return float(np.ptp(behind)) > _VARIED and across < _SAME_SIDES * float(behind.std())


def _around(t: int, count: int) -> range:
    return range(max(0, t - SCRATCH_REACH), min(count, t + SCRATCH_REACH + 1))


def _judge(kinds: list[_Lines], t: int) -> Plane:
    """Confidence for every pixel of a frame, (H, W)."""
    confidence = np.zeros(kinds[0].size, np.float32)
    found = [(kind, line) for kind in kinds for line in kind.lines(t)]
    lines = [line for _, line in found]
    for kind, line in found:
        sure = kind.confidence(line, t, beside=_beside(line, lines, confidence.shape[1]))
        pixels = kind.pixels(line, t)
        if len(pixels[0]) > (2 * _WIDEST + 1) * len(line.rows):  # as wide as was looked for: a post or a gap
            sure = min(sure, _UNSURE)
        confidence[pixels] = np.maximum(confidence[pixels], sure)
    return confidence


def _beside(line: Line, lines: list[Line], width: int) -> int:
    """How many other lines, half as clear at least, are beside a line: panelling, a fence, a grille, grass."""
    return sum(
        other is not line
        and other.score >= line.score / 2
        and abs(float(other.columns.mean() - line.columns.mean())) <= _BESIDE * width
        and len(np.intersect1d(other.rows, line.rows)) > len(line.rows) / 2
        for other in lines
    )


def _thick(profile: Plane, usual: float) -> Plane:
    """1 at the middle of each row and beside it as far as the contrast is a share of the middle's; else 0."""
    centre = profile.shape[1] // 2
    peak = profile[:, centre - 1 : centre + 2].max(axis=1, keepdims=True)
    thick = profile > _OF_CONTRAST * np.maximum(peak, usual)
    thick[:, centre] = True
    for half in (thick[:, centre:], thick[:, centre::-1]):
        np.logical_and.accumulate(half, axis=1, out=half)
    marked: Plane = thick.astype(np.float32)
    return marked
