"""What output frames take over from the source, sample for sample: opacity, and all that the job does not change."""

from collections.abc import Generator, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.probe import MediaInfo
from reelprior.io.reader import open_reader
from reelprior.io.samples import Kept
from reelprior.io.scan import FrameIndex
from reelprior.models.defects import feathered
from reelprior.pipeline.detection import missing_in, tones_in
from reelprior.pipeline.job import Job
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["kept_frames"]


def kept_frames(
    job: Job, directory: JobDirectory, source: MediaInfo, index: FrameIndex, frames: range
) -> Generator[Kept | None]:
    """For each frame what it takes over; ``None`` where that is nothing, and the source need not be read again."""
    if not (source.video.has_alpha or job.restores_only_the_mask or job.settings.strength == 0):
        yield from repeat(None, len(frames))
        return
    changed = _changed(job, directory, source, index, frames)
    with open_reader(job.input, index, reading=job.settings.source.reading) as reader:
        for samples, where in zip(reader.samples(frames.start, frames.stop), changed, strict=True):
            yield Kept(samples, where)


def _changed(
    job: Job, directory: JobDirectory, source: MediaInfo, index: FrameIndex, frames: range
) -> Iterator[NDArray[np.bool_] | None]:
    """For each frame the pixels (H, W) that the job changes; ``None`` for all of them."""
    size = (source.video.height, source.video.width)
    if job.settings.strength == 0:
        yield from repeat(np.zeros(size, np.bool_), len(frames))
    elif not job.restores_only_the_mask:
        yield from repeat(None, len(frames))
    else:
        for t, curve in zip(frames, tones_in(directory, frames), strict=True):
            if not curve.is_identity:
                yield None
                continue
            missing = missing_in(job, index, directory, range(t, t + 1), size=size)
            if missing is None:
                yield np.zeros(size, np.bool_)
            else:
                yield feathered(missing, job.settings.mask.feather)[0] > 0
