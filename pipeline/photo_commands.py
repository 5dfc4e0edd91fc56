"""The commands ``flash`` and ``burst``: options become jobs, several pairs several jobs, results text or JSON."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from reelprior.pipeline.errors import RestorationError, UsageError, exit_status
from reelprior.pipeline.options import (
    DeviceOption,
    JsonOption,
    LogLevelOption,
    OverwriteOption,
    QualityOption,
    QuietOption,
    SeedOption,
    SetOption,
    chosen_settings,
)
from reelprior.pipeline.quality import Quality
from reelprior.pipeline.terminal import interruptible, make_display, set_up_logging

if TYPE_CHECKING:
    from reelprior.pipeline.photographs import PairJob, PhotoResult
    from reelprior.pipeline.progress import Display

__all__ = ["add_photo_commands"]

#: Of a burst.
_LARGEST_SCALE = 2

_log = logging.getLogger(__name__)

AlignOption = Annotated[
    str, typer.Option(help="auto follows parallax, homography does not, none takes the shots as they lie.")
]
BitsOption = Annotated[int | None, typer.Option(help="8 or 16 bits in the output; by default as the input.")]
DenoiseOption = Annotated[
    str | None,
    typer.Option(
        help="auto, sigma in 8-bit grey levels, or a noise profile (.toml), read at the ISO of EXIF."
    ),
]
ReportOption = Annotated[
    str | None,
    typer.Option(metavar="PATH.html", help="Write the report; a folder of them for several pairs."),
]


def add_photo_commands(app: typer.Typer) -> None:
    """Give the program its commands for photographs."""
    app.command("flash")(_flash)
    app.command("burst")(_burst)


def _flash(  # noqa: PLR0917 - typer calls it by keyword
    flash: Annotated[Path, typer.Argument(metavar="FLASH", help="The shot with flash, or a folder.")],
    ambient: Annotated[
        Path,
        typer.Argument(
            metavar="AMBIENT", help="The shot without, or a folder; leave it out for one folder with pairs."
        ),
    ],
    output: Annotated[Path | None, typer.Argument(metavar="OUTPUT", help="A file, or a folder.")] = None,
    preset: Annotated[str, typer.Option(help="A preset by name, or a TOML file of your own.")] = "flash",
    changes: SetOption = None,
    denoise: DenoiseOption = None,
    align: AlignOption = "auto",
    bits: BitsOption = None,
    quality: QualityOption = Quality.STANDARD,
    device: DeviceOption = None,
    report: ReportOption = None,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore a photograph taken in ambient light with the help of one taken with flash."""
    console = set_up_logging(log_level)
    from reelprior.pipeline.photographs import PairJob, restore_pair
    from reelprior.pipeline.threads import threads_here, use_threads

    first, second, target = (flash, ambient, output) if output else (flash, None, ambient)
    settings = chosen_settings(preset, quality, changes, denoise=denoise, compute__device=device, seed=seed)
    if settings.scale > 1:
        raise UsageError(
            f"scale {settings.scale}: a flash pair keeps its resolution; enlarge its result with "
            f"reelprior restore {target} LARGER --scale {settings.scale}"
        )
    job = PairJob(
        flash=str(first),
        ambient=str(second or first),
        output=str(target),
        settings=settings,
        align=_align(align),
        bits=_bits(bits),
        overwrite=overwrite,
        report=report,
    )
    use_threads(threads_here(job.settings.compute.threads))
    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        if first.is_dir() or (second is not None and second.is_dir()):
            _several(job, first, second, target, display=display, as_json=as_json, quiet=quiet)
            return
        if second is None:
            raise UsageError(f"{first} is no folder: give FLASH AMBIENT OUTPUT")
        result = restore_pair(job, display=display)
    _say(result, as_json=as_json, quiet=quiet)


def _burst(  # noqa: PLR0917 - typer calls it by keyword
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE... OUTPUT", help="Two or more shots, the first gives the moment; the output."
        ),
    ],
    scale: Annotated[
        int | None, typer.Option(help="1, or 2 for a result of twice the resolution.", show_default="1")
    ] = None,
    preset: Annotated[str, typer.Option(help="A preset by name, or a TOML file of your own.")] = "flash",
    changes: SetOption = None,
    denoise: DenoiseOption = None,
    align: AlignOption = "auto",
    bits: BitsOption = None,
    quality: QualityOption = Quality.STANDARD,
    device: DeviceOption = None,
    report: ReportOption = None,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore several shots of one scene into one photograph."""
    console = set_up_logging(log_level)
    from reelprior.pipeline.bursts import BurstJob, restore_burst
    from reelprior.pipeline.threads import threads_here, use_threads

    *inputs, output = images
    if not inputs:
        raise UsageError("burst: give two or more shots and the output")
    settings = chosen_settings(
        preset, quality, changes, denoise=denoise, compute__device=device, seed=seed, scale=scale
    )
    if settings.scale > _LARGEST_SCALE:
        raise UsageError(f"--scale {settings.scale}: a burst gives 1 or 2 times the resolution")
    job = BurstJob(
        inputs=tuple(inputs),
        output=output,
        settings=settings,
        align=_align(align),
        bits=_bits(bits),
        overwrite=overwrite,
        report=report,
    )
    use_threads(threads_here(job.settings.compute.threads))
    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        result = restore_burst(job, display=display)
    _say(result, as_json=as_json, quiet=quiet)


def _several(
    job: "PairJob",
    first: Path,
    second: Path | None,
    target: Path,
    *,
    display: "Display",
    as_json: bool,
    quiet: bool,
) -> None:
    """All pairs of a folder or of two; what fails is one line, and the others go on."""
    from reelprior.io.errors import OutputError
    from reelprior.pipeline.pairs import find_pairs, output_name
    from reelprior.pipeline.photographs import for_file, restore_pair

    found = find_pairs(first, second)
    for path in found.unpaired:
        _log.warning("%s: belongs to no pair: left out", path)
    folders = [target, *([Path(job.report)] if job.report else [])]
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: several pairs need a folder to go to: name another") from error
    results, failed = [], []
    for pair in found.pairs:
        output = target / output_name(pair.ambient)
        page = Path(job.report) / f"{output.stem}.html" if job.report else None
        try:
            result = restore_pair(
                for_file(job, flash=pair.flash, ambient=pair.ambient, output=output, report=page),
                display=display,
            )
        except Exception as error:
            if exit_status(error) is None or exit_status(error) == 130:
                raise
            _log.error("%s", error)
            failed.append(pair)
            continue
        results.append(result)
        if not as_json:
            _say(result, as_json=False, quiet=quiet)
    if as_json:
        facts: dict[str, Any] = {
            "pairs": [result.to_json() for result in results],
            "failed": [str(pair.ambient) for pair in failed],
            "unpaired": [str(path) for path in found.unpaired],
        }
        typer.echo(json.dumps(facts))
    if failed:
        raise RestorationError(f"{len(failed)} of {len(found.pairs)} pairs failed: see the lines above")


def _align(text: str) -> Literal["auto", "homography", "none"]:
    match text:
        case "auto" | "homography" | "none":
            return text
    raise UsageError(f"--align {text}: choose auto, homography or none")


def _bits(bits: int | None) -> Literal[8, 16] | None:
    match bits:
        case None | 8 | 16:
            return bits
    raise UsageError(f"--bits {bits}: choose 8 or 16")


def _say(result: "PhotoResult", *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    elif not quiet:
        typer.echo(result.summary())
