"""The index page of a batch, from its store: written at the end of a run, however the run ends."""

import logging
import os
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from reelprior.io.errors import OutputError
from reelprior.io.files import atomic_path
from reelprior.pipeline.beside import report_path
from reelprior.pipeline.index_page import BatchRow, index_text
from reelprior.pipeline.store import Entry

__all__ = ["INDEX_NAME", "refresh_index"]

INDEX_NAME = "batch.reelprior.html"

#: What a report's verdict is called in a list of files.
_VERDICTS = {
    "better": "better than a cheap filter",
    "no better": "no better than a cheap filter",
    "worse": "no nearer to the reference than the source",
    "mixed": "better in some ways, worse in others",
}

_TIME = re.compile(r"Written [-:\d ]+ UTC")
_log = logging.getLogger(__name__)


def refresh_index(output: Path, entries: Sequence[Entry], *, note: str) -> Path | None:
    """Write the index page into the folder of the outputs.

    A batch does not fail for its page: where it cannot be written, a line in the log says so.

    Parameters
    ----------
    output
        The folder of the outputs.
    entries
        All files of the batch.
    note
        What is still to be done, in a sentence.

    Returns
    -------
    Path | None
        Of the page, if it is there.
    """
    path = output / INDEX_NAME
    written = f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {note}".strip()
    folders = _names_by_folder({Path(entry.output).parent for entry in entries})
    text = index_text([_row(entry, output, folders) for entry in entries], title=output.name, note=written)
    if _says_the_same(path, text):
        return path
    try:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OutputError as error:
        _log.warning("no index page: %s", error)
        return None
    return path


def _says_the_same(path: Path, text: str) -> bool:
    """Whether the page that is there says the same, but for the time: a run that changes nothing writes nothing."""
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return _TIME.sub("", before) == _TIME.sub("", text)


def _row(entry: Entry, output: Path, names: dict[Path, frozenset[str]]) -> BatchRow:
    report = report_path(entry.output)
    has_report = entry.state == "done" and report.name in names[report.parent]
    message = entry.reason or ""
    if entry.state == "done":
        message = _VERDICTS.get(message, "")
    return BatchRow(
        name=_relative(Path(entry.output), output),
        state=entry.state,
        seconds=entry.seconds if entry.state == "done" else None,
        message=message,
        report=_relative(report, output) if has_report else None,
    )


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else os.path.relpath(path, folder)


def _names_by_folder(folders: Collection[Path]) -> dict[Path, frozenset[str]]:
    """What lies in each folder: a look at each folder instead of one at each of thousands of files."""

    def names(folder: Path) -> frozenset[str]:
        try:
            return frozenset(path.name for path in folder.iterdir())
        except OSError:
            return frozenset()

    return {folder: names(folder) for folder in folders}
