"""What is missing in the frames of a job, as one mask.

The user's mask and what the detectors are sure of, both grown, but for where the scene is seen through a logo; lost
frames; the rows between those of fields.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelprior.io.field_rate import pictures_per_frame
from reelprior.io.images import read_image
from reelprior.io.masks import Masks, open_masks, unknown_samples
from reelprior.io.scan import FrameIndex
from reelprior.models.defects import SURE, MaskSettings, feathered, grown
from reelprior.pipeline.found import overlay_in
from reelprior.pipeline.job import Job
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["Unknown", "open_job_masks", "unknown_of"]


_AS_GIVEN = MaskSettings()


def open_job_masks(mask: str | Path, index: FrameIndex, *, size: tuple[int, int]) -> Masks:
    """The masks that a user gave, one a frame of the source, or one for all; raises as `open_masks` does."""
    return open_masks(mask, size=size, frames=len(index) // pictures_per_frame(index))


def unknown_of(
    job: Job, directory: JobDirectory, index: FrameIndex, *, size: tuple[int, int], every: int = 1
) -> "Unknown":
    """What is unknown of the pictures of a job, what its detectors found included; see `Unknown`.

    Parameters
    ----------
    every
        Every so manieth of the pictures that were looked at is one of ``index``.
    """
    looked = job.settings.defects.masks
    overlay = overlay_in(directory) if looked else None
    return Unknown(
        index,
        mask=job.mask,
        size=size,
        wishes=job.settings.mask,
        found=(lambda t: directory.mask_path(t * every)) if looked else None,
        seen_through=None if overlay is None else overlay.covered,
    )


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
    wishes
        How masks, given or found, are grown, and what is feathered around them.
    found
        Path of the mask that the detectors made for a picture; None where nothing was looked for.
    seen_through
        (H, W), True where that is a logo behind which the scene is known; None for nowhere.

    Raises
    ------
    reelprior.io.errors.InputError
        As `open_job_masks` does.
    """

    def __init__(
        self,
        index: FrameIndex,
        *,
        mask: str | None,
        size: tuple[int, int],
        wishes: MaskSettings = _AS_GIVEN,
        found: Callable[[int], Path] | None = None,
        seen_through: NDArray[np.bool_] | None = None,
    ) -> None:
        self._index, self._size, self._wishes, self._found = index, size, wishes, found
        self._seen_through = np.zeros(size, np.bool_) if seen_through is None else seen_through
        self._masks = None if mask is None else open_job_masks(mask, index, size=size)

    def read(self, pictures: range) -> NDArray[np.bool_] | None:
        """(T, H, W), True where nothing is known; None where everything is."""
        holes = self._holes(pictures)
        lacking = unknown_samples(self._index, pictures.start, pictures.stop, size=self._size)
        if holes is None or lacking is None:
            return lacking if holes is None else holes
        return holes | lacking

    def of(self, t: int) -> NDArray[np.bool_] | None:
        """(H, W), True where a picture does not show the scene as it is: unknown, or seen through a logo."""
        unknown = self.read(range(t, t + 1))
        return None if unknown is None else unknown[0] | self._seen_through

    def touched(self, t: int) -> NDArray[np.bool_]:
        """Pixels (H, W) of a picture that change: what is unknown, seen through a logo, or feathered around either."""
        unknown = self.of(t)
        if unknown is None:
            return np.zeros(self._size, np.bool_)
        touched: NDArray[np.bool_] = feathered(unknown[None], self._wishes.feather)[0] > 0
        return touched

    def _holes(self, pictures: range) -> NDArray[np.bool_] | None:
        """What was given and found, grown."""
        if self._masks is None and self._found is None:
            return None
        holes = np.zeros((len(pictures), *self._size), np.bool_)
        if self._found is not None:
            for position, t in enumerate(pictures):
                holes[position] = read_image(self._found(t))[0].mean(axis=0) >= SURE
            holes = grown(holes, self._wishes.grow) & ~self._seen_through
        if self._masks is not None:
            per = pictures_per_frame(self._index)
            first = pictures.start // per
            given = self._masks.read(first, -(-pictures.stop // per)).repeat(per, axis=0)
            holes |= grown(given[pictures.start - per * first :][: len(pictures)], self._wishes.grow)
        return holes
