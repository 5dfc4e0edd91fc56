"""Commands as the tests run them: settings as small as a job can be, and what a command leaves behind."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TINY", "Outcome", "Started"]

#: Seconds of work become fractions of one; one thread, so that one worker and two compute the same bits.
TINY = ["--set", "fit.iterations=3", "--set", "compute.threads=1", "--set", "network.channels=[8,8]"]
TINY += ["--set", "network.skip_channels=[4,4]", "--set", "chunk.frames=4"]
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
