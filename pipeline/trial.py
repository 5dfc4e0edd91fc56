"""A trial: a chunk of a source is begun as a task would do it, in a process of its own, to see what it takes.

What the engine says about how far it is gives the time, the process's peak the memory, and the source's frames coded as
chunks are the disk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from reelprior.io.chunks import write_frames
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.reader import open_reader
from reelprior.models.noise import NoiseModel
from reelprior.pipeline.job import Job
from reelprior.pipeline.monitoring import peak_memory_bytes
from reelprior.pipeline.plan import Plan, make_plan
from reelprior.pipeline.settings import Settings

if TYPE_CHECKING:
    from reelprior.models.temporal import Step

__all__ = ["Trial", "header_plan", "try_out", "try_out_pair"]

_TRIAL_SECONDS = 10.0
_FRAMES_TO_CODE = 3
_PICTURES_OF_A_PAIR = 8
"""So many pictures of three float32 channels are in memory at a time."""
_TRIAL_SIGMA_8BIT = 15.0
"""As strong as noise usually is; how strong it is decides how soon fits stop."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Trial:
    """What a trial has measured.

    Attributes
    ----------
    seconds_per_key, seconds_per_frame
        Of a key frame's fit, and of a restored frame of a chunk.
    peak_memory_bytes
        Of a process that restores such a chunk.
    chunk_bytes_per_frame
        Of the source's frames, coded as chunks are; restored ones have less noise and take less.
    """

    seconds_per_key: float
    seconds_per_frame: float
    peak_memory_bytes: int
    chunk_bytes_per_frame: float


def try_out(job_json: str, device: str) -> Trial:
    """Measure the first chunk of a job's source.

    Parameters
    ----------
    job_json
        The job.
    device
        Where to compute.
    """
    # Here, because whoever plans a batch has no need of torch.
    from reelprior.models.clip import Clip
    from reelprior.models.restoration import fit_key_frame, restore_clip
    from reelprior.pipeline.tiling import resolve_tile_size

    job = Job.model_validate_json(job_json)
    settings = resolve_tile_size(job.settings)
    info = probe(job.input)
    height, width = info.video.height, info.video.width
    # A large frame is worked on in tiles, one after the other: the trial sees one.
    side = settings.tile.size // settings.scale
    high, wide = min(height, side), min(width, side)
    chunk = header_plan(job, info).chunks[0]
    tile: list[NDArray[np.float32]] = []
    shown: list[NDArray[np.float32]] = []
    with open_reader(job.input) as reader:
        for frame in islice(reader.read(0), len(chunk.read)):
            top, left = (height - high) // 2, (width - wide) // 2
            tile.append(frame.pixels[:, top : top + high, left : left + wide])
            if len(shown) < _FRAMES_TO_CODE:
                shown.append(frame.pixels)
    frames = np.stack(tile)
    clip = Clip(frames, None, NoiseModel.from_sigma_8bit(_TRIAL_SIGMA_8BIT))
    compute = settings.compute.model_copy(update={"device": device})
    middle = len(frames) // 2

    def fit_key(engine: Settings, on_step: "Callable[[Step], None]") -> "dict[str, NDArray[np.float32]]":
        return fit_key_frame(
            clip, middle, engine=engine, compute=compute, seed=settings.seed, on_step=on_step
        )

    parameters, seconds_per_key = None, 0.0
    if settings.temporal.enabled and len(frames) > 1:
        parameters, seconds_per_key = _timed(lambda on_step: fit_key(settings, on_step))
        if parameters is None:  # not waited for; how good they are does not matter here
            short = settings.model_copy(update={"fit": settings.fit.model_copy(update={"iterations": 1})})
            parameters = fit_key(short, lambda _step: None)
    _, seconds_per_frame = _timed(
        lambda on_step: restore_clip(
            clip,
            range(min(len(chunk.write), len(frames))),
            parameters=parameters,
            engine=settings,
            compute=compute,
            seed=settings.seed,
            on_step=on_step,
        )
    )
    with TemporaryDirectory() as folder:
        write_frames(Path(folder) / "chunk.mkv", shown)
        coded = (Path(folder) / "chunk.mkv").stat().st_size / len(shown)
    tiles = height * width / (high * wide)
    return Trial(
        seconds_per_key=seconds_per_key * tiles,
        seconds_per_frame=seconds_per_frame * tiles,
        # Results that a trial does not come to, and their copy while they are put together.
        peak_memory_bytes=peak_memory_bytes() + 2 * settings.scale**2 * frames.nbytes,
        chunk_bytes_per_frame=coded * settings.scale**2,
    )


def try_out_pair(settings_json: str, size: tuple[int, int], device: str) -> Trial:
    """Measure what a flash/no-flash pair of a size takes: a few iterations for the time, a tile for the memory."""
    from reelprior.models.device import Compute
    from reelprior.models.flash import Pair, restore_pair, seconds_for
    from reelprior.models.tiles import plan_tiles

    settings = Settings.model_validate_json(settings_json)
    compute = settings.compute.model_copy(update={"device": device})
    tiles = plan_tiles(*size, settings.photo.tile, settings.photo.overlap)
    seconds = seconds_for(tiles, engine=settings, compute=Compute(compute))
    high, wide = tiles[0].read.height, tiles[0].read.width
    shot = np.random.default_rng(0).random((3, high, wide), np.float32)
    pair = Pair(shot, shot, np.ones((high, wide), np.float32), NoiseModel.from_sigma_8bit(_TRIAL_SIGMA_8BIT))
    short = settings.model_copy(
        update={"fit": settings.fit.model_copy(update={"iterations": 1, "starts": 1})}
    )
    restore_pair(pair, engine=short, compute=compute, seed=settings.seed, on_step=lambda _step: None)
    pixels = size[0] * size[1]
    return Trial(
        seconds_per_key=0.0,
        seconds_per_frame=seconds,
        # Both shots, what is made of them, and the result, as far as the tile has not shown it.
        peak_memory_bytes=peak_memory_bytes() + _PICTURES_OF_A_PAIR * 12 * (pixels - high * wide),
        chunk_bytes_per_frame=6.0 * pixels,
    )


def _timed(run: "Callable[[Callable[[Step], None]], _Result]") -> tuple[_Result | None, float]:
    """The result of a part of the engine, None where it would take longer than a trial; its seconds per frame."""
    started = time.monotonic()
    seconds_per_frame = 0.0

    def on_step(step: "Step") -> None:
        nonlocal seconds_per_frame
        elapsed = time.monotonic() - started
        if step.frames_done > 0:
            seconds_per_frame = elapsed / step.frames_done
            if elapsed > _TRIAL_SECONDS:
                raise _EnoughSeen

    try:
        return run(on_step), seconds_per_frame
    except _EnoughSeen:
        return None, seconds_per_frame


class _EnoughSeen(Exception):  # noqa: N818 - the trial is over
    """Ends a trial."""


def header_plan(job: Job, info: MediaInfo) -> Plan:
    """The plan, as far as a header tells: its frames, in one scene."""
    settings = job.settings
    start, stop = job.frames
    frames = range(start or 0, stop or max(_count_frames(info), (start or 0) + 1))
    return make_plan(
        frames,
        [0.0] * frames.stop,
        height=info.video.height * settings.scale,
        width=info.video.width * settings.scale,
        chunk=settings.chunk,
        handle=settings.handle_frames,
        warm_starts=settings.temporal.enabled,
    )


def _count_frames(info: MediaInfo) -> int:
    """As many as the header says, or as fit into the duration that it says."""
    video = info.video
    if video.frames_from_header or not video.duration_seconds_from_header or not video.average_rate:
        return video.frames_from_header
    return round(video.duration_seconds_from_header * float(video.average_rate))
