"""A batch: many files in one pool of workers, with one store as the memory that survives everything.

Reads top to bottom: plan the files, judge what there is to do, take the steps, say what has become of it. A run ends
early only for what concerns every file (Ctrl-C, a full disk, a lost scheduler); what concerns one file is its failure.
"""

import functools
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask.system import CPU_COUNT

from reelprior.io.errors import OutputError
from reelprior.io.files import unwritable
from reelprior.pipeline.batch_index import refresh_index
from reelprior.pipeline.batch_plan import Item, judge, plan_items, wish_covers
from reelprior.pipeline.batch_result import BatchOptions, BatchResult
from reelprior.pipeline.batchdir import BatchDirectory
from reelprior.pipeline.errors import Interrupted
from reelprior.pipeline.events import EventLog
from reelprior.pipeline.lock import held
from reelprior.pipeline.progress import Display
from reelprior.pipeline.stamp import content_hash_of, stamp, stamp_of
from reelprior.pipeline.store import Entry, Store
from reelprior.pipeline.wishes import Wishes

if TYPE_CHECKING:
    from reelprior.pipeline.cluster import Pool

__all__ = ["resume_batch", "run_batch"]

_SHARE_OF_FREE_DISK = 0.5


def run_batch(
    source: str,
    output: Path,
    *,
    wishes: Wishes,
    options: BatchOptions,
    job_dir: Path | None = None,
    retry_failed: bool = False,
    display: Display | None = None,
) -> BatchResult:
    """Restore every file of a source, or what an earlier run of the same batch has left to do.

    Parameters
    ----------
    source
        A folder, a pattern, a file, or a job file.
    output
        Folder of the outputs.
    wishes
        What is wanted of every file.
    options
        How it is run.
    job_dir
        Directory of the batch; ``OUTPUT.reelprior`` by default.
    retry_failed
        Whether files that failed are tried again.
    display
        Hears how it is going.

    Raises
    ------
    UsageError, reelprior.io.errors.InputError
        If something is wrong with the whole batch, before any work.
    Interrupted, RestorationError, reelprior.io.errors.OutputError
        If it ended early: what was finished is kept.
    """
    directory = BatchDirectory(job_dir.absolute()) if job_dir else BatchDirectory.of_output(output)
    directory.refuse_foreign()
    items = plan_items(source, output, wishes, leave_out=[directory.path])
    _make_folder(output)
    with held(directory.path), closing(Store.create(directory.store_path)) as store:
        before = {entry.output: entry for entry in store.entries()}
        jobs = {item.wish: item.job for item in items}

        @functools.cache
        def covers(done: str, wanted: str, kind: str) -> bool:
            return wish_covers(store.wish(done), jobs[wanted], kind)

        entries = _judge_all(_number(items, before), before, options.overwrite, retry_failed, covers)
        wanted = {entry.id for entry in entries}
        store.save(
            entries,
            wishes=jobs,
            values={"options": options.model_dump_json(), "output": str(output.absolute())},
            # Of what is no longer asked for, what was done stays on record.
            forget=[old.id for old in before.values() if old.id not in wanted and old.state != "done"],
        )
        return _Run(directory, store, options, output.absolute(), display).do(
            entries, [path for item in items for path in (item.source, item.partner) if path]
        )


def resume_batch(
    directory: BatchDirectory,
    *,
    changes: dict[str, Any] | None = None,
    retry_failed: bool = False,
    display: Display | None = None,
) -> BatchResult:
    """Go on with a batch as it was begun, without looking for new files.

    Parameters
    ----------
    directory
        Of the batch.
    changes
        Fields of `BatchOptions` to change.
    retry_failed, display
        As of `run_batch`.
    """
    with held(directory.path), closing(Store.create(directory.store_path)) as store:
        stored = BatchOptions.model_validate_json(store.value("options") or "{}")
        options = stored.model_copy(update=changes or {})
        before = {entry.output: entry for entry in store.entries()}
        entries = _judge_all(
            list(before.values()),
            before,
            options.overwrite,
            retry_failed,
            lambda done, wanted, _: done == wanted,
        )
        changed = [entry for entry in entries if entry != before[entry.output]]
        if changed:
            store.save(changed, values={"options": options.model_dump_json()})
        output = Path(store.value("output") or directory.path)
        return _Run(directory, store, options, output, display).do(
            entries, [path for entry in entries for path in entry.sources]
        )


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(output, error) from error
    if not os.access(output, os.W_OK):
        raise OutputError(f"{output}: may not be written: check its permissions, or write somewhere else")


def _number(items: list[Item], before: dict[str, Entry]) -> list[Entry]:
    """Entries of the items; what the store knows already keeps its number, and with it its chunks."""
    next_id = max((entry.id for entry in before.values()), default=0) + 1
    entries = []
    for item in items:
        known = before.get(item.output)
        number = known.id if known else next_id
        next_id += known is None
        entries.append(
            Entry(
                *(number, item.source, item.output, item.kind, item.priority, "queued", None, item.wish),
                partner=item.partner,
            )
        )
    return entries


def _judge_all(
    entries: list[Entry],
    before: dict[str, Entry],
    overwrite: bool,
    retry_failed: bool,
    covers: Callable[[str, str, str], bool],
) -> list[Entry]:
    def is_same(paths: Sequence[str], known: str | None) -> Callable[[], bool]:
        return lambda: known is not None and content_hash_of(paths) == known

    def is_covered(entry: Entry, old: Entry | None) -> Callable[[], bool]:
        return lambda: old is not None and old.kind == entry.kind and covers(old.wish, entry.wish, entry.kind)

    judged = []
    for entry in entries:
        old = before.get(entry.output)
        judged.append(
            judge(
                entry,
                before=old,
                source_stamp=stamp_of(entry.sources),
                output_stamp=stamp(entry.output),
                same_source=is_same(entry.sources, old.source_hash if old else None),
                same_output=is_same([entry.output], old.output_hash if old else None),
                same_wish=is_covered(entry, old),
                overwrite=overwrite,
                retry_failed=retry_failed,
            )
        )
    return judged


class _Run:
    """One run over the files that are queued."""

    def __init__(
        self,
        directory: BatchDirectory,
        store: Store,
        options: BatchOptions,
        output: Path,
        display: Display | None,
    ) -> None:
        self._directory, self._store, self._options, self._output = directory, store, options, output
        self._display = display or Display()

    def do(self, entries: list[Entry], sources: list[str]) -> BatchResult:
        """Take the steps of all queued files."""
        started = time.monotonic()
        queued = sorted((entry for entry in entries if entry.state == "queued"), key=lambda e: -e.priority)
        done = {entry.id for entry in entries if entry.state == "done"}
        for number in done.intersection(self._directory.jobs()):
            self._directory.remove_job(number)  # left by a client that was killed between the two
        restored = 0
        try:
            if queued:
                restored = self._restore(queued, sources)
        finally:
            after = {entry.id: entry for entry in self._store.entries()}
            now = [after[entry.id] for entry in entries]
            index = refresh_index(self._output, now, note=self._what_remains(now))
        return BatchResult(
            directory=self._directory.path,
            states=dict(Counter(entry.state for entry in now)),
            restored=restored,
            unchanged=len(done),
            seconds=time.monotonic() - started,
            index=index,
            failures={
                entry.source: entry.reason or "" for entry in now if entry.state in {"failed", "skipped"}
            },
        )

    def _what_remains(self, entries: list[Entry]) -> str:
        waiting = sum(entry.state in {"queued", "running"} for entry in entries)
        return f"{waiting} wait: go on with reelprior resume {self._directory.path}" if waiting else ""

    def _restore(self, queued: list[Entry], sources: list[str]) -> int:
        # What follows needs torch, whose import takes seconds that a batch with nothing to do should not take.
        from reelprior.pipeline.batch_backlog import BatchBacklog
        from reelprior.pipeline.batch_run import BatchListener, Works
        from reelprior.pipeline.schedule import take_steps
        from reelprior.pipeline.threads import leave_threads_to_tasks

        leave_threads_to_tasks()
        works = Works(
            self._directory,
            self._store,
            queued,
            device=self._options.device,
            scheduler=self._options.scheduler,
        )
        with EventLog(self._directory.events_path) as events:
            listener = BatchListener(
                self._directory, self._store, works, queued, events=events, display=self._display
            )
            events.write("batch begun", files=len(queued), options=self._options.model_dump())
            self._display.phase("restoring", frames=len(queued), unit="files")
            try:
                take_steps(
                    BatchBacklog([entry.id for entry in queued], disk_bytes=self._disk_bytes()),
                    works,
                    join=lambda: self._join(queued[0], sources),
                    listener=listener,
                    chores=max(1, min(4, CPU_COUNT // 2)),
                )
            except BaseException as error:
                events.write("batch ended early", error=str(error) or type(error).__name__)
                if isinstance(error, KeyboardInterrupt | Interrupted):
                    raise self._interrupted(listener) from error
                raise
            finally:
                listener.put_down()
            events.write("batch ended", restored=listener.restored, failed=listener.failures)
        return listener.restored

    def _join(self, first: Entry, sources: list[str]) -> "AbstractContextManager[Pool]":
        from reelprior.models.settings import ComputeSettings
        from reelprior.pipeline.cluster import open_pool

        # The workers serve all files: device and threads are theirs, and the first file says which.
        compute = ComputeSettings.model_validate(
            json.loads(self._store.wish(first.wish))["settings"]["compute"]
        )
        if self._options.device is not None:
            compute = compute.model_copy(update={"device": self._options.device})
        return open_pool(
            self._directory.path,
            workers=self._options.workers,
            scheduler=self._options.scheduler,
            compute=compute,
            per_gpu=max(1, compute.per_gpu),
            sources=sorted({str(Path(source).parent) for source in sources})[:20],
            dashboard=self._options.dashboard,
        )

    def _disk_bytes(self) -> int:
        if self._options.disk_gib is not None:
            return int(self._options.disk_gib * 2**30)
        return int(shutil.disk_usage(self._directory.path).free * _SHARE_OF_FREE_DISK)

    def _interrupted(self, listener: Any) -> Interrupted:
        return Interrupted(
            f"interrupted: {listener.restored} files were restored in this run; everything that was finished is "
            f"kept, go on with: reelprior resume {self._directory.path}"
        )
