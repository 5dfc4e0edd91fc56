"""What the tests of faults share: a batch, its outputs when nothing happens to it, and its recovery."""

import pytest
from disturbed import NAMES, outputs
from jobs import Forked
from media import make_video

from reelprior.pipeline.cli import run_command_line


@pytest.fixture(scope="session")
def tapes(tmp_path_factory):
    """Three tiny clips, one in a folder of its own."""
    folder = tmp_path_factory.mktemp("tapes")
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True)
        make_video(folder / name, frames=8, noise_8bit=8 + seed, audio=False)
    return folder


@pytest.fixture(scope="session")
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
