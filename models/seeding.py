"""Random starts that a seed alone decides."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]

#: Layers draw from the generator of the whole process, which the threads of a Dask worker share.
_TURN = threading.Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make layers that are built inside draw from ``seed``; PyTorch's generators are left as they were."""
    with _TURN, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
