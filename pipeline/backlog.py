"""What remains to be done, and in which order: a small state machine that knows neither Dask, files nor time.

The scheduler asks for the next task when there is room and says which ones have finished; so the order, the
dependency of chunks on their key frame and the bound on tasks in flight are decided here and tested without a
cluster.
"""

from collections import deque
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
        self._have_key = {task.id for task in done if task.kind == "key"}
        self._have_key |= {scene.id for scene in plan.scenes if scene.key is None}
        # In order of time, each scene's key before its chunks: the first free worker takes the first task
        # that may start, so while one key is being fitted the others fit the keys of the next scenes.
        self._waiting: deque[Task] = deque()
        for scene in plan.scenes:
            chunks = [Task("chunk", chunk.id) for chunk in plan.chunks if chunk.scene == scene.id]
            missing = [task for task in chunks if task not in done]
            if missing and scene.id not in self._have_key:
                self._waiting.append(Task("key", scene.id))
            self._waiting.extend(missing)
        self._running: set[Task] = set()

    @property
    def running(self) -> frozenset[Task]:
        """Tasks that were taken and have not finished."""
        return frozenset(self._running)

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._waiting and not self._running

    def take(self, *, at_most: int) -> list[Task]:
        """Take tasks that may start now, so that no more than ``at_most`` are running."""
        taken: list[Task] = []
        for task in list(self._waiting):
            if len(self._running) >= at_most:
                break
            if task.kind == "chunk" and self._scene_of[task.id] not in self._have_key:
                continue
            self._waiting.remove(task)
            self._running.add(task)
            taken.append(task)
        return taken

    def finish(self, task: Task) -> None:
        """Note that a running task has finished; its dependants may start."""
        self._running.remove(task)
        if task.kind == "key":
            self._have_key.add(task.id)
