"""What a job or a batch is doing, read from its directory by anybody who sees it. Changes nothing there."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, get_args

from reelprior.io.errors import InputError
from reelprior.pipeline.batchdir import BatchDirectory
from reelprior.pipeline.errors import UsageError
from reelprior.pipeline.lock import holder, is_held
from reelprior.pipeline.store import Entry, State, Store

__all__ = ["read_status"]


def read_status(path: Path) -> dict[str, Any]:
    """The state of a batch, or of a single job.

    Parameters
    ----------
    path
        The directory of a batch or a job, or the output of one.

    Raises
    ------
    UsageError
        If it is none of them.
    reelprior.io.errors.InputError
        If it does not exist.
    """
    if (batch := BatchDirectory.find(path)) is not None:
        return _status_of_batch(batch)
    for job in (path, path.with_name(f"{path.name}.reelprior")):
        if (job / "job.json").is_file():
            return _status_of_job(job)
    if not path.exists():
        raise InputError(f"{path}: there is no such job directory")
    raise UsageError(f"{path}: neither a job directory nor the output of a batch")


def _status_of_batch(batch: BatchDirectory) -> dict[str, Any]:
    store = Store.open(batch.store_path)
    try:
        entries, dashboard = store.entries(), store.value("dashboard")
    finally:
        store.close()
    counted = Counter(entry.state for entry in entries)
    done = [entry for entry in entries if entry.state == "done"]
    return {
        "job_dir": str(batch.path),
        **_who(batch.path),
        "dashboard": dashboard or None,
        "files": len(entries),
        "states": {state: counted[state] for state in get_args(State)},
        "all_done": len(done) == len(entries),
        "frames_done": sum(entry.frames or 0 for entry in done),
        "running": {entry.source: _begun(batch, entry) for entry in entries if entry.state == "running"},
        "failures": _reasons(entries, "failed"),
        "skipped": _reasons(entries, "skipped"),
    }


def _reasons(entries: list[Entry], state: State) -> dict[str, str]:
    return {entry.source: entry.reason or "" for entry in entries if entry.state == state}


def _begun(batch: BatchDirectory, entry: Entry) -> str:
    if entry.kind == "pair":
        return "being restored"
    try:
        job = _status_of_job(batch.job_path(entry.id))
    except UsageError:
        return "being opened"
    return f"{job['chunks_done']} of {job['chunks']} chunks"


def _status_of_job(path: Path) -> dict[str, Any]:
    from reelprior.pipeline.jobdir import JobDirectory

    directory = JobDirectory(path)
    try:
        order, index = directory.load_order()
        plan = order.plan(index)
        lines = directory.manifest_path.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read as a job directory ({error})") from error
    finished = {name for line in lines if (name := _task_name(line)) is not None}
    running = {name: at for name, at in _progress(path).items() if name not in finished}
    return {
        "job_dir": str(path),
        **_who(path),
        "input": order.job.input,
        "output": order.job.output,
        "frames": len(plan.frames),
        "chunks": len(plan.chunks),
        "chunks_done": sum(name.startswith("chunk-") for name in finished),
        "keys": sum(scene.key is not None for scene in plan.scenes),
        "keys_done": sum(name.startswith("key-") for name in finished),
        "running": {name: f"{frames:.1f} frames done" for name, frames in running.items()},
    }


def _task_name(line: str) -> str | None:
    try:
        return str(json.loads(line)["task"])
    except (ValueError, KeyError, TypeError):
        return None


def _progress(path: Path) -> dict[str, float]:
    """Frames done of every task that has said so."""
    found: dict[str, float] = {}
    for note in sorted((path / "progress").glob("*.json")):
        try:
            found[note.stem] = float(json.loads(note.read_text(encoding="utf-8"))[0])
        except (OSError, ValueError, TypeError, IndexError):
            continue
    return found


def _who(path: Path) -> dict[str, Any]:
    """Whether a client is at work there, and which."""
    at_work = is_held(path)
    return {"at_work": at_work, "client": holder(path) if at_work else None}
