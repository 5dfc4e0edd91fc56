"""The directory of a batch: where its store, its event log and the job directories of its open files are.

::

    OUTPUT.reelprior/
        batch.sqlite    states of all files (`store`)
        events.jsonl    what happened (`events`)
        files/000001/   job directory of an open file (`jobdir`), removed when its output is whole
        lock            held by the client (`lock`)
"""

import shutil
from contextlib import suppress
from pathlib import Path

from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.lock import LOCK_NAMES

__all__ = ["BatchDirectory"]

_OWN_NAMES = {"batch.sqlite", "batch.sqlite-journal", "events.jsonl", "files", *LOCK_NAMES}


class BatchDirectory:
    """Paths of one batch. Holds no state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_output(cls, output: Path) -> "BatchDirectory":
        """The directory that belongs to a folder of outputs unless another is given: beside it."""
        output = output.absolute()
        return cls(output.with_name(f"{output.name}.reelprior"))

    @classmethod
    def find(cls, path: Path) -> "BatchDirectory | None":
        """The batch that a path means: its directory, or the folder of its outputs; None if it is neither."""
        for candidate in (cls(path.absolute()), cls.of_output(path)):
            if candidate.store_path.is_file():
                return candidate
        return None

    @property
    def store_path(self) -> Path:
        """Of the store."""
        return self.path / "batch.sqlite"

    @property
    def events_path(self) -> Path:
        """Of the event log."""
        return self.path / "events.jsonl"

    def job_path(self, number: int) -> Path:
        """The job directory of a file."""
        return self.path / "files" / f"{number:06d}"

    def refuse_foreign(self) -> None:
        """Raise `UsageError` if the directory holds other people's files."""
        if not self.path.exists() or self.store_path.is_file():
            return
        names = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else {"a file"}
        if not names <= _OWN_NAMES:
            raise UsageError(
                f"{self.path} is not the directory of a batch, it holds other files; choose another --job-dir"
            )

    def jobs(self) -> list[int]:
        """The files whose job directories are there."""
        try:
            names = [path.name for path in (self.path / "files").iterdir()]
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdigit()]

    def remove_job(self, number: int) -> None:
        """Remove what is left of a file's job; what cannot be removed now is, when the file is done again."""
        with suppress(OSError):
            shutil.rmtree(self.job_path(number))
