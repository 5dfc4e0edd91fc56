"""Running a backlog: errors in terms of a job, and an end in good order."""

import time

import pytest
from distributed import LocalCluster
from jobs import TINY

from reelprior.io.errors import OutputError
from reelprior.models.errors import FitError
from reelprior.models.settings import ComputeSettings
from reelprior.pipeline import schedule
from reelprior.pipeline.backlog import Backlog, Task
from reelprior.pipeline.cluster import open_pool
from reelprior.pipeline.errors import RestorationError
from reelprior.pipeline.jobdir import JobDirectory
from reelprior.pipeline.plan import make_plan
from reelprior.pipeline.settings import ChunkSettings

#: One scene, three chunks.
PLAN = make_plan(range(12), [0.0] * 12, height=48, width=64, chunk=ChunkSettings(frames=4), handle=1)


def succeed(_job_dir, number, _device, _threads):
    return f"hash-{number}"


@pytest.fixture
def directory(tmp_path):
    directory = JobDirectory(tmp_path / "job")
    directory.create()
    return directory


@pytest.fixture
def run_backlog(directory, monkeypatch):
    """Run the plan with other functions in the place of the tasks; what was recorded."""

    def run(*, key=succeed, chunk=succeed):
        monkeypatch.setitem(schedule._FUNCTIONS, "key", key)
        monkeypatch.setitem(schedule._FUNCTIONS, "chunk", chunk)
        done = {}
        compute = ComputeSettings(device="cpu")
        with open_pool(directory.path, workers=None, scheduler=None, compute=compute) as pool:
            schedule.run_tasks(
                Backlog(PLAN), directory, pool, on_done=done.__setitem__, on_tick=lambda _running: None
            )
        return done

    return run


def test_every_task_is_recorded_with_its_hash_the_key_frame_first(run_backlog):
    done = run_backlog()
    assert next(iter(done)) == Task("key", 0)
    assert done == {Task("key", 0): "hash-0"} | {Task("chunk", n): f"hash-{n}" for n in range(3)}


@pytest.mark.parametrize("error", [FitError("it diverged"), OutputError("the disk is full")])
def test_an_error_of_the_layers_below_passes_unchanged(run_backlog, error):
    def fail(*_arguments):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run_backlog(chunk=fail)


def test_any_other_error_names_the_task(run_backlog):
    def fail(*_arguments):
        raise ZeroDivisionError("no reason")

    with pytest.raises(RestorationError, match="chunk 0 failed: ZeroDivisionError: no reason"):
        run_backlog(chunk=fail)
    with pytest.raises(RestorationError, match="key frame of scene 0 failed"):
        run_backlog(key=fail)


def test_after_an_error_the_tasks_in_flight_are_told_to_stop(run_backlog, directory):
    stopped = directory.path / "stopped"

    def fail_or_wait(_job_dir, number, *_arguments):
        if number == 0:
            raise ZeroDivisionError
        while not directory.cancelled:
            time.sleep(0.01)
        stopped.touch()
        return ""

    with pytest.raises(RestorationError):
        run_backlog(chunk=fail_or_wait)
    assert directory.cancelled
    assert stopped.exists()


def test_an_existing_cluster_does_the_same_work(run, clip, tmp_path):
    alone, together = tmp_path / "alone.mkv", tmp_path / "together.mkv"
    assert run("restore", clip, alone, *TINY).status == 0
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        outcome = run("restore", clip, together, *TINY, "--scheduler", cluster.scheduler_address)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert together.read_bytes() == alone.read_bytes()
