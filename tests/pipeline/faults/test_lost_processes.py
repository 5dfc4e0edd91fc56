"""A batch on a cluster of real processes that lose their scheduler or a worker."""

import os
import signal
import subprocess
import sys

import pytest
from disturbed import SLOW, notes, outputs, wait_until

pytestmark = pytest.mark.slow


class DaskProcesses:
    """A scheduler and workers as real processes, started by the commands that the documentation names."""

    def __init__(self, folder):
        self.file = folder / "scheduler.json"
        self.processes = []
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard")

    def worker(self, *options):
        return self._start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", *options)

    def _start(self, kind, *options):
        with self.file.with_name(f"{kind}-{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, "--scheduler-file", str(self.file), *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def dask_processes(tmp_path):
    """Start a scheduler; the test adds workers."""
    started = []

    def begin():
        folder = tmp_path / f"cluster-{len(started)}"
        folder.mkdir()
        started.append(DaskProcesses(folder))
        return started[-1]

    yield begin
    for each in started:
        each.end()


def test_a_killed_scheduler_ends_the_batch_in_one_line(fork, tapes, recovers, place, dask_processes):
    output, job_dir = place
    cluster = dask_processes()
    cluster.worker()
    command = fork("batch", tapes, "--output", output, *SLOW, "--scheduler", cluster.file)
    wait_until(lambda: notes(job_dir), command)
    cluster.scheduler.kill()
    outcome = command.end(within=120)
    assert outcome.status == 4
    assert "the Dask scheduler went away" in outcome.error
    recovers(SLOW, "--workers", "1")


def test_a_worker_at_the_end_of_its_walltime_hands_over_to_the_next(
    fork, tapes, undisturbed, place, dask_processes
):
    output, job_dir = place
    cluster = dask_processes()
    first = cluster.worker("--lifetime", "1h")
    command = fork("batch", tapes, "--output", output, *SLOW, "--scheduler", cluster.file)
    wait_until(lambda: notes(job_dir), command)
    cluster.worker()
    # What a queueing system sends when the time is up.
    first.send_signal(signal.SIGTERM)
    outcome = command.end(within=240)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outputs(output) == undisturbed(SLOW)
