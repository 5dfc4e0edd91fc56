"""How much memory a restoration takes per pixel, and the largest tile that a device holds.

An estimate from the sizes of the arrays, on the safe side: measured peaks are below it (tests compare the two).
"""

import math

from reelprior.models.settings import EngineSettings

__all__ = ["bytes_per_pixel", "largest_tile", "tasks_that_fit"]

_FLOAT = 4
#: Tiles are a multiple of this, so that the network needs no padding at up to six scales.
_STEP = 64
#: Share of a device's memory that a task may plan with: the rest is the framework's and the allocator's.
_USABLE = 0.7
_SMALLEST, _LARGEST = 256, 2048
#: What a process takes of a GPU before it computes: the CUDA context, its kernels, the workspaces of its libraries.
_CONTEXT_BYTES = 2**30
#: Of more tasks than that a GPU gains nothing: the kernels of small frames fill it by then.
_MOST_TASKS = 4


def bytes_per_pixel(engine: EngineSettings, *, frames: int) -> float:
    """Peak bytes per pixel of a tile while a chunk of ``frames`` frames is restored.

    The sum of what lies in memory at the same time: the clip and its results, the activations that back-propagation
    keeps, the neighbours of one frame, and the window of the collaborative filter.
    """
    clip = 5 * 3 * frames  # captured, shown, latents, results, filtered
    reach = engine.fusion.radius if engine.temporal.passes == 1 else engine.fusion.second_radius
    near = 2 * reach + 1
    fusion = near * (3 + 3 + 4)  # picture, warped, weights
    fusion += near * (near - 1) * (2 + 1)  # the flow of every pair, and how well it was matched at holes
    filtering = 0
    if engine.collaborative.enabled:
        window = 2 * engine.collaborative.radius + 1
        candidates = (2 * engine.collaborative.search + 1) ** 2 / engine.collaborative.step**2
        filtering = window * (13 + 2 * window) + round(4 * candidates)
    if engine.scale > 1:  # every neighbour goes through the warp and the reduction in each iteration
        fusion += 2 * reach * 3 * 4
    return _FLOAT * (clip + fusion + filtering + _activations(engine))


def _activations(engine: EngineSettings) -> float:
    """Floats per pixel that one iteration keeps: three of every convolution (before and after norm, activation)."""
    network = engine.network
    kept = 0.0
    inputs = network.code_channels + 6
    for scale, (channels, skip) in enumerate(zip(network.channels, network.skip_channels, strict=True)):
        area = 1 / (network.shuffle * 2**scale) ** 2
        down = channels * network.convolutions_down / 4
        kept += 3 * area * (inputs + down + skip + 2 * (channels + skip) + 2 * channels)
        inputs = channels
    return kept + 3 * 6


def largest_tile(engine: EngineSettings, *, frames: int, memory_bytes: int) -> int:
    """The longest side, in pixels, of a square tile that fits into a device's memory.

    Parameters
    ----------
    engine
        The settings.
    frames
        That a chunk reads.
    memory_bytes
        Of the device, all of it.

    Returns
    -------
    int
        A multiple of 64 from 256 to 2048.
    """
    side = math.sqrt(_USABLE * memory_bytes / bytes_per_pixel(engine, frames=frames))
    return max(_SMALLEST, min(_LARGEST, int(side) // _STEP * _STEP))


def tasks_that_fit(engine: EngineSettings, *, frames: int, pixels: int, memory_bytes: int) -> int:
    """How many processes with a task each a GPU holds: small frames do not fill one.

    Parameters
    ----------
    engine
        The settings.
    frames
        That a chunk reads.
    pixels
        Of a frame, or of a tile where there are several.
    memory_bytes
        Of the GPU, all of it.

    Returns
    -------
    int
        From 1 to 4.
    """
    each = _CONTEXT_BYTES + pixels * bytes_per_pixel(engine, frames=frames)
    return max(1, min(_MOST_TASKS, int(_USABLE * memory_bytes / each)))
