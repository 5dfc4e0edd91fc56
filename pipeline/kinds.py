"""The kinds of files that a batch knows, and what does the work for each: the one place to add another kind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from reelprior.pipeline.backlog import Task
from reelprior.pipeline.beside import paths_beside
from reelprior.pipeline.wishes import job_fields
from reelprior.pipeline.work import Work

__all__ = ["KINDS", "BatchWork", "make_work"]


class BatchWork(Work, Protocol):
    """A work that can say what a batch wants to know of it."""

    def facts(self) -> dict[str, Any]:
        """What was done, as ``--json`` prints it. Once it is finished.

        Among it ``frames``, ``seconds``, ``peak_memory_bytes`` and ``peak_disk_bytes``.
        """

    def inputs(self) -> tuple[str, ...]:
        """The paths that it reads: source, mask."""

    def share_done(self, running: tuple[Task, ...]) -> float:
        """How much of it is done, 0 to 1, counting what the running tasks say. Once it is open."""


WorkMaker = Callable[[Mapping[str, Any], Path], BatchWork]
"""From the fields of a job and its job directory to its work."""


def _restoration(fields: Mapping[str, Any], folder: Path) -> BatchWork:
    from reelprior.pipeline.job import Job
    from reelprior.pipeline.restore import Restoration

    wanted = {name: value for name, value in job_fields(fields).items() if name != "partner"}
    more = paths_beside(fields.get("beside", ()), fields["output"])
    return Restoration(Job.model_validate({**wanted, **more, "job_dir": str(folder)}), locked=True)


def _pair(fields: Mapping[str, Any], folder: Path) -> BatchWork:
    from reelprior.pipeline.pair_job import PairJob
    from reelprior.pipeline.pair_work import PairWork

    return PairWork(
        PairJob(
            flash=fields["partner"],
            ambient=fields["input"],
            output=fields["output"],
            settings=fields["settings"],
            align=fields["align"],
            bits=fields["bits"],
            overwrite=fields["overwrite"],
            report=paths_beside(fields["beside"], fields["output"])["report"],
        ),
        folder,
    )


KINDS: Mapping[str, WorkMaker] = {
    "video": _restoration,
    "sequence": _restoration,
    "image": _restoration,
    "pair": _pair,
}


def make_work(kind: str, fields: Mapping[str, Any], folder: Path) -> BatchWork:
    """The work of one file of a batch.

    Parameters
    ----------
    kind
        A key of `KINDS`.
    fields
        Of the job: what is wanted, ``input``, ``output``, and of a pair ``partner``, the shot with flash.
    folder
        Its job directory.
    """
    return KINDS[kind](fields, folder)
