"""What a batch will take: measured on its own files, on this machine, before any work.

The first file of each frame size and kind of wish gets a `trial`; the others are reckoned by their frames.
"""

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reelprior.io.errors import MediaError
from reelprior.io.images import is_images
from reelprior.io.moment import read_moment
from reelprior.io.photographs import read_photograph
from reelprior.io.probe import MediaInfo, probe
from reelprior.pipeline.batch_plan import Item, plan_items
from reelprior.pipeline.batch_result import BatchOptions
from reelprior.pipeline.batchdir import BatchDirectory
from reelprior.pipeline.footage import treatment_of
from reelprior.pipeline.job import Job
from reelprior.pipeline.progress import readable_time
from reelprior.pipeline.settings import Settings
from reelprior.pipeline.trial import Trial, header_plan, try_out, try_out_pair
from reelprior.pipeline.wishes import Wishes, job_fields

__all__ = ["Estimate", "FileEstimate", "estimate_batch"]

_FRAMES_LOOKED_AT = 10
"""For fields: a job looks at all."""


@dataclass(frozen=True)
class FileEstimate:
    """What one file will take; zeros where it cannot be read, with the reason in ``remark``."""

    source: str
    output: str
    kind: str
    size: str
    frames: int
    seconds: float = 0.0
    memory_bytes: int = 0
    disk_bytes: int = 0
    remark: str | None = None


@dataclass(frozen=True)
class Estimate:
    """What a batch will take.

    Attributes
    ----------
    files
        One by one.
    workers
        Among which the time is divided.
    """

    files: Sequence[FileEstimate]
    workers: int

    @property
    def seconds(self) -> float:
        """Of the whole batch, by the clock on the wall."""
        return sum(file.seconds for file in self.files) / self.workers

    @property
    def memory_bytes(self) -> int:
        """Of one worker at most."""
        return max((file.memory_bytes for file in self.files), default=0)

    @property
    def disk_bytes(self) -> int:
        """Of the chunks of the largest file, which is what the disk has to hold at least."""
        return max((file.disk_bytes for file in self.files), default=0)

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "dry_run": True,
            "files": [asdict(file) for file in self.files],
            "workers": self.workers,
            "seconds": round(self.seconds, 1),
            "memory_bytes_per_worker": self.memory_bytes,
            "disk_bytes_at_least": self.disk_bytes,
        }

    def lines(self) -> list[str]:
        """For people."""
        lines = [
            f"{file.source} -> {file.output}: "
            + (
                file.remark
                or f"{file.kind}, {file.size}, {file.frames} frames, about {readable_time(file.seconds)}"
            )
            for file in self.files
        ]
        unreadable = sum(file.remark is not None for file in self.files)
        lines.append(
            f"{len(self.files)} files, {unreadable} of them with a problem; measured on this machine: about "
            f"{readable_time(self.seconds)} with {self.workers} {'worker' if self.workers == 1 else 'workers'}, "
            f"{self.memory_bytes / 2**30:.1f} GiB of memory each, "
            f"{self.disk_bytes / 2**30:.2f} GiB of disk for the largest file's chunks"
        )
        return lines


def estimate_batch(source: str, output: Path, wishes: Wishes, options: BatchOptions) -> Estimate:
    """Plan a batch and measure what it will take. Writes nothing but a temporary file.

    Raises
    ------
    UsageError, reelprior.io.errors.InputError
        As `reelprior.pipeline.batch.run_batch` would before any work.
    """
    items = plan_items(source, output, wishes, leave_out=[BatchDirectory.of_output(output).path])
    looks = [_look(item) for item in items]
    first: dict[tuple[str, int, int], tuple[Item, _Look]] = {}
    for item, look in zip(items, looks, strict=True):
        if look.problem is None:
            first.setdefault((item.wish, look.height, look.width), (item, look))
    trials = {need: _measure(item, look, options) for need, (item, look) in first.items()}
    files = [
        FileEstimate(item.source, item.output, item.kind, "", 0, remark=look.problem)
        if look.problem is not None
        else _estimate(item, look, trials[item.wish, look.height, look.width])
        for item, look in zip(items, looks, strict=True)
    ]
    return Estimate(files, workers=options.workers or 1)


@dataclass(frozen=True)
class _Look:
    """What the beginning of a source says, or why it will be refused; no ``info`` of raw photographs.

    ``pictures`` of a frame are restored: two of an interlaced one.
    """

    height: int = 0
    width: int = 0
    info: MediaInfo | None = None
    problem: str | None = None
    pictures: int = 1


def _look(item: Item) -> _Look:
    try:
        if item.kind == "pair" and not is_images(Path(item.source)):
            return _Look(*read_photograph(item.source).size)
        info = probe(item.source)
        pictures = 1 if item.kind == "pair" else _pictures_per_frame(item, info)
    except MediaError as error:
        return _Look(problem=str(error))
    return _Look(info.video.height, info.video.width, info, pictures=pictures)


def _pictures_per_frame(item: Item, info: MediaInfo) -> int:
    """By the fields of the first frames; raises `InputError` where the job would."""
    if info.kind != "video":
        return 1
    fields = read_moment(info, 0.0, before=0, after=_FRAMES_LOOKED_AT - 1).fields
    return 2 if treatment_of(fields, _job(item).settings, path=item.source).kind == "fields" else 1


def _job(item: Item) -> Job:
    paths = {"input": item.source, "output": item.output}
    return Job.model_validate(job_fields(json.loads(item.job)) | paths)


def _measure(item: Item, look: _Look, options: BatchOptions) -> Trial:
    """Run the trial in a process of its own, whose peak of memory is that of nothing else."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        if item.kind == "pair":
            settings = Settings.model_validate(json.loads(item.job)["settings"])
            device = options.device or settings.compute.device
            size = look.height, look.width
            return pool.submit(try_out_pair, settings.model_dump_json(), size, device).result()
        job = _job(item)
        device = options.device or job.settings.compute.device
        return pool.submit(try_out, job.model_dump_json(), device).result()


def _estimate(item: Item, look: _Look, trial: Trial) -> FileEstimate:
    info = look.info
    if item.kind == "pair" or info is None:
        return FileEstimate(
            source=item.source,
            output=item.output,
            kind=item.kind,
            size=f"{look.width}x{look.height}",
            frames=1,
            seconds=trial.seconds_per_frame,
            memory_bytes=trial.peak_memory_bytes,
            disk_bytes=int(trial.chunk_bytes_per_frame),
        )
    plan = header_plan(_job(item), info)
    keys = sum(scene.key is not None for scene in plan.scenes)
    written = look.pictures * sum(len(chunk.write) for chunk in plan.chunks)
    return FileEstimate(
        source=item.source,
        output=item.output,
        kind=item.kind,
        size=f"{info.video.width}x{info.video.height}",
        frames=len(plan.frames),
        seconds=keys * trial.seconds_per_key + written * trial.seconds_per_frame,
        memory_bytes=trial.peak_memory_bytes,
        disk_bytes=int(written * trial.chunk_bytes_per_frame),
    )
