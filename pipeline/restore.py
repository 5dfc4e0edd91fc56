"""Restore one clip: the whole way from a source to its restored output, top to bottom."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelprior.io.masks import Masks, open_masks
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reader import Reader, open_reader
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.writer import check_output
from reelprior.pipeline import tasks
from reelprior.pipeline.assembly import assemble
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.baseline import cheap_filter
from reelprior.pipeline.batch_backlog import BatchBacklog, Step
from reelprior.pipeline.cluster import Pool, open_pool
from reelprior.pipeline.comparison import Comparison, check_reference, compare
from reelprior.pipeline.compression import quantisation_of
from reelprior.pipeline.devices import check_device
from reelprior.pipeline.effort import TaskRecord, frame_efforts, load_record, task_seconds
from reelprior.pipeline.errors import Interrupted, UsageError
from reelprior.pipeline.job import Job, content_hash, fingerprint
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.lock import held
from reelprior.pipeline.manifest import Manifest
from reelprior.pipeline.noise import noise_of
from reelprior.pipeline.plan import Plan
from reelprior.pipeline.progress import Display, frames_done
from reelprior.pipeline.provenance import Companions, check_companions
from reelprior.pipeline.report import write_report
from reelprior.pipeline.result import Result
from reelprior.pipeline.schedule import Listener, take_steps
from reelprior.pipeline.tiling import resolve_tile_size
from reelprior.pipeline.work import Opened, Receipt, TaskFunction

__all__ = ["Restoration", "run"]

_BYTES_PER_PIXEL = 6
"""Of a chunk file before compression: three channels of 16 bits."""

_log = logging.getLogger(__name__)


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
        If the source, this machine or the disk has not what the job asks for, or another client is at work in the
        job directory.
    reelprior.io.errors.InputError
        If the source, the mask or the reference cannot be used.
    reelprior.io.errors.OutputError
        If the output cannot be written, or exists already.
    RestorationError, reelprior.models.errors.FitError
        If the work failed.
    Interrupted
        On Ctrl-C; the message says what is kept and how to go on.
    """
    work = Restoration(job, display=display)
    backlog = BatchBacklog([])
    with closing(work):
        # What can be refused is refused before any worker is started.
        opened = work.open()
        backlog.opened(0, opened.backlog, disk_bytes=opened.disk_bytes)
        with _says_how_to_resume(work):
            take_steps(backlog, {0: work}, join=lambda: _join(work), listener=_Narrator(work))
    return work.result


def _join(work: "Restoration") -> AbstractContextManager[Pool]:
    job = work.job
    return open_pool(
        work.folder,
        workers=job.workers,
        scheduler=job.scheduler,
        compute=job.settings.compute,
        # A pattern has no file of its name: its folder stands for it.
        sources=[
            path if path.exists() else path.parent for path in map(Path.absolute, map(Path, work.inputs()))
        ],
    )


class _Narrator(Listener):
    """Tells a display how far one restoration is."""

    def __init__(self, work: "Restoration") -> None:
        self._work = work

    def joined(self, pool: Pool) -> None:
        """Begin the bar."""
        self._work.display.phase("restoring", frames=len(self._work.plan.frames))

    def tick(self, running: Collection[Step]) -> None:
        """Move the bar."""
        if tasks := [step.task for step in running if step.task is not None]:
            done, loss = self._work.progress(tasks)
            self._work.display.update(done, loss=loss)


class Restoration:
    """One restoration, in the steps that the schedule takes: a `reelprior.pipeline.work.Work`.

    Parameters
    ----------
    job
        What to do.
    display
        Hears how it is going; silent by default.
    locked
        Whether the job directory lies within one that the caller has locked.
    """

    result: Result
    """What came out of it, once it is finished."""
    plan: Plan

    def __init__(self, job: Job, *, display: Display | None = None, locked: bool = False) -> None:
        self.job, self.display = job, display or Display()
        self.folder = job.directory.absolute()
        self._directory = JobDirectory(self.folder)
        self._locked = locked
        self._holds = ExitStack()
        self._opened = False
        self._peak_memory_bytes: int | None = None

    def open(self) -> Opened:
        """Look at the source, refuse what cannot be done, plan, and take over what an earlier run has finished.

        Raises
        ------
        UsageError, reelprior.io.errors.InputError, reelprior.io.errors.OutputError
            See `run`.
        """
        self._started = time.monotonic()
        job = self.job

        # What is in the source, and can the job be done at all?
        reading = job.settings.source.reading
        self.source = source = probe(job.input, reading=reading)
        _check_request(job, source)
        self.display.phase("reading")
        self.index = index = scan(job.input, reading=reading)
        frames = job.frame_range(len(index.pts))
        self._dropped = _check_output(job, source, frames)
        for loss in self._dropped:
            _log.warning("%s: dropped: %s", job.output, loss)
        self._masks = _check_companions(job, source, index, frames)
        self.job = job = job.model_copy(update={"settings": resolve_tile_size(job.settings)})

        # What every task needs to know, and the plan that follows from it.
        noise, self._noise_facts = noise_of(job.input, index, frames, job.settings)
        source_hash = content_hash(job.input)
        mask_hash = content_hash(job.mask) if job.mask else None
        profile_hash = content_hash(job.settings.noise_profile) if job.settings.noise_profile else None
        identity = fingerprint(
            job, frames=frames, source_hash=source_hash, mask_hash=mask_hash, profile_hash=profile_hash
        )
        self._companions = Companions(job, fingerprint=identity, source_sha256=source_hash)
        self.order = Order(identity, job.absolute(), frames, source.video.height, source.video.width, noise)
        self.plan = plan = self.order.plan(index)

        # What an earlier run has finished, and the rest.
        self._directory.refuse_foreign()
        if not self._locked:
            self._holds.enter_context(held(self.folder))
        self.manifest = Manifest.open(self._directory, identity, resume=job.resume)
        self._reused = sum(task.kind == "chunk" for task in self.manifest.done)
        self._directory.save_order(self.order, index)
        self._opened = True
        pixels = sum(len(chunk.write) for chunk in plan.chunks) * self.order.height * self.order.width
        backlog = Backlog(plan, done=self.manifest.done)
        return Opened(backlog, disk_bytes=pixels * _BYTES_PER_PIXEL, source_hash=source_hash)

    def function(self, task: Task) -> TaskFunction:
        """What a worker runs for a task."""
        return tasks.fit_key_frame if task.kind == "key" else tasks.restore_chunk

    def record(self, task: Task, receipt: Receipt) -> None:
        """Note that a task's result is whole, and what it took."""
        self.manifest.record(task, receipt.file_hash)
        self._peak_memory_bytes = max(self._peak_memory_bytes or 0, receipt.peak_memory_bytes)

    def progress(self, running: Collection[Task]) -> tuple[float, float | None]:
        """Frames done, fractions of running chunks counted, and the loss of one of the running tasks."""
        known = {task: self._directory.load_progress(task) for task in running}
        at = {task: progress for task, progress in known.items() if progress is not None}
        loss = next((progress.loss for progress in at.values()), None)
        return frames_done(self.plan, self.manifest.done, at), loss

    def finish(self) -> None:
        """Write the output from the chunks, and say what came out of it."""
        job, plan = self.job, self.plan
        self.display.phase("writing", frames=len(plan.frames))
        assemble(
            plan, self._directory, job=job, source=self.source, index=self.index, on_frame=self._on_frame
        )
        records = _records(self._directory, self.manifest)
        result = Result(
            job=job,
            fingerprint=self.order.fingerprint,
            frames=len(plan.frames),
            first_frame=plan.frames.start,
            seconds=time.monotonic() - self._started,
            noise=self._noise_facts,
            scenes=len(plan.scenes),
            chunks=len(plan.chunks),
            chunks_reused=self._reused,
            streams=tuple(f"{stream.kind} ({stream.codec})" for stream in self.source.streams),
            colour=colour_facts(self.source),
            dropped=self._dropped,
            worker_seconds=task_seconds(records.values()),
            report=job.report,
            peak_memory_bytes=self._peak_memory_bytes,
            peak_disk_bytes=self._directory.size_bytes(),
        )
        if job.reference or job.report:
            self.display.phase("measuring")
            comparison = _compare(job, self.order, plan, self._masks)
            result = replace(result, scores=comparison.scores())
            if job.report:
                write_report(
                    job.report,
                    result=result.to_json(),
                    comparison=comparison,
                    efforts=frame_efforts(plan, records),
                )
        self._companions.make(plan.frames, result.to_json())
        self.result = result
        if job.job_dir is None:
            self._directory.remove()

    def _on_frame(self, written: int) -> None:
        if self._directory.cancelled:
            raise Interrupted(f"writing {self.job.output} was told to stop")
        self.display.update(written)

    def facts(self) -> dict[str, Any]:
        """What came out of it, as ``--json`` prints it."""
        return self.result.to_json()

    def inputs(self) -> tuple[str, ...]:
        """The paths that it reads."""
        return (self.job.input,) if self.job.mask is None else (self.job.input, self.job.mask)

    def share_done(self, running: Collection[Task]) -> float:
        """How much of it is done, 0 to 1."""
        return self.progress(running)[0] / len(self.plan.frames)

    def cancel(self) -> None:
        """Make running tasks, and `finish`, stop soon."""
        if self._opened:
            self._directory.cancel()

    def close(self) -> None:
        """Let go of the job directory."""
        self._holds.close()


def _check_request(job: Job, source: MediaInfo) -> None:
    """What can be refused before the source has been read through."""
    start, stop = job.frames
    header_says_one = source.video.frames_from_header == 1
    if job.scheduler is None:
        check_device(job.settings.compute.device)
    _check_output(job, source, range(start or 0, stop) if stop else range(1) if header_says_one else None)
    check_companions(job)
    if job.settings.deblock:
        quantisation_of(job.input)
    if job.report and not Path(job.report).absolute().parent.is_dir():
        raise UsageError(f"--report {job.report}: its folder does not exist")


def _check_output(job: Job, source: MediaInfo, frames: range | None) -> tuple[str, ...]:
    scale = job.settings.scale
    return check_output(
        job.output,
        source=source,
        coding=job.coding,
        overwrite=job.overwrite,
        frames=frames,
        size=(source.video.height * scale, source.video.width * scale),
    )


def _check_companions(job: Job, source: MediaInfo, index: FrameIndex, frames: range) -> Masks | None:
    """Whether mask and reference fit the source; the masks."""
    masks = None
    if job.mask is not None:
        masks = open_masks(job.mask, size=(source.video.height, source.video.width), frames=len(index.pts))
    if job.reference is not None:
        with open_reader(job.reference) as reference, _open_source(job, index) as reader:
            check_reference(reference, reader, frames, scale=job.settings.scale)
    return masks


def _open_source(job: Job, index: FrameIndex | None = None) -> Reader:
    return open_reader(job.input, index, reading=job.settings.source.reading)


def colour_facts(source: MediaInfo) -> str:
    """How the colours are read, in words: ``bt601 (assumed), limited``."""
    colour = source.video.colour
    matrix = f"{colour.matrix} (assumed)" if colour.matrix_is_assumed else colour.matrix
    return f"{matrix}, {colour.range} (assumed)" if colour.range_is_assumed else f"{matrix}, {colour.range}"


def _compare(job: Job, order: Order, plan: Plan, masks: Masks | None) -> Comparison:
    with ExitStack() as stack:
        before = stack.enter_context(_open_source(job))
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
def _says_how_to_resume(work: Restoration) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as error:
        finished = sum(task.kind == "chunk" for task in work.manifest.done)
        raise Interrupted(
            f"interrupted: {finished} of {len(work.plan.chunks)} chunks are finished and kept in "
            f"{work.job.directory}; run the same command again to continue"
        ) from error
