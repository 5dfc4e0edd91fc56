"""What every peer's script is: ``python SCRIPT NOISY.npy RESTORED.npy --sigma S`` plus options of its own.

A peer runs in a process of its own, perhaps in an environment of its own: its memory can be told, and clips come and
go as array files, (T, H, W, 3) uint8, R'G'B'. The seconds it prints are those of restoring, without starting up.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Video", "parser", "serve"]

Video = NDArray[np.uint8]


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows what all peers are given."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("noisy", help="array file (T, H, W, 3) uint8")
    arguments.add_argument("restored", help="array file of the same shape, written")
    arguments.add_argument("--sigma", type=float, required=True, help="standard deviation in grey levels")
    return arguments


def serve(options: argparse.Namespace, restore: Callable[[Video], Video]) -> None:
    """Read, restore, write, and print the seconds as JSON."""
    noisy = np.load(options.noisy)
    started = time.perf_counter()
    restored = restore(noisy)
    seconds = time.perf_counter() - started
    if restored.shape != noisy.shape or restored.dtype != np.uint8:
        raise SystemExit(f"{restored.shape} {restored.dtype} came back for {noisy.shape} {noisy.dtype}")
    np.save(options.restored, restored)
    print(json.dumps({"seconds": seconds}))
