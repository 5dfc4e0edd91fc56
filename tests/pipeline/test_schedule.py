"""Taking steps: errors in terms of a job, one file's failure apart from the others, and an end in good order."""

import contextlib
import time

import pytest
from distributed import LocalCluster
from jobs import TINY

from reelprior.io.errors import DiskFull, OutputError
from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.batch_backlog import BatchBacklog
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.errors import RestorationError, UnfitWorker
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.schedule import Listener, take_steps
from reelprior.pipeline.settings import ChunkSettings
from reelprior.pipeline.work import Opened

#: One scene, three chunks.
PLAN = make_plan(range(12), [0.0] * 12, height=48, width=64, chunk=ChunkSettings(frames=4), handle=1)


def succeed(_job_dir, number, _device, _threads):
    return f"hash-{number}"


class FakeWork:
    """A work of the plan whose steps are the functions that a test gives."""

    def __init__(self, folder, *, key=succeed, chunk=succeed, finish=lambda: None):
        self.directory = JobDirectory(folder)
        self.folder = folder
        self.functions = {"key": key, "chunk": chunk}
        self.finish = finish
        self.recorded = {}

    def open(self):
        self.directory.create()
        return Opened(Backlog(PLAN), disk_bytes=1)

    def function(self, task):
        return self.functions[task.kind]

    def record(self, task, receipt):
        self.recorded[task] = receipt.file_hash

    def cancel(self):
        self.directory.cancel()

    def close(self):
        pass


class Notes(Listener):
    """Keeps what it hears, and lets other files go on after a failure."""

    def __init__(self):
        self.finished_files, self.errors, self.receipts = [], {}, []

    def did(self, step, receipt):
        self.receipts.append(receipt)

    def finished(self, file):
        self.finished_files.append(file)

    def failed(self, file, error):
        self.errors[file] = error


@pytest.fixture
def take(tmp_path):
    """Take all steps of some works in a pool within this process."""

    def run(*works, listener=None):
        join = open_pool(tmp_path, workers=None, scheduler=None, compute=ComputeSettings(device="cpu"))
        take_steps(
            BatchBacklog(range(len(works))),
            dict(enumerate(works)),
            join=lambda: join,
            listener=listener or Listener(),
        )

    return run


def fail_with(error):
    def fail(*_arguments):
        raise error

    return fail


def test_every_task_is_recorded_with_its_hash_the_key_frame_first(take, tmp_path):
    work, notes = FakeWork(tmp_path / "a"), Notes()
    take(work, listener=notes)
    assert next(iter(work.recorded)) == Task("key", 0)
    assert work.recorded == {Task("key", 0): "hash-0"} | {Task("chunk", n): f"hash-{n}" for n in range(3)}
    assert notes.finished_files == [0]
    assert all(receipt.peak_memory_bytes > 1e6 and receipt.seconds >= 0 for receipt in notes.receipts)


@pytest.mark.parametrize("error", [FitError("it diverged"), OutputError("no permission")])
def test_an_error_of_the_layers_below_passes_unchanged(take, tmp_path, error):
    with pytest.raises(type(error), match=str(error)):
        take(FakeWork(tmp_path / "a", chunk=fail_with(error)))


def test_any_other_error_names_the_step(take, tmp_path):
    with pytest.raises(RestorationError, match="chunk 0 failed: ZeroDivisionError: no reason"):
        take(FakeWork(tmp_path / "a", chunk=fail_with(ZeroDivisionError("no reason"))))
    with pytest.raises(RestorationError, match="key frame of scene 0 failed"):
        take(FakeWork(tmp_path / "b", key=fail_with(ZeroDivisionError())))
    with pytest.raises(RestorationError, match="writing the output failed"):
        take(FakeWork(tmp_path / "c", finish=fail_with(ZeroDivisionError())))


def test_a_file_that_fails_does_not_stop_the_others(take, tmp_path):
    works = [
        FakeWork(tmp_path / "a", chunk=fail_with(FitError("it diverged"))),
        FakeWork(tmp_path / "b"),
        FakeWork(tmp_path / "c", finish=fail_with(OutputError("no permission"))),
        FakeWork(tmp_path / "d", key=fail_with(ZeroDivisionError())),
    ]
    notes = Notes()
    take(*works, listener=notes)
    assert notes.finished_files == [1]
    assert {file: type(error) for file, error in notes.errors.items()} == {
        0: FitError,
        2: OutputError,
        3: RestorationError,
    }


def test_a_full_disk_ends_the_whole_run_since_it_concerns_every_file(take, tmp_path):
    notes = Notes()
    with pytest.raises(DiskFull):
        take(
            FakeWork(tmp_path / "a", chunk=fail_with(DiskFull("no room"))),
            FakeWork(tmp_path / "b"),
            listener=notes,
        )
    assert not notes.errors


def test_a_task_that_an_unfit_worker_had_is_given_to_another(take, tmp_path):
    # Counted in a file, because what Dask runs is a copy of the function.
    seen = tmp_path / "seen"
    seen.touch()

    def unfit_at_first(_job_dir, number, *_arguments):
        with seen.open("a") as file:
            file.write("x")
        if seen.stat().st_size < 3:
            raise UnfitWorker("it does not see the job")
        return f"hash-{number}"

    work = FakeWork(tmp_path / "a", key=unfit_at_first)
    take(work)
    assert len(work.recorded) == 4


def test_a_task_that_every_worker_is_unfit_for_is_a_failure(take, tmp_path):
    with pytest.raises(UnfitWorker, match="does not see"):
        take(FakeWork(tmp_path / "a", key=fail_with(UnfitWorker("it does not see the job"))))


def test_after_an_error_the_tasks_in_flight_are_told_to_stop(take, tmp_path):
    stopped = tmp_path / "stopped"
    work = FakeWork(tmp_path / "a")

    def fail_or_wait(_job_dir, number, *_arguments):
        if number == 0:
            raise ZeroDivisionError
        while not work.directory.cancelled:
            time.sleep(0.01)
        stopped.touch()
        return ""

    work.functions["chunk"] = fail_or_wait
    with pytest.raises(RestorationError):
        take(work)
    assert work.directory.cancelled
    assert stopped.exists()


def test_without_tasks_no_worker_is_started(tmp_path):
    work = FakeWork(tmp_path / "a")
    work.open = lambda: Opened(
        Backlog(PLAN, done=[Task("chunk", number) for number in range(3)]), disk_bytes=1
    )

    @contextlib.contextmanager
    def join():
        raise AssertionError("nobody is needed")
        yield

    notes = Notes()
    take_steps(BatchBacklog([0]), {0: work}, join=join, listener=notes)
    assert notes.finished_files == [0]


def test_an_existing_cluster_does_the_same_work(run, clip, tmp_path):
    alone, together = tmp_path / "alone.mkv", tmp_path / "together.mkv"
    assert run("restore", clip, alone, *TINY).status == 0
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        outcome = run("restore", clip, together, *TINY, "--scheduler", cluster.scheduler_address)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert together.read_bytes() == alone.read_bytes()
