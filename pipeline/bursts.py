"""A burst, from several files to one: read -> expose -> align each with the first -> fit -> write."""

import time
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from reelprior.io.errors import InputError
from reelprior.io.orientation import turned_like
from reelprior.io.photographs import Photograph, check_photograph_output, read_photograph, write_photograph
from reelprior.models.burst import Shots
from reelprior.models.burst import restore_burst as fit_burst
from reelprior.models.exposure import Exposed, expose, relative_noise
from reelprior.models.fine_alignment import refine
from reelprior.models.registration import Registration, register
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.photo_report import write_photo_report
from reelprior.pipeline.photographs import (
    Align,
    PhotoResult,
    alignment_facts,
    check_alignment,
    check_exposure,
    given_noise,
    noise_facts,
    with_progress,
)
from reelprior.pipeline.progress import Display
from reelprior.pipeline.settings import Settings

__all__ = ["BurstJob", "restore_burst"]

Picture = NDArray[np.float32]


class BurstJob(BaseModel):
    """One burst to restore.

    Attributes
    ----------
    inputs
        Paths of two or more photographs of one size; the first gives moment, frame and metadata.
    output, settings, align, bits, overwrite, report
        As for `reelprior.pipeline.photographs.PairJob`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Annotated[tuple[str, ...], Field(min_length=1)]
    output: Annotated[str, Field(min_length=1)]
    settings: Settings = Settings()
    align: Align = "auto"
    bits: Literal[8, 16] | None = None
    overwrite: bool = False
    report: str | None = None


def restore_burst(job: BurstJob, *, display: Display | None = None) -> PhotoResult:
    """Restore one burst.

    Raises
    ------
    InputError, OutputError, UsageError, FitError
        As `reelprior.pipeline.photographs.restore_pair`.
    """
    started = time.monotonic()
    display = display or Display()
    if len(job.inputs) < 2:
        raise UsageError(f"a burst needs two or more shots, not only {job.inputs[0]}; for one, use restore")
    check_photograph_output(job.output, overwrite=job.overwrite, bits=job.bits)
    display.phase("reading")
    photographs = [read_photograph(path) for path in job.inputs]
    first = photographs[0]
    pictures = [_like_the_first(photograph, first) for photograph in photographs]
    display.phase("aligning", frames=len(pictures))
    exposed = expose(pictures[0], noise=given_noise(job.settings, first.shot.iso))
    shots, alignments = _shots(job, pictures, exposed, display)
    restored, estimate = with_progress(
        lambda on_step: fit_burst(
            shots,
            scale=job.settings.scale,
            engine=job.settings,
            compute=job.settings.compute,
            seed=job.settings.seed,
            on_step=on_step,
        ),
        display=display,
        settings=job.settings,
        size=(first.size[0] * job.settings.scale, first.size[1] * job.settings.scale),
    )
    pixels = restored / np.float32(exposed.factor)
    write_photograph(job.output, pixels, like=first, bits=job.bits)
    result = PhotoResult(
        inputs={"input": job.inputs[0], "inputs": list(job.inputs)},
        output=job.output,
        seconds=time.monotonic() - started,
        estimated_seconds=estimate,
        facts={
            "size": [side * job.settings.scale for side in first.size[::-1]],
            "shots": len(pictures),
            "noise": noise_facts(exposed),
            "alignment": [alignment_facts(aligned, job.align) for aligned in alignments],
        },
        notes=(),
        report=job.report,
        settings=job.settings,
    )
    if job.report:
        enlarged = first if job.settings.scale == 1 else _enlarged(first, job.settings.scale)
        write_photo_report(
            job.report,
            result=result.to_json(),
            before=enlarged,
            after=pixels,
            exposure=exposed.factor,
            others={},
        )
    return result


def _like_the_first(photograph: Photograph, first: Photograph) -> Picture:
    check_exposure(photograph)
    pixels = turned_like(photograph.pixels, photograph.shot.orientation, first.shot.orientation)
    if pixels.shape != first.pixels.shape:
        raise InputError(
            f"{photograph.path}: {pixels.shape[2]}x{pixels.shape[1]} pixels, but {first.path} has "
            f"{first.size[1]}x{first.size[0]}: all shots of a burst must be of one size"
        )
    return pixels


def _shots(
    job: BurstJob, pictures: Sequence[Picture], exposed: Exposed, display: Display
) -> tuple[Shots, list[Registration]]:
    """All shots at the first one's exposure, with the flows to it and back."""
    first = exposed.pixels
    noisy = relative_noise(exposed)
    pixels, there, back, alignments = [first], [np.zeros_like(first[:2])], [np.zeros_like(first[:2])], []
    for path, picture in zip(job.inputs[1:], pictures[1:], strict=True):
        if job.align == "none":
            onto = onto_other = Registration.none(*first.shape[1:])
        else:
            follow = job.align == "auto"
            onto, onto_other = (
                refine(
                    register(moving, fixed, relative_noise=noisy, flow=follow),
                    moving,
                    fixed,
                    exposed.noise,
                    relative_noise=noisy,
                )
                for moving, fixed in ((picture, first), (first, picture))
            )
            check_alignment(onto, path, job.inputs[0])
        inside = onto.inside
        gain = first[:, inside].mean(1) / np.maximum(onto.warp(picture)[:, inside].mean(1), 1e-6)
        pixels.append((picture * gain[:, None, None]).astype(np.float32))
        there.append(onto.flow)
        back.append(onto_other.flow)
        alignments.append(onto)
        display.update(len(pixels))
    return Shots(np.stack(pixels), np.stack(there), np.stack(back), exposed.noise), alignments


def _enlarged(photograph: Photograph, scale: int) -> Photograph:
    """The first shot on the result's grid, each pixel repeated, for the report."""
    return Photograph(
        photograph.path,
        photograph.pixels.repeat(scale, axis=1).repeat(scale, axis=2),
        photograph.bits,
        photograph.is_grey,
        photograph.is_linear,
        photograph.metadata,
    )
