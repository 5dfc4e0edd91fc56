"""The clips and commands that the tests of the pipeline share."""

import signal

import pytest
from jobs import Outcome, Started
from media import make_video

from reelprior.pipeline.cli import run_command_line

# A suite started in the background by a shell inherits "ignore" for Ctrl-C, and so would all it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def run(capsys):
    """Run a command within this process."""

    def run_command(*arguments) -> Outcome:
        capsys.readouterr()
        status = run_command_line([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run_command


@pytest.fixture
def start():
    """Start a command in a process of its own; it is ended with the test."""
    started = []

    def start_command(*arguments, **options) -> Started:
        started.append(Started([str(argument) for argument in arguments], **options))
        return started[-1]

    yield start_command
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
        command.process.communicate()


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """12 noisy frames of 48 x 64 with sound, a cut before frame 8."""
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mkv", frames=12, cuts=(8,), noise_8bit=10)


@pytest.fixture(scope="session")
def truth(tmp_path_factory):
    """The same clip without the noise."""
    return make_video(tmp_path_factory.mktemp("truth") / "truth.mkv", frames=12, cuts=(8,), audio=False)
