"""What output frames take over from the source, sample for sample: opacity, and all that the job does not change."""

from collections.abc import Generator, Iterator
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from reelprior.io.reader import open_reader
from reelprior.io.samples import Kept
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.unknown import Unknown

__all__ = ["kept_frames"]


def kept_frames(footage: Footage, pictures: range) -> Generator[Kept | None]:
    """For each restored picture what it takes over; ``None`` where that is nothing, and nothing need be read again."""
    job, index = footage.job, footage.index
    # Half of the samples of a field are another moment's: only opacity is taken over from it.
    keeps_samples = index.field_order is None and (job.restores_only_the_mask or job.settings.strength == 0)
    if not (footage.source.video.has_alpha or keeps_samples):
        yield from repeat(None, len(pictures))
        return
    changed = _changed(footage, pictures) if keeps_samples else repeat(None, len(pictures))
    with open_reader(job.input, index, reading=job.settings.source.reading) as reader:
        for samples, where in zip(reader.samples(pictures.start, pictures.stop), changed, strict=True):
            yield Kept(samples, where)


def _changed(footage: Footage, frames: range) -> Iterator[NDArray[np.bool_]]:
    """For each frame the pixels (H, W) that the job changes."""
    job, video = footage.job, footage.source.video
    size = (video.height, video.width)
    nothing = np.zeros(size, np.bool_)
    if job.settings.strength == 0:
        yield from repeat(nothing, len(frames))
        return
    unknown = Unknown(footage.index, mask=job.mask, size=size)
    for t in frames:
        changed = unknown.of(t)
        yield nothing if changed is None else changed
