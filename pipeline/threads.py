"""How many CPU threads a process computes with: one decision for torch and OpenCV."""

import cv2
import torch
from dask.system import CPU_COUNT

__all__ = ["threads_here", "use_threads"]


def threads_here(wanted: int) -> int:
    """As many threads as ``compute.threads`` says; 0 means all cores but one for work within the client's process.

    That one is for the client and Dask's event loop, and for whatever else runs on the machine: an OpenMP team over
    every core waits at each barrier for the thread that they displace. On two cores, one thread was 1.6 times as fast
    as two in a job, and twelve times in a preview beside a test suite.
    """
    return wanted or max(1, CPU_COUNT - 1)


def use_threads(threads: int) -> None:
    """Compute with so many threads from here on. OpenCV counts for itself."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
