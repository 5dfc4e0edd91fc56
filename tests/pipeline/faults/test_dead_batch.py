"""Batches whose client died, at any moment and whatever happened to their files since: `resume` gives the same outputs.

Where the moment matters, the process kills itself there (`Moment`), as kill -9 from outside would.
"""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from disturbed import QUICK, outputs
from jobs import Forked, Moment

pytestmark = pytest.mark.slow


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
