"""A batch that is disturbed: what the tests of faults run, wait for and compare."""

import time

from jobs import TINY

__all__ = ["NAMES", "QUICK", "SLOW", "notes", "outputs", "wait_until"]

#: Three files of two chunks each; the last of equal keys wins.
QUICK = [*TINY, "--set", "chunk.fade=1", "--set", "fit.iterations=4", "--set", "collaborative.enabled=false"]
#: The same, long enough to be disturbed in the middle.
SLOW = [*QUICK, "--set", "fit.iterations=60", "--set", "temporal.warm_iterations=60"]
SLOW += ["--set", "stopping.discrepancy=0"]
NAMES = ("a.mkv", "b/c.mkv", "d.mkv")


def outputs(folder):
    """The outputs by name; not their records and the index page, which say when they were made."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".reelprior." not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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
