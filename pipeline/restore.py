"""Restore one clip: the whole way from a source to its restored output, top to bottom."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from reelprior.io.masks import Masks, open_masks
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.writer import check_output
from reelprior.pipeline.assembly import assemble
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.baseline import cheap_filter
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.comparison import Comparison, check_reference, compare
from reelprior.pipeline.devices import check_device
from reelprior.pipeline.effort import TaskRecord, frame_efforts, load_record, task_seconds
from reelprior.pipeline.errors import Interrupted, UsageError
from reelprior.pipeline.job import Job, content_hash, fingerprint
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.manifest import Manifest
from reelprior.pipeline.noise import noise_of
from reelprior.pipeline.plan import Plan
from reelprior.pipeline.progress import Display, frames_done
from reelprior.pipeline.provenance import Companions, check_companions
from reelprior.pipeline.report import write_report
from reelprior.pipeline.result import Result
from reelprior.pipeline.schedule import run_tasks
from reelprior.pipeline.tiling import resolve_tile_size

__all__ = ["run"]


def run(job: Job, *, display: Display | None = None) -> Result:
    """Restore what a job asks for.

    Parameters
    ----------
    job
        What to do.
    display
        Hears how it is going; silent by default.

    Raises
    ------
    UsageError
        If the source, this machine or the disk has not what the job asks for.
    reelprior.io.errors.InputError
        If the source, the mask or the reference cannot be used.
    reelprior.io.errors.OutputError
        If the output cannot be written, or exists already.
    RestorationError, reelprior.models.errors.FitError
        If the work failed.
    Interrupted
        On Ctrl-C; the message says what is kept and how to go on.
    """
    display = display or Display()
    started = time.monotonic()

    # What is in the source, and can the job be done at all?
    source = probe(job.input)
    _check_request(job, source)
    display.phase("reading")
    index = scan(job.input)
    frames = job.frame_range(len(index.pts))
    _check_output(job, source, frames)
    masks = _check_companions(job, source, index, frames)

    job = job.model_copy(update={"settings": resolve_tile_size(job.settings)})

    # What every task needs to know, and the plan that follows from it.
    noise, noise_facts = noise_of(job.input, index, frames, job.settings)
    mask_hash = content_hash(job.mask) if job.mask else None
    profile_hash = content_hash(job.settings.noise_profile) if job.settings.noise_profile else None
    source_hash = content_hash(job.input)
    identity = fingerprint(
        job,
        frames=frames,
        source_hash=source_hash,
        mask_hash=mask_hash,
        profile_hash=profile_hash,
    )
    companions = Companions(job, fingerprint=identity, source_sha256=source_hash)
    order = Order(identity, job.absolute(), frames, source.video.height, source.video.width, noise)
    plan = order.plan(index)

    # What an earlier run has finished, and the rest.
    directory = JobDirectory(job.directory.absolute())
    manifest = Manifest.open(directory, identity, resume=job.resume)
    reused = sum(task.kind == "chunk" for task in manifest.done)
    with _says_how_to_resume(job, manifest, plan):
        directory.save_order(order, index)
        _restore_chunks(job, plan, directory, manifest, display)
        display.phase("writing", frames=len(frames))
        assemble(plan, directory, job=job, source=source, index=index, on_frame=display.update)

    # What came out of it, and what it took.
    records = _records(directory, manifest)
    result = Result(
        job=job,
        fingerprint=identity,
        frames=len(frames),
        first_frame=frames.start,
        seconds=time.monotonic() - started,
        noise=noise_facts,
        scenes=len(plan.scenes),
        chunks=len(plan.chunks),
        chunks_reused=reused,
        streams=tuple(f"{stream.kind} ({stream.codec})" for stream in source.streams),
        colour=colour_facts(source),
        worker_seconds=task_seconds(records.values()),
        report=job.report,
    )
    if job.reference or job.report:
        display.phase("measuring")
        comparison = _compare(job, order, plan, masks)
        result = replace(result, scores=comparison.scores())
        if job.report:
            write_report(
                job.report,
                result=result.to_json(),
                comparison=comparison,
                efforts=frame_efforts(plan, records),
            )
    companions.make(frames, result.to_json())
    if job.job_dir is None:
        directory.remove()
    return result


def _restore_chunks(
    job: Job, plan: Plan, directory: JobDirectory, manifest: Manifest, display: Display
) -> None:
    """Fit the key frames and restore the chunks that the manifest does not vouch for."""
    backlog = Backlog(plan, done=manifest.done)
    if backlog.empty:
        return

    def show(running: frozenset[Task]) -> None:
        known = {task: directory.load_progress(task) for task in running}
        progress = {task: at for task, at in known.items() if at is not None}
        loss = next((at.loss for at in progress.values()), None)
        display.update(frames_done(plan, manifest.done, progress), loss=loss)

    display.phase("restoring", frames=len(plan.frames))
    settings = job.settings
    with open_pool(
        directory.path, workers=job.workers, scheduler=job.scheduler, compute=settings.compute
    ) as pool:
        run_tasks(backlog, directory, pool, on_done=manifest.record, on_tick=show)


def _check_request(job: Job, source: MediaInfo) -> None:
    """What can be refused before the source has been read through."""
    start, stop = job.frames
    header_says_one = source.video.frames_from_header == 1
    if job.scheduler is None:
        check_device(job.settings.compute.device)
    _check_output(job, source, range(start or 0, stop) if stop else range(1) if header_says_one else None)
    check_companions(job)
    if job.report and not Path(job.report).absolute().parent.is_dir():
        raise UsageError(f"--report {job.report}: its folder does not exist")


def _check_output(job: Job, source: MediaInfo, frames: range | None) -> None:
    check_output(job.output, source=source, coding=job.coding, overwrite=job.overwrite, frames=frames)


def _check_companions(job: Job, source: MediaInfo, index: FrameIndex, frames: range) -> Masks | None:
    """Whether mask and reference fit the source; the masks."""
    masks = None
    if job.mask is not None:
        masks = open_masks(job.mask, size=(source.video.height, source.video.width), frames=len(index.pts))
    if job.reference is not None:
        with open_reader(job.reference) as reference, open_reader(job.input, index) as reader:
            check_reference(reference, reader, frames)
    return masks


def colour_facts(source: MediaInfo) -> str:
    """How the colours are read, in words: ``bt601 (assumed), limited``."""
    colour = source.video.colour
    matrix = f"{colour.matrix} (assumed)" if colour.matrix_is_assumed else colour.matrix
    return f"{matrix}, {colour.range} (assumed)" if colour.range_is_assumed else f"{matrix}, {colour.range}"


def _compare(job: Job, order: Order, plan: Plan, masks: Masks | None) -> Comparison:
    with ExitStack() as stack:
        before = stack.enter_context(open_reader(job.input))
        after = stack.enter_context(open_reader(job.output))
        reference = stack.enter_context(open_reader(job.reference)) if job.reference else None
        return compare(
            before,
            after,
            reference,
            plan.frames,
            baseline=cheap_filter(job, order.noise),
            masks=masks,
            cuts={scene.frames.start for scene in plan.scenes},
        )


def _records(directory: JobDirectory, manifest: Manifest) -> dict[Task, TaskRecord]:
    """What the finished tasks took, those of earlier runs too; some may be lost, which harms nothing."""
    known = {
        task: load_record(directory, task, result_sha256=file_hash)
        for task, file_hash in manifest.hashes.items()
    }
    return {task: record for task, record in known.items() if record is not None}


@contextmanager
def _says_how_to_resume(job: Job, manifest: Manifest, plan: Plan) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as error:
        finished = sum(task.kind == "chunk" for task in manifest.done)
        raise Interrupted(
            f"interrupted: {finished} of {len(plan.chunks)} chunks are finished and kept in {job.directory}; "
            "run the same command again to continue"
        ) from error
