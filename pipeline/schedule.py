"""Take the steps of many files: tasks on a pool of workers, chores in threads of the client.

Decides nothing: the backlog says what comes next, the pool says who does it, a listener hears what has happened. A
worker that dies is Dask's affair - it gives the task to another - until a task has taken down several workers.
"""

import os
import queue
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future as ThreadFuture
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from distributed import CancelledError, Future, KilledWorker, wait

from reelprior.io.errors import DiskFull, MediaError
from reelprior.models.errors import FitError
from reelprior.pipeline.allocator import give_back_memory
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.batch_backlog import BatchBacklog, Step
from reelprior.pipeline.cluster import Pool
from reelprior.pipeline.errors import (
    PipelineError,
    RestorationError,
    SchedulerLost,
    UnfitWorker,
)
from reelprior.pipeline.monitoring import observe_task, peak_memory_bytes
from reelprior.pipeline.work import Opened, Receipt, TaskFunction, Work

__all__ = ["CHORE_THREADS", "Listener", "run_task", "take_steps"]

CHORE_THREADS = "reelprior-chore"
"""What the names of the threads begin with in which chores run."""

_TICK_SECONDS = 0.25
_CENSUS_SECONDS = 5.0
_SECONDS_TO_STOP = 3
_TASKS_PER_SLOT = 2
"""One task waits at every worker, so that none idles while the client is writing; no more than that, so that neither
the scheduler nor a cancelled job has thousands of tasks on its hands."""


#: So many unfit workers may have had one task; a task that no worker can do is the file's failure.
_UNFIT_WORKERS = 5


class Listener:
    """Hears what happens. Every method is called in the thread of the client that takes the steps."""

    def joined(self, pool: Pool) -> None:
        """The workers are there; it comes before the first task, and not at all where no task is left."""

    def began(self, step: Step) -> None:
        """A step was handed out."""

    def opened(self, file: int, opened: Opened | None) -> None:
        """A file was looked at; None: there is nothing to do."""

    def did(self, step: Step, receipt: Receipt) -> None:
        """A task has finished, and its result is recorded."""

    def finished(self, file: int) -> None:
        """An output is whole."""

    def failed(self, file: int, error: Exception) -> None:
        """A file failed; the others go on, unless this raises the error."""
        raise error

    def closed(self, file: int) -> None:
        """Nothing is left to be done for a file, whether or not it has succeeded."""

    def tick(self, running: Collection[Step]) -> None:
        """Several times a second, with the steps in flight, for a display."""


def take_steps(
    backlog: BatchBacklog,
    works: Mapping[int, Work],
    *,
    join: Callable[[], AbstractContextManager[Pool]],
    listener: Listener,
    chores: int = 1,
) -> None:
    """Do everything in the backlog.

    Parameters
    ----------
    backlog
        What is to be done.
    works
        The work of each file of the backlog.
    join
        Gets the workers when the first task needs them.
    listener
        Hears what happens.
    chores
        Threads for the chores.

    Raises
    ------
    SchedulerLost
        If the scheduler went away.
    Interrupted
        If a cancel flag was set by someone else.
    reelprior.io.errors.DiskFull
        If there is no room left, which concerns every file.
    """
    arrivals: queue.SimpleQueue[Future[Receipt] | ThreadFuture[Opened | None]] = queue.SimpleQueue()
    in_flight: dict[Future[Receipt] | ThreadFuture[Opened | None], Step] = {}
    pool: Pool | None = None
    next_census = 0.0
    unfit = Counter[Step]()
    slots = 1
    with ExitStack() as cluster, _stops_steps(in_flight, works, lambda: pool):
        while not backlog.empty:
            for step in backlog.take(tasks=_TASKS_PER_SLOT * slots, chores=chores):
                work = works[step.file]
                listener.began(step)
                future: Future[Receipt] | ThreadFuture[Opened | None]
                if step.task is None:
                    future = _run_in_thread(work.open if step.what == "open" else work.finish)
                else:
                    if pool is None:
                        pool = cluster.enter_context(join())
                        slots = pool.slots
                        listener.joined(pool)
                    future = _submit(step.task, work, pool, attempt=unfit[step])
                in_flight[future] = step
                future.add_done_callback(arrivals.put)
            for future in _arrived(arrivals):
                step = in_flight.pop(future)
                if unfit[step] < _UNFIT_WORKERS and _was_unfit(future, works[step.file]):
                    backlog.put_back(step)
                    unfit[step] += 1
                    next_census = 0.0  # bars that worker, before it takes the next task
                else:
                    _settle(step, future, backlog, works, listener)
                    if not backlog.holds(step.file):
                        works[step.file].close()
                        listener.closed(step.file)
            if pool is not None and time.monotonic() >= next_census:
                slots = max(1, pool.census())
                next_census = time.monotonic() + _CENSUS_SECONDS
            listener.tick(in_flight.values())


def _settle(
    step: Step,
    future: "Future[Receipt] | ThreadFuture[Opened | None]",
    backlog: BatchBacklog,
    works: Mapping[int, Work],
    listener: Listener,
) -> None:
    """Take note of how a step has ended."""
    work = works[step.file]
    try:
        outcome = _outcome(future, step)
        if isinstance(outcome, Receipt) and step.task is not None:
            work.record(step.task, outcome)
    except (SchedulerLost, DiskFull):
        raise
    except Exception as error:
        if backlog.fail(step):
            work.cancel()
            listener.failed(step.file, error)
        return
    if step.what == "open":
        if isinstance(outcome, Opened):
            backlog.opened(step.file, outcome.backlog, disk_bytes=outcome.disk_bytes)
            listener.opened(step.file, outcome)
        else:
            backlog.done(step)
            listener.opened(step.file, None)
        return
    backlog.done(step)
    if isinstance(outcome, Receipt):
        listener.did(step, outcome)
    else:
        listener.finished(step.file)


def _was_unfit(future: "Future[Receipt] | ThreadFuture[Opened | None]", work: Work) -> bool:
    """Whether a task came back because of who had it. A job directory that nobody sees any more is another matter."""
    if isinstance(future, ThreadFuture) or future.status != "error":
        return False
    return isinstance(future.exception(), UnfitWorker) and work.folder.exists()


def _run_in_thread(function: Callable[[], Opened | None]) -> "ThreadFuture[Opened | None]":
    """Run a chore in a thread that does not keep the process alive."""
    future: ThreadFuture[Opened | None] = ThreadFuture()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=CHORE_THREADS, daemon=True).start()
    return future


def _submit(task: Task, work: Work, pool: Pool, *, attempt: int) -> "Future[Receipt]":
    try:
        return pool.client.submit(
            run_task,
            work.function(task),
            str(work.folder),
            task.id,
            pool.device,
            pool.threads,
            kind=task.kind,
            # Of an equal key Dask would answer what it answered before.
            key=f"{task.name}-{work.folder.name}-{attempt}",
            resources=pool.resources or None,
            pure=False,
        )
    except Exception as error:  # a client whose scheduler is gone raises one thing or another
        raise SchedulerLost(_lost("a task could not be handed out")) from error


def run_task(
    function: TaskFunction, job_dir: str, number: int, device: str, threads: int, *, kind: str
) -> Receipt:
    """Run a task, in a worker, and note what it took."""
    started = time.monotonic()
    try:
        file_hash = function(job_dir, number, device, threads)
    finally:
        give_back_memory()  # a process that works for days must not grow with what it has done
    seconds = time.monotonic() - started
    peak = peak_memory_bytes()
    observe_task(kind, seconds=seconds, peak_bytes=peak)
    return Receipt(file_hash, seconds, peak, socket.gethostname(), os.getpid())


def _arrived(arrivals: "queue.SimpleQueue[Any]") -> Iterator[Any]:
    """Futures that have ended, after waiting a moment for the first."""
    with suppress(queue.Empty):
        yield arrivals.get(timeout=_TICK_SECONDS)
        while True:
            yield arrivals.get_nowait()


def _outcome(future: "Future[Receipt] | ThreadFuture[Opened | None]", step: Step) -> Receipt | Opened | None:
    """What a step returned, or its error in terms of this layer."""
    try:
        outcome: Receipt | Opened | None = future.result()
    except (MediaError, FitError, PipelineError):
        raise
    except KilledWorker as error:
        raise RestorationError(
            f"{_title(step)} ended its worker {error.allowed_failures + 1} times, perhaps out of memory; "
            "try fewer --workers or a smaller --set chunk.megapixels"
        ) from error
    except CancelledError as error:
        raise SchedulerLost(_lost(f"{_title(step)} was lost")) from error
    except Exception as error:
        raise RestorationError(f"{_title(step)} failed: {type(error).__name__}: {error}") from error
    return outcome


def _lost(what: str) -> str:
    return f"{what}: the Dask scheduler went away; run the same command again"


def _title(step: Step) -> str:
    if step.task is None:
        return {"open": "reading the source", "finish": "writing the output"}[str(step.what)]
    return f"{'key frame of scene' if step.task.kind == 'key' else 'chunk'} {step.task.id}"


@contextmanager
def _stops_steps(
    in_flight: "dict[Future[Receipt] | ThreadFuture[Opened | None], Step]",
    works: Mapping[int, Work],
    pool: Callable[[], Pool | None],
) -> Iterator[None]:
    """When the body ends early, for whatever reason, make running steps end too, and wait a little."""
    try:
        yield
    except BaseException:  # Ctrl-C too, and it goes on its way below
        # Dask cannot stop a task that has begun; the flag makes it raise at its next iteration, and at its
        # start.
        for file in {step.file for step in in_flight.values()}:
            works[file].cancel()
        deadline = time.monotonic() + _SECONDS_TO_STOP
        joined = pool()
        with suppress(Exception):
            if joined is not None:
                tasks = [future for future, step in in_flight.items() if step.task is not None]
                with joined.client.as_current():
                    wait(tasks, timeout=_SECONDS_TO_STOP)
        for future, step in in_flight.items():
            if step.task is None and isinstance(future, ThreadFuture):
                with suppress(BaseException):
                    future.result(timeout=max(0.0, deadline - time.monotonic()))
        raise
