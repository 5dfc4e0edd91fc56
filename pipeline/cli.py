"""The command line: ``restore``, ``demo``, ``preview``, ``probe``, ``bag``, ``presets`` and ``doctor``.

``batch_commands`` and ``photo_commands`` have the others.

Options become a `Job` here, results become text or JSON here; everything between is elsewhere. What a command
needs is imported inside it, so that ``--help`` does not wait for torch, and torch does not look for GPUs in a
worker process before the worker has been given its own.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelprior.pipeline.batch_commands import add_batch_commands, parse_pairs
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.options import JsonOption, LogLevelOption, OverwriteOption, QuietOption
from reelprior.pipeline.photo_commands import add_photo_commands
from reelprior.pipeline.quality import Quality
from reelprior.pipeline.terminal import interruptible, make_display, report_error, set_up_logging

if TYPE_CHECKING:
    from reelprior.pipeline.result import Result

__all__ = ["app", "main", "run_command_line"]

app = typer.Typer(
    name="reelprior",
    help="Restore one-of-a-kind footage with untrained networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

add_batch_commands(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from reelprior.pipeline.versions import versions

        typer.echo(f"reelprior {versions()['reelprior']}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Restore one-of-a-kind footage with untrained networks."""


@app.command()
def restore(  # noqa: PLR0917 - typer calls it by keyword
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A video, a folder or %04d pattern, or a picture.")
    ],
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A file; without a suffix, a folder of pictures.")
    ],
    preset: Annotated[str | None, typer.Option(help="A preset by name, or a TOML file of your own.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="key=value: change one setting.")] = None,
    quality: Annotated[Quality, typer.Option(help="How much time may be spent.")] = Quality.STANDARD,
    denoise: Annotated[
        str | None, typer.Option(help="auto, none, sigma in 8-bit grey levels, or a noise profile (.toml).")
    ] = None,
    scale: Annotated[int | None, typer.Option(help="Super-resolution by 2, 3, 4 or 8.")] = None,
    deblock: Annotated[
        bool | None, typer.Option("--deblock/--no-deblock", help="Repair the coding of a JPEG picture.")
    ] = None,
    mask: Annotated[str | None, typer.Option(help="White = missing: a picture, a folder or a video.")] = None,
    frames: Annotated[
        str | None, typer.Option(metavar="A:B", help="Half-open range of frame indices.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Local worker processes.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of an existing Dask cluster.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:K.")] = None,
    codec: Annotated[str | None, typer.Option(help="Encoder of the output; FFV1 in .mkv by default.")] = None,
    encoder_options: Annotated[
        list[str] | None, typer.Option("--encoder-option", help="key=value for the encoder.")
    ] = None,
    pix_fmt: Annotated[str | None, typer.Option(help="Pixel format of the output.")] = None,
    drop_incompatible: Annotated[
        bool, typer.Option("--drop-incompatible", help="Go on without what the output cannot hold.")
    ] = False,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Numbers may be missing in a series of pictures.")
    ] = False,
    job_dir: Annotated[str | None, typer.Option(help="Where chunks live, and stay after success.")] = None,
    resume: Annotated[bool, typer.Option(help="Take over what an earlier run has finished.")] = True,
    report: Annotated[str | None, typer.Option(metavar="PATH.html", help="Write the quality report.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Ground truth: scores go into report and JSON.")
    ] = None,
    access: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="An access copy too: .mp4 (H.264) or .webm (AV1); repeatable."),
    ] = None,
    framemd5: Annotated[
        bool, typer.Option("--framemd5", help="Hash every frame of source and output: OUTPUT.framemd5.")
    ] = False,
    premis: Annotated[
        bool, typer.Option("--premis", help="Write what was done as PREMIS events: OUTPUT.premis.xml.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all random numbers.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore a video, an image sequence or a picture."""
    console = set_up_logging(log_level)
    from reelprior.io.coding import Coding
    from reelprior.pipeline.job import Job, parse_frames
    from reelprior.pipeline.presets import load_settings
    from reelprior.pipeline.restore import run

    # A mask alone asks for the mask to be filled and for nothing else to be touched.
    fitting = "inpaint" if mask is not None and denoise is None else "denoise"
    if deblock and denoise is None and mask is None:
        fitting = "jpeg"
    if scale is not None and scale > 1 and denoise is None:
        fitting = "upscale"
    options = {"denoise": denoise, "scale": scale, "deblock": deblock, "seed": seed, "compute.device": device}
    options |= {"source.allow_gaps": True if allow_gaps else None}
    settings = load_settings(
        preset or fitting,
        quality=quality,
        overrides=changes or (),
        options={key: value for key, value in options.items() if value is not None},
    )
    job = Job(
        input=source,
        output=output,
        settings=settings,
        mask=mask,
        frames=parse_frames(frames) if frames else (None, None),
        coding=Coding(
            codec=codec,
            pix_fmt=pix_fmt,
            options=parse_pairs(encoder_options or ()),
            drop_incompatible=drop_incompatible,
        ),
        workers=workers,
        scheduler=scheduler,
        job_dir=job_dir,
        resume=resume,
        overwrite=overwrite,
        report=report,
        reference=reference,
        access=tuple(access or ()),
        framemd5=framemd5,
        premis=premis,
    )
    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        result = run(job, display=display)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    elif not quiet:
        typer.echo(_summary(result))


add_photo_commands(app)


@app.command()
def demo(  # noqa: PLR0917 - typer calls it by keyword
    folder: Annotated[Path, typer.Argument(help="Where clip, result and report go.")] = Path("demo"),
    count: Annotated[int | None, typer.Option(min=1, help="Frames of the clip; all 24 by default.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Degrade a real clip, restore it, and write the report."""
    console = set_up_logging(log_level)
    from reelprior.pipeline.demo import run_demo

    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        result = run_demo(folder, frames=count, overwrite=overwrite, display=display)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    elif not quiet:
        typer.echo(result.summary())


@app.command()
def preview(  # noqa: PLR0917 - typer calls it by keyword
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A video, a folder or %04d pattern, or a picture.")
    ],
    at: Annotated[str, typer.Option(metavar="TIME", help="Seconds, or h:mm:ss, from the beginning.")],
    picture: Annotated[
        Path | None, typer.Option("--output", "-o", help="The picture; INPUT.preview.png by default.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="A preset by name, or a TOML file of your own.")] = None,
    quality: Annotated[Quality, typer.Option(help="How much time may be spent.")] = Quality.STANDARD,
    changes: Annotated[list[str] | None, typer.Option("--set", help="key=value: change one setting.")] = None,
    denoise: Annotated[
        str | None, typer.Option(help="auto, none, sigma in 8-bit grey levels, or a noise profile (.toml).")
    ] = None,
    mask: Annotated[str | None, typer.Option(help="White = missing: one picture for the clip.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:K.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all random numbers.")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore a moment in seconds, show it before and after, and estimate the whole job."""
    set_up_logging(log_level)
    from reelprior.pipeline.presets import load_settings
    from reelprior.pipeline.preview import make_preview, parse_time

    moment = parse_time(at)
    fitting = "inpaint" if mask is not None and denoise is None else "denoise"
    options = {"denoise": denoise, "seed": seed, "compute.device": device}
    settings = load_settings(
        preset or fitting,
        quality=quality,
        overrides=changes or (),
        options={key: value for key, value in options.items() if value is not None},
    )
    with interruptible():
        result = make_preview(
            source,
            picture or Path(f"{source.rstrip('/')}.preview.png"),
            seconds=moment,
            settings=settings,
            mask=mask,
            overwrite=overwrite,
        )
    typer.echo(json.dumps(result.to_json()) if as_json else result.summary())


@app.command("probe")
def probe_source(
    source: Annotated[
        str, typer.Argument(metavar="INPUT", help="A video, a folder or %04d pattern, or a picture.")
    ],
    noise_profile: Annotated[
        str | None, typer.Option(metavar="OUT.toml", help="Write what was measured of the noise.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Say what is in a source, what is wrong with it, and which preset fits."""
    set_up_logging(log_level)
    from reelprior.pipeline.inspection import inspect_source

    with interruptible():
        facts = inspect_source(source, profile=noise_profile, overwrite=overwrite)
    _print_facts(facts, as_json=as_json)


@app.command("bag")
def make_bag_of(
    sources: Annotated[
        list[Path], typer.Argument(metavar="OUTPUT...", help="Finished outputs, or folders of a batch.")
    ],
    bag: Annotated[Path, typer.Option("--to", metavar="BAG", help="The folder to make.")],
    description: Annotated[str | None, typer.Option(help="External-Description of the bag.")] = None,
    as_json: JsonOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Put outputs and what belongs to them into a BagIt bag, and check it."""
    set_up_logging(log_level)
    from reelprior.pipeline.bag import make_bag, payload_of, verify_bag

    with interruptible():
        make_bag(bag, payload_of(sources), info={"External-Description": description} if description else {})
        facts = {"bag": str(bag), "files": verify_bag(bag), "verified": True}
    _print_facts(facts, as_json=as_json)


@app.command("presets")
def show_presets(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Print this one as commented TOML.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the presets, or print one."""
    from reelprior.pipeline.presets import load_settings, preset_names, preset_summary, preset_text

    if name is not None:
        typer.echo(
            json.dumps(load_settings(name).model_dump(mode="json")) if as_json else preset_text(name).rstrip()
        )
        return
    summaries = {preset: preset_summary(preset) for preset in preset_names()}
    _print_facts(summaries, as_json=as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Say what this machine offers, and whether a restoration can work here."""
    from reelprior.pipeline.doctor import examine_machine

    facts = examine_machine()
    _print_facts(facts, as_json=as_json)
    if not facts["ok"]:
        raise typer.Exit(4)


def _summary(result: "Result") -> str:
    facts = result.to_json()
    count = "1 frame" if result.frames == 1 else f"{result.frames} frames"
    lines = [f"{facts['output']}: {count}, {facts['seconds_per_frame']:.2f} s per frame"]
    if result.scores.get("psnr_after") is not None:
        lines.append(f"PSNR {result.scores['psnr_before']:.2f} -> {result.scores['psnr_after']:.2f} dB")
    if result.report:
        lines.append(f"report: {result.report}")
    return "\n".join(lines)


def _print_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    """Facts as one JSON object, or as a table of two columns."""
    if as_json:
        typer.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_readable(value)}".rstrip())


def _readable(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return (
                ", ".join(f"{key.replace('_', ' ')} {_readable(item)}" for key, item in value.items())
                or "none"
            )
        case [int(), int()]:
            return f"{value[0]}:{value[1]}"
        case list() | tuple():
            return "; ".join(map(_readable, value)) or "none"
        case None:
            return "unknown"
        case _:
            return str(value)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. Every error ends here, as one line."""
    set_up_logging("warning")  # until the command says otherwise
    try:
        status = typer.main.get_command(app).main(
            list(arguments), prog_name="reelprior", standalone_mode=False
        )
    except Exception as error:
        # Typer's own errors of usage, which do not share one importable class over its versions.
        if hasattr(error, "format_message"):
            return report_error(UsageError(f"{error.format_message()} (see reelprior --help)"))
        return report_error(error)
    return status if isinstance(status, int) else 0


def main() -> None:
    """The console script."""
    status = run_command_line(sys.argv[1:])
    if any("Dask-Default-Threads" in thread.name for thread in threading.enumerate()):
        # A task deep in a library's call has not seen the cancel flag, and a normal exit would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    main()
