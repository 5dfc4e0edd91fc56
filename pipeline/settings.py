"""Settings of a job: the engine's groups and what the pipeline adds. Frozen, validated once, passed whole.

A group is a table of a preset (``[fit]``), a field a key with a dotted name (``fit.iterations``). This module
knows neither files nor the command line; `presets` does.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from reelprior.models.defects import DefectSettings, MaskSettings
from reelprior.models.settings import ComputeSettings, EngineSettings
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.source import SourceSettings

__all__ = ["ChunkSettings", "FieldSettings", "Settings", "TileSettings", "setting_keys", "validate_settings"]


_PROFILE_SUFFIX = ".toml"


def _denoise_strength(value: object) -> object:
    """Refuse in one sentence what is no word, sigma or profile; a union's own message would be three."""
    allowed = 'must be "auto", "none" or a sigma above 0 in 8-bit grey levels, or the path of a noise profile (.toml)'
    if isinstance(value, str) and value.lower().endswith(_PROFILE_SUFFIX):
        return value
    if isinstance(value, str) and value not in {"auto", "none"}:
        try:
            value = float(value)
        except ValueError:
            raise ValueError(allowed) from None
    if isinstance(value, bool) or (isinstance(value, int | float) and not 0 < value <= 255):
        raise ValueError(allowed)
    return value


class ChunkSettings(BaseModel):
    """How a clip is cut into pieces that are restored one by one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: Annotated[int, Field(ge=1)] = 32
    """Frames of a chunk at most; a scene is divided into equal chunks of at most this length."""
    fade: Annotated[int, Field(ge=0)] = 2
    """Frames on both sides of a chunk border over which two neighbouring chunks are cross-faded."""
    megapixels: Annotated[float, Field(gt=0)] = 32.0
    """Pixels of a chunk at most, in millions: large frames get shorter chunks, which bounds the memory."""
    scene_threshold: Annotated[float, Field(gt=0, le=100)] = 10.0
    """Scene score (0 to 100, see `reelprior.io.scan.scene_scores`) from which a frame begins a new scene."""


class TileSettings(BaseModel):
    """How large frames are divided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: Annotated[int, Field(ge=0)] = 0
    """Longest side of a tile in pixels of the output; 0 takes what the device's memory holds, on CPUs 768."""
    overlap: Annotated[int, Field(ge=0)] = 64
    """Pixels that neighbouring tiles share: half of them are blended, the outer quarters only looked at."""

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.size and 3 * self.overlap > self.size:
            raise ValueError(
                f"size {self.size} is less than three times the overlap {self.overlap}; make tiles larger"
            )
        return self


class FieldSettings(BaseModel):
    """What is done about interlaced and telecined sources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    handling: Literal["refuse", "deinterlace", "ignore"] = "refuse"
    """Refuse what is not progressive, restore progressive pictures from it, or take its frames as they are."""
    order: Literal["auto", "top", "bottom"] = "auto"
    """Which field of an interlaced frame comes first: as found, or as given."""
    rate: Literal["field", "frame"] = "field"
    """Pictures that are written of an interlaced source: one a field, which keeps all motion, or one a frame."""


class Settings(EngineSettings):
    """Everything that a preset can say: the engine's groups plus the job's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0)] = 0
    """Of every random number; the same seed gives the same result on the same machine."""
    denoise: Annotated[Literal["auto", "none"] | float | str, BeforeValidator(_denoise_strength)] = "auto"
    """The noise: measured, left alone (only the mask is restored), sigma in 8-bit grey levels, or a profile file."""
    deblock: bool = False
    """Whether the errors of lossy coding are repaired, as strong as tables or quantisers of the source say they are."""
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the restored frame in the output, the rest is the source; 0 fits nothing and changes no sample."""
    source: SourceSettings = SourceSettings()
    mask: MaskSettings = MaskSettings()
    defects: DefectSettings = DefectSettings()
    compute: ComputeSettings = ComputeSettings()
    chunk: ChunkSettings = ChunkSettings()
    tile: TileSettings = TileSettings()
    fields: FieldSettings = FieldSettings()

    @property
    def noise_profile(self) -> str | None:
        """The noise profile file, if the noise is given by one."""
        is_file = isinstance(self.denoise, str) and self.denoise.lower().endswith(_PROFILE_SUFFIX)
        return str(self.denoise) if is_file else None

    @property
    def restores_only_the_mask(self) -> bool:
        """Whether pixels that no mask marks have to stay as they are."""
        return self.denoise == "none" and self.scale == 1 and not self.deblock

    @property
    def handle_frames(self) -> int:
        """How far the engine looks beside a frame: frames of its widest fusion, or of its reach for holes."""
        fusion = self.fusion
        reach = max(fusion.radius, min(fusion.hole_reach, fusion.radius * fusion.hole_rounds))
        if self.temporal.passes == 2:
            reach = max(reach, fusion.second_radius)
        return max(reach, self.enlarging.radius) if self.scale > 1 else reach


def validate_settings(tree: Mapping[str, Any], *, where: Callable[[str], str]) -> Settings:
    """Turn a nested mapping, as TOML gives it, into settings.

    Parameters
    ----------
    tree
        Groups and keys; what is missing keeps its default.
    where
        Where a dotted key (or a group) comes from, for the message: a preset's name, a file, an option.

    Raises
    ------
    UsageError
        For the first unknown key (naming the nearest) or wrong value (naming what is allowed), in one line.
    """
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        key, fault = _first_fault(error)
        raise UsageError(f"{where(key)}: {fault}") from error


def setting_keys(group: str | None = None) -> tuple[str, ...]:
    """The dotted names of all settings, or the names within one group."""
    if group is not None:
        return tuple(_group_model(group).model_fields)
    keys: list[str] = []
    for name in Settings.model_fields:
        members = _group_model(name, missing_ok=True).model_fields
        keys += [f"{name}.{member}" for member in members] or [name]
    return tuple(keys)


def _group_model(name: str, *, missing_ok: bool = False) -> type[BaseModel]:
    annotation = Settings.model_fields[name].annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if missing_ok:
        return BaseModel
    raise KeyError(name)


def _first_fault(error: ValidationError) -> tuple[str, str]:
    """The key of the first fault, and the fault in one line."""
    fault = error.errors(include_url=False)[0]
    path = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        return ".".join(path), _unknown_key(path)
    # A union or tuple adds parts of its own to the path; the key is what the user wrote.
    key = ".".join(path[: 2 if path[0] in _groups() else 1])
    if fault["type"] == "model_type":
        return key, f"{key} is a group of settings; its keys are {', '.join(setting_keys(path[0]))}"
    reason = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    reason = reason.replace("a valid tuple", "a list")
    # What a group's own validator says concerns several of its keys, and names them.
    value = "" if key in _groups() else f" = {fault['input']!r}"
    return key, f"{key}{value}: {reason[:1].lower()}{reason[1:]}"


def _unknown_key(path: list[str]) -> str:
    key = ".".join(path)
    if len(path) > 1:
        names, group = setting_keys(path[0]), f"the keys of [{path[0]}] are"
        candidates = [f"{path[0]}.{name}" for name in names]
    else:
        names, group = tuple(Settings.model_fields), "groups and keys are"
        # A key written without its group ("iterations") is a common slip: compare with the last parts too.
        candidates = [*names, *(name for name in setting_keys() if name.split(".")[-1] == key)]
    nearest = difflib.get_close_matches(key, candidates, n=1, cutoff=0.5)
    nearest = [name for name in candidates if name.endswith(f".{key}")][:1] or nearest
    hint = f", did you mean {nearest[0]}?" if nearest else ";"
    return f"unknown key {key}{hint} {group} {', '.join(names)}"


def _groups() -> tuple[str, ...]:
    return tuple(
        name for name in Settings.model_fields if _group_model(name, missing_ok=True) is not BaseModel
    )
