"""Large frames in tiles: which ones, and the blend of what was restored of each. Memory is bounded by the tile."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.io.chunks import read_frames
from reelprior.models.device import Compute
from reelprior.models.memory import largest_tile
from reelprior.models.tiles import Canvas, Tile
from reelprior.pipeline.settings import Settings

__all__ = ["blend_parts", "resolve_tile_size"]

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
        frames = settings.chunk.frames + 2 * (settings.chunk.fade + settings.handle_frames)
        memory = torch.cuda.get_device_properties(device).total_memory
        size = largest_tile(settings, frames=frames, memory_bytes=memory)
    return settings.model_copy(update={"tile": settings.tile.model_copy(update={"size": size})})


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
