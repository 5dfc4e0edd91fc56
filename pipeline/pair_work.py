"""A flash/no-flash pair as the work of a batch: one task that restores it, and its result moved into its place.

The job directory of a pair has the order (``pair.json``), the picture while it is not yet the output, and what came
out of it (``result.json``), by whose hash a later run knows a whole picture.
"""

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from reelprior.io.files import atomic_path, sha256
from reelprior.io.photographs import check_photograph_output
from reelprior.pipeline.backlog import Backlog, Task, TaskProgress
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.pair_job import PairJob
from reelprior.pipeline.photographs import restore_pair
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.progress import Display
from reelprior.pipeline.settings import ChunkSettings
from reelprior.pipeline.stamp import content_hash_of
from reelprior.pipeline.tasks import enter, refuse_other_version, stop_if_told, with_errors_that_travel
from reelprior.pipeline.versions import versions
from reelprior.pipeline.work import Opened, Receipt, TaskFunction

__all__ = ["PairWork", "restore_pair_task"]

_TASK = Task("chunk", 0)
_BYTES_PER_PIXEL = 6
"""Of the result before compression: three channels of 16 bits."""

_log = logging.getLogger(__name__)


class PairWork:
    """One pair, in the steps that the schedule takes: a `reelprior.pipeline.kinds.BatchWork`.

    Parameters
    ----------
    job
        What to do.
    folder
        Its job directory, within one that the caller has locked.
    """

    def __init__(self, job: PairJob, folder: Path) -> None:
        self.job, self.folder = job, folder
        self._directory = JobDirectory(folder)
        self._opened = False
        self._peak_memory_bytes: int | None = None
        self._done = False

    def open(self) -> Opened:
        """Hash both shots, write the order, and take over what an earlier run has finished.

        Raises
        ------
        reelprior.io.errors.InputError, reelprior.io.errors.OutputError
            If a shot cannot be read, or the output not be written.
        """
        job = self.job
        check_photograph_output(job.output, overwrite=job.overwrite, bits=job.bits)
        source_hash = content_hash_of(self.inputs())
        self._identity = _identity(job, source_hash)
        self._directory.refuse_foreign()
        self._directory.create()
        self._directory.uncancel()
        order = {
            "identity": self._identity,
            "version": versions()["reelprior"],
            "job": job.model_dump(mode="json"),
        }
        self._directory.write_text(self.folder / "pair.json", json.dumps(order, indent=1))
        self._opened = True
        self._done = self._is_whole()
        one = make_plan(range(1), [0.0], height=1, width=1, chunk=ChunkSettings(), handle=0)
        size = sum(Path(shot).stat().st_size for shot in self.inputs())
        return Opened(
            Backlog(one, done=[_TASK] if self._done else []),
            disk_bytes=size * _BYTES_PER_PIXEL,
            source_hash=source_hash,
        )

    def _is_whole(self) -> bool:
        """Whether an earlier run has left the picture of this very order."""
        try:
            result = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
            picture = _picture_path(self.folder, self.job)
            return bool(result["identity"] == self._identity and result["sha256"] == sha256(picture))
        except (OSError, ValueError, KeyError):
            return False

    def function(self, _task: Task) -> TaskFunction:
        """What a worker runs."""
        return restore_pair_task

    def record(self, _task: Task, receipt: Receipt) -> None:
        """Note what the task took; its result has been written down by the worker."""
        self._done = True
        self._peak_memory_bytes = receipt.peak_memory_bytes

    def finish(self) -> None:
        """Put the picture into its place."""
        self._peak_disk_bytes = self._directory.size_bytes()
        with atomic_path(Path(self.job.output)) as temporary:
            shutil.copyfile(_picture_path(self.folder, self.job), temporary)

    def facts(self) -> dict[str, Any]:
        """What came out of it, as ``--json`` prints it."""
        facts: dict[str, Any] = json.loads((self.folder / "result.json").read_text("utf-8"))["facts"]
        return facts | {
            "peak_memory_bytes": self._peak_memory_bytes,
            "peak_disk_bytes": self._peak_disk_bytes,
        }

    def inputs(self) -> tuple[str, ...]:
        """The shots: without flash, and with."""
        return self.job.ambient, self.job.flash

    def share_done(self, running: tuple[Task, ...]) -> float:
        """How much of it is done, 0 to 1."""
        if self._done:
            return 1.0
        said = self._directory.load_progress(_TASK) if running else None
        return 0.0 if said is None else min(1.0, said.frames_done)

    def cancel(self) -> None:
        """Make a running task stop soon."""
        if self._opened:
            self._directory.cancel()

    def close(self) -> None:
        """Nothing is held."""


@with_errors_that_travel
def restore_pair_task(job_dir: str, number: int, device: str, threads: int) -> str:
    """Restore a pair, and say what came out of it; parameters, result and errors as of the tasks of clips."""
    directory = enter(job_dir, threads)
    order = json.loads((directory.path / "pair.json").read_text(encoding="utf-8"))
    refuse_other_version(order["version"])
    job = PairJob.model_validate(order["job"])
    compute = job.settings.compute.model_copy(update={"device": device})
    job = job.model_copy(
        update={"settings": job.settings.model_copy(update={"compute": compute}), "overwrite": True}
    )
    picture = _picture_path(directory.path, job)
    result = restore_pair(job, display=_Watch(directory, Task("chunk", number)), write_to=picture)
    for note in result.notes:
        _log.warning("%s", note)
    hashed = sha256(picture)
    text = json.dumps({"identity": order["identity"], "sha256": hashed, "facts": result.to_json()})
    directory.write_text(directory.path / "result.json", text)
    return hashed


class _Watch(Display):
    """Tells the client where a pair is, and stops when asked to."""

    def __init__(self, directory: JobDirectory, task: Task) -> None:
        self._directory, self._task = directory, task
        self._tiles = 1

    def phase(
        self, title: str, *, frames: int | None = None, unit: str = "frames", seconds: float | None = None
    ) -> None:
        """Note of how many tiles the picture is made."""
        stop_if_told(self._directory)
        self._tiles = frames or 1

    def update(self, done: float, *, loss: float | None = None) -> None:
        """Note how much is done."""
        stop_if_told(self._directory)
        self._directory.save_progress(self._task, TaskProgress(done / self._tiles, loss or 0.0))


def _picture_path(folder: Path, job: PairJob) -> Path:
    return folder / "chunks" / f"picture{Path(job.output).suffix.lower()}"


def _identity(job: PairJob, source_hash: str) -> str:
    """Hash of all that decides the picture and its file."""
    profile = job.settings.noise_profile
    fields = {
        "source": source_hash,
        "noise_profile": content_hash_of([profile]) if profile else None,
        "settings": job.settings.model_dump(mode="json", exclude={"compute": {"device", "threads"}}),
        "align": job.align,
        "bits": job.bits,
        "report": job.report,
        "suffix": Path(job.output).suffix.lower(),
        "versions": {name: versions()[name] for name in ("reelprior", "torch")},
    }
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
