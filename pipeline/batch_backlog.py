"""Which step of which file comes next: a state machine for many files, tested without a cluster, files or time.

::

    waiting --open--> opening --opened--> open --(key, chunk)*--> ready --finish--> finishing --> closed
                                           | parked while the disk has no room for its chunks

Opening (a look at the source, the plan) and finishing (assembly) are chores of the client; keys and chunks are tasks of
the workers. Files are opened ahead, so that no worker idles while a file ends; but only so many that their tasks fill
the room there is, and only as long as their chunks fit on the disk. Of all open files, keys come before chunks,
because the most work waits for them; chunks come in the order of files, because a file that ends frees its disk.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reelprior.pipeline.backlog import Backlog, Task

__all__ = ["BatchBacklog", "Step"]


@dataclass(frozen=True)
class Step:
    """One step of one file: ``open`` or ``finish``, done by the client, or a task, done by a worker."""

    file: int
    what: Literal["open", "finish"] | Task

    @property
    def task(self) -> Task | None:
        """The task, if it is one."""
        return self.what if isinstance(self.what, Task) else None


@dataclass
class _Open:
    """An open file: what remains of it, and how much disk its chunks take at most."""

    backlog: Backlog
    disk_bytes: int
    failed: bool = False


class BatchBacklog:
    """Steps of many files.

    Parameters
    ----------
    files
        Their numbers, the most urgent first.
    disk_bytes
        What the chunks of all open files may take together; None sets no bound. A file that is larger by itself is
        worked on alone.
    """

    def __init__(self, files: Iterable[int], *, disk_bytes: int | None = None) -> None:
        self._waiting = deque(files)
        self._disk_bytes = disk_bytes
        self._opening: set[int] = set()
        self._parked: deque[tuple[int, _Open]] = deque()
        self._open: dict[int, _Open] = {}
        self._finishing: set[int] = set()

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self._waiting or self._opening or self._parked or self._open)

    @property
    def tasks_running(self) -> int:
        """Tasks that the workers have."""
        return sum(len(file.backlog.running) for file in self._open.values())

    def holds(self, file: int) -> bool:
        """Whether a file that was taken is still in hand."""
        parked = any(file == number for number, _ in self._parked)
        return parked or file in self._open or file in self._opening

    def take(self, *, tasks: int, chores: int) -> list[Step]:
        """Take steps that may start now, so that no more than ``tasks`` and ``chores`` are running."""
        steps = [Step(file, task) for file, task in self._take_tasks(tasks - self.tasks_running)]
        room = chores - len(self._opening) - len(self._finishing)
        for file, state in self._open.items():
            if room > 0 and state.backlog.empty and not state.failed and file not in self._finishing:
                self._finishing.add(file)
                steps.append(Step(file, "finish"))
                room -= 1
        while room > 0 and self._waiting and self._wants_more(tasks):
            file = self._waiting.popleft()
            self._opening.add(file)
            steps.append(Step(file, "open"))
            room -= 1
        return steps

    def _take_tasks(self, room: int) -> list[tuple[int, Task]]:
        taken: list[tuple[int, Task]] = []
        for take in (Backlog.take_key, Backlog.take_chunk):
            for file, state in self._open.items():
                while len(taken) < room and (task := take(state.backlog)) is not None:
                    taken.append((file, task))
        return taken

    def _wants_more(self, tasks: int) -> bool:
        """Whether the open files may soon have less to do than there is room for."""
        if self._parked:
            return False
        ready = sum(file.backlog.ready for file in self._open.values())
        return ready + len(self._opening) < tasks

    def opened(self, file: int, backlog: Backlog, *, disk_bytes: int) -> None:
        """Note that a file is open; its tasks may start as soon as the disk has room."""
        self._opening.discard(file)
        self._parked.append((file, _Open(backlog, disk_bytes)))
        self._admit()

    def _admit(self) -> None:
        while self._parked:
            taken = sum(file.disk_bytes for file in self._open.values())
            file, state = self._parked[0]
            if self._open and self._disk_bytes is not None and taken + state.disk_bytes > self._disk_bytes:
                return
            self._parked.popleft()
            self._open[file] = state

    def done(self, step: Step) -> None:
        """Note that a step has been done: a task, a finish, or an open that found nothing to do."""
        if step.what == "open":
            self._opening.discard(step.file)
            return
        if step.task is None:
            self._finishing.discard(step.file)
            self._close(step.file)
            return
        self._open[step.file].backlog.finish(step.task)
        self._close_if_failed(step.file)

    def put_back(self, step: Step) -> None:
        """Note that a worker gave a task up through no fault of the task."""
        state = self._open[step.file]
        if step.task is not None and not state.failed:
            state.backlog.put_back(step.task)
        else:
            self.done(step)

    def fail(self, step: Step) -> bool:
        """Note that a step failed, and its file with it; whether this is the first failure of the file.

        What of the file has not started is forgotten; it stays until its running tasks have ended.
        """
        if step.what == "open":
            self._opening.discard(step.file)
            return True
        state = self._open[step.file]
        first = not state.failed
        state.failed = True
        state.backlog.drop()
        if step.task is None:
            self._finishing.discard(step.file)
        else:
            state.backlog.finish(step.task)
        self._close_if_failed(step.file)
        return first

    def _close_if_failed(self, file: int) -> None:
        state = self._open[file]
        if state.failed and not state.backlog.running:
            self._close(file)

    def _close(self, file: int) -> None:
        del self._open[file]
        self._admit()
