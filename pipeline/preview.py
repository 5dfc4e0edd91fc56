"""A moment of a source, restored at once: how it will look, and what the whole will take.

The engine works as it does in a job, with the same settings, on the middle of a few frames: as many pixels as give an
answer in seconds. What is seen is what the job will give there, but for the chunk's other frames.
"""

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reelprior.io.chunks import write_frames
from reelprior.io.coding import Coding, target_kind, video_encoding
from reelprior.io.errors import OutputError
from reelprior.io.files import atomic_path
from reelprior.io.masks import open_masks
from reelprior.io.moment import read_moment
from reelprior.io.pictures import encode_png
from reelprior.io.probe import MediaInfo, probe
from reelprior.io.sizes import coded_bytes
from reelprior.models.clip import Clip
from reelprior.models.device import Compute
from reelprior.models.restoration import fit_key_frame, restore_clip
from reelprior.models.temporal import Step
from reelprior.models.tiles import middle
from reelprior.pipeline.compression import SourceCoding, check_coding, quantisation_of
from reelprior.pipeline.costs import Cost, Estimate, assumed_workload, estimate, memory_beside_frames
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.footage import nothing_to_restore, treatment_of
from reelprior.pipeline.mixing import without_tint
from reelprior.pipeline.noise import PIXELS_TO_COMPARE, Looked, noise_in, sigma_8bit
from reelprior.pipeline.progress import readable_time
from reelprior.pipeline.settings import Settings
from reelprior.pipeline.tiling import resolve_tile_size

__all__ = ["Preview", "make_preview", "parse_time"]

#: Restored frames: the first of a walk costs twice, so one alone would not tell what a frame takes.
_FRAMES = 3
#: Every so manyth frame is compared with the next one, to measure the noise.
_PAIRS_APART = 3
#: Pixels of the result that a processor and a GPU make in some ten seconds.
_PIXELS = {"cpu": 25_000, "cuda": 500_000}
_GAP = 4


@dataclass(frozen=True)
class Preview:
    """What a preview made and measured.

    Attributes
    ----------
    picture
        PNG: before on the left, after on the right.
    pts_seconds
        Of the frame shown.
    crop
        (width, height) of the part shown.
    sigma_8bit
        Of the noise it went by.
    seconds
        It took.
    frames
        Of the whole source, as its header says: an estimate, too.
    whole
        What restoring the whole will take on this machine, with one worker.
    """

    picture: Path
    pts_seconds: float
    crop: tuple[int, int]
    sigma_8bit: float
    seconds: float
    frames: int
    whole: Estimate

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "picture": str(self.picture),
            "at_seconds": round(self.pts_seconds, 3),
            "crop": list(self.crop),
            "noise_sigma_8bit": round(self.sigma_8bit, 2),
            "seconds": round(self.seconds, 1),
            "whole_frames": self.frames,
            "whole_seconds": round(self.whole.seconds),
            "whole_memory_mb": round(self.whole.memory_bytes / 1e6),
            "whole_gpu_memory_mb": round(self.whole.gpu_bytes / 1e6),
            "whole_disk_mb": round(self.whole.disk_bytes / 1e6, 1),
        }

    def summary(self) -> str:
        """A few lines for people."""
        gpu = f", {self.whole.gpu_bytes / 1e9:.1f} GB on the GPU" if self.whole.gpu_bytes else ""
        return (
            f"{self.picture}: before and after at {self.pts_seconds:.2f} s, the middle {self.crop[0]}x{self.crop[1]} "
            f"pixels, noise of sigma {self.sigma_8bit:.1f}, in {self.seconds:.0f} s\n"
            f"the whole ({self.frames} frames by its header), roughly: {readable_time(self.whole.seconds)} with one "
            f"worker, {self.whole.memory_bytes / 1e9:.1f} GB of memory{gpu}, {readable_size(self.whole.disk_bytes)} of "
            "disk"
        )


def make_preview(
    source: str,
    picture: str | Path,
    *,
    seconds: float,
    settings: Settings,
    mask: str | None = None,
    output: str = "restored.mkv",
    overwrite: bool = False,
) -> Preview:
    """Restore a moment and measure.

    Parameters
    ----------
    source
        What would be restored.
    picture
        The PNG to write.
    seconds
        Which moment, since the beginning.
    settings
        Of the job.
    mask
        One picture; white is missing.
    output
        What the job's output would be called: its suffix decides the coding whose size is estimated.
    overwrite
        Whether an existing picture may be replaced.

    Raises
    ------
    reelprior.io.errors.InputError
        If the source cannot be read, or ends before; or if it is interlaced there, and the settings do not say what to
        do about it.
    reelprior.io.errors.OutputError
        If the picture cannot be written.
    UsageError
        If there is nothing to restore, or the mask is not one picture.
    """
    started = time.monotonic()
    picture = Path(picture)
    _check(picture, settings, mask, overwrite=overwrite)
    info = probe(source)
    check_coding(info, settings)
    settings = resolve_tile_size(settings)
    compute = Compute(settings.compute)
    handle = settings.handle_frames
    around = handle + _FRAMES // 2
    moment = read_moment(info, seconds, before=around, after=around)
    treatment = treatment_of(moment.fields, settings, path=source)
    if treatment.order is not None:
        moment = read_moment(info, seconds, before=around, after=around, order=treatment.order)
    elif not _asks_for_anything(settings, mask):
        raise nothing_to_restore(source)
    stated = SourceCoding.of(info, moment.quantisers, frames=frames_by_header(info))
    missing, masked = moment.missing, None
    if mask is not None:
        whole_mask = open_masks(mask, size=(info.video.height, info.video.width), frames=1).read(0, 1)
        masked = whole_mask.repeat(len(moment.frames), axis=0)
        missing = masked if missing is None else masked | missing
    looked = Looked(moment.frames, masked)
    noise, _ = noise_in(
        lambda: looked,
        settings,
        stated,
        look_at_pairs=None if treatment.order is not None else lambda: _pairs(looked),
    )
    pixels = _PIXELS[compute.device.type] // settings.scale**2
    rows, columns = middle(info.video.height, info.video.width, pixels=pixels)
    bounds = quantisation_of(source) if settings.deblock else None
    if missing is not None:
        missing = np.ascontiguousarray(missing[:, rows, columns])
    clip = Clip(
        np.ascontiguousarray(moment.frames[:, :, rows, columns]),
        missing,
        noise,
        bounds and bounds.at(rows.start, columns.start),
        only_missing=settings.restores_only_the_mask,
    )
    wanted = range(max(0, moment.at - _FRAMES // 2), min(len(clip.frames), moment.at + _FRAMES // 2 + 1))

    restored, cost = _restore(clip, wanted, moment.at, settings, compute, info=info, output=output)
    captured = clip.part(wanted)
    if settings.scale > 1:
        restored = without_tint(restored, captured.frames, captured.missing)
    elif settings.denoise == "none" and captured.missing is not None:
        restored = np.where(captured.missing[:, None], restored, captured.frames)
    shown = [_enlarged(clip.frames[moment.at], settings.scale), restored[moment.at - wanted.start]]
    gap = np.ones((3, shown[0].shape[1], _GAP), np.float32)
    with atomic_path(picture) as temporary:
        temporary.write_bytes(encode_png(np.concatenate([shown[0], gap, shown[1]], axis=2)))
    frames = frames_by_header(info)
    pictures = frames * (2 if treatment.order is not None else 1)
    height, width = (settings.scale * side for side in (info.video.height, info.video.width))
    work = assumed_workload(pictures, settings, height=height, width=width)
    return Preview(
        picture=picture,
        pts_seconds=moment.pts_seconds,
        crop=(clip.frames.shape[3], clip.frames.shape[2]),
        sigma_8bit=sigma_8bit(noise),
        seconds=time.monotonic() - started,
        frames=frames,
        whole=estimate(cost, work),
    )


def parse_time(text: str) -> float:
    """Seconds of ``75.5``, ``1:15.5`` or ``0:01:15.5``.

    >>> parse_time("1:15.5")
    75.5

    Raises
    ------
    UsageError
        For anything else.
    """
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or any(not 0 <= number < float("inf") for number in numbers):
        raise UsageError(f"--at {text}: write seconds (75.5), minutes (1:15.5) or hours (0:01:15.5)")
    total = 0.0
    for number in numbers:
        total = 60 * total + number
    return total


def _pairs(looked: Looked) -> Looked:
    """Of single frames: some and those that follow them, the middle of each."""
    at = middle(*looked.frames.shape[2:], pixels=PIXELS_TO_COMPARE)

    def paired(seen: NDArray[Any]) -> NDArray[Any]:
        return np.stack([seen[:-1:_PAIRS_APART], seen[1::_PAIRS_APART]], axis=1)

    missing = looked.missing
    return Looked(paired(looked.frames[:, :, *at]), None if missing is None else paired(missing[:, *at]))


def frames_by_header(info: MediaInfo) -> int:
    """How many frames the source says it has, at least one: cheap, and not always true."""
    video = info.video
    by_time = (video.duration_seconds_from_header or 0.0) * float(video.average_rate or 25)
    return video.frames_from_header or max(1, round(by_time))


def readable_size(size_bytes: float) -> str:
    """In MB, GB or TB."""
    for unit, length in (("TB", 1e12), ("GB", 1e9)):
        if size_bytes >= length:
            return f"{size_bytes / length:.1f} {unit}"
    return f"{size_bytes / 1e6:.1f} MB"


def _check(picture: Path, settings: Settings, mask: str | None, *, overwrite: bool) -> None:
    if not _asks_for_anything(settings, mask) and settings.fields.handling != "deinterlace":
        raise UsageError("nothing to restore: give --denoise (auto or a sigma), --mask or --scale")
    if picture.suffix.lower() != ".png":
        raise OutputError(f"{picture}: a preview is a .png: name it so")
    if picture.exists() and not overwrite:
        raise OutputError(
            f"{picture}: exists already: use --overwrite to replace it, or name another picture"
        )


def _asks_for_anything(settings: Settings, mask: str | None) -> bool:
    """Beside the fields, of which the source decides."""
    return settings.denoise != "none" or mask is not None or settings.scale > 1 or settings.deblock


def _enlarged(picture: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """(3, H, W) as a player shows it in the size of the result: bicubic."""
    if scale == 1:
        return picture
    size = (scale * picture.shape[2], scale * picture.shape[1])
    return np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_CUBIC) for channel in picture]).clip(
        0, 1
    )


def _restore(
    clip: Clip, wanted: range, key: int, settings: Settings, compute: Compute, *, info: MediaInfo, output: str
) -> tuple[NDArray[np.float32], Cost]:
    on_gpu = compute.device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(compute.device)
    base = _peak_bytes()
    started = time.monotonic()
    warm = settings.temporal.enabled and len(clip.frames) > 1
    given: dict[str, Any] = {
        "engine": settings,
        "compute": settings.compute,
        "seed": settings.seed,
        "on_step": _ignore,
    }
    parameters = fit_key_frame(clip, key, **given) if warm else None
    fitted = time.monotonic()
    restored = restore_clip(clip, wanted, parameters=parameters, **given)
    # The first frame of a walk has twice the budget; where every frame is fitted by itself, none has.
    frame_seconds = (time.monotonic() - fitted) / (len(wanted) + (1 if warm else 0))
    pixels = restored.shape[2] * restored.shape[3]
    return restored, Cost(
        pixels=pixels,
        key_seconds=fitted - started if warm else 0.0,
        frame_seconds=frame_seconds,
        memory_bytes=memory_beside_frames(_peak_bytes() - base, pixels=pixels, frames=len(clip.frames)),
        base_bytes=base,
        gpu_bytes=float(torch.cuda.max_memory_allocated(compute.device)) if on_gpu else 0.0,
        chunk_bytes=_chunk_bytes(restored),
        output_bytes=_output_bytes(restored, info, output),
    )


def _ignore(_: Step) -> None:
    """Nobody waits for steps: the whole is timed."""


def _peak_bytes() -> float:
    """Resident memory of this process at its peak so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _chunk_bytes(frames: NDArray[np.float32]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chunk.mkv"
        write_frames(path, frames)
        return path.stat().st_size / len(frames)


def _output_bytes(frames: NDArray[np.float32], info: MediaInfo, output: str) -> float:
    """Of a frame in the output; pictures are taken to be as large as in FFV1."""
    name = output if target_kind(output) == "video" else "restored.mkv"
    even = frames[:, :, : frames.shape[2] // 2 * 2 or 1, : frames.shape[3] // 2 * 2 or 1]
    encoding = video_encoding(
        name, Coding(), source_pix_fmt=info.video.pix_fmt, width=even.shape[3], height=even.shape[2]
    )
    return coded_bytes(list(even), encoding, info.video.colour)
