"""How long a job will take, and how much memory and disk: measured on a moment, scaled by pixels and frames.

Pure arithmetic. What it assumes is in the docstrings: time and memory grow with the number of pixels, which is only
roughly true: small frames fit into a CPU's caches and do not fill a GPU.
"""

from dataclasses import dataclass
from math import ceil

from reelprior.pipeline.plan import Plan
from reelprior.pipeline.settings import Settings

__all__ = [
    "Cost",
    "Estimate",
    "Workload",
    "assumed_workload",
    "estimate",
    "memory_beside_frames",
    "workload_of",
]

#: Length of a scene where nobody has looked for cuts yet, in frames: four seconds, as films have on average.
ASSUMED_SCENE_FRAMES = 100

#: Arrays of a chunk that live at one time, of the size of its frames: source, quick look, results shown, latents and
#: results of two passes. 4 bytes for each of 3 channels.
_BYTES_PER_FRAME_AND_PIXEL = 7 * 3 * 4


@dataclass(frozen=True)
class Cost:
    """What a moment took.

    Attributes
    ----------
    pixels
        Of its frames.
    key_seconds
        For a key frame.
    frame_seconds
        For a frame that starts from its neighbour.
    memory_bytes
        What the fit needs beside the frames: network, activations, gradients.
    base_bytes
        What the program needs without any frame.
    gpu_bytes
        On the GPU; 0 without one.
    chunk_bytes, output_bytes
        Of a restored frame in a chunk file, and as it is coded in the output.
    """

    pixels: int
    key_seconds: float
    frame_seconds: float
    memory_bytes: float
    base_bytes: float
    gpu_bytes: float
    chunk_bytes: float
    output_bytes: float


@dataclass(frozen=True)
class Workload:
    """What a job consists of: key frames, frames to fit (those in fades twice, the first of each chunk twice too).

    Of ``pixels`` in a frame ``pixels_at_once`` are in memory: a tile.
    """

    pixels: int
    pixels_at_once: int
    frames: int
    keys: int
    fitted: int
    stored: int
    longest_read: int


@dataclass(frozen=True)
class Estimate:
    """Of a whole job; memory is that of one worker."""

    seconds: float
    memory_bytes: float
    gpu_bytes: float
    disk_bytes: float
    """Chunks and output at their peak, just before the chunks are removed."""


def workload_of(plan: Plan, settings: Settings, *, height: int, width: int) -> Workload:
    """What a plan asks for."""
    return Workload(
        pixels=height * width,
        pixels_at_once=_at_once(settings, height, width),
        frames=len(plan.frames),
        keys=sum(scene.key is not None for scene in plan.scenes),
        fitted=sum(len(chunk.write) + 1 for chunk in plan.chunks),
        stored=sum(len(chunk.write) for chunk in plan.chunks),
        longest_read=max(len(chunk.read) for chunk in plan.chunks),
    )


def assumed_workload(frames: int, settings: Settings, *, height: int, width: int) -> Workload:
    """The same without knowing the cuts: scenes of :data:`ASSUMED_SCENE_FRAMES`."""
    chunk = settings.chunk
    longest = max(1, min(chunk.frames, int(chunk.megapixels * 1e6 / (height * width))))
    scene = min(frames, ASSUMED_SCENE_FRAMES)
    scenes = ceil(frames / scene)
    chunks = scenes * ceil(scene / longest)
    fade = min(chunk.fade, longest // 2)
    stored = frames + 2 * fade * (chunks - scenes)
    return Workload(
        pixels=height * width,
        pixels_at_once=_at_once(settings, height, width),
        frames=frames,
        keys=scenes if settings.temporal.enabled and scene > 1 else 0,
        fitted=stored + chunks,
        stored=stored,
        longest_read=min(frames, longest + 2 * (fade + settings.handle_frames)),
    )


def _at_once(settings: Settings, height: int, width: int) -> int:
    side = settings.tile.size or max(height, width)
    return min(height, side) * min(width, side)


def estimate(cost: Cost, work: Workload, *, workers: int = 1) -> Estimate:
    """Scale what a moment took to a whole job.

    ``workers`` share the time evenly; whether they share the cores too is for the measurement to know.
    """
    larger = work.pixels / cost.pixels
    seconds = larger * (work.keys * cost.key_seconds + work.fitted * cost.frame_seconds)
    at_once = work.pixels_at_once / cost.pixels
    arrays = work.pixels_at_once * work.longest_read * _BYTES_PER_FRAME_AND_PIXEL
    return Estimate(
        seconds=seconds / workers,
        memory_bytes=cost.base_bytes + at_once * cost.memory_bytes + arrays,
        gpu_bytes=at_once * cost.gpu_bytes,
        disk_bytes=larger * (work.stored * cost.chunk_bytes + work.frames * cost.output_bytes),
    )


def memory_beside_frames(peak_bytes: float, *, pixels: int, frames: int) -> float:
    """What of a measured peak the fit needed beside its frames; never less than nothing."""
    return max(0.0, peak_bytes - pixels * frames * _BYTES_PER_FRAME_AND_PIXEL)
