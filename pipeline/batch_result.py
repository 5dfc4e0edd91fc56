"""How a batch is run, and what has become of it: plain values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from reelprior.pipeline.store import State

__all__ = ["BatchOptions", "BatchResult"]


class BatchOptions(BaseModel):
    """How a batch is run; none of it decides what comes out.

    Attributes
    ----------
    workers, scheduler
        As of a `reelprior.pipeline.job.Job`.
    device
        Where to compute, for every file.
    disk_gib
        What chunks may take on the disk, in GiB; half of what is free where it is None.
    dashboard
        Address at which a cluster of one's own serves its pages and metrics.
    overwrite
        Whether outputs that the batch has not made may be replaced.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int | None = None
    scheduler: str | None = None
    device: str | None = None
    disk_gib: float | None = None
    dashboard: str | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class BatchResult:
    """What has become of a batch.

    Attributes
    ----------
    directory
        Of the batch.
    states
        How many files are in which state.
    restored, unchanged
        How many this run has restored, and how many it has found done.
    seconds
        Of this run, by the clock on the wall.
    index
        Path of the index page; None where it could not be written.
    failures
        Files that failed, and those that were left alone, with the reason of each.
    """

    directory: Path
    states: dict[State, int]
    restored: int
    unchanged: int
    seconds: float
    index: Path | None = None
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def all_done(self) -> bool:
        """Whether nothing is left to do."""
        return not any(count for state, count in self.states.items() if state != "done")

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "job_dir": str(self.directory),
            "all_done": self.all_done,
            "states": dict(self.states),
            "restored": self.restored,
            "unchanged": self.unchanged,
            "seconds": round(self.seconds, 3),
            "index": None if self.index is None else str(self.index),
            "failures": self.failures,
        }
