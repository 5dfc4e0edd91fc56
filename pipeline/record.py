"""The sidecar of a finished job, put together from what the job knew and what came out of it."""

from reelprior.pipeline.footage import Footage
from reelprior.pipeline.result import Result
from reelprior.pipeline.sidecar import FieldsRecord, FileRecord, Sidecar, now
from reelprior.pipeline.versions import versions

__all__ = ["sidecar_of"]


def sidecar_of(footage: Footage, result: Result, *, source_hash: str, mask_hash: str | None) -> Sidecar:
    """Make the record of a job whose output is finished. Raises `InputError` if the output cannot be read back.

    Parameters
    ----------
    source_hash, mask_hash
        Of the files as they were when the work began.
    """
    job, index, treatment = result.job, footage.written_index, footage.treatment
    wanted = footage.written_frames
    video = footage.source.video
    return Sidecar(
        created=now(),
        source=FileRecord.of(job.input, source_hash),
        output=FileRecord.of(job.output),
        mask=FileRecord.of(job.mask, mask_hash) if job.mask else None,
        width=video.width * job.settings.scale,
        height=video.height * job.settings.scale,
        first_frame=result.first_frame,
        frames=result.frames,
        repaired_frames=tuple(sorted(t for t in index.unreadable if t in wanted)),
        damaged_frames=tuple(t for t in index.damaged if t in wanted),
        undecodable_packets=index.undecodable,
        breaks_off=index.breaks_off,
        fields=FieldsRecord(
            found=footage.found,
            treatment=treatment.kind,
            order=treatment.order,
            every=treatment.every,
        ),
        noise=dict(result.noise),
        colour=result.colour,
        coding={
            "codec": job.coding.codec,
            "pix_fmt": job.coding.pix_fmt,
            "options": dict(job.coding.options),
        },
        dropped=result.dropped,
        peak_memory_bytes=result.peak_memory_bytes,
        peak_disk_bytes=result.peak_disk_bytes,
        seed=job.settings.seed,
        settings=job.settings.model_dump(mode="json"),
        versions=versions(),
        fingerprint=result.fingerprint,
        seconds=round(result.seconds, 3),
        defects=dict(result.defects),
        tone_curves=dict(result.tone_curves),
        scores=dict(result.scores),
    )
