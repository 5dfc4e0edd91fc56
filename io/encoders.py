"""Encoders, opened so that the process stays what it was."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import av

__all__ = ["open_encoder"]

_THREADS = Path("/proc/self/task")


def open_encoder(encoder: av.VideoCodecContext) -> None:
    """Open an encoder that has been set up.

    SVT-AV1 writes to stderr unless told otherwise. Where it may, as for root in a container, it also makes the thread
    that opens it and its own ones real-time threads of the highest priority: whatever that process computes later, its
    children too, would keep everything else on the machine from running.

    Raises
    ------
    av.FFmpegError
        If it does not take what was set up.
    """
    if encoder.name != "libsvtav1":
        encoder.open()
        return
    os.environ.setdefault("SVT_LOG", "0")  # it heeds nothing else
    if not _THREADS.is_dir():  # threads are listed on Linux only
        encoder.open()
        return
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    others = {thread.name for thread in _THREADS.iterdir()} - {str(threading.get_native_id())}
    try:
        encoder.open()
    finally:
        for thread in _THREADS.iterdir():
            if thread.name not in others:
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.sched_setscheduler(int(thread.name), policy, parameter)
