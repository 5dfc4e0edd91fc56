"""Batches: what scheduling costs, how workers add up, how busy a large cluster is, and how fast a batch is resumed.

Restorations here are of near-zero cost, or tasks only sleep, because what is measured is what surrounds them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import clips
import numpy as np
from distributed import Client, LocalCluster
from session import BATCHES, CLI, Session
from table import Figure, Section, Table, at_least, at_most

from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.batch_backlog import BatchBacklog, Step
from reelprior.pipeline.batch_plan import Item, wish_hash
from reelprior.pipeline.cluster import Pool
from reelprior.pipeline.job import Job, content_hash
from reelprior.pipeline.monitoring import peak_memory_bytes
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.restore import Restoration
from reelprior.pipeline.schedule import Listener, run_task, take_steps
from reelprior.pipeline.settings import ChunkSettings
from reelprior.pipeline.stamp import stamp
from reelprior.pipeline.store import Entry, Store
from reelprior.pipeline.wishes import Wishes
from reelprior.pipeline.work import Opened, Receipt

__all__ = ["measure"]

_CLIPS = 200
_FINISHED = 1000
_WORKERS, _CHUNKS, _SECONDS_PER_CHUNK = 64, 5000, 1.0
#: One iteration and a network of two small scales: what is left is reading, writing and bookkeeping.
_NEXT_TO_NOTHING = (
    *("fit.iterations=1", "collaborative.enabled=false", "temporal.passes=1", "fusion.radius=1"),
    *("network.channels=[8,8]", "network.skip_channels=[4,4]", "compute.threads=1"),
)
#: Enough work for the start of the workers not to matter, of equal length for each clip.
_EQUAL_WORK = ("temporal.warm_iterations=150", "stopping.discrepancy=0", "compute.threads=1")


def measure(session: Session) -> Section:
    """Everything about batches."""
    shorten = session.is_shortened
    figures: list[Figure] = []
    rows: list[tuple[str, str, str]] = []
    for name, part in _PARTS.items():
        if session.batches and name not in session.batches:
            continue
        found, lines = part(session, shorten)
        for line in lines:
            print(*line, sep=": ", file=sys.stderr, flush=True)
        figures += found
        rows += lines
    notes = [
        f"Overhead: {_CLIPS} clips of 4 frames, 64x48, restored by `reelprior batch` within one process against the "
        "same steps taken one after the other without Dask, store or look-ahead, loading the libraries left out on "
        "both sides; an idle core may make it negative. "
        "Two workers: equal clips with `compute.threads=1`, by the clock on the wall, the start of the workers "
        f"included. Cluster: {_WORKERS} worker threads, tasks that sleep {_SECONDS_PER_CHUNK:g} s on average. "
        "Resume: a batch of finished files, by the command."
    ]
    return Section("Batches", figures, [Table(("part", "measured", "remark"), rows)], notes)


Part = tuple[list[Figure], list[tuple[str, str, str]]]


def _overhead(session: Session, shorten: bool) -> Part:
    """A batch of many short clips against the sum of its steps."""
    count = 10 if shorten else _CLIPS
    with tempfile.TemporaryDirectory(dir=session.output) as folder:
        source = Path(folder) / "in"
        first = _write_clip(source / "0000.mkv", frames=4)
        for number in range(1, count):
            shutil.copy(first, source / f"{number:04d}.mkv")
        alone = _one_after_the_other(sorted(source.iterdir()), Path(folder) / "alone")
        _batch(source, Path(folder) / "out", _NEXT_TO_NOTHING)
        batch = _seconds_of_events(Path(folder) / "out.reelprior" / "events.jsonl")
    percent = 100 * (batch / alone - 1)
    figure = at_most(f"scheduling overhead, {count} short clips", percent, 10, unit="%", digits=1)
    remark = f"batch {batch:.1f} s, its steps alone {alone:.1f} s"
    return [figure], [("scheduling overhead", f"{percent:.1f} %", remark)]


def _one_after_the_other(sources: Sequence[Path], output: Path) -> float:
    """Seconds that the same steps take without a batch around them."""
    settings = Wishes(set=_NEXT_TO_NOTHING).settings()
    output.mkdir()
    seconds = 0.0
    for number, source in enumerate(sources):
        work = Restoration(
            Job(
                input=str(source),
                output=str(output / source.name),
                settings=settings,
                job_dir=str(output / f"job-{number}"),
            )
        )
        started = time.perf_counter()
        backlog = work.open().backlog
        while (task := backlog.take_key() or backlog.take_chunk()) is not None:
            work.record(
                task, run_task(work.function(task), str(work.folder), task.id, "cpu", 1, kind=task.kind)
            )
            backlog.finish(task)
        work.finish()
        content_hash(work.job.output)
        shutil.rmtree(work.folder)
        if number > 0:  # the first one loads the libraries
            seconds += time.perf_counter() - started
        work.close()
    return seconds * len(sources) / max(1, len(sources) - 1)


def _two_workers(session: Session, shorten: bool) -> Part:
    """Two workers against one."""
    count = 2 if shorten else 8
    seconds = {}
    with tempfile.TemporaryDirectory(dir=session.output) as folder:
        source = Path(folder) / "in"
        first = _write_clip(source / "0.mkv", frames=12)
        for number in range(1, count):
            shutil.copy(first, source / f"{number}.mkv")
        for workers in (1, 2):
            out = Path(folder) / f"out-{workers}"
            seconds[workers] = _batch(source, out, _EQUAL_WORK, "--workers", str(workers))
    ratio = seconds[1] / seconds[2]
    figure = at_least("two workers against one, equal clips", ratio, 1.7, unit="times")
    remark = f"{seconds[1]:.1f} s and {seconds[2]:.1f} s; {os.cpu_count()} cores"
    return [figure], [("two workers", f"{ratio:.2f} times", remark)]


def _batch(source: Path, output: Path, settings: Sequence[str], *options: str) -> float:
    """Seconds of a batch, as its own result says."""
    changes = [part for change in settings for part in ("--set", change)]
    command = [
        *CLI,
        "batch",
        str(source),
        "--output",
        str(output),
        "--denoise",
        "10",
        "--json",
        *options,
        *changes,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"exit status {done.returncode}: {done.stderr.strip()}")
    return float(json.loads(done.stdout)["seconds"])


def _seconds_of_events(log: Path) -> float:
    """From the first event of a batch, when the libraries are loaded, to its last."""
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return float(events[-1]["elapsed"] - events[0]["elapsed"])


def _write_clip(path: Path, *, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.random.default_rng(7).normal(128, 10, (frames, 48, 64, 3))
    return clips.write(path, grey.clip(0, 255).astype(np.uint8))


class _Sleeping:
    """A work of many chunks whose tasks sleep."""

    def __init__(self, folder: Path, chunks: int) -> None:
        self.folder = folder
        self._plan = make_plan(
            range(chunks), [0.0] * chunks, height=8, width=8, chunk=ChunkSettings(frames=1), handle=0
        )

    def open(self) -> Opened:
        return Opened(Backlog(self._plan), disk_bytes=0)

    def function(self, _task: Task) -> Callable[[str, int, str, int], str]:
        return sleep

    def record(self, task: Task, receipt: Receipt) -> None:
        """Nothing to record."""

    def finish(self) -> None:
        """Nothing to make."""

    def cancel(self) -> None:
        """Nothing to stop."""

    def close(self) -> None:
        """Nothing to close."""


def sleep(_job_dir: str, number: int, _device: str, _threads: int) -> str:
    """A task that takes its time, each a little different from the next, and does nothing."""
    time.sleep(_SECONDS_PER_CHUNK * (0.5 + (number * 0.618034) % 1.0))
    return f"{number:064d}"


class _Busy(Listener):
    """Adds up what the tasks took."""

    def __init__(self) -> None:
        self.seconds, self.begun = 0.0, 0.0

    def joined(self, pool: Pool) -> None:
        """The clock runs from here."""
        self.begun = time.monotonic()

    def did(self, step: Step, receipt: Receipt) -> None:
        """One more task."""
        self.seconds += receipt.seconds


def _large_cluster(session: Session, shorten: bool) -> Part:
    """Many workers that sleep, and what the client and the scheduler need for them."""
    workers, chunks = (8, 80) if shorten else (_WORKERS, _CHUNKS)
    files = 50
    busy = _Busy()
    with (
        tempfile.TemporaryDirectory(dir=session.output) as folder,
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            memory_limit=0,
            dashboard_address=None,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        works = {number: _Sleeping(Path(folder) / str(number), chunks // files) for number in range(files)}
        for work in works.values():
            work.folder.mkdir()
        pool = Pool(client, slots=workers, device="cpu", threads=0, census=lambda: workers)
        before = peak_memory_bytes()
        take_steps(
            BatchBacklog(works),
            works,
            join=lambda: nullcontext(pool),
            listener=busy,
        )
        seconds = time.monotonic() - busy.begun
    percent = 100 * busy.seconds / (seconds * workers)
    grown = peak_memory_bytes() - before
    name = f"{workers} simulated workers, {chunks} chunks: busy"
    figure = at_least(name, percent, 90, unit="%", digits=1)
    return [figure], [
        ("large cluster", f"{percent:.1f} %", f"{seconds:.0f} s for {busy.seconds:.0f} s of tasks"),
        (
            "memory of client, scheduler and workers",
            f"{grown / 2**20:.0f} MiB more",
            f"at the peak than before the first task, for {chunks} chunks",
        ),
    ]


def _resume(session: Session, shorten: bool) -> Part:
    """Resume a batch in which everything is done."""
    count = 20 if shorten else _FINISHED
    with tempfile.TemporaryDirectory(dir=session.output) as folder:
        job_dir = _finished_batch(Path(folder), count)
        command = [*CLI, "resume", str(job_dir), "--json"]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode or json.loads(done.stdout)["unchanged"] != count:
            raise SystemExit(f"exit status {done.returncode}: {done.stderr.strip()} {done.stdout}")
    figure = at_most(f"resume of {count} finished files", seconds, 5, unit="s")
    return [figure], [("resume", f"{seconds:.2f} s", "the whole command, its start included")]


def _finished_batch(folder: Path, count: int) -> Path:
    """The directory of a batch of small files that are done, as the store has them."""
    job = Wishes().wish("video")
    item = Item("", "", "video", 0, wish_hash(job, "video"), job)
    job_dir = folder / "out.reelprior"
    for name in ("in", "out", "out.reelprior"):
        (folder / name).mkdir()
    entries = []
    for number in range(1, count + 1):
        source, output = folder / "in" / f"{number}.mov", folder / "out" / f"{number}.mkv"
        for path in (source, output):
            path.write_bytes(b"x" * 1000)
        entries.append(
            Entry(
                *(number, str(source), str(output), "video", 0, "done", None, item.wish),
                *(stamp(source), "h", stamp(output), "h", 4, 1.0),
            )
        )
    store = Store.create(job_dir / "batch.sqlite")
    store.save(entries, wishes={item.wish: item.job}, values={"options": "{}"})
    store.close()
    return job_dir


_PARTS = dict(zip(BATCHES, (_overhead, _two_workers, _large_cluster, _resume), strict=True))
