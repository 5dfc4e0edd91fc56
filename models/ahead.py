"""Work that is begun before its result is needed, where a processor core is free for it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

__all__ = ["Ahead"]

T = TypeVar("T")


class Ahead:
    """Begins work in threads, or leaves it until its result is asked for where there are none.

    Only what releases the interpreter's lock gains, as OpenCV's functions and torch's do. The results are the same
    either way. Pieces of work are begun in order: one may wait for an earlier one, never for a later one.

    Parameters
    ----------
    threads
        How many; 0 where the processor has enough to do, because it computes everything else, too.
    """

    def __init__(self, threads: int) -> None:
        self._pool = _pool(threads) if threads else None

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin; what is returned gives the result, once, and raises what the work has raised."""
        return work if self._pool is None else self._pool.submit(work).result


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """So many threads for the whole process: what a thread has freed stays with it, and new ones take more."""
    return ThreadPoolExecutor(threads, thread_name_prefix="ahead")
