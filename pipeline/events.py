"""The event log of a batch: one line of JSON for each thing that happened, for people with `jq` and for auditors.

It is a record, never a source of truth: nothing reads it back, and a line that cannot be written is left out.
"""

import json
import os
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from reelprior.io.files import unwritable

__all__ = ["EventLog"]


class EventLog:
    """Appends events to a file. Raises `OutputError` if it cannot be opened.

    Every line has ``time`` (UTC, as the clock says), ``elapsed`` (seconds since the log was opened, which never run
    backwards), ``run`` (host and process of the client) and ``event``; the rest is the event's own.
    """

    def __init__(self, path: Path) -> None:
        self._started = time.monotonic()
        self._run = f"{socket.gethostname()}-{os.getpid()}"
        try:
            self._file = path.open("a", encoding="utf-8", buffering=1)  # whole lines
        except OSError as error:
            raise unwritable(path, error) from error

    def write(self, event: str, **facts: object) -> None:
        """Append one event."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "elapsed": round(time.monotonic() - self._started, 3),
            "run": self._run,
            "event": event,
            **facts,
        }
        with suppress(OSError, ValueError):
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    def __enter__(self) -> "EventLog":
        """Return the log."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        with suppress(OSError):
            self._file.close()
