"""How many CPU threads a process computes with: one decision for torch and OpenCV."""

import cv2
import torch
from dask.system import CPU_COUNT

__all__ = ["leave_threads_to_tasks", "threads_here", "use_threads"]


def threads_here(wanted: int) -> int:
    """As many threads as ``compute.threads`` says; 0 means all cores but one for work within the client's process.

    That one is for the client and Dask's event loop, and for whatever else runs on the machine: an OpenMP team over
    every core waits at each barrier for the thread that they displace. On two cores that had nothing else to do two
    threads were 1.25 times as fast as one in a job; beside one other busy process they took three times as long.
    """
    return wanted or max(1, CPU_COUNT - 1)


def leave_threads_to_tasks() -> None:
    """Let the client, which only waits while tasks run within its process, compute with one torch thread.

    OpenMP keeps a team of threads for every thread that has computed with several, and where teams together outnumber
    the cores their members sleep between loops instead of waiting awake: iterations then take three times as long.
    """
    torch.set_num_threads(1)


def use_threads(threads: int) -> None:
    """Compute with so many threads from here on. OpenCV counts for itself."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
