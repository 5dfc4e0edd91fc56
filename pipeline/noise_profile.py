"""Noise profile files: what a camera, a scanner or a tape is known to add, written once and used for many clips.

A profile is TOML with three keys, ``gain``, ``offset`` and ``clipped``; a camera's has a table of them per ISO value.
This module turns files into `NoiseProfile` and back, and knows nothing of pictures.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reelprior.io.errors import OutputError
from reelprior.io.files import atomic_path
from reelprior.models.noise import NoiseModel, PerChannel
from reelprior.pipeline.errors import UsageError

__all__ = ["NoiseProfile", "load_profile", "save_profile"]

#: What a file states is in squared 8-bit grey levels, what the engine computes with in squared units of [0, 1].
_SQUARED_8BIT = 255.0**2


@dataclass(frozen=True)
class NoiseProfile:
    """What a profile file says.

    Attributes
    ----------
    path
        Where it was read.
    plain
        The noise where no ISO value is known, or None if the file has tables per ISO value only.
    by_iso
        ISO value to noise.
    states_clipping
        Whether the file says if the noise was clipped; if it does not, the clip is asked.
    """

    path: str
    plain: NoiseModel | None
    by_iso: Mapping[float, NoiseModel] = field(default_factory=dict)
    states_clipping: bool = True

    def at(self, iso: float | None = None) -> NoiseModel:
        """The noise at an ISO value, interpolated between those of the file; beyond them, that of the nearest.

        Raises
        ------
        UsageError
            If there is nothing to choose by: several tables and no ISO value.
        """
        values = sorted(self.by_iso)
        if iso is None or not values:
            if self.plain is not None:
                return self.plain
            if len(values) == 1:
                return self.by_iso[values[0]]
            listed = ", ".join(f"{value:g}" for value in values)
            raise UsageError(
                f"noise profile {self.path}: has tables for ISO {listed}, and the ISO value of the source is not "
                "known; write gain and offset of the right one above the tables"
            )
        if iso <= values[0] or iso >= values[-1]:
            return self.by_iso[values[0] if iso <= values[0] else values[-1]]
        above = next(value for value in values if value >= iso)
        below = values[values.index(above) - 1]
        first, second, share = self.by_iso[below], self.by_iso[above], (iso - below) / (above - below)
        return NoiseModel(
            _between(first.gain, second.gain, share),
            _between(first.offset, second.offset, share),
            first.clipped if share < 0.5 else second.clipped,
        )


class _Entry(BaseModel):
    """One noise of a file, in squared 8-bit grey levels."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gain: float | tuple[float, float, float] = 0.0
    offset: float | tuple[float, float, float]
    clipped: bool | None = None

    def model(self) -> NoiseModel:
        """In the engine's units."""
        return NoiseModel(_scaled(self.gain), _scaled(self.offset), bool(self.clipped))


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    gain: float | tuple[float, float, float] = 0.0
    offset: float | tuple[float, float, float] | None = None
    clipped: bool | None = None
    iso: dict[str, _Entry] = Field(default_factory=dict)


def load_profile(path: str) -> NoiseProfile:
    """Read a profile.

    Raises
    ------
    UsageError
        In one line: the file cannot be read, is not TOML, or has a key or a value that cannot be.
    """
    try:
        tree = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"noise profile {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"noise profile {path} cannot be read: it is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"noise profile {path} is not valid TOML: {error}") from error
    try:
        file = _File.model_validate(tree)
    except ValidationError as error:
        raise UsageError(f"noise profile {path}: {_fault(error)}") from error
    if file.offset is None and not file.iso:
        raise UsageError(
            f"noise profile {path}: offset is missing; give the variance at black in squared grey levels, for example "
            "offset = [25, 25, 25] for a sigma of 5"
        )
    entries = {f"iso.{value}": entry for value, entry in file.iso.items()}
    if file.offset is not None:
        entries[""] = _Entry(gain=file.gain, offset=file.offset, clipped=file.clipped)
    for table, entry in entries.items():
        _check_variance(path, table, entry)
    by_iso = {_iso_value(path, value): entry.model() for value, entry in file.iso.items()}
    plain = entries[""].model() if "" in entries else None
    return NoiseProfile(path, plain, by_iso, all(entry.clipped is not None for entry in entries.values()))


def save_profile(
    path: str, noise: NoiseModel, *, source: str, remarks: tuple[str, ...] = (), overwrite: bool
) -> None:
    """Write a profile that `load_profile` reads, with comments that say what its numbers mean.

    Parameters
    ----------
    path
        Where to; renamed into place when whole.
    noise
        What was measured.
    source
        On which file.
    remarks
        Lines that a reader of the file should know.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If it exists already, or cannot be written.
    """
    if Path(path).exists() and not overwrite:
        raise OutputError(f"{path}: exists already; give --overwrite, or another name")
    sigmas = "; ".join(
        f"{name} {', '.join(f'{255 * sigma:.2f}' for sigma in noise.sigmas(clean))}"
        for name, clean in (("black", 0.0), ("mid-grey", 0.5), ("white", 1.0))
    )
    lines = [
        f"Noise measured on {source}",
        *remarks,
        f"Sigma of red, green, blue in 8-bit grey levels, at {sigmas}.",
        "",
        "The variance of a sample is gain * x + offset, where x is its clean value from 0 (black) to 1 (white).",
        "Both are in squared 8-bit grey levels, whatever the bit depth of the file: a constant sigma of 5 is a gain of",
        "0 and an offset of 25. One number for all channels, or three for red, green and blue.",
    ]
    text = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    text += f"gain = {_toml(noise.gain)}\noffset = {_toml(noise.offset)}\n"
    text += "# Whether the noise was cut off at black and white; without this line each clip is asked.\n"
    text += f"clipped = {str(noise.clipped).lower()}\n"
    text += (
        "\n# A camera's noise at several ISO values: one such table each, interpolated in between.\n"
        "# [iso.800]\n# gain = 40.0\n# offset = 9.0\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _between(first: PerChannel, second: PerChannel, share: float) -> PerChannel:
    red, green, blue = (
        (1 - share) * a + share * b for a, b in zip(_three(first), _three(second), strict=True)
    )
    return (red, green, blue)


def _scaled(value: PerChannel) -> PerChannel:
    if isinstance(value, tuple):
        red, green, blue = (number / _SQUARED_8BIT for number in value)
        return (red, green, blue)
    return value / _SQUARED_8BIT


def _toml(value: PerChannel) -> str:
    return f"[{', '.join(f'{number * _SQUARED_8BIT:.6g}' for number in _three(value))}]"


def _three(value: PerChannel) -> tuple[float, float, float]:
    return value if isinstance(value, tuple) else (value, value, value)


def _iso_value(path: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(
            f"noise profile {path}: iso.{text}: an ISO value is a number above 0, such as [iso.800]"
        )
    return value


def _check_variance(path: str, table: str, entry: _Entry) -> None:
    """A variance below 0 at black or at white is no variance; it is a line, so nothing lies in between."""
    prefix = f"{table}." if table else ""
    for gain, offset in zip(_three(entry.gain), _three(entry.offset), strict=True):
        if offset < 0:
            raise UsageError(
                f"noise profile {path}: {prefix}offset = {offset:g}: the variance at black must not be below 0"
            )
        if gain + offset < 0:
            raise UsageError(
                f"noise profile {path}: {prefix}gain = {gain:g}: gain + offset, the variance at white, must not be "
                f"below 0; give a gain of {-offset:g} or more"
            )


def _fault(error: ValidationError) -> str:
    """The first fault in one line: key, value, what is allowed."""
    fault: Any = error.errors(include_url=False)[0]
    # A union adds the names of its members to the path; the key is what the user wrote.
    path = [str(part) for part in fault["loc"]]
    path = path[: 3 if path[0] == "iso" else 1]
    key = ".".join(path)
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key}; the keys are gain, offset, clipped, and the same in tables [iso.VALUE]"
    if fault["type"] == "missing":
        return f"{key} is missing; give the variance at black in squared grey levels"
    allowed = {"clipped": "true or false"}.get(path[-1], "a number, or one each for red, green and blue")
    if path == ["iso"] or (path[0] == "iso" and len(path) == 2):
        return f"{key} is a table: write [iso.800], and gain and offset below it"
    return f"{key}: must be {allowed}, and is {_shown(error, path)}"


def _shown(error: ValidationError, path: list[str]) -> str:
    """The value that the file gives a key, as far as the faults tell it."""
    inputs = [fault["input"] for fault in error.errors(include_url=False) if str(fault["loc"][0]) == path[0]]
    return repr(next((value for value in inputs if isinstance(value, list)), inputs[0]))
