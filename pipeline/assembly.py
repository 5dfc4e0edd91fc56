"""Assembly: restored chunks in order, cross-faded at their borders, with the source's times and streams.

Streams from end to end: besides one frame, only the few frames of the current fade are in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from reelprior.io.chunks import read_frames
from reelprior.io.frame import Frame
from reelprior.io.writer import open_writer
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.kept import kept_frames
from reelprior.pipeline.plan import Chunk, Plan, fade_weights

__all__ = ["assemble", "cross_fade"]

Pixels = NDArray[np.float32]


def assemble(
    plan: Plan,
    directory: JobDirectory,
    *,
    footage: Footage,
    on_frame: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the output from the chunk files of a job directory; ``on_frame`` hears how many pictures were read.

    Raises
    ------
    reelprior.io.errors.OutputError
        If the output cannot be written; nothing stays under its name then.
    """
    chunks = ((chunk, read_frames(directory.result_path(Task("chunk", chunk.id)))) for chunk in plan.chunks)
    job, index, every = footage.job, footage.written_index, footage.treatment.every
    writer = open_writer(
        job.output,
        source=footage.source,
        coding=job.coding,
        overwrite=job.overwrite,
        index=index,
        frames=footage.written_frames,
    )
    with writer, closing(kept_frames(footage, directory, plan.frames)) as kept:
        for done, ((number, pixels), own) in enumerate(zip(cross_fade(plan, chunks), kept, strict=True)):
            t, between = divmod(number, every)
            if not between:
                writer.write(Frame(pixels, t, index.pts[t], index.durations[t], index.time_base), own)
            on_frame(done + 1)


def cross_fade(plan: Plan, chunks: Iterable[tuple[Chunk, Iterable[Pixels]]]) -> Iterator[tuple[int, Pixels]]:
    """Blend overlapping chunks into one run of frames.

    Parameters
    ----------
    plan
        The plan of which ``chunks`` are the chunks.
    chunks
        In order; each with the frames of its ``write`` range, (3, H, W) float32.

    Yields
    ------
    tuple[int, NDArray]
        Frame index and pixels, in order, each frame of the plan once.
    """
    begun: dict[int, Pixels] = {}  # frames whose next chunk is still to come, weighted already
    for chunk, frames in chunks:
        weights = fade_weights(plan, chunk)
        next_starts = _next_start(plan, chunk)
        for t, weight, pixels in zip(chunk.write, weights, frames, strict=True):
            if weight == 1.0:
                yield t, pixels
                continue
            blended = np.float32(weight) * pixels + begun.pop(t, np.float32(0.0))
            if t >= next_starts:
                begun[t] = blended
            else:
                yield t, blended


def _next_start(plan: Plan, chunk: Chunk) -> int:
    """The first frame that a later chunk writes too."""
    if chunk.id + 1 < len(plan.chunks):
        return plan.chunks[chunk.id + 1].write.start
    return plan.frames.stop
