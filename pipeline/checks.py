"""What can be refused before any work: a job that its source, its companions or this machine cannot satisfy."""

from pathlib import Path

from reelprior.io.errors import InputError
from reelprior.io.probe import MediaInfo
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex
from reelprior.io.writer import check_output
from reelprior.pipeline.comparison import check_reference
from reelprior.pipeline.compression import check_coding
from reelprior.pipeline.detection import check_length
from reelprior.pipeline.devices import check_device
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.footage import Footage
from reelprior.pipeline.job import Job
from reelprior.pipeline.marking import check_mark
from reelprior.pipeline.measuring import open_source
from reelprior.pipeline.provenance import check_companions
from reelprior.pipeline.unknown import Unknown

__all__ = ["check_fitting", "check_request", "check_target"]


def check_request(job: Job, source: MediaInfo) -> None:
    """Refuse what can be refused before the source has been read through.

    Raises
    ------
    UsageError
        If the device, or the folder of the report, is not there, or the source was coded without a loss to repair.
    reelprior.io.errors.OutputError
        If the output, the view of defects or a companion cannot be written.
    """
    start, stop = job.frames
    header_says_one = source.video.frames_from_header == 1
    if job.scheduler is None:
        check_device(job.settings.compute.device)
    check_target(job, source, range(start or 0, stop) if stop else range(1) if header_says_one else None)
    if job.mark:
        check_mark(job.mark, source=source, overwrite=job.overwrite)
    check_companions(job)
    check_coding(source, job.settings)
    if job.report and not Path(job.report).absolute().parent.is_dir():
        raise UsageError(f"--report {job.report}: its folder does not exist")


def check_target(
    job: Job, source: MediaInfo, frames: range | None, *, index: FrameIndex | None = None
) -> tuple[str, ...]:
    """What the output cannot hold and is left out on request, in words; see `reelprior.io.writer.check_output`."""
    scale = job.settings.scale
    return check_output(
        job.output,
        source=source,
        coding=job.coding,
        overwrite=job.overwrite,
        frames=frames,
        size=(source.video.height * scale, source.video.width * scale),
        index=index,
    )


def check_fitting(footage: Footage) -> Unknown:
    """Refuse mask, detectors and reference that do not fit the source; what the mask marks.

    Raises
    ------
    UsageError
        If a detector needs more frames than there are.
    reelprior.io.errors.InputError
        If the mask or the reference is of another size or length, or nothing is left to restore from.
    """
    job, index, video = footage.job, footage.index, footage.source.video
    check_length(
        job.settings.defects,
        footage.frames,
        handle=job.settings.handle_frames,
        source_frames=len(index),
        path=job.input,
    )
    unknown = Unknown(index, mask=job.mask, size=(video.height, video.width), wishes=job.settings.mask)
    # Stops at the first picture that shows anything.
    if job.mask is not None and all(
        missing is not None and missing.all() for missing in map(unknown.of, footage.frames)
    ):
        raise InputError(f"{job.mask}: marks every pixel as missing (white): nothing is left to restore from")
    if job.reference is not None:
        with open_reader(job.reference) as reference, open_source(footage) as reader:
            check_reference(reference, reader, footage.written_frames, scale=job.settings.scale)
    return unknown
