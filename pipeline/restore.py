"""Restore one clip: the whole way from a source to its restored output, top to bottom."""

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelprior.io.masks import mask_paths
from reelprior.io.probe import probe
from reelprior.io.scan import scan
from reelprior.pipeline import tasks
from reelprior.pipeline.assembly import assemble
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.batch_backlog import BatchBacklog, Step
from reelprior.pipeline.checks import check_fitting, check_request, check_target
from reelprior.pipeline.cluster import Pool, open_pool
from reelprior.pipeline.detection import detect
from reelprior.pipeline.effort import frame_efforts, load_records, task_seconds
from reelprior.pipeline.errors import Interrupted
from reelprior.pipeline.footage import footage_of
from reelprior.pipeline.found import Findings
from reelprior.pipeline.job import Job, content_hash, fingerprint, mask_hash
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.lock import held
from reelprior.pipeline.manifest import Manifest
from reelprior.pipeline.marking import mark
from reelprior.pipeline.measuring import measure_output
from reelprior.pipeline.noise import noise_of
from reelprior.pipeline.plan import Plan
from reelprior.pipeline.progress import Display, frames_done
from reelprior.pipeline.provenance import Companions
from reelprior.pipeline.record import sidecar_of
from reelprior.pipeline.report import Finding, write_report
from reelprior.pipeline.result import Result
from reelprior.pipeline.schedule import Listener, take_steps
from reelprior.pipeline.sidecar import wants_sidecar, write_sidecar
from reelprior.pipeline.source import colour_facts
from reelprior.pipeline.threads import leave_threads_to_tasks
from reelprior.pipeline.tiling import processes_per_gpu, resolve_tile_size
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
    leave_threads_to_tasks()
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
    job, order = work.job, work.order
    settings = job.settings
    height, width = settings.scale * order.height, settings.scale * order.width
    return open_pool(
        work.folder,
        workers=job.workers,
        scheduler=job.scheduler,
        compute=settings.compute,
        per_gpu=processes_per_gpu(settings, height=height, width=width),
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
        source = probe(job.input, reading=reading)
        check_request(job, source)
        self.display.phase("reading")
        index = scan(job.input, reading=reading)
        self.job = job = job.model_copy(update={"settings": resolve_tile_size(job.settings)})
        self._footage = footage = footage_of(job, source, index)
        source, index, frames = footage.source, footage.index, footage.frames
        self._dropped = check_target(job, source, footage.written_frames, index=footage.written_index)
        for loss in self._dropped:
            _log.warning("%s: dropped: %s", job.output, loss)
        unknown = check_fitting(footage)

        # What every task needs to know, and the plan that follows from it.
        noise, self._noise_facts = noise_of(
            footage.job.input, index, frames, job.settings, footage.coding, missing_of=unknown.of
        )
        source_hash = content_hash(job.input)
        self._source_sha256 = source_hash
        self._mask_sha256 = mask_hash(job.mask) if job.mask else None
        profile_hash = content_hash(job.settings.noise_profile) if job.settings.noise_profile else None
        identity = fingerprint(
            job,
            frames=frames,
            source_hash=source_hash,
            mask_hash=self._mask_sha256,
            profile_hash=profile_hash,
        )
        self._companions = Companions(job, fingerprint=identity, source_sha256=source_hash)
        self.order = Order(
            identity,
            job.absolute(),
            frames,
            source.video.height,
            source.video.width,
            noise,
            film=footage.film,
        )
        self.plan = plan = self.order.plan(index)

        # What an earlier run has finished, and the rest.
        self._directory.refuse_foreign()
        if not self._locked:
            self._holds.enter_context(held(self.folder))
        self.manifest = Manifest.open(self._directory, identity, resume=job.resume)
        self._reused = sum(task.kind == "chunk" for task in self.manifest.done)
        self._directory.save_order(self.order, index)
        self._opened = True
        self._findings = self._find_defects()
        pixels = sum(len(chunk.write) for chunk in plan.chunks) * self.order.height * self.order.width
        pixels *= job.settings.scale**2
        backlog = Backlog(plan, done=self.manifest.done)
        return Opened(backlog, disk_bytes=pixels * _BYTES_PER_PIXEL, source_hash=source_hash)

    def _find_defects(self) -> Findings:
        """What the detectors find, or found in an earlier run; it is shown where that is wished for."""
        job, footage, findings = self.job, self._footage, Findings()
        with _says_how_to_resume(self):
            if job.settings.defects.any:
                self.display.phase("finding defects", frames=len(self.plan.frames))
                findings = detect(self.order, footage.index, self._directory, on_frame=self._on_searched)
            if job.mark:
                mark(job.mark, footage, self._directory)
        return findings

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
        job, plan, footage = self.job, self.plan, self._footage
        self.display.phase("writing", frames=len(plan.frames))
        assemble(plan, self._directory, footage=footage, on_frame=self._on_frame)
        records = load_records(self._directory, self.manifest.hashes)
        result = Result(
            job=job,
            fingerprint=self.order.fingerprint,
            frames=len(footage.written_frames),
            first_frame=footage.written_frames.start,
            seconds=time.monotonic() - self._started,
            noise=self._noise_facts,
            scenes=len(plan.scenes),
            chunks=len(plan.chunks),
            chunks_reused=self._reused,
            streams=tuple(f"{stream.kind} ({stream.codec})" for stream in footage.source.streams),
            colour=colour_facts(footage.source),
            dropped=self._dropped,
            worker_seconds=task_seconds(records.values()),
            report=job.report,
            defects=self._findings.facts,
            tone_curves=self._findings.curves_to_json(self.order.frames),
            peak_memory_bytes=self._peak_memory_bytes,
            peak_disk_bytes=self._directory.size_bytes(),
        )
        if job.reference or job.report:
            self.display.phase("measuring")
            comparison = measure_output(footage, self.order, plan, self._directory)
            result = replace(result, scores=comparison.scores())
            if job.report:
                verdict = write_report(
                    job.report,
                    result=result.to_json(),
                    comparison=comparison,
                    efforts=frame_efforts(plan, records, every=footage.treatment.every),
                    findings=[Finding(*found) for found in self._findings.by_detector()],
                )
                result = replace(result, verdict=verdict.kind)
        self._companions.make(footage.source_frames, result.to_json())
        if wants_sidecar(job):
            write_sidecar(
                sidecar_of(footage, result, source_hash=self._source_sha256, mask_hash=self._mask_sha256)
            )
        self.result = result
        if job.job_dir is None:
            self._directory.remove()

    def _on_searched(self, frames: int) -> None:
        if self._directory.cancelled:
            raise Interrupted(f"looking for defects in {self.job.input} was told to stop")
        self.display.update(frames)

    def _on_frame(self, written: int) -> None:
        if self._directory.cancelled:
            raise Interrupted(f"writing {self.job.output} was told to stop")
        self.display.update(written)

    def facts(self) -> dict[str, Any]:
        """What came out of it, as ``--json`` prints it."""
        return self.result.to_json()

    def inputs(self) -> tuple[str, ...]:
        """The paths that it reads."""
        return (self.job.input, *(() if self.job.mask is None else mask_paths(self.job.mask)))

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
