"""What output frames take over from the source, sample for sample: opacity, and all that the job does not change."""

from collections.abc import Generator, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.masks import open_masks
from reelprior.io.probe import MediaInfo
from reelprior.io.reader import open_reader
from reelprior.io.samples import Kept
from reelprior.io.scan import FrameIndex
from reelprior.pipeline.job import Job

__all__ = ["kept_frames"]


def kept_frames(job: Job, source: MediaInfo, index: FrameIndex, frames: range) -> Generator[Kept | None]:
    """For each frame what it takes over; ``None`` where that is nothing, and the source need not be read again."""
    if not (source.video.has_alpha or job.restores_only_the_mask or job.settings.strength == 0):
        yield from repeat(None, len(frames))
        return
    changed = _changed(job, source, index, frames)
    with open_reader(job.input, index, reading=job.settings.source.reading) as reader:
        for samples, where in zip(reader.samples(frames.start, frames.stop), changed, strict=True):
            yield Kept(samples, where)


def _changed(
    job: Job, source: MediaInfo, index: FrameIndex, frames: range
) -> Iterator[NDArray[np.bool_] | None]:
    """For each frame the pixels (H, W) that the job changes; ``None`` for all of them."""
    size = (source.video.height, source.video.width)
    if job.settings.strength == 0:
        yield from repeat(np.zeros(size, np.bool_), len(frames))
    elif job.restores_only_the_mask and job.mask is not None:
        masks = open_masks(job.mask, size=size, frames=len(index.pts))
        for t in frames:
            yield masks.read(t, t + 1)[0]
    else:
        yield from repeat(None, len(frames))
