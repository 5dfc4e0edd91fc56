"""Batches that something happens to while they run: the outputs are those of an undisturbed run."""

import json
import shutil
import signal

import psutil
import pytest
from disturbed import NAMES, QUICK, SLOW, notes, outputs, wait_until
from media import make_video

pytestmark = pytest.mark.slow


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
