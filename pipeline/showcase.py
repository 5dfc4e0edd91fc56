"""Which frames a report shows: the first, the middle one, and the worst few, no two of those close together.

Chosen while the clip streams by, so only what may still be shown is in memory. Knows nothing of scores but that
lower is worse, and nothing of HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reelprior.io.frame import Frame
from reelprior.io.pictures import shrink

__all__ = ["PICTURE_WIDTH", "Picture", "Showcase"]

#: The pictures that are kept are scaled down to this width: a report of 4K film stays a file one can send.
PICTURE_WIDTH = 1280
_RANKS = ("", "second ", "third ")


@dataclass(frozen=True, eq=False)
class Picture:
    """One frame to look at, (3, h, w) float32 R'G'B' in [0, 1], at most :data:`PICTURE_WIDTH` wide."""

    label: str
    """Why this frame: "first", "middle", "worst", "most changed" ..., or several of them."""
    index: int
    pts_seconds: float
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    baseline: NDArray[np.float32] | None = None
    reference: NDArray[np.float32] | None = None


class Showcase:
    """Takes frames in order and keeps what is to be shown.

    Parameters
    ----------
    frames
        All that will come.
    word
        What the frames of the lowest scores are called: "worst".
    """

    def __init__(self, frames: range, word: str) -> None:
        self._word = word
        self._landmarks = {"first": frames[0], "middle": frames[len(frames) // 2]}
        # The three worst frames of a clip are often neighbours, and one of them tells as much.
        self._apart = 2 + len(frames) // 10
        self._shown: dict[str, Picture] = {}
        self._worst: list[tuple[float, Picture]] = []

    def wants(self, index: int, score: float) -> bool:
        """Whether a frame would be kept."""
        return index in self._landmarks.values() or self._is_among_worst(index, score)

    def take(self, score: float, source: Frame, versions: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep a frame that is wanted; ``versions`` are "before", "after" and the other fields of a picture."""
        small = {name: shrink(pixels, max_width=PICTURE_WIDTH) for name, pixels in versions.items()}
        picture = Picture("", source.index, source.pts_seconds, **small)
        self._shown |= {name: picture for name, index in self._landmarks.items() if index == picture.index}
        if self._is_among_worst(picture.index, score):
            apart = [kept for kept in self._worst if not self._is_near(kept[1], picture.index)]
            self._worst = sorted([*apart, (score, picture)], key=lambda kept: kept[0])[: len(_RANKS)]

    def pictures(self) -> tuple[Picture, ...]:
        """In the order of the clip, each frame once, labelled with every reason it is there."""
        shown = self._shown | {
            f"{rank}{self._word}": picture for rank, (_, picture) in zip(_RANKS, self._worst, strict=False)
        }
        labels: dict[int, list[str]] = {}
        for label, picture in shown.items():
            labels.setdefault(picture.index, []).append(label)
        by_index = {picture.index: picture for picture in shown.values()}
        return tuple(replace(by_index[i], label=" and ".join(labels[i])) for i in sorted(by_index))

    def _is_among_worst(self, index: int, score: float) -> bool:
        rivals = [kept for kept, picture in self._worst if self._is_near(picture, index)]
        if rivals:
            return score < min(rivals)
        return len(self._worst) < len(_RANKS) or score < self._worst[-1][0]

    def _is_near(self, picture: Picture, index: int) -> bool:
        return abs(picture.index - index) < self._apart
