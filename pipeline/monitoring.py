"""Metrics of the tasks in a worker, for Prometheus: they appear at the endpoint that Dask serves for that worker.

Dask's ``/metrics`` shows the default registry of its process, so what is counted here is there without a server of
our own. Without ``prometheus_client`` (the extra ``monitoring``) nothing is counted.
"""

import functools
import sys
from typing import Any

__all__ = ["observe_task", "peak_memory_bytes"]

#: The unit of ``ru_maxrss``.
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
#: From a tiny clip to the longest chunk.
_SECONDS_BUCKETS = (0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)


def peak_memory_bytes() -> int:
    """The most resident memory that this process has had."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES


def observe_task(kind: str, *, seconds: float, peak_bytes: int) -> None:
    """Count a finished task of a kind (``key``, ``chunk``)."""
    instruments = _instruments()
    if instruments is None:
        return
    durations, memory = instruments
    durations.labels(kind).observe(seconds)
    memory.set(peak_bytes)


@functools.cache
def _instruments() -> tuple[Any, Any] | None:
    try:
        from prometheus_client import Gauge, Histogram
    except ImportError:
        return None
    durations = Histogram(
        "reelprior_task_seconds", "Finished tasks and what they took.", ["kind"], buckets=_SECONDS_BUCKETS
    )
    memory = Gauge("reelprior_peak_memory_bytes", "The most resident memory of this worker so far.")
    return durations, memory
