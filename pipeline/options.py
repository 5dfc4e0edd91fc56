"""Options that several commands share, and what is made of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.quality import Quality
from reelprior.pipeline.terminal import LogLevel

if TYPE_CHECKING:
    from reelprior.pipeline.settings import Settings

__all__ = [
    "DeblockOption",
    "DeflickerOption",
    "DenoiseOption",
    "DeviceOption",
    "DropoutsOption",
    "DustOption",
    "EncoderOption",
    "FramesOption",
    "JsonOption",
    "LogLevelOption",
    "LogoOption",
    "OverwriteOption",
    "PresetOption",
    "QualityOption",
    "QuietOption",
    "ScaleOption",
    "SchedulerOption",
    "ScratchesOption",
    "SeedOption",
    "SetOption",
    "SourceArgument",
    "WorkersOption",
    "chosen_settings",
    "parse_pairs",
]

SourceArgument = Annotated[
    str, typer.Argument(metavar="INPUT", help="A video, a folder or %04d pattern, or a picture.")
]
PresetOption = Annotated[str | None, typer.Option(help="A preset by name, or a TOML file of your own.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="key=value: change one setting.")]
QualityOption = Annotated[Quality, typer.Option(help="How much time may be spent.")]
DenoiseOption = Annotated[
    str | None, typer.Option(help="auto, none, sigma in 8-bit grey levels, or a noise profile (.toml).")
]
ScaleOption = Annotated[int | None, typer.Option(help="Super-resolution by 2, 3, 4 or 8.")]
DeblockOption = Annotated[
    bool | None,
    typer.Option("--deblock/--no-deblock", help="Repair the coding of a JPEG picture or a video."),
]
ScratchesOption = Annotated[
    bool | None, typer.Option("--scratches/--no-scratches", help="Find and fill line scratches.")
]
DustOption = Annotated[bool | None, typer.Option("--dust/--no-dust", help="Find and fill dust and dirt.")]
DropoutsOption = Annotated[
    bool | None, typer.Option("--dropouts/--no-dropouts", help="Find and fill lost lines of tape.")
]
LogoOption = Annotated[bool | None, typer.Option("--logo/--no-logo", help="Find and fill a burnt-in logo.")]
DeflickerOption = Annotated[bool | None, typer.Option("--deflicker/--no-deflicker", help="Take out flicker.")]
FramesOption = Annotated[str | None, typer.Option(metavar="A:B", help="Half-open range of frame indices.")]
EncoderOption = Annotated[
    list[str] | None, typer.Option("--encoder-option", help="key=value for the encoder.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Of all random numbers.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:K.")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Local worker processes.")]
SchedulerOption = Annotated[str | None, typer.Option(help="Address of an existing Dask cluster.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an existing output.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary; errors only.")]
LogLevelOption = Annotated[LogLevel, typer.Option("--log-level", help="What is logged on stderr.")]


def chosen_settings(
    preset: str | None,
    quality: Quality,
    changes: Sequence[str] | None,
    *,
    mask: str | None = None,
    **options: str | int | bool | None,
) -> "Settings":
    """Settings of a preset with the changes of a command line.

    Parameters
    ----------
    preset, quality, changes
        As `reelprior.pipeline.presets.load_settings` takes them; no preset: the one that fits the other options.
    mask
        Whether there is one decides which preset fits.
    options
        Values of options of their own; ``_`` stands for the dot of a key only in ``group__key``. None: not given.
    """
    from reelprior.pipeline.presets import fitting_preset, load_settings

    given = {name.replace("__", "."): value for name, value in options.items() if value is not None}
    preset = preset or fitting_preset(given, has_mask=mask is not None)
    return load_settings(preset, quality=quality, overrides=changes or (), options=given)


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Encoder options as ``--encoder-option`` takes them."""
    parsed: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--encoder-option {pair}: write key=value, for example --encoder-option crf=16")
        parsed[key] = value
    return parsed
