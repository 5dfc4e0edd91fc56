"""One client at a time in a job directory: who comes second is refused, and told who is there.

The operating system holds the lock and lets go of it when the holder dies, by power loss too, so nothing has to be
cleaned up by hand. On file systems without such locks the library falls back to a file whose holder is looked up by
process number. Who holds it is written beside it, for the message alone.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from reelprior.io.files import unwritable
from reelprior.pipeline.errors import UsageError

__all__ = ["LOCK_NAMES", "held", "holder", "is_held"]

LOCK_NAMES = ("lock", "holder.json")
"""The files that a lock leaves in its directory."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the lock of a job directory, which is made if it is missing.

    Raises
    ------
    UsageError
        If another client holds it; the message names its host and process.
    reelprior.io.errors.OutputError
        If the directory cannot be written.
    """
    lock_name, holder_name = LOCK_NAMES
    # Not a singleton: within one process, too, the second one has to be refused.
    lock = FileLock(directory / lock_name, timeout=0, thread_local=False)
    note = directory / holder_name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UsageError(
            f"{directory} is in use by {holder(directory) or 'another reelprior'}: "
            "wait until it has finished, or stop it first"
        ) from error
    except OSError as error:
        raise unwritable(directory, error) from error
    try:
        with suppress(OSError):  # only a message would be poorer
            note.write_text(json.dumps({"host": socket.gethostname(), "process": os.getpid()}), "utf-8")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        with suppress(OSError):
            lock.release()


def holder(directory: Path) -> str | None:
    """Who says to hold the lock, in words: ``process 4711 on node7``; None where nobody does.

    A client that was killed says so still: whether it lives can only be told by trying the lock.
    """
    try:
        note = json.loads((directory / LOCK_NAMES[1]).read_text(encoding="utf-8"))
        return f"process {note['process']} on {note['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_held(directory: Path) -> bool:
    """Whether a client holds the lock of a job directory now. Changes nothing there."""
    path = directory / LOCK_NAMES[0]
    if not path.exists():
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # a place where one may only read: who writes there is not known
        return False
    lock.release()
    return False
