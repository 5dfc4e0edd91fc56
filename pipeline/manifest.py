"""The manifest: which results of a job are whole. What it does not vouch for, by hash, is done again.

Only the client writes it, each time a task has finished, in one piece; a crash therefore loses at most the
running tasks. It knows files and hashes, not what is in them.
"""

import json
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, cast

from reelprior.io.errors import InputError
from reelprior.io.files import sha256
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.jobdir import JobDirectory

__all__ = ["Manifest"]

_FORMAT = 1
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
        if directory.is_foreign():
            raise UsageError(
                f"{directory.path} is not a job directory, it holds other files; choose another --job-dir"
            )
        directory.create()
        directory.uncancel()
        hashes = _take_over(directory, fingerprint) if resume else None
        if hashes is None:
            directory.clear()
            directory.create()
        manifest = cls(directory, fingerprint, hashes or {})
        manifest._save()
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
        """Note that a task's result is whole."""
        self._hashes[task] = file_hash
        self._save()

    def _save(self) -> None:
        entries = {
            task.name: file_hash for task, file_hash in sorted(self._hashes.items(), key=lambda e: e[0].name)
        }
        text = json.dumps({"format": _FORMAT, "fingerprint": self._fingerprint, "sha256": entries}, indent=1)
        self._directory.write_text(self._directory.manifest_path, text)


def _take_over(directory: JobDirectory, fingerprint: str) -> dict[Task, str] | None:
    """The tasks of an earlier run whose files are whole; None if there is nothing to take over."""
    path = directory.manifest_path
    if not path.exists():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        same_job = manifest["format"] == _FORMAT and manifest["fingerprint"] == fingerprint
        hashes = {_task(name): str(file_hash) for name, file_hash in manifest["sha256"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        _log.warning("%s is damaged: the job is started anew", path)
        return None
    if not same_job:
        _log.warning("%s belongs to a job with another source, settings or version: it is started anew", path)
        return None
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


def _task(name: str) -> Task:
    kind, _, number = name.partition("-")
    if kind not in {"key", "chunk"}:
        raise ValueError(f"{name} is not the name of a task")
    return Task(cast(Literal["key", "chunk"], kind), int(number))
