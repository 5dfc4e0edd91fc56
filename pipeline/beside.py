"""What lies beside an output of a batch, under its name: its report and its access copies. Names only."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

__all__ = ["ACCESS_ENDINGS", "paths_beside", "report_path"]

#: Of access copies: H.264 and AV1.
ACCESS_ENDINGS = (".mp4", ".webm")


def report_path(output: str | Path) -> Path:
    """Where the report of an output is."""
    return Path(f"{output}.report.html")


def paths_beside(names: Collection[str], output: str | Path) -> dict[str, Any]:
    """Fields of a job for what is wanted beside its output: "report", or the ending of an access copy."""
    copies = tuple(f"{output}.access{name}" for name in names if name in ACCESS_ENDINGS)
    return {"report": str(report_path(output)) if "report" in names else None} | (
        {"access": copies} if copies else {}
    )
