"""Run a backlog of tasks on a pool of workers. Decides nothing: the backlog says what, the pool says where.

Results arrive as hashes of files; the caller records them. A worker that dies is Dask's affair - it gives the
task to another - until a task has taken down several workers.
"""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from distributed import CancelledError, Future, KilledWorker, wait

from reelprior.io.errors import MediaError
from reelprior.models.errors import FitError
from reelprior.pipeline import tasks
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.cluster import Pool
from reelprior.pipeline.errors import PipelineError, RestorationError
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["run_tasks"]

_TICK_SECONDS = 0.25
_SECONDS_TO_STOP = 3
_FUNCTIONS = {"key": tasks.fit_key_frame, "chunk": tasks.restore_chunk}


def run_tasks(
    backlog: Backlog,
    directory: JobDirectory,
    pool: Pool,
    *,
    on_done: Callable[[Task, str], None],
    on_tick: Callable[[frozenset[Task]], None],
) -> None:
    """Run everything in the backlog.

    Parameters
    ----------
    backlog
        What is to be done.
    directory
        Where the tasks find their order and leave their results.
    pool
        Who does it.
    on_done
        Called with each finished task and the hash of its file, in order of completion.
    on_tick
        Called several times a second with the tasks in flight, for a display.

    Raises
    ------
    RestorationError
        If a task failed, a task has taken down several workers, or the scheduler went away.
    Interrupted
        If the cancel flag was set by someone else.
    reelprior.io.errors.MediaError, reelprior.models.errors.FitError
        As a task raised them.
    """
    finished: queue.SimpleQueue[Future[str]] = queue.SimpleQueue()
    in_flight: dict[Future[str], Task] = {}
    with _stops_tasks(in_flight, directory, pool):
        while not backlog.empty:
            # One task waits at every worker, so that none idles while the client is writing; no more than
            # that, so that neither the scheduler nor a cancelled job has thousands of tasks on its hands.
            for task in backlog.take(at_most=2 * pool.slots):
                future = _submit(task, directory, pool)
                in_flight[future] = task
                future.add_done_callback(finished.put)
            for future in _arrived(finished):
                task = in_flight.pop(future)
                on_done(task, _result(future, task))
                backlog.finish(task)
            on_tick(backlog.running)


def _submit(task: Task, directory: JobDirectory, pool: Pool) -> Future[str]:
    return pool.client.submit(
        _FUNCTIONS[task.kind],
        str(directory.path),
        task.id,
        pool.device,
        pool.threads,
        key=f"{task.name}-{directory.path.name}",
        resources=pool.resources or None,
        pure=False,
    )


def _arrived(finished: "queue.SimpleQueue[Future[str]]") -> Iterator[Future[str]]:
    """Futures that have ended, after waiting a moment for the first."""
    with suppress(queue.Empty):
        yield finished.get(timeout=_TICK_SECONDS)
        while True:
            yield finished.get_nowait()


def _result(future: Future[str], task: Task) -> str:
    """The hash a task returned, or its error in terms of this layer."""
    try:
        return str(future.result())
    except (MediaError, FitError, PipelineError):
        raise
    except KilledWorker as error:
        raise RestorationError(
            f"{_title(task)} ended its worker {error.allowed_failures + 1} times, perhaps out of memory; "
            "try fewer --workers or a smaller --set chunk.megapixels"
        ) from error
    except CancelledError as error:
        raise RestorationError(
            f"{_title(task)} was lost: the Dask scheduler went away; run the same command again"
        ) from error
    except Exception as error:
        raise RestorationError(f"{_title(task)} failed: {type(error).__name__}: {error}") from error


def _title(task: Task) -> str:
    return f"{'key frame of scene' if task.kind == 'key' else 'chunk'} {task.id}"


@contextmanager
def _stops_tasks(in_flight: dict[Future[str], Task], directory: JobDirectory, pool: Pool) -> Iterator[None]:
    """When the body ends early, for whatever reason, make running tasks end too, and wait a little."""
    try:
        yield
    except BaseException:
        # Dask cannot stop a task that has begun; the flag makes it raise at its next iteration, and at its
        # start.
        directory.cancel()
        with suppress(Exception), pool.client.as_current():
            wait(list(in_flight), timeout=_SECONDS_TO_STOP)
        raise
