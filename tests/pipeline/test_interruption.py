"""What survives when a run is killed, loses a worker, or is told to stop: with real processes."""

import os
import re
import signal
import time

import psutil
import pytest
from jobs import TINY

from reelprior.pipeline.cli import run_command_line
from reelprior.pipeline.errors import Interrupted
from reelprior.pipeline.terminal import interruptible

#: Long enough to be interrupted in the middle, short enough to wait for. The last of equal keys wins.
SLOW = [*TINY, "--set", "chunk.frames=2", "--set", "chunk.fade=1", "--set", "fit.iterations=60"]
SLOW += ["--set", "temporal.warm_iterations=60"]


@pytest.fixture(scope="module")
def undisturbed(clip, tmp_path_factory):
    """The bytes of the output when nothing happens."""
    output = tmp_path_factory.mktemp("undisturbed") / "out.mkv"
    assert run_command_line(["restore", str(clip), str(output), *SLOW, "--quiet"]) == 0
    return output.read_bytes()


def wait_until(condition, command, *, seconds=60):
    """Wait until something is true of a running command."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert command.process.poll() is None, f"ended early: {command.process.communicate()}"
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def finished(job_dir, name="chunk"):
    """How many results the manifest vouches for."""
    manifest = job_dir / "manifest.jsonl"
    return manifest.read_text().count(f'"{name}-') if manifest.exists() else 0


def chunk_times(job_dir):
    return {path.name: path.stat().st_mtime_ns for path in (job_dir / "chunks").glob("*.mkv")}


def worker_processes(command):
    children = psutil.Process(command.process.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in _command_line(child)]


def _command_line(process):
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return ""


def test_a_killed_run_continues_and_keeps_finished_chunks(clip, start, run, undisturbed, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "out.mkv.reelprior"
    first = start("restore", clip, output, *SLOW)
    wait_until(lambda: finished(job_dir) >= 2, first)
    first.process.kill()
    first.end()
    assert not output.exists()
    kept = finished(job_dir)
    before = chunk_times(job_dir)

    outcome = run("restore", clip, output, *SLOW, "--json", "--job-dir", job_dir)
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.json["chunks_reused"] == kept
    after = chunk_times(job_dir)
    assert sum(after[name] == before.get(name) for name in after) >= kept
    assert output.read_bytes() == undisturbed


@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["in this process", "two workers"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_within_seconds_and_says_how_to_resume(clip, start, tmp_path, workers, number):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "out.mkv.reelprior"
    # More work than any machine does before the signal comes.
    command = start("restore", clip, output, *SLOW, "--set", "fit.iterations=100000", *workers)
    wait_until(lambda: list((job_dir / "progress").glob("*.json")), command)
    if number == signal.SIGINT:
        os.killpg(command.process.pid, number)  # as a terminal does: to the workers too
    else:
        command.process.send_signal(number)
    began = time.monotonic()
    outcome = command.end(within=30)
    assert time.monotonic() - began < 20
    assert outcome.status == 130
    assert outcome.error == (
        f"reelprior: interrupted: 0 of 6 chunks are finished and kept in {job_dir}; "
        "run the same command again to continue"
    )
    assert not output.exists()
    assert not list(tmp_path.glob(".*"))


STUBBORN = """
import sys, time
from pathlib import Path
from reelprior.models import temporal
from reelprior.pipeline.cli import main

def fit_key_frame(*arguments, **options):
    Path(sys.argv[3] + ".begun").touch()
    time.sleep(60)

temporal.fit_key_frame = fit_key_frame
sys.argv[1:] = ["restore", *sys.argv[1:]]
main()
"""


def test_a_task_that_does_not_look_at_the_flag_does_not_hold_the_end_up(clip, start, tmp_path):
    output, begun = tmp_path / "out.mkv", tmp_path / "out.mkv.begun"
    command = start(clip, output, *SLOW, program=("-c", STUBBORN))
    wait_until(begun.exists, command)
    command.process.send_signal(signal.SIGINT)
    began = time.monotonic()
    outcome = command.end(within=30)
    assert time.monotonic() - began < 20
    assert outcome.status == 130
    assert outcome.error.startswith("reelprior: interrupted: 0 of 6 chunks")


def test_a_worker_killed_in_mid_chunk_is_retried_and_the_output_is_the_same(
    clip, start, undisturbed, tmp_path
):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "out.mkv.reelprior"
    command = start("restore", clip, output, *SLOW, "--workers", "2")
    wait_until(lambda: list((job_dir / "progress").glob("chunk-*.json")), command)
    victim = worker_processes(command)[0]
    victim.kill()
    outcome = command.end()
    assert (outcome.status, outcome.stderr) == (0, "")
    assert output.read_bytes() == undisturbed


def test_a_task_that_ends_every_worker_fails_with_its_name(clip, start, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "out.mkv.reelprior"
    command = start("restore", clip, output, *SLOW, "--set", "fit.iterations=100000", "--workers", "1")
    deadline = time.monotonic() + 60
    killed = set()
    while command.process.poll() is None and time.monotonic() < deadline:
        # Each worker is killed once it is at work, which is when it has said how far it is.
        notes = list((job_dir / "progress").glob("*.json"))
        if notes:
            for worker in worker_processes(command):
                if worker.pid not in killed:
                    killed.add(worker.pid)
                    for note in notes:
                        note.unlink(missing_ok=True)
                    worker.kill()
        time.sleep(0.05)
    outcome = command.end(within=30)
    assert outcome.status == 4
    assert re.match(r"reelprior: key frame of scene \d ended its worker 4 times", outcome.error)


def test_the_workers_end_with_a_killed_client(clip, start, tmp_path):
    output, job_dir = tmp_path / "out.mkv", tmp_path / "out.mkv.reelprior"
    command = start("restore", clip, output, *SLOW, "--set", "fit.iterations=100000", "--workers", "2")
    wait_until(lambda: list((job_dir / "progress").glob("*.json")), command)
    workers = worker_processes(command)
    assert len(workers) == 2
    command.process.kill()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_any_work_says_that_nothing_was_begun(number):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="before any chunk was begun"), interruptible():
        signal.raise_signal(number)
    assert signal.getsignal(signal.SIGTERM) is before
