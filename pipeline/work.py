"""What a batch asks of each of its files, whatever kind of file it is. The seam between scheduling and restoring.

A kind of work (a clip, a flash pair) is a class with these members; `reelprior.pipeline.batch` has the table of kinds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reelprior.pipeline.backlog import Backlog, Task

__all__ = ["Opened", "Receipt", "TaskFunction", "Work"]

TaskFunction = Callable[[str, int, str, int], str]
"""A task as a worker runs it: (job directory, number, device, threads) -> SHA-256 of the file it wrote."""


@dataclass(frozen=True)
class Receipt:
    """What a task returns, and what it took.

    Attributes
    ----------
    file_hash
        SHA-256 of its result.
    seconds
        From its start to its end in the worker.
    peak_memory_bytes
        The most memory that the worker's process has had so far.
    host, process
        Where it ran.
    """

    file_hash: str
    seconds: float
    peak_memory_bytes: int
    host: str
    process: int


@dataclass(frozen=True)
class Opened:
    """What a look at the source has shown.

    Attributes
    ----------
    backlog
        The tasks that remain.
    disk_bytes
        What their results take on the disk at most.
    source_hash
        Of the source's content.
    """

    backlog: Backlog
    disk_bytes: int
    source_hash: str = ""


class Work(Protocol):
    """One file's way: open, then its tasks on workers, then finish."""

    @property
    def folder(self) -> Path:
        """The job directory, which exists from `open` on: where tasks find their order and leave their results."""

    def open(self) -> Opened | None:
        """Look at the source and plan; None if there is nothing to do. Runs in a thread of the client."""

    def function(self, task: Task) -> TaskFunction:
        """What a worker runs for a task: a function of a module, since its name travels, not its code."""

    def record(self, task: Task, receipt: Receipt) -> None:
        """Note that a task's result is whole, and what it took."""

    def finish(self) -> None:
        """Make the output from the results. Runs in a thread of the client."""

    def cancel(self) -> None:
        """Make running tasks, and a running `finish`, stop soon. May be called at any time, by any thread."""

    def close(self) -> None:
        """Let go of what `open` took hold of, whether or not the work was finished."""
