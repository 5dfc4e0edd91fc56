"""What is missing in the frames of a job: where its mask is white, in lost frames, and between the rows of fields."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.masks import Masks, open_masks, unknown_samples
from reelprior.io.scan import FrameIndex

__all__ = ["Unknown", "open_job_masks"]


def open_job_masks(mask: str | Path, index: FrameIndex, *, size: tuple[int, int]) -> Masks:
    """The masks that a user gave, one a frame of the source, or one for all; raises as `open_masks` does."""
    return open_masks(mask, size=size, frames=len(index) // _pictures_per_frame(index))


class Unknown:
    """What is unknown of the pictures of a job.

    Parameters
    ----------
    index
        Of frames, or of fields: both fields of a frame share its mask.
    mask
        That a user gave.
    size
        (height, width).

    Raises
    ------
    reelprior.io.errors.InputError
        As `open_job_masks` does.
    """

    def __init__(self, index: FrameIndex, *, mask: str | None, size: tuple[int, int]) -> None:
        self._index, self._size = index, size
        self._masks = None if mask is None else open_job_masks(mask, index, size=size)

    def read(self, pictures: range) -> NDArray[np.bool_] | None:
        """(T, H, W), True where nothing is known; None where everything is."""
        unknown = unknown_samples(self._index, pictures.start, pictures.stop, size=self._size)
        if self._masks is None:
            return unknown
        per = _pictures_per_frame(self._index)
        first = pictures.start // per
        given = self._masks.read(first, -(-pictures.stop // per))
        given = given.repeat(per, axis=0)[pictures.start - per * first :][: len(pictures)]
        return given if unknown is None else unknown | given

    def of(self, t: int) -> NDArray[np.bool_] | None:
        """The same of one picture, (H, W)."""
        unknown = self.read(range(t, t + 1))
        return None if unknown is None else unknown[0]


def _pictures_per_frame(index: FrameIndex) -> int:
    return 1 if index.field_order is None else 2
