"""One flash/no-flash pair, from two files to one: what the command line and a batch call.

::

    restore_pair      read both shots -> check -> align -> visibility -> fit (reelprior.models.flash) -> write -> report
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelprior.io.errors import InputError
from reelprior.io.orientation import turned_like
from reelprior.io.photographs import (
    Photograph,
    check_photograph_output,
    read_photograph,
    write_photograph,
)
from reelprior.models.exposure import Exposed, expose, measure_beside, relative_noise
from reelprior.models.fine_alignment import refine
from reelprior.models.flash import Pair
from reelprior.models.flash import restore_pair as fit_pair
from reelprior.models.flash_visibility import flash_visibility
from reelprior.models.noise import NoiseModel
from reelprior.models.progress import Step
from reelprior.models.registration import Registration, register
from reelprior.pipeline.errors import Interrupted, UsageError
from reelprior.pipeline.noise_profile import load_profile
from reelprior.pipeline.pair_job import Align, PairJob
from reelprior.pipeline.photo_report import write_photo_report
from reelprior.pipeline.progress import Display, readable_time
from reelprior.pipeline.settings import Settings
from reelprior.pipeline.versions import versions

__all__ = ["Align", "PairJob", "PhotoResult", "restore_pair"]

_log = logging.getLogger(__name__)

#: A shot whose relative noise is this many times that of the other is taken for the ambient one.
_SWAPPED = 2.5
#: Share of samples at full scale from which a shot shows nothing.
_BLOWN_OUT = 0.9
_FULL = 0.99


@dataclass(frozen=True)
class PhotoResult:
    """What was done; `to_json` is what ``--json`` prints."""

    inputs: dict[str, Any]
    output: str
    seconds: float
    estimated_seconds: float | None
    facts: dict[str, Any]
    notes: tuple[str, ...]
    report: str | None
    settings: Settings

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **self.inputs,
            "output": self.output,
            "frames": 1,
            "seconds": round(self.seconds, 3),
            "estimated_seconds": self.estimated_seconds,
            **self.facts,
            "notes": list(self.notes),
            "seed": self.settings.seed,
            "report": self.report,
            "settings": self.settings.model_dump(mode="json"),
            "versions": versions(),
        }

    def summary(self) -> str:
        """For a person."""
        width, height = self.facts["size"]
        noise = self.facts["noise"]
        lines = [
            f"{self.output}: {width}x{height}, noise of sigma {noise['sigma_8bit']:.2f}, {readable_time(self.seconds)}"
        ]
        if self.report:
            lines.append(f"report: {self.report}")
        return "\n".join(lines)


def restore_pair(
    job: PairJob, *, display: Display | None = None, write_to: Path | None = None
) -> PhotoResult:
    """Restore one pair.

    Parameters
    ----------
    job
        What to do.
    display
        Hears how it is going.
    write_to
        Where to write the picture for now; by default at once where the job wants it.

    Raises
    ------
    InputError, OutputError
        For files that cannot be read or written, shots of different sizes or scenes, a black or blown-out shot.
    UsageError
        For a job that contradicts itself.
    FitError
        If the fit fails.
    """
    started = time.monotonic()
    display = display or Display()
    check_photograph_output(job.output, overwrite=job.overwrite, bits=job.bits)
    display.phase("reading")
    flash, ambient, notes, exposed = _in_their_roles(read_photograph(job.flash), read_photograph(job.ambient))
    for shot in (flash, ambient):
        check_exposure(shot)
    flash_pixels = turned_like(flash.pixels, flash.shot.orientation, ambient.shot.orientation)
    if flash_pixels.shape != ambient.pixels.shape:
        raise InputError(
            f"{flash.path}: {flash_pixels.shape[2]}x{flash_pixels.shape[1]} pixels, but {ambient.path} has "
            f"{ambient.size[1]}x{ambient.size[0]}: both shots must be of one size and camera"
        )
    display.phase("aligning")
    noise = given_noise(job.settings, ambient.shot.iso)
    if exposed is None or noise is not None:
        exposed = expose(ambient.pixels, noise=noise)
    aligned = _aligned(job, flash_pixels, exposed)
    warped = aligned.warp(flash_pixels) if job.align != "none" else flash_pixels
    if noise is None:
        exposed = measure_beside(exposed, warped)
    visible = flash_visibility(warped, exposed.pixels, exposed.noise, inside=aligned.inside)
    pair = Pair(exposed.pixels, warped, visible, exposed.noise, exposed.grain_px)
    restored, estimate = with_progress(
        lambda on_step: fit_pair(
            pair,
            engine=job.settings,
            compute=job.settings.compute,
            seed=job.settings.seed,
            on_step=on_step,
        ),
        display=display,
        settings=job.settings,
        size=ambient.size,
    )
    pixels = restored / np.float32(exposed.factor)
    write_photograph(write_to or job.output, pixels, like=ambient, bits=job.bits)
    result = PhotoResult(
        inputs={"input": str(ambient.path), "flash": str(flash.path)},
        output=job.output,
        seconds=time.monotonic() - started,
        estimated_seconds=estimate,
        facts={
            "size": list(ambient.size[::-1]),
            "noise": noise_facts(exposed),
            "alignment": alignment_facts(aligned, job.align),
            "flash_believed": round(float(visible.mean()), 4),
        },
        notes=notes,
        report=job.report,
        settings=job.settings,
    )
    if job.report:
        write_photo_report(
            job.report,
            result=result.to_json(),
            before=ambient,
            after=pixels,
            exposure=exposed.factor,
            others={"The flash shot, aligned": warped, "Where the flash shot was believed (white)": visible},
        )
    return result


def with_progress(
    work: Callable[[Callable[[Step], None]], NDArray[np.float32]],
    *,
    display: Display,
    settings: Settings,
    size: tuple[int, int],
) -> tuple[NDArray[np.float32], float | None]:
    """Run a fit of tiles with progress and, for more than one tile, a time estimate; returns both."""
    from reelprior.models.device import Compute
    from reelprior.models.flash import seconds_for
    from reelprior.models.tiles import plan_tiles

    photo = settings.photo
    tiles = plan_tiles(*size, photo.tile, photo.overlap)
    estimate = None
    if len(tiles) > 1:
        estimate = round(seconds_for(tiles, engine=settings, compute=Compute(settings.compute)), 1)
    display.phase("restoring", frames=len(tiles), unit="tiles", seconds=estimate)
    try:
        pixels = work(lambda step: display.update(step.frames_done, loss=step.loss))
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted: nothing was written") from error
    return pixels, estimate


def given_noise(settings: Settings, iso: int | None) -> NoiseModel | None:
    """The noise that the user gave, of the photograph as it is and at its ISO value, or None.

    Raises
    ------
    UsageError
        If it says that nothing is to be restored, or a profile cannot be used.
    """
    if settings.noise_profile is not None:
        return load_profile(settings.noise_profile).at(iso)
    if settings.denoise == "none":
        raise UsageError("--denoise none leaves nothing to restore in a photograph: give auto or a sigma")
    return None if settings.denoise == "auto" else NoiseModel.from_sigma_8bit(float(settings.denoise))


def noise_facts(exposed: Exposed) -> dict[str, float]:
    """Of the photograph as it is, not as it was exposed for the fit."""
    return {
        "sigma_8bit": round(255 * exposed.noise.sigma / exposed.factor, 4),
        "relative": round(relative_noise(exposed), 4),
        "grain_px": exposed.grain_px,
        "exposed_by": round(exposed.factor, 3),
    }


def alignment_facts(aligned: Registration, align: Align) -> dict[str, Any]:
    """How the shots were laid on each other."""
    if align == "none":
        return {"kind": "none"}
    return {
        "kind": "flow" if aligned.used_flow else "homography",
        "shift_px": round(aligned.shift_px, 2),
        "correlation": round(aligned.correlation, 3),
    }


def _aligned(job: PairJob, flash: NDArray[np.float32], exposed: Exposed) -> Registration:
    if job.align == "none":
        return Registration.none(*flash.shape[1:])
    noisy = relative_noise(exposed)
    rough = register(flash, exposed.pixels, relative_noise=noisy, flow=job.align == "auto")
    aligned = refine(rough, flash, exposed.pixels, exposed.noise, relative_noise=noisy)
    check_alignment(aligned, job.flash, job.ambient)
    return aligned


def check_alignment(aligned: Registration, path: str, onto: str) -> None:
    """Raise `InputError`, with the measured reason, for shots that do not show one scene."""
    if not aligned.is_reliable:
        raise InputError(
            f"{path}: cannot be aligned with {onto} (structures correlate by {aligned.correlation:.2f}, "
            "too little for their noise and size): check that both show one scene, or use --align none"
        )


def _in_their_roles(
    flash: Photograph, ambient: Photograph
) -> tuple[Photograph, Photograph, tuple[str, ...], Exposed | None]:
    """The pair, turned round where the shots are plainly in each other's place; a note about it; the ambient exposed.

    Exposing measures the noise, which takes a while: it is done here only where EXIF does not tell, and only once.
    """
    reason, exposed = None, None
    if flash.shot.flash_fired is False and ambient.shot.flash_fired is True:
        reason = "EXIF says which flash fired"
    elif flash.shot.flash_fired is None or ambient.shot.flash_fired is None:
        first, exposed = expose(flash.pixels), expose(ambient.pixels)
        ratio = relative_noise(first) / max(relative_noise(exposed), 1e-6)
        if ratio > _SWAPPED:
            exposed = first
            reason = f"its noise is {ratio:.1f} times that of the other"
    if reason is None:
        return flash, ambient, (), exposed
    note = f"{flash.path} is taken for the ambient shot and {ambient.path} for the flash shot: {reason}"
    _log.warning("%s", note)
    return ambient, flash, (note,), exposed


def check_exposure(shot: Photograph) -> None:
    lowest = 2 / 255 if shot.bits == 8 else 32 / 65535
    if float(np.percentile(shot.pixels, 99.9)) <= lowest:
        raise InputError(f"{shot.path}: is black: nothing can be restored from it")
    blown = float((shot.pixels.min(axis=0) >= _FULL).mean())
    if blown > _BLOWN_OUT:
        raise InputError(f"{shot.path}: is blown out ({100 * blown:.0f} % of it is white): take another shot")


def for_file(job: PairJob, *, flash: Path, ambient: Path, output: Path, report: Path | None) -> PairJob:
    """The same wishes for another pair."""
    return job.model_copy(
        update={
            "flash": str(flash),
            "ambient": str(ambient),
            "output": str(output),
            "report": str(report) if report else None,
        }
    )
