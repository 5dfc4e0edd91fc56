"""The command line: ``restore``, ``preview`` and ``demo``; three modules named for their commands have the others.

Options become a `Job` here, results become text or JSON here; everything between is elsewhere. What a command
needs is imported inside it, so that ``--help`` does not wait for torch, and torch does not look for GPUs in a
worker process before the worker has been given its own.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reelprior.pipeline.batch_commands import add_batch_commands
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.fact_commands import add_fact_commands
from reelprior.pipeline.file_options import FileOptions, takes
from reelprior.pipeline.options import (
    DeblockOption,
    DenoiseOption,
    DeviceOption,
    JsonOption,
    LogLevelOption,
    OverwriteOption,
    PresetOption,
    QualityOption,
    QuietOption,
    ScaleOption,
    SchedulerOption,
    SeedOption,
    SetOption,
    SourceArgument,
    WorkersOption,
    chosen_settings,
)
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
@takes(FileOptions)
def restore(  # noqa: PLR0917 - typer calls it by keyword
    source: SourceArgument,
    output: Annotated[
        str, typer.Argument(metavar="OUTPUT", help="A file; without a suffix, a folder of pictures.")
    ],
    wanted: FileOptions,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = None,
    job_dir: Annotated[str | None, typer.Option(help="Where chunks live, and stay after success.")] = None,
    resume: Annotated[bool, typer.Option(help="Take over what an earlier run has finished.")] = True,
    mark: Annotated[
        str | None, typer.Option(metavar="DIR|FILE", help="Show what was found: masks to edit, or a video.")
    ] = None,
    report: Annotated[str | None, typer.Option(metavar="PATH.html", help="Write the quality report.")] = None,
    reference: Annotated[
        str | None, typer.Option(help="Ground truth: scores go into report and JSON.")
    ] = None,
    access: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="An access copy too: .mp4 (H.264) or .webm (AV1); repeatable."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore a video, an image sequence or a picture."""
    console = set_up_logging(log_level)
    job = wanted.job(
        source,
        output,
        device=device,
        workers=workers,
        scheduler=scheduler,
        job_dir=job_dir,
        resume=resume,
        overwrite=overwrite,
        mark=mark,
        report=report,
        reference=reference,
        access=tuple(access or ()),
    )
    _check_there(source)
    from reelprior.pipeline.restore import run

    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        result = run(job, display=display)
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    elif not quiet:
        typer.echo(_summary(result))


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
    source: SourceArgument,
    at: Annotated[str, typer.Option(metavar="TIME", help="Seconds, or h:mm:ss, from the beginning.")],
    picture: Annotated[
        Path | None, typer.Option("--output", "-o", help="The picture; INPUT.preview.png by default.")
    ] = None,
    preset: PresetOption = None,
    quality: QualityOption = Quality.STANDARD,
    changes: SetOption = None,
    denoise: DenoiseOption = None,
    mask: Annotated[str | None, typer.Option(help="White = missing: one picture for the clip.")] = None,
    scale: ScaleOption = None,
    deblock: DeblockOption = None,
    deinterlace: Annotated[
        bool | None,
        typer.Option(
            "--deinterlace/--no-deinterlace",
            help="Show fields restored to whole pictures; or take interlaced frames as they are.",
        ),
    ] = None,
    device: DeviceOption = None,
    seed: SeedOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore a moment in seconds, show it before and after, and estimate the whole job."""
    set_up_logging(log_level)
    from reelprior.pipeline.preview import make_preview, parse_time
    from reelprior.pipeline.threads import threads_here, use_threads

    moment = parse_time(at)
    settings = chosen_settings(
        preset,
        quality,
        changes,
        mask=mask,
        denoise=denoise,
        scale=scale,
        deblock=deblock,
        seed=seed,
        compute__device=device,
        fields__handling=None if deinterlace is None else "deinterlace" if deinterlace else "ignore",
    )
    use_threads(threads_here(settings.compute.threads))
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


def _check_there(source: str) -> None:
    """Tell of a file that is not there before torch is imported, which takes seconds."""
    from reelprior.io.container import check_file

    path = Path(source)
    if "%" not in path.name and not path.is_dir():
        check_file(path)


add_batch_commands(app)
add_photo_commands(app)
add_fact_commands(app)


def _summary(result: "Result") -> str:
    facts = result.to_json()
    count = "1 frame" if result.frames == 1 else f"{result.frames} frames"
    lines = [f"{facts['output']}: {count}, {facts['seconds_per_frame']:.2f} s per frame"]
    if "coding" in result.noise:
        sigma = result.noise["coding_sigma_8bit"]
        lines.append(f"errors of coding: sigma {sigma:.1f}, {result.noise['coding']}")
    if result.scores.get("psnr_after") is not None:
        lines.append(f"PSNR {result.scores['psnr_before']:.2f} -> {result.scores['psnr_after']:.2f} dB")
    if result.report:
        lines.append(f"report: {result.report}")
    return "\n".join(lines)


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
    gc.freeze()  # what is left ends with the process: to search all of PyTorch for cycles first takes half a second
    sys.exit(status)


if __name__ == "__main__":
    main()
