"""The commands that look and tell: ``probe``, ``verify``, ``bag``, ``presets`` and ``doctor``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reelprior.pipeline.options import (
    JsonOption,
    LogLevelOption,
    OverwriteOption,
    QuietOption,
    SourceArgument,
)
from reelprior.pipeline.terminal import interruptible, set_up_logging

__all__ = ["add_fact_commands"]


def add_fact_commands(app: typer.Typer) -> None:
    """Give the program its commands that change no footage."""
    app.command("probe")(_probe)
    app.command("bag")(_bag)
    app.command("verify")(_verify)
    app.command("presets")(_presets)
    app.command("doctor")(_doctor)


def _probe(
    source: SourceArgument,
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


def _bag(
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


def _verify(
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT", help="A restored video, folder or picture; a bag, a job or a batch."
        ),
    ],
    source: Annotated[
        str | None, typer.Option(metavar="INPUT", help="What it was made from; its sidecar knows.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    log_level: LogLevelOption = "warning",
) -> None:
    """Compare an output with its source: exit status 0, or 4 and a list of what differs."""
    set_up_logging(log_level)
    from reelprior.pipeline.verify_targets import verify_target

    with interruptible():
        verified = verify_target(output, source=source)
    is_right = all(each.holds for each in verified)
    facts = [each.to_json() for each in verified]
    if as_json:
        typer.echo(json.dumps(facts[0] if len(facts) == 1 else {"ok": is_right, "outputs": facts}))
    elif not quiet:
        for each in verified:
            heading = [f"{each.output}:"] if len(verified) > 1 else []
            typer.echo("\n".join(map(_printable, [*heading, *each.lines()])))
    if not is_right:
        raise typer.Exit(4)


def _presets(
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


def _doctor(as_json: JsonOption = False) -> None:
    """Say what this machine offers, and whether a restoration can work here."""
    from reelprior.pipeline.doctor import examine_machine

    facts = examine_machine()
    _print_facts(facts, as_json=as_json)
    if not facts["ok"]:
        raise typer.Exit(4)


def _print_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    """Facts as one JSON object, or as a table of two columns."""
    if as_json:
        typer.echo(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(_printable(f"{name.replace('_', ' '):<{width}}  {_readable(value)}".rstrip()))


def _printable(line: str) -> str:
    """A line without control characters: names and tags of files are anybody's, terminals obey."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


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
            return f"{value:.4g}" if isinstance(value, float) else str(value)
