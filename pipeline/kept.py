"""What output frames take over from the source, sample for sample: opacity, and all that the job does not change."""

from collections.abc import Generator, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.reader import open_reader
from reelprior.io.samples import Kept
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.found import tones_in
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.unknown import unknown_of

__all__ = ["kept_frames"]


def kept_frames(footage: Footage, directory: JobDirectory, pictures: range) -> Generator[Kept | None]:
    """For each restored picture what it takes over; ``None`` where that is nothing, and nothing need be read again."""
    job, index = footage.job, footage.index
    # Half of the samples of a field are another moment's: only opacity is taken over from it.
    keeps_samples = index.field_order is None and (job.restores_only_the_mask or job.settings.strength == 0)
    if not (footage.source.video.has_alpha or keeps_samples):
        yield from repeat(None, len(pictures))
        return
    changed = _changed(footage, directory, pictures) if keeps_samples else repeat(None, len(pictures))
    with open_reader(job.input, index, reading=job.settings.source.reading) as reader:
        for samples, where in zip(reader.samples(pictures.start, pictures.stop), changed, strict=True):
            yield Kept(samples, where)


def _changed(footage: Footage, directory: JobDirectory, frames: range) -> Iterator[NDArray[np.bool_] | None]:
    """For each frame the pixels (H, W) that the job changes; ``None`` for all of them."""
    job, video = footage.job, footage.source.video
    size = (video.height, video.width)
    if job.settings.strength == 0:
        yield from repeat(np.zeros(size, np.bool_), len(frames))
        return
    unknown = unknown_of(job, directory, footage.index, size=size)
    for t, curve in zip(frames, tones_in(directory, frames), strict=True):
        yield unknown.touched(t) if curve.is_identity else None
