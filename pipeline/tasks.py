"""The two tasks of a clip that Dask runs, and what every task begins with.

Only strings and numbers travel; pixels and parameters stay in files. A task may run twice, at the same time
even, and may be killed at any moment: it reads the order, computes, and renames one whole file into place. Running it
again gives the same file.
"""

import functools
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from reelprior.io.chunks import write_frames
from reelprior.io.errors import MediaError
from reelprior.io.files import load_arrays, save_arrays, sha256
from reelprior.io.reader import open_reader
from reelprior.io.scan import FrameIndex
from reelprior.models import restoration
from reelprior.models.clip import Clip
from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings
from reelprior.models.temporal import Step
from reelprior.models.tiles import Tile
from reelprior.pipeline.backlog import Task, TaskProgress
from reelprior.pipeline.compression import noise_there, quantisation_of
from reelprior.pipeline.effort import EffortRecorder, save_record
from reelprior.pipeline.errors import Interrupted, PipelineError, UnfitWorker
from reelprior.pipeline.found import needs_a_fit, overlay_in, tones_in
from reelprior.pipeline.jobdir import JobDirectory, Order
from reelprior.pipeline.mixing import blended, mixed, without_flicker, without_tint
from reelprior.pipeline.threads import use_threads
from reelprior.pipeline.tiling import blend_parts
from reelprior.pipeline.unknown import unknown_of
from reelprior.pipeline.versions import versions

__all__ = [
    "enter",
    "fit_key_frame",
    "refuse_other_version",
    "restore_chunk",
    "stop_if_told",
    "with_errors_that_travel",
]

_SECONDS_BETWEEN_CHECKS = 0.2
_log = logging.getLogger(__name__)

TaskFunction = Callable[[str, int, str, int], str]


def with_errors_that_travel(function: TaskFunction) -> TaskFunction:
    """Let a task raise its error without causes: those of PyAV do not survive being pickled."""

    @functools.wraps(function)
    def task(job_dir: str, number: int, device: str, threads: int) -> str:
        try:
            return function(job_dir, number, device, threads)
        except (MediaError, FitError, PipelineError) as error:
            _log.debug("%s %d failed", function.__name__, number, exc_info=True)
            bare = type(error)(str(error))
        raise bare

    return task


@with_errors_that_travel
def fit_key_frame(job_dir: str, scene_id: int, device: str, threads: int) -> str:
    """Fit a scene's key frame from nothing and store the parameters.

    Parameters
    ----------
    job_dir
        The job directory, as this process sees it.
    scene_id
        Which scene.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda`` or ``cuda:K``, from this process's point of view.
    threads
        CPU threads to use; 0 leaves the process as it is.

    Returns
    -------
    str
        SHA-256 of the file written, in hex.

    Raises
    ------
    Interrupted
        If the cancel flag appears.
    """
    directory, order, index = _open(job_dir, threads)
    scene = order.plan(index).scenes[scene_id]
    if scene.key is None:
        raise ValueError(f"scene {scene_id} has no key frame")
    task = Task("key", scene_id)
    effort = EffortRecorder(scene.read.start)
    watch = _watch(directory, task, effort)
    # Every tile has parameters of its own; each but the first starts from its neighbour's.
    fitted: list[dict[str, NDArray[np.float32]]] = []
    for tile in order.tiles if needs_a_fit(order, index, directory, scene.frames) else ():
        clip, _, _ = _read_clip(directory, order, index, scene.read, tile)
        parameters = restoration.fit_key_frame(
            clip,
            scene.key - scene.read.start,
            start=None if tile.start_from is None else fitted[tile.start_from],
            engine=order.job.settings,
            compute=_compute(order, device),
            seed=order.job.settings.seed,
            on_step=_share_of(watch, tile, frames=1, tiles=len(order.tiles)),
        )
        fitted.append(parameters)
    save_arrays(
        directory.result_path(task),
        {
            _of_tile(tile, name): value
            for tile, found in zip(order.tiles, fitted, strict=False)
            for name, value in found.items()
        },
    )
    return _finished(directory, task, effort)


@with_errors_that_travel
def restore_chunk(job_dir: str, chunk_id: int, device: str, threads: int) -> str:
    """Restore the frames of a chunk, starting from its scene's parameters, and store them.

    Parameters, result and errors are those of `fit_key_frame`.
    """
    directory, order, index = _open(job_dir, threads)
    plan = order.plan(index)
    chunk = plan.chunks[chunk_id]
    task = Task("chunk", chunk_id)
    wanted = _shift(chunk.write, -chunk.read.start)
    has_key = plan.scenes[chunk.scene].key is not None
    fitted = load_arrays(directory.result_path(Task("key", chunk.scene))) if has_key else {}
    effort = EffortRecorder(chunk.read.start)
    watch = _watch(directory, task, effort)

    at = slice(wanted.start, wanted.stop)
    settings = order.job.settings
    fits = needs_a_fit(order, index, directory, chunk.write)
    unreadable = index.unreadable

    def restored(tile: Tile) -> NDArray[np.float32]:
        clip, toned, source = _read_clip(directory, order, index, chunk.read, tile)
        if settings.strength == 0:
            return source[at]
        if not fits:
            return blended(toned[at], source[at], settings.strength)
        result = restoration.restore_clip(
            clip,
            wanted,
            parameters=_parameters_of(tile, fitted) if has_key else None,
            engine=order.job.settings,
            compute=_compute(order, device),
            seed=order.job.settings.seed,
            on_step=_share_of(watch, tile, frames=len(wanted), tiles=len(order.tiles)),
        )
        missing = None if clip.missing is None else clip.missing[at]
        if settings.scale > 1:
            return without_tint(result, toned[at], missing)
        # A lost frame has no source: what is read in its place is the frame before.
        lost = [t - chunk.read.start for t in chunk.write if t in unreadable]
        toned[lost] = source[lost] = result[[t - wanted.start for t in lost]]
        result = mixed(
            result,
            toned[at],
            missing,
            sigma=clip.noise.sigma,
            only_missing=order.job.restores_only_the_mask,
            feather=settings.mask.feather,
        )
        return blended(result, source[at], settings.strength)

    path = directory.result_path(task)
    if len(order.tiles) == 1:
        frames = restored(order.tiles[0])
        write_frames(path, frames, clip=_is_within(frames))
        return _finished(directory, task, effort)
    with TemporaryDirectory(prefix=f".{task.name}-", dir=path.parent) as folder:
        parts = [Path(folder) / f"{tile.index}.mkv" for tile in order.tiles]
        clip = True
        for tile, part in zip(order.tiles, parts, strict=True):
            frames = restored(tile)
            is_within = _is_within(frames)
            write_frames(part, frames, clip=is_within)
            clip = clip and is_within
        scaled = [tile.scaled(settings.scale) for tile in order.tiles]
        write_frames(path, blend_parts(scaled, parts), clip=clip)
    return _finished(directory, task, effort)


def _finished(directory: JobDirectory, task: Task, effort: EffortRecorder) -> str:
    """Note what a result took; its hash."""
    result_sha256 = sha256(directory.result_path(task))
    save_record(directory, task, effort.record(result_sha256))
    return result_sha256


def _is_within(frames: NDArray[np.float32]) -> bool:
    """Whether all values are in [0, 1], which makes smaller chunk files."""
    return bool(frames.min() >= 0 and frames.max() <= 1)


def _open(job_dir: str, threads: int) -> tuple[JobDirectory, Order, FrameIndex]:
    directory = enter(job_dir, threads)
    order, index = directory.load_order()
    refuse_other_version(order.version)
    return directory, order, index


def enter(job_dir: str, threads: int) -> JobDirectory:
    """The job directory as a task finds it, after its worker has been made ready.

    Raises
    ------
    UnfitWorker
        If the worker does not see it.
    Interrupted
        If the cancel flag is there.
    """
    if threads:
        use_threads(threads)  # a nanny starts its worker with OMP_NUM_THREADS=1 unless told otherwise
    directory = JobDirectory(job_dir)
    if not directory.path.exists():
        raise UnfitWorker(f"the worker on {socket.gethostname()} does not see {job_dir}")
    stop_if_told(directory)  # a task that was still waiting when the job was cancelled
    return directory


def refuse_other_version(version: str) -> None:
    """Raise `UnfitWorker` if the client that wrote an order has another version of reelprior."""
    if version != versions()["reelprior"]:
        raise UnfitWorker(
            f"the worker on {socket.gethostname()} has reelprior {versions()['reelprior']}, "
            f"the job was begun with {version}"
        )


def _compute(order: Order, device: str) -> ComputeSettings:
    """The job's arithmetic on this worker's device."""
    return order.job.settings.compute.model_copy(update={"device": device})


def _read_clip(
    directory: JobDirectory, order: Order, index: FrameIndex, frames: range, tile: Tile
) -> tuple[Clip, NDArray[np.float32], NDArray[np.float32]]:
    """A tile of the frames of a range: for the engine; without logo and flicker, but not clipped; and as they are."""
    crop = tile.read.slices
    pixels = np.empty((len(frames), 3, tile.read.height, tile.read.width), np.float32)
    reading = order.job.settings.source.reading
    with open_reader(order.read_path, index, reading=reading, clip=False) as reader:
        for frame in reader.read(frames.start, frames.stop):
            pixels[frame.index - frames.start] = frame.pixels[..., *crop]
    missing = unknown_of(order.job, directory, index, size=(order.height, order.width)).read(frames)
    if missing is not None:
        missing = np.ascontiguousarray(missing[..., *crop])
    overlay = overlay_in(directory)
    scene = pixels if overlay is None else overlay.cut(*crop).taken_off(pixels)
    toned = without_flicker(scene, tones_in(directory, frames))
    within = toned if _is_within(toned) else np.clip(toned, 0, 1)
    noise, bounds = order.noise, None
    if order.job.settings.deblock:
        noise = noise_there(noise, index.quantisers, whole=order.frames, there=frames)
        bounds = quantisation_of(order.job.input)
    clip = Clip(
        frames=within,
        missing=missing,
        noise=noise,
        quantisation=bounds and bounds.at(tile.read.top, tile.read.left),
        only_missing=order.job.restores_only_the_mask,
    )
    return clip, toned, pixels


def _watch(directory: JobDirectory, task: Task, effort: EffortRecorder) -> Callable[[Step], None]:
    """What the engine calls once per iteration: counts, tells the client where it is, stops when asked to."""
    last = -_SECONDS_BETWEEN_CHECKS

    def on_step(step: Step) -> None:
        nonlocal last
        effort.on_step(step)
        now = time.monotonic()
        if (
            now - last < _SECONDS_BETWEEN_CHECKS
        ):  # an iteration takes milliseconds, a look at a file server more
            return
        last = now
        stop_if_told(directory)
        directory.save_progress(task, TaskProgress(step.frames_done, step.loss))

    return on_step


def _of_tile(tile: Tile, name: str) -> str:
    return f"{tile.index}/{name}"


def _parameters_of(tile: Tile, fitted: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """A tile's own parameters among those of all tiles, as `fit_key_frame` stores them."""
    prefix = _of_tile(tile, "")
    return {name.removeprefix(prefix): value for name, value in fitted.items() if name.startswith(prefix)}


def _share_of(
    watch: Callable[[Step], None], tile: Tile, *, frames: int, tiles: int
) -> Callable[[Step], None]:
    """The steps of one tile of several, as a share of the whole task's."""

    def on_step(step: Step) -> None:
        watch(Step(step.frame, (tile.index * frames + step.frames_done) / tiles, step.loss))

    return on_step


def stop_if_told(directory: JobDirectory) -> None:
    """Raise `Interrupted` if the cancel flag is there."""
    if directory.cancelled:
        raise Interrupted(f"the tasks of {directory.path} were told to stop")


def _shift(frames: range, by: int) -> range:
    return range(frames.start + by, frames.stop + by)
