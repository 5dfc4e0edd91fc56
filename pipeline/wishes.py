"""What is wanted of the files of a batch: the command line's options, and a job file that says it file by file.

A job file is TOML. What stands at its top holds for every file, what a ``[[files]]`` entry says holds for its own
files and wins. ``configs/examples/batch.toml`` explains every key.
"""

import difflib
import json
import logging
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator

from reelprior.io.errors import InputError
from reelprior.pipeline.beside import ACCESS_ENDINGS
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.file_options import FileOptions
from reelprior.pipeline.job import content_hash, mask_hash
from reelprior.pipeline.pair_job import Align
from reelprior.pipeline.settings import Settings

__all__ = [
    "FileEntry",
    "JobFile",
    "Wishes",
    "example_job_file",
    "job_fields",
    "load_job_file",
    "with_absolute_paths",
]


class Wishes(FileOptions):
    """What may be said of every file of a batch; None leaves it to the defaults."""

    suffix: Annotated[str, Field(pattern=r"^\.\w+$")] | None = None
    """Of the outputs of videos; ``.mkv`` by default."""
    report: bool = False
    """Whether every file gets its quality report."""
    access: tuple[str, ...] = ()
    """Endings of the access copies of videos and sequences."""
    pairs: bool | None = None
    """Whether photographs are looked through for flash/no-flash pairs; None: unless they are numbered through."""
    align: Align = "auto"
    """How the shots of a pair are laid on each other."""
    bits: Literal[8, 16] | None = None
    """Depth of the outputs of pairs; that of the ambient shot by default."""
    priority: int = 0
    """Files of a higher priority come first."""

    @field_validator("access")
    @classmethod
    def _is_known(cls, endings: tuple[str, ...]) -> tuple[str, ...]:
        for ending in endings:
            if ending not in ACCESS_ENDINGS:
                raise UsageError(f"access copy {ending}: choose {' or '.join(ACCESS_ENDINGS)}")
        return endings

    def refined(self, by: "Wishes") -> "Wishes":
        """These wishes with what others say in their place; changes of single settings add up."""
        said = {name: getattr(by, name) for name in by.model_fields_set & Wishes.model_fields.keys()}
        said["set"] = (*self.set, *by.set)
        said["encoder_options"] = {**self.encoder_options, **by.encoder_options}
        return Wishes(**{name: getattr(self, name) for name in self.model_fields_set} | said)

    def wish(self, kind: str) -> str:
        """What is wanted of a file of this kind, as JSON: the job without its paths, and more about it.

        That is what goes ``beside`` the output, and hashes of the files that are ``read_too``: a mask that was
        edited makes another wish. `job_fields` leaves both out.

        Raises
        ------
        UsageError
            For what cannot be wanted.
        """
        beside = ["report"] if self.report else []
        if kind == "pair":
            for name in ("mask", "scale", "deblock"):
                if value := getattr(self, name):
                    raise UsageError(
                        f"{name} {value}: a flash/no-flash pair takes none: leave it out, or --no-pairs"
                    )
            if self.framemd5 or self.premis:
                _log.warning(
                    "flash/no-flash pairs get no hashes of frames and no PREMIS events: clips and pictures do"
                )
            settings = self.settings(fitting="flash")
            fields = {"settings": settings.model_dump(mode="json"), "align": self.align, "bits": self.bits}
            return json.dumps(fields | {"beside": beside, **_read_too(None, settings)})
        if kind != "image":  # one picture needs no access copy
            beside += self.access
        job = self.job("source", "output")
        fields = job.model_dump(mode="json", exclude={"input", "output"})
        return json.dumps(fields | {"beside": beside, **_read_too(job.mask, job.settings)})


def _read_too(mask: str | None, settings: Settings) -> dict[str, dict[str, str | None]]:
    """Hashes of what a job reads beside its source; None for what cannot be read, which the job itself says."""
    hashes: dict[str, str | None] = {}
    for name, path, hashed in (
        ("mask", mask, mask_hash),
        ("noise_profile", settings.noise_profile, content_hash),
    ):
        if path:
            try:
                hashes[name] = hashed(path)
            except InputError:
                hashes[name] = None
    return {"read_too": hashes} if hashes else {}


_log = logging.getLogger(__name__)

_AnyWishes = TypeVar("_AnyWishes", bound=Wishes)


def job_fields(wish: Mapping[str, Any]) -> dict[str, Any]:
    """Of a wish for a video, a sequence or a picture, the fields of `reelprior.pipeline.job.Job`."""
    return {name: value for name, value in wish.items() if name not in {"beside", "read_too"}}


class FileEntry(Wishes):
    """The files that a path or a pattern stands for, and what is wanted of them."""

    path: Annotated[str, Field(min_length=1)]
    """A file, a folder or a pattern, below the job file's folder unless it is absolute."""
    flash: str | None = None
    """The shot with flash, where ``path`` is the ambient shot of a pair."""
    output: str | None = None
    """Name below the output folder, where ``path`` is one file."""
    kind: Literal["sequence", "images"] | None = None
    """What the pictures of a folder are, where their names do not tell."""


class JobFile(Wishes):
    """Wishes for all files, and the files."""

    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]


def example_job_file() -> str:
    """A job file with every key and its explanation."""
    return (resources.files("reelprior.configs") / "examples" / "batch.toml").read_text(encoding="utf-8")


def load_job_file(path: Path) -> JobFile:
    """Read a job file; the paths in it are made absolute.

    Raises
    ------
    UsageError
        In one line: it cannot be read, is not TOML, or has an unknown key (with the nearest) or a wrong value.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"job file {path} is not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"job file {path} cannot be read: {reason}") from error
    try:
        wanted = JobFile.model_validate(tree)
    except ValidationError as error:
        raise UsageError(f"job file {path}: {_fault(error)}") from error
    home = path.absolute().parent
    entries = tuple(
        with_absolute_paths(entry, home).model_copy(
            update={
                "path": str(home / entry.path),
                "flash": None if entry.flash is None else str(home / entry.flash),
            }
        )
        for entry in wanted.files
    )
    return with_absolute_paths(wanted, home).model_copy(update={"files": entries})


def with_absolute_paths(wishes: _AnyWishes, home: Path) -> _AnyWishes:
    """The same wishes with paths that do not depend on the current folder."""
    changed: dict[str, Any] = {}
    if wishes.mask is not None:
        changed["mask"] = str(home / wishes.mask)
    if wishes.preset is not None and wishes.preset.endswith(".toml"):
        changed["preset"] = str(home / wishes.preset)
    if isinstance(wishes.denoise, str) and wishes.denoise.lower().endswith(".toml"):  # a noise profile
        changed["denoise"] = str(home / wishes.denoise)
    return wishes.model_copy(update=changed)


def _fault(error: ValidationError) -> str:
    """The first fault in one line."""
    fault = error.errors(include_url=False)[0]
    *place, key = [str(part) for part in fault["loc"]] or [""]
    model = FileEntry if place[:1] == ["files"] or key == "files" else JobFile
    where = f"entry {int(place[1]) + 1} of files: " if len(place) > 1 and place[1].isdigit() else ""
    if fault["type"] == "extra_forbidden":
        keys = list(model.model_fields)
        nearest = difflib.get_close_matches(key, keys, n=1, cutoff=0.5)
        hint = f", did you mean {nearest[0]}?" if nearest else ";"
        return f"{where}unknown key {key}{hint} the keys are {', '.join(keys)}"
    if fault["type"] == "missing":
        return f"{where}{key} is missing"
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where}{key} = {fault['input']!r}: {reason[:1].lower()}{reason[1:]}"
