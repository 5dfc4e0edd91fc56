"""Options that several commands share."""

from typing import Annotated

import typer

from reelprior.pipeline.terminal import LogLevel

__all__ = ["JsonOption", "LogLevelOption", "OverwriteOption", "QuietOption"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary; errors only.")]
LogLevelOption = Annotated[LogLevel, typer.Option("--log-level", help="What is logged on stderr.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace an existing output.")]
