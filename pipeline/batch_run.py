"""The files of a running batch: their works while they are open, and the listener that keeps the store true."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from reelprior.io.errors import InputError
from reelprior.io.files import unwritable
from reelprior.pipeline.backlog import Task
from reelprior.pipeline.batch_backlog import Step
from reelprior.pipeline.batchdir import BatchDirectory
from reelprior.pipeline.cluster import Pool
from reelprior.pipeline.events import EventLog
from reelprior.pipeline.job import content_hash
from reelprior.pipeline.kinds import BatchWork, make_work
from reelprior.pipeline.progress import Display
from reelprior.pipeline.schedule import Listener
from reelprior.pipeline.stamp import stamp, stamp_of
from reelprior.pipeline.store import Entry, Store
from reelprior.pipeline.work import Opened, Receipt, TaskFunction

__all__ = ["BatchListener", "FileOfBatch", "Works"]

_SECONDS_BETWEEN_SAVES = 1.0
_SECONDS_BETWEEN_LOOKS = 1.0


class FileOfBatch:
    """The work of one file, watched: a source that changes while it is being restored is a failure, not a mixture."""

    def __init__(self, work: BatchWork, entry: Entry) -> None:
        self._work, self._output, self._sources = work, entry.output, entry.sources
        self.source_stamp: str | None = None
        self.source_hash: str | None = None
        self.output_stamp: str | None = None
        self.output_hash: str | None = None

    @property
    def folder(self) -> Path:
        """Its job directory."""
        return self._work.folder

    def open(self) -> Opened | None:
        """Look at the source and plan."""
        try:
            Path(self._output).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self._output, error) from error
        self.source_stamp = stamp_of(self._sources)
        opened = self._work.open()
        if opened is not None:
            self.source_hash = opened.source_hash
        return opened

    def function(self, task: Task) -> TaskFunction:
        """What a worker runs for a task."""
        return self._work.function(task)

    def record(self, task: Task, receipt: Receipt) -> None:
        """Note that a task's result is whole, and what it took."""
        self._work.record(task, receipt)

    def finish(self) -> None:
        """Make the output, and note what it is."""
        if stamp_of(self._sources) != self.source_stamp:
            raise InputError(
                f"{' or '.join(self._sources)}: has changed while it was being restored: run the batch again"
            )
        self._work.finish()
        self.output_hash = content_hash(self._output)
        self.output_stamp = stamp(self._output)

    def cancel(self) -> None:
        """Make running steps stop soon."""
        self._work.cancel()

    def close(self) -> None:
        """Let go of everything."""
        self._work.close()

    def facts(self) -> dict[str, Any]:
        """What was done."""
        return self._work.facts()

    def share_done(self, running: Collection[Task]) -> float:
        """How much of it is done, 0 to 1."""
        return self._work.share_done(tuple(running))


class Works(Mapping[int, FileOfBatch]):
    """The works of the files that are in hand: made when they are first asked for, gone when they are closed."""

    def __init__(
        self,
        directory: BatchDirectory,
        store: Store,
        entries: Collection[Entry],
        *,
        device: str | None = None,
        scheduler: str | None = None,
    ) -> None:
        self._directory = directory
        self._entries = {entry.id: entry for entry in entries}
        self._wishes = {wish: json.loads(store.wish(wish)) for wish in {entry.wish for entry in entries}}
        for fields in self._wishes.values():
            if device is not None:
                fields["settings"]["compute"]["device"] = device
            # Outputs of others were left out when the files were queued; what is there now is the batch's own.
            fields.update(scheduler=scheduler, overwrite=True)
        self._in_hand: dict[int, FileOfBatch] = {}

    def __getitem__(self, number: int) -> FileOfBatch:
        """The work of a file."""
        if number not in self._in_hand:
            entry = self._entries[number]
            fields = {
                **self._wishes[entry.wish],
                "input": entry.source,
                "output": entry.output,
                "partner": entry.partner,
            }
            work = make_work(entry.kind, fields, self._directory.job_path(number))
            self._in_hand[number] = FileOfBatch(work, entry)
        return self._in_hand[number]

    def __iter__(self) -> Iterator[int]:
        """The files in hand."""
        return iter(self._in_hand)

    def __len__(self) -> int:
        """How many are in hand."""
        return len(self._in_hand)

    def drop(self, number: int) -> None:
        """Forget a file that is closed."""
        self._in_hand.pop(number, None)


class BatchListener(Listener):
    """Writes into the store and the log what happens, and shows it.

    Changes of state are saved together, once a second: what is lost in a crash is found again in the job directories,
    which are removed only after their files' being done is on the disk.
    """

    def __init__(
        self,
        directory: BatchDirectory,
        store: Store,
        works: Works,
        entries: Collection[Entry],
        *,
        events: EventLog,
        display: Display,
    ) -> None:
        self._directory, self._store, self._works = directory, store, works
        self._events, self._display = events, display
        self._entries = {entry.id: entry for entry in entries}
        self._changed: set[int] = set()
        self._saved_at = self._looked_at = time.monotonic()
        self.restored = self.failures = 0

    def joined(self, pool: Pool) -> None:
        """Note who does the work."""
        self._events.write("workers joined", slots=pool.slots, dashboard=pool.dashboard)
        self._store.save(values={"dashboard": pool.dashboard or ""})

    def began(self, step: Step) -> None:
        """Note that a file was begun."""
        if step.what == "open":
            self._change(step.file, state="running", reason=None)
            self._events.write("file begun", file=step.file, source=self._entries[step.file].source)
        elif step.what == "finish":
            self._events.write("output begun", file=step.file)

    def opened(self, file: int, opened: Opened | None) -> None:
        """Note what a file holds."""
        waiting = opened.backlog.ready if opened else 0
        self._events.write("file opened", file=file, ready=waiting, disk_bytes=opened and opened.disk_bytes)

    def did(self, step: Step, receipt: Receipt) -> None:
        """Note what a task took."""
        self._events.write(
            "task done",
            file=step.file,
            task=step.task and step.task.name,
            sha256=receipt.file_hash,
            seconds=round(receipt.seconds, 3),
            peak_memory_bytes=receipt.peak_memory_bytes,
            worker=f"{receipt.host}-{receipt.process}",
        )

    def finished(self, file: int) -> None:
        """Note that an output is whole."""
        work = self._works[file]
        facts = work.facts()
        self.restored += 1
        self._change(
            file,
            state="done",
            reason=facts.get("verdict"),
            source_stamp=work.source_stamp,
            source_hash=work.source_hash,
            output_stamp=work.output_stamp,
            output_hash=work.output_hash,
            frames=facts["frames"],
            seconds=facts["seconds"],
        )
        self._events.write(
            "output written",
            file=file,
            output=self._entries[file].output,
            sha256=work.output_hash,
            frames=facts["frames"],
            seconds=facts["seconds"],
            peak_memory_bytes=facts["peak_memory_bytes"],
            peak_disk_bytes=facts["peak_disk_bytes"],
        )

    def failed(self, file: int, error: Exception) -> None:
        """Note why a file failed; the others go on."""
        reason = " ".join(str(error).split())
        self.failures += 1
        self._change(file, state="failed", reason=reason)
        self._events.write("file failed", file=file, reason=reason, error=type(error).__name__)

    def closed(self, file: int) -> None:
        """Forget what was in memory for a file."""
        self._works.drop(file)

    def tick(self, running: Collection[Step]) -> None:
        """Save what has changed, and show how far things are."""
        now = time.monotonic()
        if self._changed and now - self._saved_at >= _SECONDS_BETWEEN_SAVES:
            self._save()
        if now - self._looked_at >= _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            self._show(running)

    def _show(self, running: Collection[Step]) -> None:
        tasks: dict[int, list[Task]] = {}
        for step in running:
            if step.what != "open":
                tasks.setdefault(step.file, []).extend([step.task] if step.task else [])
        shares = sum(self._works[file].share_done(found) for file, found in tasks.items())
        self._display.update(self.restored + self.failures + shares)

    def put_down(self) -> None:
        """At the end of a run, however it came: what was begun waits for the next one, and everything is saved."""
        for entry in list(self._entries.values()):
            if entry.state == "running":
                self._change(entry.id, state="queued")
        with suppress(Exception):  # a full disk has been reported, and the next run finds out by itself
            self._save()

    def _change(self, file: int, **fields: Any) -> None:
        self._entries[file] = replace(self._entries[file], **fields)
        self._changed.add(file)

    def _save(self) -> None:
        changed = [self._entries[file] for file in sorted(self._changed)]
        self._store.save(changed)
        self._changed.clear()
        self._saved_at = time.monotonic()
        for entry in changed:
            if entry.state == "done":
                self._directory.remove_job(entry.id)
