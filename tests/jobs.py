"""Commands as the tests run them: settings as small as a job can be, and what a command leaves behind."""

import importlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["TINY", "Forked", "Moment", "Outcome", "Started"]

#: Seconds of work become fractions of one; one thread, so that one worker and two compute the same bits.
TINY = ["--set", "fit.iterations=3", "--set", "compute.threads=1", "--set", "network.channels=[8,8]"]
TINY += ["--set", "network.skip_channels=[4,4]", "--set", "chunk.frames=4"]
TINY += ["--set", "completion.iterations=4"]
TINY += ["--set", "collaborative.unseen_steps=2", "--set", "collaborative.bounded_steps=2"]
#: The cuts of `media.make_video` change colours more than light, and score 5 to 9.
TINY += ["--set", "chunk.scene_threshold=4"]


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> str:
        """The one line on stderr."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, f"not one line: {self.stderr!r}"
        return lines[0]


@dataclass
class Started:
    """A command in a process and a session of its own: signals reach it and its workers only."""

    arguments: list[str]
    program: tuple[str, ...] = ("-m", "reelprior.pipeline.cli")
    process: subprocess.Popen = field(init=False)

    def __post_init__(self):
        self.process = subprocess.Popen(
            [sys.executable, *self.program, *self.arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONWARNINGS": "default"},
        )

    def end(self, *, within: float = 60) -> Outcome:
        """Wait for the end."""
        stdout, stderr = self.process.communicate(timeout=within)
        return Outcome(self.process.returncode, stdout, stderr)


@dataclass(frozen=True)
class Moment:
    """A call of a function at which a process kills itself with SIGKILL, as somebody from outside might just then."""

    module: str
    name: str
    when: str
    count: int

    def arm(self) -> None:
        """Put the killing function in the place of the real one."""
        owner, _, attribute = self.name.rpartition(".")
        holder = importlib.import_module(f"reelprior.{self.module}")
        holder = getattr(holder, owner) if owner else holder
        original, calls = getattr(holder, attribute), 0

        def fatal(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == self.count and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*arguments, **options)
            if calls == self.count:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(holder, attribute, fatal)


#: Forks every process from one that has imported everything already: they start in no time.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["reelprior.pipeline.batch_run", "reelprior.pipeline.restore"])


class Forked:
    """A command in a process of its own that needs no time to start.

    Parameters
    ----------
    arguments
        Of the command.
    log
        Folder for what it prints.
    moment
        When it is to kill itself.
    file_size
        It cannot write files beyond this size, which acts as a full disk does.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        log: Path,
        *,
        moment: Moment | None = None,
        file_size: int | None = None,
    ) -> None:
        self._log = log
        self.process = _FORKS.Process(
            target=_run_forked, args=([str(each) for each in arguments], log, moment, file_size)
        )
        self.process.start()

    def end(self, *, within: float = 240) -> Outcome:
        """Wait for the end."""
        self.process.join(within)
        assert self.process.exitcode is not None, "it does not end"
        texts = [path.read_text() if path.exists() else "" for path in _outputs_below(self._log)]
        return Outcome(self.process.exitcode, *texts)


def _outputs_below(log: Path) -> list[Path]:
    return [log / "stdout", log / "stderr"]


def _run_forked(arguments: list[str], log: Path, moment: Moment | None, file_size: int | None) -> None:
    from reelprior.pipeline import cli

    for number, path in enumerate(_outputs_below(log), start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    if file_size is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if moment is not None:
        moment.arm()
    sys.argv[1:] = arguments
    cli.main()
