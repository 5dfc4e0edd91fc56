"""What is wanted of the files of a batch: the command line's options, and a job file that says it file by file.

A job file is TOML. What stands at its top holds for every file, what a ``[[files]]`` entry says holds for its own
files and wins. ``configs/examples/batch.toml`` explains every key.
"""

import difflib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reelprior.io.coding import Coding
from reelprior.models.defects import DETECTORS
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.job import Job, parse_frames
from reelprior.pipeline.presets import fitting_preset, load_settings
from reelprior.pipeline.quality import Quality
from reelprior.pipeline.settings import Settings

__all__ = ["FileEntry", "JobFile", "Wishes", "example_job_file", "load_job_file", "with_absolute_paths"]


class Wishes(BaseModel):
    """What may be said of every file; None leaves it to the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str | None = None
    quality: Quality = Quality.STANDARD
    set: tuple[str, ...] = ()
    denoise: float | str | None = None
    scale: int | None = None
    deblock: bool | None = None
    mask: str | None = None
    scratches: bool | None = None
    dust: bool | None = None
    dropouts: bool | None = None
    logo: bool | None = None
    deflicker: bool | None = None
    frames: str | None = None
    codec: str | None = None
    pix_fmt: str | None = None
    encoder_options: dict[str, str] = {}
    suffix: Annotated[str, Field(pattern=r"^\.\w+$")] | None = None
    """Of the outputs of videos; ``.mkv`` by default."""
    seed: Annotated[int, Field(ge=0)] | None = None
    priority: int = 0
    """Files of a higher priority come first."""

    def refined(self, by: "Wishes") -> "Wishes":
        """These wishes with what others say in their place; changes of single settings add up."""
        said = {name: getattr(by, name) for name in by.model_fields_set & Wishes.model_fields.keys()}
        said["set"] = (*self.set, *by.set)
        said["encoder_options"] = {**self.encoder_options, **by.encoder_options}
        return Wishes(**{name: getattr(self, name) for name in self.model_fields_set} | said)

    def settings(self) -> Settings:
        """The settings. Raises `UsageError` for a preset, key or value that cannot be."""
        wanted = {
            "denoise": self.denoise,
            "scale": self.scale,
            "deblock": self.deblock,
            "seed": self.seed,
            **{f"defects.{name}": getattr(self, name) for name in DETECTORS},
        }
        options = {key: value for key, value in wanted.items() if value is not None}
        return load_settings(
            self.preset or fitting_preset(options, has_mask=self.mask is not None),
            quality=self.quality,
            overrides=self.set,
            options=options,
        )

    def job(self, source: Path, output: Path) -> Job:
        """The job of one file."""
        return Job(
            input=str(source),
            output=str(output),
            settings=self.settings(),
            mask=self.mask,
            frames=parse_frames(self.frames) if self.frames else (None, None),
            coding=Coding(codec=self.codec, pix_fmt=self.pix_fmt, options=self.encoder_options),
        )


_AnyWishes = TypeVar("_AnyWishes", bound=Wishes)


class FileEntry(Wishes):
    """The files that a path or a pattern stands for, and what is wanted of them."""

    path: Annotated[str, Field(min_length=1)]
    """A file, a folder or a pattern, below the job file's folder unless it is absolute."""
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
        with_absolute_paths(entry, home).model_copy(update={"path": str(home / entry.path)})
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
