"""What each frame cost: steps of the engine, the last loss, seconds. Written beside a chunk, for report and audit.

A record says how a result was come by, never what it is: it is no part of the fingerprint, nothing waits for it, and
a job whose records are lost only loses the plot. It names the hash of the file it belongs to, so that a record of
another run is not taken for this one's.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, replace

from reelprior.io.errors import OutputError
from reelprior.models.temporal import Step
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.plan import Plan

__all__ = [
    "EffortRecorder",
    "FrameEffort",
    "TaskRecord",
    "frame_efforts",
    "load_record",
    "load_records",
    "save_record",
    "task_seconds",
]


@dataclass(frozen=True)
class FrameEffort:
    """One frame of the source.

    Attributes
    ----------
    index
        In the source.
    steps
        Of the engine over all passes: an iteration of a fit, or a part of a filter.
    loss
        The last that was told.
    seconds
        Between the steps, each counted for the frame it ended at.
    """

    index: int
    steps: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class TaskRecord:
    """A finished task.

    Attributes
    ----------
    result_sha256
        Of the file it wrote.
    seconds
        From its start to its result, reading and flow and all: more than its frames' sum.
    frames
        In the order of the clip. A frame in a fade is restored by two chunks and is in both records.
    """

    result_sha256: str
    seconds: float
    frames: tuple[FrameEffort, ...]

    def to_json(self) -> str:
        """As one line of JSON."""
        frames = [astuple(frame) for frame in self.frames]
        return json.dumps({"sha256": self.result_sha256, "seconds": self.seconds, "frames": frames})

    @classmethod
    def from_json(cls, text: str) -> "TaskRecord":
        """Read `to_json` back; ValueError, KeyError or TypeError for anything else."""
        fields = json.loads(text)
        frames = tuple(FrameEffort(*frame) for frame in fields["frames"])
        return cls(str(fields["sha256"]), float(fields["seconds"]), frames)


class EffortRecorder:
    """Listens to the steps of a fit and adds up what each frame took.

    Parameters
    ----------
    first
        Index in the source of the clip's frame 0.
    clock
        Seconds, never running backwards.
    """

    def __init__(self, first: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._first, self._clock = first, clock
        self._started = clock()
        self._last: float | None = None
        self._frames: dict[int, FrameEffort] = {}

    def on_step(self, step: Step) -> None:
        """Count one step; the time since the one before belongs to this one's frame."""
        now = self._clock()
        # What comes before the first one (reading, a look at every frame) belongs to the task, not to a frame.
        spent = 0.0 if self._last is None else now - self._last
        self._last = now
        index = self._first + step.frame
        past = self._frames.get(index, FrameEffort(index, 0, step.loss, 0.0))
        self._frames[index] = FrameEffort(index, past.steps + 1, step.loss, past.seconds + spent)

    def record(self, result_sha256: str) -> TaskRecord:
        """What it took until now."""
        frames = tuple(self._frames[index] for index in sorted(self._frames))
        return TaskRecord(result_sha256, self._clock() - self._started, frames)


def save_record(directory: JobDirectory, task: Task, record: TaskRecord) -> None:
    """Write a record beside the results; a disk that is full for it will be so for the next chunk, which says it."""
    try:
        directory.write_text(directory.record_path(task), record.to_json())
    except OutputError:
        return


def load_record(directory: JobDirectory, task: Task, *, result_sha256: str) -> TaskRecord | None:
    """The record of a result; None where it is missing, damaged, or another result's."""
    try:
        record = TaskRecord.from_json(directory.record_path(task).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if record.result_sha256 == result_sha256 else None


def load_records(directory: JobDirectory, hashes: Mapping[Task, str]) -> dict[Task, TaskRecord]:
    """Records of results by their hashes, those of earlier runs too; some may be lost, which harms nothing."""
    known = {
        task: load_record(directory, task, result_sha256=file_hash) for task, file_hash in hashes.items()
    }
    return {task: record for task, record in known.items() if record is not None}


def frame_efforts(
    plan: Plan, records: Mapping[Task, TaskRecord], *, every: int = 1
) -> tuple[FrameEffort, ...]:
    """The frames of a plan as far as records tell; every so manieth of them, counted so.

    What two chunks spent on a frame of their fade is added; its loss is that of the chunk it belongs to.
    """
    known: dict[int, FrameEffort] = {}
    for chunk in plan.chunks:
        record = records.get(Task("chunk", chunk.id))
        for effort in record.frames if record else ():
            if effort.index not in chunk.write:  # a neighbour that was only looked at
                continue
            other = known.get(effort.index)
            if other is None:
                known[effort.index] = effort
                continue
            loss = effort.loss if effort.index in chunk.core else other.loss
            known[effort.index] = FrameEffort(
                effort.index, effort.steps + other.steps, loss, effort.seconds + other.seconds
            )
    written = (known[index] for index in sorted(known) if index % every == 0)
    return tuple(replace(effort, index=effort.index // every) for effort in written)


def task_seconds(records: Iterable[TaskRecord]) -> float:
    """What all tasks took together, as if one worker had done them one after the other."""
    return sum(record.seconds for record in records)
