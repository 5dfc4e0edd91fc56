"""Faults, with real processes: whatever happens to a batch, after `resume` its outputs are those of an undisturbed run.

Every case lets something happen to a running or dead batch, resumes it, and compares all outputs byte by byte. Where
the moment matters, the process kills itself there (`Moment`), as kill -9 from outside would.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from jobs import TINY, Forked, Moment
from media import make_video

from reelprior.pipeline.cli import run_command_line

pytestmark = pytest.mark.slow

#: Three files of two chunks each; the last of equal keys wins.
QUICK = [*TINY, "--set", "chunk.fade=1", "--set", "fit.iterations=4", "--set", "collaborative.enabled=false"]
#: The same, long enough to be disturbed in the middle.
SLOW = [*QUICK, "--set", "fit.iterations=60", "--set", "temporal.warm_iterations=60"]
SLOW += ["--set", "stopping.discrepancy=0"]
NAMES = ("a.mkv", "b/c.mkv", "d.mkv")


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    """Three tiny clips, one in a folder of its own."""
    folder = tmp_path_factory.mktemp("tapes")
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True)
        make_video(folder / name, frames=8, noise_8bit=8 + seed, audio=False)
    return folder


def outputs(folder):
    """The outputs by name; not their records and the index page, which say when they were made."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".reelprior." not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(tapes, tmp_path_factory):
    """The outputs of a run to which nothing happens, by its settings."""
    known = {}

    def restore(settings):
        if tuple(settings) not in known:
            output = tmp_path_factory.mktemp("undisturbed") / "out"
            assert run_command_line(["batch", str(tapes), "--output", str(output), *settings, "--quiet"]) == 0
            known[tuple(settings)] = outputs(output)
        return known[tuple(settings)]

    return restore


@pytest.fixture
def place(tmp_path):
    """Where the outputs and the batch's directory of a test are."""
    return tmp_path / "out", tmp_path / "out.reelprior"


@pytest.fixture
def fork(tmp_path):
    """Start a command in a process of its own; it is ended with the test."""
    started = []

    def fork_command(*arguments, **options):
        log = tmp_path / f"log-{len(started)}"
        log.mkdir()
        started.append(Forked(arguments, log, **options))
        return started[-1]

    yield fork_command
    for command in started:
        if command.process.is_alive():
            command.process.kill()
        command.process.join()


@pytest.fixture
def recovers(run, undisturbed, place):
    """Resume, and see that nothing is left to do and every output is what it would have been."""

    def resume(settings, *options, place=place):
        output, job_dir = place
        outcome = run("resume", job_dir, "--json", *options)
        assert outcome.status == 0, outcome.stderr
        assert outcome.json["all_done"]
        assert outputs(output) == undisturbed(settings)
        assert not list((job_dir / "files").iterdir()), "a job directory is left"

    return resume


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(Moment(*moment), id=name)
        for name, moment in {
            "with nothing but the store": ("pipeline.store", "Store.save", "after", 1),
            "before an order is written": ("pipeline.jobdir", "JobDirectory.save_order", "before", 2),
            "with an order and no task": ("pipeline.jobdir", "JobDirectory.save_order", "after", 1),
            "with a key and no line about it": ("pipeline.tasks", "save_arrays", "after", 1),
            "with a whole temporary file": ("io.files", "commit", "before", 9),
            "with a chunk and no line about it": ("pipeline.tasks", "write_frames", "after", 2),
            "before an output": ("pipeline.restore", "assemble", "before", 1),
            "with an output that the store does not know": ("pipeline.restore", "assemble", "after", 2),
            "before the last states are saved": ("pipeline.batch_run", "BatchListener.put_down", "before", 1),
            "with a job directory of a done file": (
                "pipeline.batchdir",
                "BatchDirectory.remove_job",
                "before",
                1,
            ),
        }.items()
    ],
)
def test_a_client_killed_at_any_moment(fork, recovers, tapes, place, moment):
    assert fork("batch", tapes, "--output", place[0], *QUICK, moment=moment).end().status == -signal.SIGKILL
    recovers(QUICK)


@pytest.fixture(scope="module")
def killed_once(tapes, tmp_path_factory):
    """A batch that was killed with all results of one file and perhaps some of others, and a copy of it."""
    folder = tmp_path_factory.mktemp("dead")
    moment = Moment("pipeline.restore", "assemble", "before", 1)
    dead = Forked(["batch", tapes, "--output", folder / "now" / "out", *QUICK], folder, moment=moment)
    assert dead.end().status == -signal.SIGKILL
    shutil.copytree(folder / "now", folder / "copy")
    return folder


@pytest.fixture
def dead(killed_once):
    """That batch as it was left: the places of its outputs and its directory."""
    shutil.rmtree(killed_once / "now")
    shutil.copytree(killed_once / "copy", killed_once / "now")
    assert list((killed_once / "now").rglob("key-*.npz"))
    assert list((killed_once / "now").rglob("chunk-*.mkv"))
    return killed_once / "now" / "out", killed_once / "now" / "out.reelprior"


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def alter(path):
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 255
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        ("chunk-*.mkv", truncate),
        ("chunk-*.mkv", alter),
        ("chunk-*.mkv", os.unlink),
        ("key-*.npz", alter),
        ("key-*.npz", os.unlink),
        ("manifest.jsonl", lambda path: os.truncate(path, path.stat().st_size - 9)),
        ("manifest.jsonl", lambda path: path.write_bytes(b"\0" * 100)),
        ("job.json", truncate),
        ("index.json", truncate),
    ],
    ids=[
        *["truncated chunks", "altered chunks", "lost chunks", "altered keys", "lost keys"],
        *["a line cut off", "a manifest of zeros", "a truncated order", "a truncated index"],
    ],
)
def test_damaged_files_of_a_dead_batch(dead, recovers, names, damage):
    found = list(dead[1].rglob(names))
    assert found
    for path in found:
        damage(path)
    recovers(QUICK, place=dead)


def test_the_lock_of_a_dead_client_does_not_hold_anybody_up(dead, recovers):
    assert (dead[1] / "holder.json").exists(), "the dead one could not clean up"
    recovers(QUICK, place=dead)


def test_a_request_to_stop_that_a_dead_client_left_behind(dead, recovers):
    for folder in (dead[1] / "files").iterdir():
        (folder / "cancel").touch()
    recovers(QUICK, place=dead)


CUT_OFF = """
import sqlite3, os, signal, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = PERSIST")
db.execute("PRAGMA cache_size = 1")
db.execute("PRAGMA cache_spill = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE files SET state = 'done', reason = hex(zeroblob(200000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_store_whose_commit_was_cut_off(dead, recovers):
    # A journal that is still there is what a power loss in mid-commit leaves.
    store = dead[1] / "batch.sqlite"
    before = store.stat().st_size
    subprocess.run([sys.executable, "-c", CUT_OFF, store], check=False)
    assert store.stat().st_size > before, "half of the commit is in the file"
    recovers(QUICK, place=dead)


EARLIER = """
import time
now = time.time
time.time = lambda: now() - 5e7
time.time_ns = lambda: int(time.time() * 1e9)
from reelprior.pipeline.cli import main
main()
"""


def test_the_clock_set_back_between_two_runs(dead, start, undisturbed):
    # Everything that exists seems to come from the future.
    for path in dead[1].rglob("*"):
        os.utime(path, (4e9, 4e9))
    outcome = start("resume", dead[1], program=("-c", EARLIER)).end(within=240)
    assert outcome.status == 0, outcome.stderr
    assert outputs(dead[0]) == undisturbed(QUICK)


@pytest.mark.parametrize("kilobytes", [48, 12], ids=["for a result", "for the store"])
def test_a_full_disk_ends_the_batch_in_one_line_and_fails_no_file(
    fork, tapes, undisturbed, run, place, kilobytes
):
    command = ["batch", tapes, "--output", place[0], *QUICK]
    outcome = fork(*command, file_size=kilobytes * 1000).end()
    assert outcome.status == 5, outcome.stderr
    assert "free some space" in outcome.error
    # Without --retry-failed: nothing has failed.
    assert run(*command).status == 0
    assert outputs(place[0]) == undisturbed(QUICK)


def wait_until(condition, command, *, seconds=300):
    """Wait until something is true of a running command."""
    deadline = time.monotonic() + seconds
    ended = command.process.poll if hasattr(command.process, "poll") else lambda: command.process.exitcode
    while not condition():
        assert ended() is None, f"ended early: {command.end()}"
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def notes(job_dir):
    """Tasks that say how far they are."""
    return list((job_dir / "files").glob("*/progress/*.json"))


def chunks_done(job_dir):
    return sum(path.read_text().count('"chunk-') for path in (job_dir / "files").glob("*/manifest.jsonl"))


def test_a_request_to_terminate_ends_the_batch_in_seconds_and_keeps_what_is_finished(
    start, tapes, recovers, place
):
    output, job_dir = place
    command = start("batch", tapes, "--output", output, *SLOW)
    wait_until(lambda: chunks_done(job_dir) >= 1, command)
    command.process.send_signal(signal.SIGTERM)
    outcome = command.end(within=60)
    assert outcome.status == 130
    assert outcome.error.endswith(f"go on with: reelprior resume {job_dir}")
    recovers(SLOW)


def test_a_second_client_is_refused_and_the_first_is_not_disturbed(fork, run, tapes, undisturbed, place):
    output, job_dir = place
    command = fork("batch", tapes, "--output", output, *SLOW)
    wait_until(lambda: notes(job_dir), command)
    for second in (["resume", job_dir], ["batch", tapes, "--output", output, *SLOW]):
        refused = run(*second)
        assert refused.status == 2
        assert f"is in use by process {command.process.pid} on " in refused.error
    status = run("status", output, "--json").json
    assert status["at_work"] and sum(status["states"].values()) == len(NAMES)
    assert command.end().status == 0
    assert outputs(output) == undisturbed(SLOW)


def test_a_worker_killed_in_mid_task_costs_that_task_only(start, tapes, undisturbed, place):
    output, job_dir = place
    command = start("batch", tapes, "--output", output, *SLOW, "--workers", "2")
    wait_until(lambda: notes(job_dir), command)
    workers = [
        child
        for child in psutil.Process(command.process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]
    workers[0].kill()
    outcome = command.end(within=240)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outputs(output) == undisturbed(SLOW)


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


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_gives_the_same_outputs(run, tapes, undisturbed, place, workers):
    outcome = run("batch", tapes, "--output", place[0], *QUICK, "--workers", workers)
    assert outcome.status == 0, outcome.stderr
    assert outputs(place[0]) == undisturbed(QUICK)


def test_a_source_that_changes_while_it_is_restored_fails_and_is_done_again(fork, run, tapes, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(tapes, folder)
    output = tmp_path / "out"
    command = fork("batch", folder, "--output", output, *SLOW)
    wait_until(lambda: notes(tmp_path / "out.reelprior"), command)
    make_video(folder / "d.mkv", frames=8, noise_8bit=20, audio=False, rate=24)
    make_video(folder / "a.mkv", frames=8, noise_8bit=20, audio=False, rate=24)
    outcome = command.end()
    assert outcome.status == 4
    assert "has changed while it was being restored" in outcome.stderr
    assert "a.mkv" not in outputs(output)
    assert run("resume", output, "--retry-failed").status == 0
    assert sorted(outputs(output)) == sorted(NAMES)
    events = (tmp_path / "out.reelprior" / "events.jsonl").read_text().splitlines()
    assert {json.loads(line)["event"] for line in events} >= {"file failed", "output written"}
