"""Restore one clip: the whole way from a source to its restored output, top to bottom."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reader import open_reader
from reelprior.io.scan import scan
from reelprior.io.writer import check_output
from reelprior.pipeline.assembly import assemble
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.comparison import Comparison, check_reference, compare
from reelprior.pipeline.devices import check_device
from reelprior.pipeline.errors import Interrupted, UsageError
from reelprior.pipeline.footage import Footage, footage_of
from reelprior.pipeline.job import Job, content_hash, fingerprint
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.manifest import Manifest
from reelprior.pipeline.noise import noise_of
from reelprior.pipeline.plan import Plan
from reelprior.pipeline.progress import Display, frames_done
from reelprior.pipeline.record import sidecar_of
from reelprior.pipeline.report import write_report
from reelprior.pipeline.result import Result
from reelprior.pipeline.schedule import run_tasks
from reelprior.pipeline.sidecar import wants_sidecar, write_sidecar
from reelprior.pipeline.tiling import resolve_tile_size
from reelprior.pipeline.unknown import open_job_masks

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
    job = job.model_copy(update={"settings": resolve_tile_size(job.settings)})
    footage = footage_of(job, source, index)
    source, index, frames = footage.source, footage.index, footage.frames
    _check_output(job, source, footage.written_frames)
    _check_companions(footage)

    # What every task needs to know, and the plan that follows from it.
    noise, noise_facts = noise_of(footage.job.input, index, frames, job.settings)
    source_hash, mask_hash = content_hash(job.input), content_hash(job.mask) if job.mask else None
    profile_hash = content_hash(job.settings.noise_profile) if job.settings.noise_profile else None
    identity = fingerprint(
        job,
        frames=frames,
        source_hash=source_hash,
        mask_hash=mask_hash,
        profile_hash=profile_hash,
    )
    order = Order(identity, footage.job.absolute(), frames, source.video.height, source.video.width, noise)
    plan = order.plan(index)

    # What an earlier run has finished, and the rest.
    directory = JobDirectory(job.directory.absolute())
    manifest = Manifest.open(directory, identity, resume=job.resume)
    reused = sum(task.kind == "chunk" for task in manifest.done)
    with _says_how_to_resume(job, manifest, plan):
        directory.save_order(order, index)
        _restore_chunks(job, plan, directory, manifest, display)
        display.phase("writing", frames=len(frames))
        assemble(
            plan,
            directory,
            job=job,
            source=source,
            index=footage.written_index,
            every=footage.treatment.every,
            on_frame=display.update,
        )

    # What came out of it.
    result = Result(
        job=job,
        fingerprint=identity,
        frames=len(footage.written_frames),
        first_frame=footage.written_frames.start,
        seconds=time.monotonic() - started,
        noise=noise_facts,
        scenes=len(plan.scenes),
        chunks=len(plan.chunks),
        chunks_reused=reused,
        streams=tuple(f"{stream.kind} ({stream.codec})" for stream in source.streams),
        colour=colour_facts(source),
        report=job.report,
    )
    if job.reference or job.report:
        display.phase("measuring")
        comparison = _compare(footage)
        result = replace(result, scores=comparison.scores())
        if job.report:
            write_report(job.report, result=result.to_json(), comparison=comparison)
    if wants_sidecar(job):
        write_sidecar(sidecar_of(footage, result, source_hash=source_hash, mask_hash=mask_hash))
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
    if job.report and not Path(job.report).absolute().parent.is_dir():
        raise UsageError(f"--report {job.report}: its folder does not exist")


def _check_output(job: Job, source: MediaInfo, frames: range | None) -> None:
    check_output(job.output, source=source, coding=job.coding, overwrite=job.overwrite, frames=frames)


def _check_companions(footage: Footage) -> None:
    """Whether mask and reference fit the source."""
    job, video = footage.job, footage.source.video
    if job.mask is not None:
        open_job_masks(job.mask, footage.index, size=(video.height, video.width))
    if job.reference is not None:
        with (
            open_reader(job.reference) as reference,
            open_reader(job.input, footage.written_index) as reader,
        ):
            check_reference(reference, reader, footage.written_frames)


def colour_facts(source: MediaInfo) -> str:
    """How the colours are read, in words: ``bt601 (assumed), limited``."""
    colour = source.video.colour
    matrix = f"{colour.matrix} (assumed)" if colour.matrix_is_assumed else colour.matrix
    return f"{matrix}, {colour.range} (assumed)" if colour.range_is_assumed else f"{matrix}, {colour.range}"


def _compare(footage: Footage) -> Comparison:
    job, frames = footage.job, footage.written_frames
    with ExitStack() as stack:
        before = stack.enter_context(open_reader(job.input, footage.written_index))
        after = stack.enter_context(open_reader(job.output))
        reference = stack.enter_context(open_reader(job.reference)) if job.reference else None
        return compare(before, after, reference, frames)


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
