"""The manifest: which results of a job are whole. What it does not vouch for, by hash, is done again.

Only the client writes it: a heading, then one line for each task when it has finished, flushed to the disk. A crash
therefore loses at most the running tasks and the end of one line, and a clip of thousands of chunks costs no more per
chunk than a short one. It knows files and hashes, not what is in them.
"""

import json
import logging
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, cast

from reelprior.io.errors import InputError
from reelprior.io.files import sha256, unwritable
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["Manifest", "task_named"]

_FORMAT = 2
_log = logging.getLogger(__name__)


class Manifest:
    """Finished tasks of a job and the hashes of their files.

    Use `open`; the constructor takes what it is given.
    """

    def __init__(self, directory: JobDirectory, fingerprint: str, hashes: Mapping[Task, str]) -> None:
        self._directory = directory
        self._fingerprint = fingerprint
        self._hashes = dict(hashes)

    @classmethod
    def open(cls, directory: JobDirectory, fingerprint: str, *, resume: bool = True) -> "Manifest":
        """Take over what is whole in a job directory, or start anew.

        An earlier run of another job, a manifest that cannot be read, or ``resume=False`` start anew; a file
        that is missing or altered is left out, so its task is done again. Each of these is logged as a
        warning, in one line.

        Raises
        ------
        UsageError
            If the directory holds foreign files.
        reelprior.io.errors.OutputError
            If the directory cannot be written.
        """
        directory.refuse_foreign()
        directory.create()
        directory.uncancel()
        hashes = _take_over(directory, fingerprint) if resume else None
        if hashes is None:
            directory.clear()
            directory.create()
        manifest = cls(directory, fingerprint, hashes or {})
        manifest._begin()
        return manifest

    @property
    def done(self) -> frozenset[Task]:
        """Tasks whose results are whole."""
        return frozenset(self._hashes)

    @property
    def hashes(self) -> Mapping[Task, str]:
        """SHA-256 of the file of each of them."""
        return MappingProxyType(self._hashes)

    def record(self, task: Task, file_hash: str) -> None:
        """Note that a task's result is whole. Raises `OutputError` if that cannot be written down."""
        path = self._directory.manifest_path
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(_line({"task": task.name, "sha256": file_hash}))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise unwritable(path, error) from error
        self._hashes[task] = file_hash

    def _begin(self) -> None:
        """Write the heading and what has been taken over, in one piece."""
        lines = [{"format": _FORMAT, "fingerprint": self._fingerprint}]
        lines += [{"task": task.name, "sha256": file_hash} for task, file_hash in self._hashes.items()]
        self._directory.write_text(self._directory.manifest_path, "".join(map(_line, lines)))


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields) + "\n"


def _take_over(directory: JobDirectory, fingerprint: str) -> dict[Task, str] | None:
    """The tasks of an earlier run whose files are whole; None if there is nothing to take over."""
    path = directory.manifest_path
    if not path.exists():
        return None
    try:
        heading, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        head = json.loads(heading)
        same_job = head["format"] == _FORMAT and head["fingerprint"] == fingerprint
    except (OSError, ValueError, KeyError, TypeError):
        _log.warning("%s is damaged: the job is started anew", path)
        return None
    if not same_job:
        _log.warning("%s belongs to a job with another source, settings or version: it is started anew", path)
        return None
    hashes: dict[Task, str] = {}
    for line in lines:
        try:
            entry = json.loads(line)
            hashes[task_named(entry["task"])] = str(entry["sha256"])
        except (ValueError, KeyError, TypeError, AttributeError):
            # The line that a crash cut off, or damage: that task is done again, the others stand for themselves.
            _log.warning("%s: a line is damaged, its task is done again", path)
    return {task: file_hash for task, file_hash in hashes.items() if _is_whole(directory, task, file_hash)}


def _is_whole(directory: JobDirectory, task: Task, file_hash: str) -> bool:
    path = directory.result_path(task)
    try:
        whole = sha256(path) == file_hash
    except (OSError, InputError):
        whole = False
    if not whole:
        _log.warning("%s is missing or altered: it is made again", path)
    return whole


def task_named(name: str) -> Task:
    """The task of a name such as ``chunk-00003``. Raises `ValueError` for any other."""
    kind, _, number = name.partition("-")
    if kind not in {"key", "chunk"}:
        raise ValueError(f"{name} is not the name of a task")
    return Task(cast(Literal["key", "chunk"], kind), int(number))
