"""The index page of a batch: every file with its state, what became of it, and a link to its report.

One HTML file like the reports: it fetches nothing, and needs neither network nor server. It takes plain rows, whoever
keeps the states.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from reelprior.io.files import atomic_path
from reelprior.pipeline.pages import render_page

__all__ = ["STATES", "BatchRow", "State", "index_text", "write_index"]

State = Literal["queued", "running", "done", "failed", "skipped"]
STATES: tuple[State, ...] = ("failed", "running", "queued", "done", "skipped")
"""In the order of how much they want to be looked at."""


@dataclass(frozen=True)
class BatchRow:
    """One file of a batch.

    Attributes
    ----------
    name
        As the batch calls it, with folders: once in a batch.
    state
        What has become of it.
    seconds
        Spent on it; None before it is finished.
    message
        Why it failed or was skipped, or what it says of itself: one line.
    report
        Of its report, relative to the index page; None where there is none.
    scores
        What the page shows as columns: "PSNR after" -> 31.2. Rows may have different ones.
    """

    name: str
    state: State
    seconds: float | None = None
    message: str = ""
    report: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Shown:
    """A row as the page shows it."""

    name: str
    state: State
    seconds: str
    message: str
    link: str | None
    cells: tuple[str, ...]


def write_index(path: str | Path, rows: Sequence[BatchRow], *, title: str, note: str = "") -> None:
    """Write the index page of a batch.

    Parameters
    ----------
    path
        The HTML file; written beside and renamed, an existing one is replaced.
    rows
        Of all files, in the order of the batch.
    title
        Of the batch: its folder.
    note
        One sentence that goes on top: when it was written, what is still to come.

    Raises
    ------
    reelprior.io.errors.OutputError
        If the file cannot be written.
    """
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(index_text(rows, title=title, note=note), encoding="utf-8")


def index_text(rows: Sequence[BatchRow], *, title: str, note: str = "") -> str:
    """The page that `write_index` writes."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row.scores))
    counts = Counter(row.state for row in rows)
    return render_page(
        "index.html.jinja",
        title=title,
        note=note,
        total=len(rows),
        counts=[(state, counts[state]) for state in STATES if counts[state]],
        columns=columns,
        rows=[_shown(row, columns) for row in rows],
    )


def _shown(row: BatchRow, columns: Sequence[str]) -> _Shown:
    return _Shown(
        name=row.name,
        state=row.state,
        seconds="" if row.seconds is None else f"{row.seconds:.1f}",
        message=row.message,
        link=None if row.report is None else quote(row.report),
        cells=tuple("" if (value := row.scores.get(name)) is None else f"{value:.4g}" for name in columns),
    )
