"""What is missing in the frames of a job: where its mask is white, in lost frames, and between the rows of fields."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.masks import Masks, open_masks, unknown_samples
from reelprior.io.scan import FrameIndex

__all__ = ["open_job_masks", "unknown_in"]


def open_job_masks(mask: str | Path, index: FrameIndex, *, size: tuple[int, int]) -> Masks:
    """The masks that a user gave, one a frame of the source, or one for all; raises as `open_masks` does."""
    return open_masks(mask, size=size, frames=len(index) // _pictures_per_frame(index))


def unknown_in(
    index: FrameIndex, frames: range, *, mask: str | None, size: tuple[int, int]
) -> NDArray[np.bool_] | None:
    """(T, H, W) bool, True where nothing is known of the pictures ``frames``; None where everything is.

    Parameters
    ----------
    index
        Of frames, or of fields: both fields of a frame share its mask.
    size
        (height, width).
    """
    unknown = unknown_samples(index, frames.start, frames.stop, size=size)
    if mask is None:
        return unknown
    per = _pictures_per_frame(index)
    first = frames.start // per
    given = open_job_masks(mask, index, size=size).read(first, -(-frames.stop // per))
    given = given.repeat(per, axis=0)[frames.start - per * first :][: len(frames)]
    return given if unknown is None else unknown | given


def _pictures_per_frame(index: FrameIndex) -> int:
    return 1 if index.field_order is None else 2
