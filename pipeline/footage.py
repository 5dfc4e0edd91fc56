"""The footage of a job: its source as the pictures that are worked on, once the question of its fields is settled.

An interlaced source becomes a clip of fields (`reelprior.io.field_rate`), a telecined one the film it was made from
(`reelprior.io.telecine`). Neither is done unasked: a source that is not progressive is refused with the remedy, because
restoring woven frames would smear two moments into one.
"""

import logging
from bisect import bisect_left
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reelprior.io.errors import InputError
from reelprior.io.field_rate import at_field_rate, at_frame_rate, info_at_field_rate, pictures_per_frame
from reelprior.io.fields import FieldFacts, FieldOrder
from reelprior.io.files import sha256
from reelprior.io.probe import MediaInfo
from reelprior.io.scan import FrameIndex, scan
from reelprior.io.telecine import write_film
from reelprior.pipeline.compression import SourceCoding
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.settings import Settings

__all__ = ["Footage", "Treatment", "describe_fields", "footage_of", "nothing_to_restore", "treatment_of"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Treatment:
    """What is done about the fields of a source.

    Attributes
    ----------
    kind
        "none", "fields" (each field becomes a picture) or "pulldown" (the film frames are found again).
    order
        Which field comes first; None without fields.
    every
        Every so manieth restored picture is written: 2 for one picture a frame of an interlaced source.
    """

    kind: Literal["none", "fields", "pulldown"] = "none"
    order: FieldOrder | None = None
    every: int = 1


@dataclass(frozen=True)
class Footage:
    """The pictures of a job.

    Attributes
    ----------
    job
        As asked for; its input is what readers read.
    source
        The source as the writer needs it: its streams and tags, and the rate of the pictures.
    index
        Of the pictures that are restored, and ``frames`` those of them that are wanted.
    written_index, written_frames
        The same of the pictures that are written.
    treatment
        How they came about, and ``found``: what the source is, in words.
    """

    job: Job
    source: MediaInfo
    index: FrameIndex
    frames: range
    written_index: FrameIndex
    written_frames: range
    treatment: Treatment
    found: str

    @property
    def coding(self) -> SourceCoding:
        """How the source file was coded."""
        per_frame = pictures_per_frame(self.index)
        return SourceCoding.of(self.source, self.index.quantisers, frames=len(self.index) // per_frame)

    @property
    def film(self) -> str | None:
        """Absolute path of the film that is worked on instead of the source."""
        return str(Path(self.job.input).absolute()) if self.treatment.kind == "pulldown" else None

    @property
    def source_frames(self) -> range | None:
        """The frames of the source file that took part, counted as they are decoded; None: all, for a film's."""
        if self.treatment.kind == "pulldown":
            return None
        per = pictures_per_frame(self.index)
        lost = [t // per for t in self.index.lost[::per]]
        first, stop = (
            at - bisect_left(lost, at) for at in (self.frames.start // per, self.frames.stop // per)
        )
        return range(first, stop)


def footage_of(job: Job, source: MediaInfo, index: FrameIndex) -> Footage:
    """Settle what is worked on; for a telecined source this writes the film into the job directory.

    Raises
    ------
    reelprior.io.errors.InputError
        If the source is not progressive and the settings do not say what to do; or if frames of it cannot be read and
        the job is strict.
    UsageError
        If only the fields were to be restored, and there are none.
    """
    _check_damage(job, index)
    treatment = treatment_of(index.fields, job.settings, path=job.input)
    found = describe_fields(index.fields)
    is_asked = not job.restores_only_the_mask or job.mask is not None or job.settings.defects.any
    if treatment.kind == "none" and not is_asked:
        raise nothing_to_restore(job.input)
    if treatment.kind == "pulldown":
        return _film(job, source, index, treatment, found)
    frames = job.frame_range(len(index))
    if treatment.order is None:
        return Footage(job, source, index, frames, index, frames, treatment, found)
    fields = at_field_rate(index, treatment.order)
    field_range = range(2 * frames.start, 2 * frames.stop)
    if treatment.every == 2:
        return Footage(job, source, fields, field_range, at_frame_rate(fields), frames, treatment, found)
    return Footage(
        job, info_at_field_rate(source), fields, field_range, fields, field_range, treatment, found
    )


def treatment_of(facts: FieldFacts, settings: Settings, *, path: str) -> Treatment:
    """What the settings ask for, given what was found; `InputError` where they leave it open and it matters."""
    handling, found = settings.fields.handling, facts.type
    if handling == "ignore" or found == "progressive":
        return Treatment()
    if handling == "refuse":
        raise InputError(
            f"{path}: {describe_fields(facts)}: give --deinterlace to restore progressive pictures from it, "
            "or --no-deinterlace if it is progressive after all"
        )
    order: FieldOrder = facts.order if settings.fields.order == "auto" else settings.fields.order
    if found == "telecined":
        return Treatment("pulldown", order)
    return Treatment("fields", order, every=2 if settings.fields.rate == "frame" else 1)


def nothing_to_restore(path: str) -> UsageError:
    """Only the fields of a source were to be restored, and there are none."""
    return UsageError(
        f"nothing to restore: {path} is progressive: give --denoise (auto, a sigma or a profile), or --mask"
    )


def describe_fields(facts: FieldFacts) -> str:
    """What was found, in words: ``interlaced, top field first``."""
    if facts.type == "progressive":
        return "progressive"
    kind = "telecined film (3:2 pulldown)" if facts.type == "telecined" else "interlaced"
    return f"{kind}, {facts.order} field first"


def _film(job: Job, source: MediaInfo, telecined: FrameIndex, treatment: Treatment, found: str) -> Footage:
    directory = JobDirectory(job.directory.absolute())
    directory.refuse_foreign()
    assert treatment.order is not None
    directory.create()
    film = directory.film_path(sha256(job.input))
    if not film.exists():
        write_film(job.input, film, order=treatment.order)
    index = scan(film)
    # Five frames of the source became four.
    index = replace(
        index,
        quantisers=telecined.quantisers.of([min(t * 5 // 4, len(telecined) - 1) for t in range(len(index))]),
    )
    frames = job.frame_range(len(index))
    rate = source.video.average_rate
    video = replace(
        source.video, time_base=index.time_base, average_rate=None if rate is None else rate * 4 / 5
    )
    work = job.model_copy(update={"input": str(film)})
    return Footage(work, replace(source, video=video), index, frames, index, frames, treatment, found)


def _check_damage(job: Job, index: FrameIndex) -> None:
    """Stop a strict job, warn others."""
    unreadable = sorted(index.unreadable)
    wanted = [t for t in unreadable if t in job.frame_range(len(index))]
    faults = []
    if wanted:
        faults.append(f"{_count(len(wanted), 'frame')} cannot be read ({_some(wanted)})")
    if index.undecodable:
        faults.append(f"{_count(index.undecodable, 'packet')} without a place in time cannot be decoded")
    if index.breaks_off:
        faults.append(f"the file breaks off after frame {len(index) - 1} ({index.breaks_off})")
    if not faults:
        return
    text = "; ".join(faults)
    if job.strict:
        raise InputError(f"{job.input}: {text}: leave out --strict to repair what can be repaired")
    repair = (
        ": made anew from their neighbours" if job.settings.strength > 0 else ": the frame before is repeated"
    )
    _log.warning("%s: %s%s", job.input, text, repair if wanted else "")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _some(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:8]))
    return f"{shown} ..." if len(numbers) > 8 else shown
