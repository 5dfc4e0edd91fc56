"""The terminal's side of a command: log lines, the one line of an error, signals, progress.

Everything the program says beside a command's own result goes to stderr, and goes through here.
"""

import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from rich.console import Console

from reelprior.pipeline.errors import Interrupted, exit_status
from reelprior.pipeline.progress import Display, LineDisplay, TerminalDisplay

__all__ = ["LogLevel", "interruptible", "make_display", "report_error", "set_up_logging"]

LogLevel = Literal["debug", "info", "warning", "error"]

_DEFECT_STATUS = 4
_log = logging.getLogger(__name__)


class _ConsoleHandler(logging.Handler):
    """Log lines that do not tear a progress bar apart: they go through the console that draws it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record as one line."""
        text = f"reelprior: {record.levelname.lower()}: {self.format(record)}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def set_up_logging(level: LogLevel) -> Console:
    """Send the package's log to stderr from a level on and keep the libraries quiet; the console for both."""
    console = Console(stderr=True)
    log = logging.getLogger("reelprior")
    log.handlers = [_ConsoleHandler(console)]
    log.setLevel(level.upper())
    log.propagate = False
    # Of what Dask stands on: a lost connection is news only to who debugs.
    for library in ("tornado", "asyncio"):
        logging.getLogger(library).setLevel(logging.INFO if level == "debug" else logging.CRITICAL)
    return console


def make_display(console: Console, *, quiet: bool) -> Display:
    """A progress bar where a person watches, elsewhere a line of the log now and then, silence if asked for."""
    if quiet:
        return Display()
    return TerminalDisplay(console) if console.is_terminal else LineDisplay(_log.info)


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat a request to terminate like Ctrl-C, and turn either into `Interrupted`."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _terminate) if in_main_thread else None
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted before any chunk was begun") from error
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def report_error(error: Exception) -> int:
    """Say what went wrong in one line on stderr, with a traceback only when debugging; the exit status."""
    if logging.getLogger("reelprior").isEnabledFor(logging.DEBUG):
        traceback.print_exception(error)
    status = exit_status(error)
    if status is None:
        status = _DEFECT_STATUS
        text = f"{type(error).__name__}: {error} (a defect: please report what --log-level debug says)"
    else:
        text = str(error)
    line = "".join(char if char.isprintable() else repr(char)[1:-1] for char in " ".join(text.splitlines()))
    print("reelprior:", line, file=sys.stderr)  # noqa: T201 - the line this is all about
    return status
