"""Frames and memory: tiles of large frames and their blend, and how many small ones a GPU restores at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.io.chunks import read_frames
from reelprior.models.device import Compute
from reelprior.models.memory import largest_tile, tasks_that_fit
from reelprior.models.tiles import Canvas, Tile
from reelprior.pipeline.settings import Settings

__all__ = ["blend_parts", "processes_per_gpu", "resolve_tile_size"]

#: Longest side of a tile on CPUs: standard definition is one tile, and a task needs less than 3 GB.
_ON_CPU = 768


def resolve_tile_size(settings: Settings) -> Settings:
    """The settings with a number for a tile size of 0.

    Decided once, before the work, because the result depends on it: every worker has to make the same tiles. On a GPU
    of this machine it is what its memory holds.
    """
    if settings.tile.size:
        return settings
    size = _ON_CPU
    device = Compute(settings.compute).device
    if device.type == "cuda":
        memory = _gpu_memory(device) // max(1, settings.compute.per_gpu)
        size = largest_tile(settings, frames=_frames_read(settings), memory_bytes=memory)
    return settings.model_copy(update={"tile": settings.tile.model_copy(update={"size": size})})


def processes_per_gpu(settings: Settings, *, height: int, width: int) -> int:
    """How many processes may share a GPU of this machine for frames of a size; 1 without a GPU.

    Parameters
    ----------
    settings
        With a number for the tile size.
    height, width
        Of a frame as it is restored, in pixels.
    """
    device = Compute(settings.compute).device
    if settings.compute.per_gpu or device.type != "cuda":
        return max(1, settings.compute.per_gpu)
    side = settings.tile.size
    return tasks_that_fit(
        settings,
        frames=_frames_read(settings),
        pixels=min(height, side) * min(width, side),
        memory_bytes=_gpu_memory(device),
    )


def _frames_read(settings: Settings) -> int:
    """By the longest chunk."""
    return settings.chunk.frames + 2 * (settings.chunk.fade + settings.handle_frames)


def _gpu_memory(device: torch.device) -> int:
    """In bytes."""
    memory: int = torch.cuda.get_device_properties(device).total_memory
    return memory


def blend_parts(tiles: Sequence[Tile], parts: Sequence[Path]) -> Iterator[NDArray[np.float32]]:
    """The frames of a chunk from those of its tiles, one file each; one frame of every file is in memory.

    Yields
    ------
    NDArray[np.float32]
        (3, H, W) in [0, 1].
    """
    streams = [read_frames(part) for part in parts]
    for pictures in zip(*streams, strict=True):
        canvas = Canvas(tiles, channels=3)
        for tile, picture in zip(tiles, pictures, strict=True):
            canvas.add(tile, picture)
        yield canvas.pixels
