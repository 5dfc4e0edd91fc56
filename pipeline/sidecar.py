"""The sidecar: a record beside an output of what was made from what, how, and by which versions.

``clip.mkv`` has ``clip.mkv.reelprior.json``. It makes a result auditable years later: the hashes of source and output,
all settings, the seed, the frames that were not restored but repaired. `verify` reads it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reelprior.io.coding import target_kind
from reelprior.io.errors import InputError
from reelprior.io.files import atomic_path
from reelprior.pipeline.job import Job, content_hash

__all__ = [
    "FieldsRecord",
    "FileRecord",
    "Sidecar",
    "now",
    "read_sidecar",
    "sidecar_path",
    "wants_sidecar",
    "write_sidecar",
]


class _Record(BaseModel):
    """Immutable. Keys that a later version has added are passed over, so that old programs read new records."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FileRecord(_Record):
    """A file, a folder or a pattern, by path and content."""

    path: str
    """Absolute, as it was then."""
    sha256: str
    """Of a file's bytes, or of the names and hashes of a sequence's pictures."""

    @classmethod
    def of(cls, path: str, sha256: str | None = None) -> "FileRecord":
        """Record a file, hashing it where the hash is not known. Raises `InputError` if it cannot be read."""
        return cls(path=str(Path(path).absolute()), sha256=sha256 or content_hash(path))


class FieldsRecord(_Record):
    """What was done about an interlaced or telecined source."""

    found: str = "progressive"
    """In words: type and field order."""
    treatment: Literal["none", "fields", "pulldown"] = "none"
    """Taken as it is, every field made a picture, or the film frames found again."""
    order: Literal["top", "bottom"] | None = None
    """Which field came first, where that mattered."""
    every: int = 1
    """Every so manieth restored picture was written."""


class Sidecar(_Record):
    """Everything that a reader years later needs to know about one output."""

    format: Literal["reelprior sidecar"] = "reelprior sidecar"
    version: Literal[1] = 1
    created: str
    """ISO 8601, UTC."""
    source: FileRecord
    output: FileRecord
    mask: FileRecord | None = None
    width: int
    height: int
    """Of the output, in pixels."""
    first_frame: int
    frames: int
    """The pictures that were written: of the source, or of its fields or its film (see ``fields``)."""
    repaired_frames: tuple[int, ...] = ()
    """Indices of pictures that could not be read, and were made from their neighbours alone."""
    damaged_frames: tuple[int, ...] = ()
    """Indices of pictures that were called corrupt, repaired or not."""
    undecodable_packets: int = 0
    breaks_off: str = ""
    """The error at which the source ended too early."""
    fields: FieldsRecord = FieldsRecord()
    noise: dict[str, Any] = Field(default_factory=dict)
    defects: dict[str, float | bool] = Field(default_factory=dict)
    """What the detectors found, in percent of the pixels and in grey levels."""
    tone_curves: dict[str, list[float]] = Field(default_factory=dict)
    """Offset, gain and bend of the correction of flicker by picture, so that it can be undone."""
    colour: str = ""
    coding: dict[str, Any] = Field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    """What the output cannot hold and was left out on request, in words."""
    peak_memory_bytes: int | None = None
    peak_disk_bytes: int | None = None
    seed: int
    settings: dict[str, Any]
    versions: dict[str, str]
    fingerprint: str
    seconds: float
    """Wall clock of the last run."""
    scores: dict[str, float | None] = Field(default_factory=dict)


def sidecar_path(output: str | Path) -> Path:
    """Where the record of an output lies."""
    return Path(f"{str(output).rstrip('/')}.reelprior.json")


def wants_sidecar(job: Job) -> bool:
    """Whether a job writes one: as asked for, else for videos, since pictures are often one among many."""
    return target_kind(Path(job.output)) == "video" if job.sidecar is None else job.sidecar


def write_sidecar(sidecar: Sidecar) -> Path:
    """Write a record beside its output, atomically, and return its path. Raises `OutputError` if that fails."""
    path = sidecar_path(sidecar.output.path)
    with atomic_path(path) as temporary:
        temporary.write_text(sidecar.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def read_sidecar(output: str | Path) -> Sidecar | None:
    """Read the record of an output; None if it has none.

    Raises
    ------
    InputError
        If it is damaged, or of a version that this program does not know.
    """
    path = sidecar_path(output)
    if not path.exists():
        return None
    try:
        return Sidecar.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the file"
        raise InputError(
            f"{path}: not a sidecar of this version ({where}: {fault['msg']}): give --source and move it away"
        ) from error


def now() -> str:
    """The moment, for ``created``."""
    return datetime.now(UTC).isoformat(timespec="seconds")
