"""The store of a batch: one SQLite file with the state of every file, whole after a crash or a power loss.

A rollback journal and ``synchronous=FULL``: what has been committed is on the disk. Not a write-ahead log, because
that needs memory shared by all who read, which network file systems do not have; here a cluster's shared disk is the
usual place. One client writes, which the lock of the batch's directory sees to; others may read at any time.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from reelprior.io.errors import DiskFull, OutputError
from reelprior.pipeline.errors import UsageError

__all__ = ["Entry", "State", "Store"]

State = Literal["queued", "running", "done", "failed", "skipped"]
"""``skipped``: left alone, because an output is there that this batch has not made."""

_FORMAT = 2
_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Entry:
    """One file of a batch.

    Attributes
    ----------
    id
        Its number; it names the job directory too.
    source, output
        Absolute paths.
    kind
        Of the source; it decides what is done.
    priority
        Higher ones come first.
    state, reason
        Where it is, and why it failed, was skipped or is to be done again; of a file that is done, what its report says
        of it.
    wish
        Hash of what is wanted (`Store.wish` has the text).
    source_stamp, source_hash, output_stamp, output_hash
        Of the files as they were when the output was finished; the stamps without reading, see `stamp`.
    frames, seconds
        Of the restoration.
    partner
        A second source: the shot with flash, of a pair whose ``source`` is the ambient one.
    """

    id: int
    source: str
    output: str
    kind: str
    priority: int
    state: State
    reason: str | None
    wish: str
    source_stamp: str | None = None
    source_hash: str | None = None
    output_stamp: str | None = None
    output_hash: str | None = None
    frames: int | None = None
    seconds: float | None = None
    partner: str | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """All of them."""
        return (self.source,) if self.partner is None else (self.source, self.partner)


_COLUMNS = tuple(field.name for field in fields(Entry))
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    output TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN {get_args(State)}),
    reason TEXT,
    wish TEXT NOT NULL REFERENCES wishes,
    source_stamp TEXT,
    source_hash TEXT,
    output_stamp TEXT,
    output_hash TEXT,
    frames INTEGER,
    seconds REAL,
    partner TEXT
);
CREATE TABLE IF NOT EXISTS wishes (hash TEXT PRIMARY KEY, job TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batch (name TEXT PRIMARY KEY, value TEXT NOT NULL);
PRAGMA user_version = {_FORMAT};
"""


class Store:
    """Entries, wishes and a few named values. Use `create` or `open`.

    Errors of SQLite become `DiskFull`, `OutputError`, or `UsageError` where the file is damaged or none of ours.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._db = path, connection

    @classmethod
    def create(cls, path: Path) -> "Store":
        """Open a store for writing; it is made if it is missing."""
        store = cls(path, _connect(path, "rwc"))
        try:
            with store._errors():
                if store._format() == 0:
                    # Kept and overwritten rather than deleted at each commit: fewer changes of the folder.
                    store._db.executescript(f"PRAGMA journal_mode = PERSIST; BEGIN; {_SCHEMA} COMMIT;")
                store._check_format()
                store._db.execute("PRAGMA journal_mode = PERSIST")
                store._db.execute("PRAGMA synchronous = FULL")
        except BaseException:  # nobody else knows of the open file yet; the reason goes on its way
            store.close()
            raise
        return store

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Open an existing store to read it."""
        if not path.is_file():
            raise UsageError(f"{path.parent} is not the directory of a batch: {path.name} is missing")
        # Not read-only: what a client that was killed left half written has to be rolled back first.
        store = cls(path, _connect(path, "rw"))
        try:
            with store._errors():
                store._check_format()
        except BaseException:  # nobody else knows of the open file yet; the reason goes on its way
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _format(self) -> int:
        with closing(self._db.execute("PRAGMA user_version")) as cursor:
            return int(cursor.fetchone()[0])

    def _check_format(self) -> None:
        if (found := self._format()) != _FORMAT:
            raise UsageError(f"{self._path} has format {found}, this version of reelprior reads {_FORMAT}")

    def entries(self) -> list[Entry]:
        """All files, the most urgent first."""
        names = ", ".join(_COLUMNS)
        with self._errors():
            rows = self._db.execute(f"SELECT {names} FROM files ORDER BY priority DESC, id").fetchall()
        return [Entry(*row) for row in rows]

    def wish(self, wish_hash: str) -> str:
        """The job, as JSON without its source and output, of which this is the hash."""
        with self._errors():
            row = self._db.execute("SELECT job FROM wishes WHERE hash = ?", (wish_hash,)).fetchone()
        return str(row[0])

    def value(self, name: str) -> str | None:
        """A named value; None if it was never set."""
        with self._errors():
            row = self._db.execute("SELECT value FROM batch WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def save(
        self,
        entries: Iterable[Entry] = (),
        *,
        wishes: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        forget: Iterable[int] = (),
    ) -> None:
        """Write entries, wishes and values and forget some files: all of it or, if that fails, nothing."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany("DELETE FROM files WHERE id = ?", [(number,) for number in forget])
                self._db.executemany("REPLACE INTO wishes VALUES (?, ?)", (wishes or {}).items())
                self._db.executemany("REPLACE INTO batch VALUES (?, ?)", (values or {}).items())
                rows = [astuple(entry) for entry in entries]
                self._db.executemany(f"REPLACE INTO files ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)
                self._db.execute("COMMIT")
            except BaseException:  # Ctrl-C too: all of it or nothing
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _translated(self._path, error) from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_WAIT_SECONDS, isolation_level=None
        )
    except sqlite3.Error as error:
        raise _translated(path, error) from error


def _translated(path: Path, error: sqlite3.Error) -> Exception:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR_WRITE")):
        return DiskFull(
            f"{path}: cannot be written ({error}): free some space on that disk, or write to another one"
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return UsageError(f"{path} is damaged ({error}): restore it from a copy, or delete it to begin anew")
    return OutputError(f"{path}: cannot be used ({error}): check the permissions of its folder")
