"""Tiles: large frames as overlapping rectangles that are restored one by one and blended without a seam.

Pure geometry. A plan covers a frame with rectangles of one size, in the order in which they are restored, so that each
but the first has a finished neighbour to start from. Every tile is *read* whole and *written* without the outer part of
its overlaps, where the padding of convolutions shows; over the rest of an overlap two neighbours fade into each other.
The weights of all tiles add up to one at every pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Canvas", "Rectangle", "Tile", "box_around", "middle", "plan_tiles"]


@dataclass(frozen=True)
class Rectangle:
    """Rows ``top`` to ``top + height``, columns ``left`` to ``left + width``, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index the last two axes: ``picture[..., *rectangle.slices]``."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def within(self, other: "Rectangle") -> "Rectangle":
        """The same pixels, counted from the corner of a rectangle that holds them."""
        return Rectangle(self.top - other.top, self.left - other.left, self.height, self.width)

    def scaled(self, factor: int) -> "Rectangle":
        """The same area on a grid that is ``factor`` times finer."""
        return Rectangle(self.top * factor, self.left * factor, self.height * factor, self.width * factor)


@dataclass(frozen=True)
class Tile:
    """One rectangle of a plan.

    Attributes
    ----------
    index
        Position in the plan, which is the order of work.
    start_from
        Index of the neighbour (on the left, else above) whose parameters it starts from; None for the first tile.
    read
        What is restored. All tiles of a plan are of one size, so that they can share a noise code.
    write
        The part of it that goes into the result, on the frame's grid.
    fades
        Over how many pixels at the top, bottom, left and right of ``write`` the weight rises from 0 to 1.
    """

    index: int
    start_from: int | None
    read: Rectangle
    write: Rectangle
    fades: tuple[int, int, int, int]

    def weights(self) -> NDArray[np.float32]:
        """(h, w) of ``write``: how much this tile counts there; over all tiles they add up to 1."""
        top, bottom, left, right = self.fades
        return np.outer(_ramp(self.write.height, top, bottom), _ramp(self.write.width, left, right))

    def scaled(self, factor: int) -> "Tile":
        """The same tile on a grid that is ``factor`` times finer."""
        top, bottom, left, right = (fade * factor for fade in self.fades)
        return Tile(
            self.index,
            self.start_from,
            self.read.scaled(factor),
            self.write.scaled(factor),
            (top, bottom, left, right),
        )


def plan_tiles(height: int, width: int, tile: int, overlap: int) -> tuple[Tile, ...]:
    """Cover a frame with tiles of one size, row by row.

    Parameters
    ----------
    height, width
        Of the frame, in pixels.
    tile
        Longest side of a tile. Fewer, equal tiles are made where a frame does not need tiles of the full size; a frame
        no larger than this is one tile.
    overlap
        Pixels that neighbours share at least: a quarter at either end is only read, over the half between they fade.

    Raises
    ------
    ValueError
        For an empty frame, or an overlap of more than a third of a tile, where three tiles would meet in a row.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a frame of {width}x{height} pixels has nothing to cover")
    if overlap < 0 or 3 * overlap > tile:
        raise ValueError(f"an overlap of {overlap} is not between 0 and a third of the tile size {tile}")
    rows, columns = _spans(height, tile, overlap), _spans(width, tile, overlap)
    tiles = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            index = i * len(columns) + j
            above, left = index - len(columns), index - 1
            tiles.append(
                Tile(
                    index=index,
                    start_from=left if j else above if i else None,
                    read=Rectangle(row.read[0], column.read[0], _length(row.read), _length(column.read)),
                    write=Rectangle(row.write[0], column.write[0], _length(row.write), _length(column.write)),
                    fades=(*row.fades, *column.fades),
                )
            )
    return tuple(tiles)


class Canvas:
    """Adds tiles up to a frame.

    Parameters
    ----------
    tiles
        The plan; `Tile.scaled` for results on a finer grid.
    channels
        Of the pictures.
    """

    def __init__(self, tiles: Sequence[Tile], *, channels: int) -> None:
        bottom = max(tile.write.top + tile.write.height for tile in tiles)
        right = max(tile.write.left + tile.write.width for tile in tiles)
        self.pixels: NDArray[np.float32] = np.zeros((channels, bottom, right), np.float32)
        """(C, H, W), whole when every tile of the plan was added once."""

    def add(self, tile: Tile, picture: NDArray[np.float32]) -> None:
        """Blend in a tile's picture, (C, h, w) of its ``read`` rectangle."""
        written = picture[..., *tile.write.within(tile.read).slices]
        self.pixels[..., *tile.write.slices] += tile.weights() * written


@dataclass(frozen=True)
class _Span:
    """A tile along one axis: half-open ranges, and the lengths of the fades at both ends."""

    read: tuple[int, int]
    write: tuple[int, int]
    fades: tuple[int, int]


def _spans(length: int, tile: int, overlap: int) -> list[_Span]:
    if length <= tile:
        return [_Span((0, length), (0, length), (0, 0))]
    count = -(-(length - overlap) // (tile - overlap))
    size = -(-(length + (count - 1) * overlap) // count)
    starts = [i * (length - size) // (count - 1) for i in range(count)]
    context = overlap // 4
    writes = [
        (start + (context if start else 0), start + size - (context if start + size < length else 0))
        for start in starts
    ]
    shared = [before[1] - after[0] for before, after in pairwise(writes)]
    return [
        _Span((start, start + size), write, (before, after))
        for start, write, before, after in zip(starts, writes, [0, *shared], [*shared, 0], strict=True)
    ]


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _ramp(length: int, rise: int, fall: int) -> NDArray[np.float32]:
    """1 in the middle, straight lines to 0 at the ends; the fall of one tile and the rise of the next add up to 1."""
    ramp = np.ones(length, np.float32)
    if rise:
        ramp[:rise] = (np.arange(rise, dtype=np.float32) + 0.5) / rise
    if fall:
        ramp[length - fall :] = 1 - (np.arange(fall, dtype=np.float32) + 0.5) / fall
    return ramp


def box_around(marked: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Rows and columns of the rectangle around all that is True in (H, W), with so many pixels on each side."""
    rows, columns = (np.flatnonzero(np.logical_or.reduce(marked, axis=axis)) for axis in (1, 0))
    height, width = marked.shape
    return _widened(rows, margin, height), _widened(columns, margin, width)


def _widened(at: NDArray[np.intp], margin: int, length: int) -> slice:
    return slice(max(0, int(at[0]) - margin), min(length, int(at[-1]) + 1 + margin))


def middle(height: int, width: int, *, pixels: int) -> tuple[slice, slice]:
    """Rows and columns of the middle of a frame, of its shape and at most so many pixels."""
    share = min(1.0, (pixels / (height * width)) ** 0.5)
    rows, columns = (max(1, int(side * share)) for side in (height, width))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)
