"""The commands ``batch``, ``resume`` and ``status``: options in, text or JSON and an exit status out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.file_options import FileOptions, takes
from reelprior.pipeline.options import (
    DeviceOption,
    JsonOption,
    LogLevelOption,
    OverwriteOption,
    QuietOption,
    SchedulerOption,
    WorkersOption,
)
from reelprior.pipeline.terminal import interruptible, make_display, set_up_logging

if TYPE_CHECKING:
    from reelprior.pipeline.batch_result import BatchResult
    from reelprior.pipeline.estimate import Estimate

__all__ = ["add_batch_commands"]

_NOT_ALL_DONE = 4

DiskOption = Annotated[
    float | None,
    typer.Option("--disk-limit", min=0.0, metavar="GIB", help="Of all chunks; half of what is free."),
]
DashboardOption = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Serve Dask's dashboard and metrics there: :8787.")
]
RetryOption = Annotated[bool, typer.Option("--retry-failed", help="Try again what failed.")]


def add_batch_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(takes(FileOptions)(batch))
    app.command()(resume)
    app.command()(status)


def batch(  # noqa: PLR0917 - typer calls it by keyword
    wanted: FileOptions,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="A folder, a pattern, or a job file (.toml).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the outputs; folders are kept.")
    ] = None,
    suffix: Annotated[str | None, typer.Option(help="Ending of videos; .mkv by default.")] = None,
    report: Annotated[bool, typer.Option("--report", help="A quality report beside every output.")] = False,
    access: Annotated[
        list[str] | None,
        typer.Option(metavar="ENDING", help="An access copy of every clip: .mp4 or .webm; repeatable."),
    ] = None,
    pairs: Annotated[
        bool | None,
        typer.Option(
            "--pairs/--no-pairs",
            help="Flash/no-flash pairs; unless told, they are looked for where names are not numbers.",
        ),
    ] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = None,
    disk_gib: DiskOption = None,
    dashboard: DashboardOption = None,
    job_dir: Annotated[Path | None, typer.Option(help="Of the batch; DIR.reelprior by default.")] = None,
    retry_failed: RetryOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only plan, and measure what it takes.")] = False,
    example: Annotated[bool, typer.Option("--example", help="Print a commented job file.")] = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Restore every file of a folder, a pattern or a job file."""
    console = set_up_logging(log_level)
    from reelprior.pipeline.batch import run_batch
    from reelprior.pipeline.batch_result import BatchOptions
    from reelprior.pipeline.wishes import Wishes, example_job_file

    if example:
        typer.echo(example_job_file().rstrip())
        return
    if source is None or output is None:
        raise UsageError("batch needs a SOURCE and --output DIR (see reelprior batch --help)")
    if workers is not None and scheduler is not None:
        raise UsageError("--workers starts a cluster and --scheduler joins one: give one of them")
    if suffix is not None and not suffix.startswith("."):
        raise UsageError(f"--suffix {suffix}: write it with its dot, for example .mp4")
    own: dict[str, Any] = {
        "suffix": suffix,
        "report": report or None,
        "access": access or None,
        "pairs": pairs,
    }
    given = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    wishes = Wishes(**given, **{name: value for name, value in own.items() if value is not None})
    options = BatchOptions(
        workers=workers,
        scheduler=_lasting(scheduler),
        device=device,
        disk_gib=disk_gib,
        dashboard=dashboard,
        overwrite=overwrite,
    )
    if dry_run:
        from reelprior.pipeline.estimate import estimate_batch

        with interruptible():
            _print_estimate(estimate_batch(source, output, wishes, options), as_json=as_json)
        return
    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        result = run_batch(
            source,
            output,
            wishes=wishes,
            options=options,
            job_dir=job_dir,
            retry_failed=retry_failed,
            display=display,
        )
    _report(result, as_json=as_json, quiet=quiet)


def resume(  # noqa: PLR0917 - typer calls it by keyword
    job_dir: Annotated[Path, typer.Argument(metavar="JOBDIR", help="Of a batch or a job, or its output.")],
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    device: DeviceOption = None,
    disk_gib: DiskOption = None,
    dashboard: DashboardOption = None,
    retry_failed: RetryOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Go on with a batch, or with a single job, as it was begun."""
    console = set_up_logging(log_level)
    from reelprior.pipeline.batchdir import BatchDirectory

    where = {"workers": workers, "scheduler": _lasting(scheduler), "device": device}
    changes: dict[str, Any] = {name: value for name, value in where.items() if value is not None}
    # Who names workers of one sort does not want those of the other any more.
    if workers is not None:
        changes["scheduler"] = None
    elif scheduler is not None:
        changes["workers"] = None
    directory = BatchDirectory.find(job_dir)
    with interruptible(), make_display(console, quiet=quiet or as_json) as display:
        if directory is None:
            from reelprior.pipeline.resume import resume_job

            single = resume_job(job_dir, changes=changes, overwrite=overwrite, display=display)
            if as_json:
                typer.echo(json.dumps(single.to_json()))
            elif not quiet:
                typer.echo(f"{single.job.output}: {single.frames} frames")
            return
        from reelprior.pipeline.batch import resume_batch

        more = {"disk_gib": disk_gib, "dashboard": dashboard, "overwrite": overwrite or None}
        changes |= {name: value for name, value in more.items() if value is not None}
        result = resume_batch(directory, changes=changes, retry_failed=retry_failed, display=display)
    _report(result, as_json=as_json, quiet=quiet)


def status(
    job_dir: Annotated[Path, typer.Argument(metavar="JOBDIR", help="Of a batch or a job, or its output.")],
    as_json: JsonOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Say how far a batch or a job is, whether or not anybody is at work on it."""
    set_up_logging(log_level)
    from reelprior.pipeline.status import read_status

    facts = read_status(job_dir)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        if isinstance(value, dict) and name != "states":
            for path, remark in value.items():
                typer.echo(f"{name.rstrip('s')}: {path}: {remark}")
        elif value is not None:
            typer.echo(f"{name.replace('_', ' ')}: {_readable(value)}")


def _lasting(scheduler: str | None) -> str | None:
    """An address, or the path of a scheduler file as it is understood in any folder."""
    is_file = scheduler is not None and scheduler.endswith(".json")
    return str(Path(str(scheduler)).absolute()) if is_file else scheduler


def _readable(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items() if count) or "none"
    return str(value)


def _report(result: "BatchResult", *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_json()))
    elif not quiet:
        typer.echo(f"{_readable(result.states)}; {result.restored} restored in {result.seconds:.0f} s")
        if result.index is not None:
            typer.echo(f"index: {result.index}")
        for source, reason in result.failures.items():
            # Most reasons name the file already.
            typer.echo(f"not done: {reason if source in reason else f'{source}: {reason}'}", err=True)
    if not result.all_done:
        raise typer.Exit(_NOT_ALL_DONE)


def _print_estimate(estimate: "Estimate", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(estimate.to_json()))
    else:
        for line in estimate.lines():
            typer.echo(line)
