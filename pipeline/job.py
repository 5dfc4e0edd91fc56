"""The job: what the user asked for, validated and frozen, and the fingerprint that tells two jobs apart.

A job is made once, at the boundary (the command line, or a caller's code), and passed whole from there on.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reelprior.io.coding import Coding
from reelprior.io.files import sha256
from reelprior.io.images import list_images
from reelprior.io.masks import mask_paths
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.settings import Settings
from reelprior.pipeline.versions import versions

__all__ = ["Job", "content_hash", "fingerprint", "mask_hash", "parse_frames"]


class Job(BaseModel):
    """One restoration of one source.

    Attributes
    ----------
    input, output
        Paths: a video file, a folder, a ``%04d`` pattern, or a picture.
    settings
        Everything that a preset can say.
    mask
        White = missing: one picture, a folder or a video.
    frames
        Half-open range of frame indices; None at an end means the clip's own.
    coding
        Codec, pixel format and encoder options of the output.
    workers
        Processes of a local cluster; None works within this process.
    scheduler
        Address of an existing Dask cluster instead, or the path of its scheduler file (``.json``).
    job_dir
        Where chunks and manifest live; None puts them beside the output and removes them after success.
    resume
        Whether to take over what an earlier run of the same job has finished.
    overwrite
        Whether an existing output may be replaced.
    mark
        Where to show what the detectors found: a folder, or a video file.
    report
        Where to write the HTML report.
    reference
        Ground truth to measure against.
    access
        Access copies to make from the output: .mp4 (H.264) or .webm (AV1) files.
    framemd5
        Whether to write a hash for every frame of the source and of the output.
    premis
        Whether to write what was done as PREMIS events.
    strict
        Whether frames that cannot be read end the job instead of being repaired.
    sidecar
        Whether to write the record of the job beside the output; None: for videos.

    Raises
    ------
    UsageError
        If it contradicts itself: two kinds of workers, or nothing to restore.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Annotated[str, Field(min_length=1)]
    output: Annotated[str, Field(min_length=1)]
    settings: Settings = Settings()
    mask: str | None = None
    frames: tuple[int | None, int | None] = (None, None)
    coding: Coding = Coding()
    workers: Annotated[int, Field(ge=1)] | None = None
    scheduler: str | None = None
    job_dir: str | None = None
    resume: bool = True
    overwrite: bool = False
    mark: str | None = None
    report: str | None = None
    reference: str | None = None
    access: tuple[str, ...] = ()
    framemd5: bool = False
    premis: bool = False
    strict: bool = False
    sidecar: bool | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Job":
        """Raise `UsageError`, which pydantic lets pass, for a job that contradicts itself."""
        if self.workers is not None and self.scheduler is not None:
            raise UsageError("--workers starts a cluster and --scheduler joins one: give one of them")
        if self.settings.scale > 1 and self.settings.strength < 1:
            raise UsageError(
                f"strength = {self.settings.strength:g} mixes the source in, which scale = {self.settings.scale} "
                "makes another size: give one of them"
            )
        splits_fields = self.settings.fields.handling == "deinterlace"
        finds_defects = self.settings.defects.any
        if self.restores_only_the_mask and self.mask is None and not (splits_fields or finds_defects):
            raise UsageError(
                "nothing to restore: give --denoise (auto, a sigma or a profile), --mask, --scale, --deblock, or a "
                "defect to look for (--scratches, --dust, --dropouts, --logo, --deflicker)"
            )
        if self.mark is not None and not self.settings.defects.masks:
            raise UsageError(
                f"--mark {self.mark}: nothing is looked for: give --scratches, --dust, --dropouts or --logo"
            )
        return self

    @property
    def directory(self) -> Path:
        """The job directory: as given, else ``OUTPUT.reelprior``."""
        return Path(self.job_dir) if self.job_dir else Path(f"{self.output.rstrip('/')}.reelprior")

    @property
    def restores_only_the_mask(self) -> bool:
        """Whether pixels that the mask does not mark have to stay as they are."""
        return self.settings.restores_only_the_mask

    def absolute(self) -> "Job":
        """The same job with absolute paths, for workers that run in another folder."""
        names = ["input", "output", "mask", "job_dir", "mark", "report", "reference"]
        if self.scheduler is not None and self.scheduler.endswith(".json"):
            names.append("scheduler")  # a scheduler file
        paths: dict[str, object] = {
            name: str(Path(path).absolute()) for name in names if (path := getattr(self, name)) is not None
        }
        access = tuple(str(Path(path).absolute()) for path in self.access)
        return self.model_copy(update=paths | {"access": access})

    def frame_range(self, total: int) -> range:
        """The frames to restore of a source with ``total`` frames.

        Raises
        ------
        UsageError
            If the range asked for is empty or reaches beyond the source.
        """
        start, stop = self.frames
        start, stop = start or 0, total if stop is None else stop
        if not 0 <= start < stop <= total:
            raise UsageError(f"--frames {start}:{stop}: {self.input} has the frames 0:{total}")
        return range(start, stop)


def parse_frames(text: str) -> tuple[int | None, int | None]:
    """Read ``A:B``, ``A:`` or ``:B``.

    >>> parse_frames("10:20"), parse_frames("10:")
    ((10, 20), (10, None))

    Raises
    ------
    UsageError
        For anything else.
    """
    start, colon, stop = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return (int(start) if start else None, int(stop) if stop else None)
    except ValueError:
        raise UsageError(
            f"--frames {text}: write A:B, a half-open range of frame indices such as 0:100"
        ) from None


def fingerprint(
    job: Job, *, frames: range, source_hash: str, mask_hash: str | None, profile_hash: str | None = None
) -> str:
    """SHA-256, in hex, of all that decides what the restored pixels are.

    Not in it: where the work is done (device, threads, workers), how it is coded, and what is written beside
    the output, so that these may change between two runs that share finished chunks.
    """
    settings = job.settings.model_dump(mode="json", exclude={"compute": {"device", "threads", "per_gpu"}})
    identity = {
        "source": source_hash,
        "mask": mask_hash,
        "noise_profile": profile_hash,
        "frames": [frames.start, frames.stop],
        "settings": settings,
        "versions": {name: versions()[name] for name in ("reelprior", "torch")},
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def content_hash(path: str) -> str:
    """SHA-256, in hex, of a file's bytes, or of the names and hashes of a sequence's pictures.

    Raises
    ------
    reelprior.io.errors.InputError
        If the path cannot be read.
    """
    if Path(path).is_file():
        return sha256(path)
    return _combined(f"{picture.name} {sha256(picture)}" for picture in list_images(path, allow_gaps=True))


def mask_hash(path: str) -> str:
    """`content_hash` of a mask; of a list of masks, that of the list and of all it lists."""
    own, *listed = (content_hash(part) for part in mask_paths(path))
    return _combined([own, *listed]) if listed else own


def _combined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
