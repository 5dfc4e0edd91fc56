"""The output of a job put beside its source, its reference and the cheap filter: `comparison` for a job."""

from contextlib import ExitStack

from reelprior.io.reader import Reader, open_reader
from reelprior.pipeline.baseline import cheap_filter
from reelprior.pipeline.comparison import Comparison, compare
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.plan import Plan
from reelprior.pipeline.unknown import unknown_of

__all__ = ["measure_output", "open_source"]


def open_source(footage: Footage) -> Reader:
    """What is compared with the output: pictures that correspond to those that are written."""
    job = footage.job
    return open_reader(job.input, footage.written_index, reading=job.settings.source.reading)


def measure_output(footage: Footage, order: Order, plan: Plan, directory: JobDirectory) -> Comparison:
    """Compare a finished output; see `reelprior.pipeline.comparison.compare`."""
    job, every = footage.job, footage.treatment.every
    size = (order.height, order.width)
    unknown = unknown_of(job, directory, footage.written_index, size=size, every=every)
    with ExitStack() as stack:
        before = stack.enter_context(open_source(footage))
        after = stack.enter_context(open_reader(job.output))
        reference = stack.enter_context(open_reader(job.reference)) if job.reference else None
        return compare(
            before,
            after,
            reference,
            footage.written_frames,
            baseline=cheap_filter(job, order.noise),
            missing=unknown.of,
            cuts={scene.frames.start // every for scene in plan.scenes},
        )
