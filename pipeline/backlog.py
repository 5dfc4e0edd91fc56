"""What remains to be done of one file, and in which order: a state machine that knows neither Dask, files nor time.

The scheduler asks for the next task when there is room and says which ones have finished; so the order and the
dependency of chunks on their key frame are decided here and tested without a cluster. `batch_backlog` does the same
for many files.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from reelprior.pipeline.plan import Plan

__all__ = ["Backlog", "Task", "TaskProgress"]


@dataclass(frozen=True)
class Task:
    """One unit of work: fit a scene's key frame, or restore a chunk."""

    kind: Literal["key", "chunk"]
    id: int

    @property
    def name(self) -> str:
        """Name of the task and, without a suffix, of its file: ``key-00003``."""
        return f"{self.kind}-{self.id:05d}"


@dataclass(frozen=True)
class TaskProgress:
    """Where a running task is: frames done (fractions count) and the latest loss."""

    frames_done: float
    loss: float


class Backlog:
    """Tasks of a plan that are not done yet.

    Parameters
    ----------
    plan
        The whole plan.
    done
        Tasks whose results are whole already.
    """

    def __init__(self, plan: Plan, *, done: Collection[Task] = ()) -> None:
        self._scene_of = {chunk.id: chunk.scene for chunk in plan.chunks}
        have_key = {task.id for task in done if task.kind == "key"}
        have_key |= {scene.id for scene in plan.scenes if scene.key is None}
        missing: defaultdict[int, list[int]] = defaultdict(list)  # chunks of each scene
        for chunk in plan.chunks:
            if Task("chunk", chunk.id) not in done:
                missing[chunk.scene].append(chunk.id)
        self._keys = deque(scene for scene in missing if scene not in have_key)
        self._behind_key = {scene: missing[scene] for scene in self._keys}
        # A heap, so that chunks start in order of time, however late the key of an early scene is.
        self._chunks = [number for scene in missing if scene in have_key for number in missing[scene]]
        heapq.heapify(self._chunks)
        self._running: set[Task] = set()

    @property
    def running(self) -> frozenset[Task]:
        """Tasks that were taken and have not finished."""
        return frozenset(self._running)

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self._running or self._keys or self._chunks or self._behind_key)

    @property
    def ready(self) -> int:
        """How many tasks may start now."""
        return len(self._keys) + len(self._chunks)

    def take_key(self) -> Task | None:
        """Take the next key frame that is to be fitted: it is what the most other tasks wait for."""
        if not self._keys:
            return None
        return self._start(Task("key", self._keys.popleft()))

    def take_chunk(self) -> Task | None:
        """Take the earliest chunk whose scene has its key."""
        if not self._chunks:
            return None
        return self._start(Task("chunk", heapq.heappop(self._chunks)))

    def _start(self, task: Task) -> Task:
        self._running.add(task)
        return task

    def finish(self, task: Task) -> None:
        """Note that a running task has finished; its dependants may start."""
        self._running.remove(task)
        if task.kind == "key":
            for number in self._behind_key.pop(task.id, ()):  # nothing after a drop
                heapq.heappush(self._chunks, number)

    def put_back(self, task: Task) -> None:
        """Note that a running task was given up by whoever had it, through no fault of its own."""
        self._running.remove(task)
        if task.kind == "key":
            self._keys.appendleft(task.id)
        else:
            heapq.heappush(self._chunks, task.id)

    def drop(self) -> None:
        """Forget what has not started."""
        self._keys.clear()
        self._chunks.clear()
        self._behind_key.clear()
