"""All that may be said of how one file is restored, in one place: options of commands and keys of job files.

A field of `FileOptions` is an option of ``restore`` and of ``batch``, and a key of job files; one that stands for a
setting says for which. `takes` makes options of a command of the fields of a model.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reelprior.pipeline.options import (
    DeblockOption,
    DeflickerOption,
    DenoiseOption,
    DropoutsOption,
    DustOption,
    EncoderOption,
    FramesOption,
    LogoOption,
    PresetOption,
    ScaleOption,
    ScratchesOption,
    SeedOption,
    SetOption,
    parse_pairs,
)
from reelprior.pipeline.quality import Quality

if TYPE_CHECKING:
    from reelprior.pipeline.job import Job
    from reelprior.pipeline.settings import Settings

__all__ = ["FileOptions", "OnCommandLine", "Setting", "takes"]


@dataclass(frozen=True)
class Setting:
    """Marks a field that stands for a setting.

    Attributes
    ----------
    key
        Dotted, of the setting.
    values
        From what the field says to what the setting says; None where they are the same.
    """

    key: str
    values: Mapping[Any, Any] | None = None


@dataclass(frozen=True)
class OnCommandLine:
    """Marks a field whose type on the command line, as typer takes it, is another than in a job file."""

    annotation: Any


def _as_text(value: object) -> object:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_table(value: object) -> object:
    return parse_pairs(value) if isinstance(value, list) else value


class FileOptions(BaseModel):
    """What may be said of a file; what is not said is left to the defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: PresetOption = None
    set: Annotated[tuple[str, ...], OnCommandLine(SetOption)] = ()
    quality: Annotated[
        Quality | None, typer.Option(help="How much time may be spent; standard by default.")
    ] = None
    denoise: Annotated[
        str | None, BeforeValidator(_as_text), OnCommandLine(DenoiseOption), Setting("denoise")
    ] = None
    scale: Annotated[ScaleOption, Setting("scale")] = None
    deblock: Annotated[DeblockOption, Setting("deblock")] = None
    mask: Annotated[str | None, typer.Option(help="White = missing: a picture, a folder or a video.")] = None
    scratches: Annotated[ScratchesOption, Setting("defects.scratches")] = None
    dust: Annotated[DustOption, Setting("defects.dust")] = None
    dropouts: Annotated[DropoutsOption, Setting("defects.dropouts")] = None
    logo: Annotated[LogoOption, Setting("defects.logo")] = None
    deflicker: Annotated[DeflickerOption, Setting("defects.deflicker")] = None
    deinterlace: Annotated[
        bool | None,
        typer.Option(
            "--deinterlace/--no-deinterlace",
            help="Progressive pictures from fields or pulldown; or take frames as they are.",
        ),
        Setting("fields.handling", {True: "deinterlace", False: "ignore"}),
    ] = None
    frames: FramesOption = None
    allow_gaps: Annotated[
        bool | None,
        typer.Option("--allow-gaps", help="Numbers may be missing in a series of pictures."),
        Setting("source.allow_gaps"),
    ] = None
    strict: Annotated[
        bool | None,
        typer.Option("--strict", help="Stop at frames that cannot be read, instead of repairing them."),
    ] = None
    codec: Annotated[str | None, typer.Option(help="Encoder of the output; FFV1 in .mkv by default.")] = None
    encoder_options: Annotated[dict[str, str], BeforeValidator(_as_table), OnCommandLine(EncoderOption)] = {}
    pix_fmt: Annotated[str | None, typer.Option(help="Pixel format of the output.")] = None
    drop_incompatible: Annotated[
        bool | None,
        typer.Option("--drop-incompatible", help="Go on without what the output cannot hold."),
    ] = None
    framemd5: Annotated[
        bool | None,
        typer.Option("--framemd5", help="Hash every frame of source and output: OUTPUT.framemd5."),
    ] = None
    premis: Annotated[
        bool | None,
        typer.Option("--premis", help="Write what was done as PREMIS events: OUTPUT.premis.xml."),
    ] = None
    sidecar: Annotated[
        bool | None,
        typer.Option("--sidecar/--no-sidecar", help="Record of the job beside the output; videos get one."),
    ] = None
    seed: Annotated[SeedOption, Field(ge=0), Setting("seed")] = None

    def settings(self, *, fitting: str | None = None, device: str | None = None) -> "Settings":
        """The settings.

        Parameters
        ----------
        fitting
            The preset where none is named; by default the one that fits.
        device
            Where to compute, if anything is said of it.

        Raises
        ------
        UsageError
            For a preset, key or value that cannot be.
        """
        from reelprior.pipeline.presets import fitting_preset, load_settings

        options: dict[str, Any] = {"compute.device": device} if device is not None else {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            for setting in (mark for mark in field.metadata if isinstance(mark, Setting)):
                if value is not None:
                    options[setting.key] = value if setting.values is None else setting.values[value]
        fitting = fitting or fitting_preset(options, has_mask=self.mask is not None)
        return load_settings(
            self.preset or fitting,
            quality=self.quality or Quality.STANDARD,
            overrides=self.set,
            options=options,
        )

    def job(self, source: str | Path, output: str | Path, *, device: str | None = None, **more: Any) -> "Job":
        """The job of one file; ``more`` are further fields of it."""
        from reelprior.io.coding import Coding
        from reelprior.pipeline.job import Job, parse_frames

        return Job(
            input=str(source),
            output=str(output),
            settings=self.settings(device=device),
            mask=self.mask,
            frames=parse_frames(self.frames) if self.frames else (None, None),
            coding=Coding(
                codec=self.codec,
                pix_fmt=self.pix_fmt,
                options=self.encoder_options,
                drop_incompatible=bool(self.drop_incompatible),
            ),
            framemd5=bool(self.framemd5),
            premis=bool(self.premis),
            strict=bool(self.strict),
            sidecar=self.sidecar,
            **more,
        )


def takes(model: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every field of a model as an option; what is given of them reaches it as ``wanted``, a model."""
    hints = get_type_hints(model, include_extras=True)
    fields = {name: _option(name, hints[name]) for name in model.model_fields}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name == "wanted":
                parameters += fields.values()
            else:
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(command)
        def run(**given: Any) -> None:
            said = {name: given.pop(name) for name in fields}
            said = {name: value for name, value in said.items() if value not in (None, [])}
            command(**given, wanted=model.model_validate(said))

        # What typer looks at.
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _option(name: str, hint: Any) -> inspect.Parameter:
    marks = [mark for mark in hint.__metadata__ if isinstance(mark, OnCommandLine)]
    annotation = marks[0].annotation if marks else hint
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
