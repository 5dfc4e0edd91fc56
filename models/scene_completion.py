"""Wide holes that no frame of a scene shows: completed in one picture, and carried from there to the others.

Completed frame by frame they would show something else in each. So one frame is completed; what stands in its holes
moves as the plane does that most of their surroundings belong to, and its brightness follows the rim of each frame's
hole. The key frame is completed for all chunks of its scene; where it cannot be laid on a chunk's frames, one of these
is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from reelprior.models.completion import wide_holes
from reelprior.models.hidden_flow import planes_of
from reelprior.models.spatial import fill_smoothly
from reelprior.models.warp import estimate_flow

__all__ = ["Completed", "complete_scene"]

_PREFIX = "completed/"
#: Pixels between holes that are completed as one.
_APART = 25
#: Pixels around a hole by which the brightness is levelled, and by which a picture is judged to be of the same place.
_SEAM, _RING = 3, 24
#: Share of the ring that has to look alike.
_ALIKE = 0.75
#: Of a pixel that is fetched from within the picture.
_INSIDE = 0.999
#: Share of its largest extent that a hole has to have in a frame that is completed already, to be taken from there.
_MOST = 0.7

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Completed:
    """A whole picture (3, H, W) in [0, 1], some of which is a guess."""

    picture: Plane

    def save(self) -> dict[str, NDArray[np.float32]]:
        """As arrays that go with a frame's parameters."""
        return {f"{_PREFIX}picture": self.picture}

    @classmethod
    def split(
        cls, parameters: Mapping[str, NDArray[np.float32]]
    ) -> tuple[Self | None, dict[str, NDArray[np.float32]]]:
        """What `save` gave, None where it is not among these, and the other parameters."""
        others = {name: value for name, value in parameters.items() if not name.startswith(_PREFIX)}
        picture = parameters.get(f"{_PREFIX}picture")
        return None if picture is None else cls(picture), others


def complete_scene(
    pictures: NDArray[np.float32],
    hidden: NDArray[np.bool_],
    wanted: Sequence[int],
    *,
    width: int,
    given: Completed | None,
    flow: Callable[[int, int], Plane],
    guess: Callable[[int, Mask], Plane],
    colour_scale: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Complete the wide holes of some frames.

    Parameters
    ----------
    pictures
        (T, 3, H, W) in [0, 1], whatever in their holes.
    hidden
        (T, H, W), True in holes that no frame was found to show.
    wanted
        The frames to complete, consecutive.
    width
        Of a wide hole, in pixels; 0 takes none.
    given
        A picture of the same scene, completed; it is used where it is found to show the same place.
    flow
        Gives (2, H, W), (dx, dy) in pixels, from one frame to another next to it.
    guess
        Completes holes (H, W) of a frame: (3, H, W).
    colour_scale
        Difference in [0, 1] up to which surroundings look alike.

    Returns
    -------
    tuple
        The pictures, and (T, H, W), True in holes that were completed.
    """
    wide = {t: wide_holes(hidden[t], width) for t in wanted}
    scene = _Scene(pictures, hidden, wide, flow, colour_scale)
    completed, filled = pictures.copy(), np.zeros_like(hidden)
    guesses: dict[int, Completed] = {}
    for place in _places(list(wide.values())):
        holes = {t: one & place for t, one in wide.items()}
        begin = None if given is None else scene.laid(given, holes)
        if begin is None:
            begin = scene.guessed(holes, guesses, guess)
        for t, matrix in scene.carried(begin, place):
            if holes[t].any():
                completed[t], found = _put(begin.source, matrix, completed[t], holes[t], hidden[t])
                filled[t] |= found
    return completed, filled


def _places(wide: Sequence[Mask]) -> Iterator[Mask]:
    """(H, W) each: where there are wide holes in any frame, in pieces that lie apart."""
    anywhere = np.logical_or.reduce(wide)
    count, labels = cv2.connectedComponents(_grown(anywhere, _APART // 2).astype(np.uint8))
    for number in range(1, count):
        yield (np.asarray(labels) == number) & anywhere


@dataclass(frozen=True, eq=False)
class _Begin:
    """A frame, the completed picture that its holes are filled from, and (3, 3), what leads from one to the other."""

    frame: int
    source: Completed
    matrix: Matrix


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is known of the frames, and of their wide holes (H, W)."""

    pictures: NDArray[np.float32]
    hidden: NDArray[np.bool_]
    wide: Mapping[int, Mask]
    flow: Callable[[int, int], Plane]
    colour_scale: float

    def laid(self, source: Completed, holes: Mapping[int, Mask]) -> _Begin | None:
        """A completed picture laid on the frame with most of a place's holes, the first or the last of them."""
        for t in dict.fromkeys(
            (_fullest(holes), _first(holes, self._order), _first(holes, self._order[::-1]))
        ):
            matrix = _motion(estimate_flow(self.pictures[t], source.picture), holes[t], self.hidden[t])
            values, inside = _fetched(source.picture, matrix)
            ring = _grown(holes[t], _RING) & ~self.hidden[t]
            alike = inside & (np.abs(values - self.pictures[t]).mean(0) < self.colour_scale)
            if ring.any() and alike[ring].mean() >= _ALIKE and (holes[t] & inside).any():
                return _Begin(t, source, matrix)
        return None

    def guessed(
        self, holes: Mapping[int, Mask], guesses: dict[int, Completed], guess: Callable[[int, Mask], Plane]
    ) -> _Begin:
        """The frame with most of a place's holes, completed, or one that is among the guesses and has about as much."""
        fullest = _fullest(holes)
        enough = _MOST * holes[fullest].sum()
        t = next((t for t in guesses if holes[t].sum() >= enough), fullest)
        if t not in guesses:
            guesses[t] = Completed(guess(t, self.wide[t]))
        return _Begin(t, guesses[t], np.eye(3))

    def carried(self, begin: _Begin, place: Mask) -> Iterator[tuple[int, Matrix]]:
        """All frames, and (3, 3), what leads from each to the completed picture: from frame to frame, both ways."""
        yield begin.frame, begin.matrix
        at = self._order.index(begin.frame)
        for order in (self._order[at:], self._order[at::-1]):
            matrix = begin.matrix
            for before, t in pairwise(order):
                here = self.wide[t] & place
                around = here if here.any() else place
                matrix = matrix @ _motion(self.flow(t, before), around, self.hidden[t])
                yield t, matrix

    @property
    def _order(self) -> list[int]:
        return list(self.wide)


def _fullest(holes: Mapping[int, Mask]) -> int:
    return max(holes, key=lambda t: int(holes[t].sum()))


def _first(holes: Mapping[int, Mask], order: Sequence[int]) -> int:
    return next(t for t in order if holes[t].any())


def _motion(flow: Plane, hole: Mask, hidden: Mask) -> Matrix:
    """(3, 3): how most of what is seen around a hole moves; not at all where nothing is seen."""
    plane = next(planes_of(flow, hole, unseen=hidden), None)
    return np.eye(3) if plane is None else np.vstack([plane, [0, 0, 1]])


def _put(source: Completed, matrix: Matrix, picture: Plane, hole: Mask, hidden: Mask) -> tuple[Plane, Mask]:
    """A picture with a hole filled from a completed one, levelled to its rim, and (H, W), where it was."""
    values, inside = _fetched(source.picture, matrix)
    rim = _grown(hole, _SEAM) & ~hidden & inside
    if rim.any():
        gap = picture - values
        values = np.clip(values + fill_smoothly(np.where(rim, gap, np.float32(0)), ~rim), 0, 1)
    found = hole & inside
    return np.where(found, values, picture), found


def _fetched(picture: Plane, matrix: Matrix) -> tuple[Plane, Mask]:
    """(3, H, W): a picture as seen through (3, 3) from each pixel to it, and (H, W), where that is inside of it."""
    height, width = picture.shape[1:]

    def through(values: Plane, how: int, border: int) -> Plane:
        flags = how | cv2.WARP_INVERSE_MAP
        return np.asarray(
            cv2.warpAffine(values, matrix[:2], (width, height), flags=flags, borderMode=border), np.float32
        )

    rows = np.ascontiguousarray(picture.transpose(1, 2, 0))
    values = through(rows, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    inside = through(np.ones((height, width), np.float32), cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(values.transpose(2, 0, 1)), inside > _INSIDE


def _grown(marked: Mask, by: int) -> Mask:
    return np.asarray(cv2.dilate(marked.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)) > 0)
