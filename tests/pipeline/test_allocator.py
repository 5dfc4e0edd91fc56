"""What a task has freed does not stay with the process."""

import ctypes

import numpy as np
import psutil
import pytest

from reelprior.pipeline.allocator import give_back_memory
from reelprior.pipeline.schedule import run_task

HAS_GLIBC = hasattr(ctypes.CDLL(None), "malloc_trim")


def resident_mib():
    return psutil.Process().memory_info().rss / 2**20


@pytest.mark.skipif(not HAS_GLIBC, reason="another C library does not keep what is freed")
def test_memory_that_a_task_has_freed_goes_back_to_the_system():
    """Blocks too small for maps of their own, below one that stays: the C library alone would keep them all."""
    stays = []
    seen = []

    def task(_job_dir, _number, _device, _threads):
        blocks = [np.ones(8192) for _ in range(4800)]  # 300 MiB, 64 KiB each
        stays.append(blocks[-1])
        seen.append(resident_mib())
        return "hash"

    give_back_memory()  # else the blocks would take what other tests have freed
    before = resident_mib()
    run_task(task, "", 0, "cpu", 1, kind="chunk")
    assert seen[0] - before > 250
    assert resident_mib() - before < 50
